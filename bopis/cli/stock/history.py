"""`bopis stock at | why`: stock at a past instant, and the messages behind each of its terms."""

from datetime import UTC, datetime, tzinfo
from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import SkuUnknown, Usage
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.readside import known_or_stocked, zone_of
from bopis.cli.app.render import duration, print_line
from bopis.cli.stock.level_text import at_instant, equation, not_on_shelf
from bopis.cli.stock.show import ByClock, Sku, level_of, stocked_sku, unit_of
from bopis.domain.quantities import quantity_text
from bopis.readside import queries
from bopis.readside.errors import CellUnknown
from bopis.readside.queries.answers import HistoryClock, MovementAnswer
from bopis.readside.queries.reasons import HoldWhy, RuleWhy, StalenessWhy, WhyAnswer


def at(
    context: typer.Context,
    store: StoreId,
    sku: Sku,
    time: Annotated[str, typer.Argument(help="When: 2026-03-01T14:00, 14:00 (today) or 90m, 3h, 2d (ago).")],
    clock: ByClock = HistoryClock.OCCURRED,
    as_json: AsJson = False,
) -> None:
    """Show the units available to promise at a past instant, on either clock; without a zone, in the store's.

    Examples:
        bopis stock at 319 4011 3h
        bopis stock at 319 4011 2026-03-01T14:00 --clock recorded
    """
    ctx = open_context(context, as_json)
    with ctx.snapshot() as snapshot:
        zone = zone_of(known_or_stocked(snapshot, store))
        sku = stocked_sku(snapshot, store, sku)
        unit = unit_of(snapshot, sku)
        instant = read_time(time, zone).at.astimezone(UTC)
        if instant > datetime.now(UTC):
            raise Usage(
                problem=f"{time!r} is in the future. For expected stock: bopis stock show {store} {sku} --on {time!r}"
            )
        try:
            found = queries.at(snapshot, store, sku, instant, clock)
        except CellUnknown:
            raise SkuUnknown(store=store, sku=sku) from None

    def render(out: Console) -> None:
        what = "as known today" if clock is HistoryClock.OCCURRED else "as known then"
        words = f"{sku} in {store} at {at_instant(instant, zone)} ({what}): "
        words += f"{quantity_text(found.atp, unit)} available to promise = {equation(found.terms, unit)}"
        if elsewhere := not_on_shelf(found, unit):
            words += f"; not on the shelf: {elsewhere}"
        if not found.pickup:
            words += "; pickup was OFF"
        print_line(out, words)

    ctx.print_result(found, render)


def why(context: typer.Context, store: StoreId, sku: Sku, as_json: AsJson = False) -> None:
    """List the messages behind each term of the units available to promise, with author and time.

    Examples:
        bopis stock why 319 4011
        bopis stock why 319 4011 --json
    """
    ctx = open_context(context, as_json)
    now = datetime.now(UTC)
    with ctx.snapshot() as snapshot:
        zone = zone_of(known_or_stocked(snapshot, store))
        sku = stocked_sku(snapshot, store, sku)
        try:
            found = queries.why(snapshot, store, sku, now=now)
        except CellUnknown:
            level_of(snapshot, store, sku, now)
            raise SkuUnknown(store=store, sku=sku) from None
        unit = unit_of(snapshot, sku)

    def render(out: Console) -> None:
        for line in _explained(found, zone, unit):
            print_line(out, line)

    ctx.warn_if_idle()
    ctx.print_result(found, render)


def _explained(found: WhyAnswer, zone: tzinfo, unit: str) -> list[str]:
    available = quantity_text(found.atp, unit)
    lines = [f"{found.sku} in {found.store}: {available} available to promise = {equation(found.terms, unit)}"]
    lines += _on_hand(found, zone, unit)
    lines += _holds("held", found.terms.held, found.held, zone)
    lines += _holds("in doubt", found.terms.in_doubt, found.in_doubt, zone)
    if found.in_doubt_carried:
        lines.append(f"  {found.in_doubt_carried} of these were in doubt before the last count, which came too late")
    lines += _rule("safety stock", found.safety_stock, zone) + _rule("walk-in reserve", found.walk_in_reserve, zone)
    return lines + staleness_lines(found.staleness, zone)


def _on_hand(found: WhyAnswer, zone: tzinfo, unit: str) -> list[str]:
    reasons = found.on_hand
    lines = [f"on hand {quantity_text(reasons.on_hand, unit)}:"]
    if reasons.count is not None:
        lines.append(f"  {reasons.count.change:>6}  counted {_by(reasons.count, zone)}")
    if reasons.staged_at_count:
        lines.append(f"  {reasons.staged_at_count:>+6}  staged at the time of the count")
    if reasons.earlier_units:
        lines.append(f"  {reasons.earlier_units:>+6}  earlier movements, too many to list")
    lines += [
        f"  {it.change:>+6}  {it.kind.replace('_', ' ')} {it.reference or ''} {_by(it, zone)}"
        for it in reasons.movements
    ]
    return lines


def _by(movement: MovementAnswer, zone: tzinfo) -> str:
    who = movement.actor if movement.actor else movement.source
    return f"at {at_instant(movement.occurred_at, zone)} by {who}, message {movement.message_id}"


def _holds(term: str, units: int, holds: tuple[HoldWhy, ...], zone: tzinfo) -> list[str]:
    if not units and not holds:
        return []
    return [f"{term} {units}:"] + [
        f"  {it.units:>6}  order {it.order} line {it.line}, hold {it.hold}, since {at_instant(it.decided_at, zone)} "
        f"by {it.actor or it.source}"
        for it in holds
    ]


def _rule(term: str, rule: RuleWhy, zone: tzinfo) -> list[str]:
    if not rule.units:
        return []
    lines = [f"{term} {rule.units}: rule {rule.rule}"]
    if rule.set_at is not None:
        lines.append(
            f"  set at {at_instant(rule.set_at, zone)} by {rule.actor or rule.source}, message {rule.message_id}"
        )
    return lines


def staleness_lines(staleness: StalenessWhy, zone: tzinfo) -> list[str]:
    """Lines about the units withheld for stale data: last report and its age, selling rate, expected sales."""
    if not staleness.units or staleness.data_age_ms is None:
        return []
    return [
        f"withheld for stale till data {staleness.units}: last till message at "
        f"{at_instant(staleness.heard_at, zone)} from {staleness.source}, grace period {staleness.grace_minutes} min, "
        f"{staleness.sold_per_week} sold per week",
        f"  the data are {duration(staleness.data_age_ms)} old; "
        f"{staleness.expected_thousandths / 1_000:.3f} sales expected since then at these hours "
        f"({staleness.percent} % by the store's policy)",
    ]
