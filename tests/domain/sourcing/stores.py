"""Stores and requests that tests speak of: open around the clock unless told otherwise."""

from typing import Any

from bopis.domain.calendar.hours import Calendar
from bopis.domain.inventory.rows import Terms
from bopis.domain.sourcing.decision import Decision
from bopis.domain.sourcing.facts import SkuFacts, StoreFacts
from bopis.domain.sourcing.ladder import decide
from bopis.domain.sourcing.request import Allowances, Request, RequestLine
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.values import DAY_MS, HOUR_MS

NOW_MS = 1_800_000_000_000 // DAY_MS * DAY_MS + 10 * HOUR_MS  # ten o'clock
TODAY_MS = NOW_MS // DAY_MS * DAY_MS


def open_daily(from_hour: int = 0, to_hour: int = 24, days: int = 28) -> Calendar:
    """Open every day between two hours of a zone without changes of the clock."""
    midnights = tuple(TODAY_MS + it * DAY_MS for it in range(-1, days + 1))
    opens = tuple((it + from_hour * HOUR_MS, it + to_hour * HOUR_MS) for it in midnights[:-1])
    if (from_hour, to_hour) == (0, 24):
        opens = ((midnights[0], midnights[-1]),)
    return Calendar(opens=opens, days=midnights)


ALWAYS = open_daily()


def terms(on_hand: int, held: int = 0, safety_stock: int = 0) -> Terms:
    return Terms(
        on_hand=on_hand,
        held=held,
        in_doubt=0,
        safety_stock=safety_stock,
        walk_in_reserve=0,
        staleness=0,
        safety_stock_rule="default",
        walk_in_reserve_rule="default",
    )


def store(name: str, stock: dict[str, int] | None = None, **facts: Any) -> StoreFacts:
    """A store with so many units of each SKU available to promise."""
    skus = tuple(SkuFacts(sku=sku, terms=terms(units)) for sku, units in sorted((stock or {}).items()))
    return StoreFacts(**{"store": name, "calendar": ALWAYS, "skus": skus, **facts})


def request(lines: dict[str, int], chosen: str | None = "A", **asked: Any) -> Request:
    """An order of so many units of each SKU."""
    wanted = tuple(
        RequestLine(line=number, sku=sku, quantity=units) for number, (sku, units) in enumerate(lines.items(), 1)
    )
    allows = Allowances(**{it: asked.pop(it) for it in list(asked) if it in Allowances.__struct_fields__})
    return Request(order="ORDER001", attempt=1, lines=wanted, store=chosen, allows=allows, **asked)


def route(asked: Request, *stores: StoreFacts, rules: RuleSet = RuleSet()) -> Decision:
    return decide(asked, stores, rules, NOW_MS)


def served(decision: Decision) -> dict[str, dict[int, int]]:
    """Units of each line by store."""
    return {it.store: {line.line: line.quantity for line in it.lines} for it in decision.answer.assignments}


def eliminated(decision: Decision) -> dict[str, str]:
    return {it.store: it.reason.value for it in decision.answer.eliminated}
