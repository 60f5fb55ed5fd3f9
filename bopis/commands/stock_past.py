"""Stock at a past instant, and the messages behind each of its terms."""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from bopis.commands.errors import SkuUnknown, Usage
from bopis.commands.shell import AsJson, open_shell
from bopis.commands.stock_read import CLOCK, SKU, STORE, Clock, known_or_stocked, level_of, zone_of

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.readside.queries.answers import MovementAnswer
    from bopis.readside.queries.reasons import HoldWhy, RuleWhy, WhyAnswer


def at(
    context: typer.Context,
    store: STORE,
    sku: SKU,
    time: Annotated[str, typer.Argument(help="When: 2026-03-01T14:00, 14:00 (today) or 90m, 3h, 2d (ago).")],
    clock: CLOCK = Clock.OCCURRED,
    as_json: AsJson = False,
) -> None:
    """Show what could be promised at a past instant, on either clock; a time without zone is the store's."""
    from bopis.commands.levels import at_instant, equation, told_beside
    from bopis.commands.times import read_time
    from bopis.readside import queries
    from bopis.readside.errors import CellUnknown

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        zone = zone_of(known_or_stocked(engine, store))
        instant = read_time(time, zone).at.astimezone(UTC)
        if instant > datetime.now(UTC):
            raise Usage(
                problem=f"{time!r} lies ahead. `bopis stock show {store} {sku} --on {time!r}` tells what comes."
            )
        try:
            found = queries.at(engine, store, sku, instant, clock.value)
        except CellUnknown:
            raise SkuUnknown(store=store, sku=sku) from None

    def render(out: "Console") -> None:
        what = "what was true then" if clock is Clock.OCCURRED else "what the books said then"
        words = f"{sku} in {store} at {at_instant(instant, zone)} ({what}): {found.atp} available to promise"
        words += f" = {equation(found.terms)}"
        if beside := told_beside(found):
            words += f"; beside it {beside}"
        if not found.pickup:
            words += "; pickup was OFF"
        out.print(words, markup=False, soft_wrap=True)

    shell.answer(found, render)


def why(context: typer.Context, store: STORE, sku: SKU, as_json: AsJson = False) -> None:
    """List the messages behind each term of what may be promised: who said what, and when."""
    from bopis.readside import queries
    from bopis.readside.errors import CellUnknown

    shell = open_shell(context, as_json)
    now = datetime.now(UTC)
    with shell.engine() as engine:
        zone = zone_of(known_or_stocked(engine, store))
        try:
            found = queries.why(engine, store, sku, now=now)
        except CellUnknown:
            level_of(engine, store, sku, now)
            raise SkuUnknown(store=store, sku=sku) from None

    def render(out: "Console") -> None:
        for line in _explained(found, zone):
            out.print(line, markup=False, soft_wrap=True)

    shell.note_if_idle()
    shell.answer(found, render)


def _explained(found: "WhyAnswer", zone: tzinfo) -> list[str]:
    from bopis.commands.levels import equation

    lines = [f"{found.sku} in {found.store}: {found.atp} available to promise = {equation(found.terms)}"]
    lines += _on_hand(found, zone)
    lines += _holds("held", found.terms.held, found.held, zone)
    lines += _holds("in doubt", found.terms.in_doubt, found.in_doubt, zone)
    if found.in_doubt_carried:
        lines.append(f"  {found.in_doubt_carried} of these were in doubt before the newest count, which came too late")
    lines += _rule("safety stock", found.safety_stock, zone) + _rule("walk-in reserve", found.walk_in_reserve, zone)
    return lines + _staleness(found, zone)


def _on_hand(found: "WhyAnswer", zone: tzinfo) -> list[str]:
    why_ = found.on_hand
    lines = [f"on hand {why_.on_hand}:"]
    if why_.count is not None:
        lines.append(f"  {why_.count.change:>6}  counted {_by(why_.count, zone)}")
    if why_.staged_at_count:
        lines.append(f"  {why_.staged_at_count:>+6}  staged when it was counted")
    if why_.earlier_units:
        lines.append(f"  {why_.earlier_units:>+6}  by earlier movements, too many to list")
    lines += [
        f"  {it.change:>+6}  {it.kind.replace('_', ' ')} {it.reference or ''} {_by(it, zone)}" for it in why_.movements
    ]
    return lines


def _by(movement: "MovementAnswer", zone: tzinfo) -> str:
    from bopis.commands.levels import at_instant

    who = movement.actor if movement.actor else movement.source
    return f"at {at_instant(movement.occurred_at, zone)} by {who}, message {movement.message_id}"


def _holds(term: str, units: int, holds: "tuple[HoldWhy, ...]", zone: tzinfo) -> list[str]:
    from bopis.commands.levels import at_instant

    if not units and not holds:
        return []
    return [f"{term} {units}:"] + [
        f"  {it.units:>6}  order {it.order} line {it.line}, hold {it.hold}, since {at_instant(it.decided_at, zone)} "
        f"by {it.actor or it.source}"
        for it in holds
    ]


def _rule(term: str, rule: "RuleWhy", zone: tzinfo) -> list[str]:
    from bopis.commands.levels import at_instant

    if not rule.units:
        return []
    lines = [f"{term} {rule.units}: rule {rule.rule}"]
    if rule.set_at is not None:
        lines.append(
            f"  set at {at_instant(rule.set_at, zone)} by {rule.actor or rule.source}, message {rule.message_id}"
        )
    return lines


def _staleness(found: "WhyAnswer", zone: tzinfo) -> list[str]:
    from bopis.commands.levels import at_instant

    silence = found.staleness
    if not silence.units:
        return []
    return [
        f"withheld as the store is silent {silence.units}: last heard up to {at_instant(silence.heard_at, zone)} from "
        f"{silence.source}, {silence.grace_minutes} min are forgiven, {silence.sold_per_week} sold per week"
    ]
