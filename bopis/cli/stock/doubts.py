"""Questions before a report is booked that is more likely a slip: `--yes` answers them in advance."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import TypeVar

from bopis.cli.app.context import CommandContext
from bopis.cli.app.errors import CommandError
from bopis.cli.app.parse_lines import TypedLine
from bopis.cli.app.readside import known_or_stocked, zone_of
from bopis.cli.stock.level_text import at_instant
from bopis.cli.stock.show import level_of
from bopis.domain.quantities import quantity_text
from bopis.readside import queries
from bopis.readside.queries.answers import MovementAnswer, TransferAnswer

ANNOUNCEMENT_SECONDS_MAX = 2.0
POLL_SECONDS = 0.05
NAMED_MAX = 5

AnswerT = TypeVar("AnswerT")


def confirm_below_zero(ctx: CommandContext, store: str, changes: Iterable[TypedLine], yes: bool) -> None:
    """Ask when a change by hand leaves less than nothing on hand; raises `NotConfirmed`."""
    if yes:
        return
    lacking = []
    for line in changes:
        on_hand = _on_hand(ctx, store, line.sku)
        if on_hand is not None and line.units < 0 and on_hand + line.units < 0:
            has, change, left = (
                quantity_text(units, line.unit) for units in (on_hand, line.units, on_hand + line.units)
            )
            lacking.append(f"{line.sku} has {has} on hand, {change} leaves {left}")
    if lacking:
        ctx.note(f"Store {store}: {'; '.join(lacking[:NAMED_MAX])}.")
        ctx.confirm("book it below zero", "not booked: it would leave less than nothing on hand", yes)


def confirm_document(ctx: CommandContext, store: str, document: str, yes: bool) -> None:
    """Ask when goods were received under a document before; raises `NotConfirmed`."""
    if yes:
        return
    found = _asked(lambda: _receipts(ctx, store, document))
    if found:
        catalogue = ctx.catalogue
        goods = ", ".join(catalogue.goods(it.change, it.sku) for it in found[:NAMED_MAX])
        at = at_instant(found[0].recorded_at, clock_of(ctx, store))
        ctx.note(f"{document} was received in store {store} before, at {at}: {goods}.")
        ctx.confirm("receive it once more", f"not booked: {document} was received before", yes)


def confirm_arrival(ctx: CommandContext, to_store: str, transfer: str, yes: bool) -> TransferAnswer | None:
    """Ask when nobody announced a transfer to a store; raises `NotConfirmed`.

    Returns the transfer of this number that is on its way to another store, if there is one.
    """
    give_up = time.monotonic() + ANNOUNCEMENT_SECONDS_MAX
    # The announcement follows the shipment through another partition.
    while (found := _asked(lambda: _named(ctx, transfer))) is not None:
        if any(it.to_store == to_store for it in found):
            return None
        if found or time.monotonic() > give_up:
            break
        time.sleep(POLL_SECONDS)
    elsewhere = next((it for it in found or () if any(line.on_the_way for line in it.lines)), None)
    if elsewhere is not None:
        ctx.note(
            f"Transfer {transfer} is on its way from {elsewhere.from_store} to store {elsewhere.to_store}, not to "
            f"store {to_store}. Received here, it is no longer expected there."
        )
        ctx.confirm(f"receive it in store {to_store}", f"not booked: it was sent to store {elsewhere.to_store}", yes)
    elif found is not None:
        expected = _expected(ctx, to_store)
        ctx.note(f"No transfer {transfer} was announced to store {to_store}; {expected}.")
        ctx.confirm("receive it all the same", f"not booked: nobody announced transfer {transfer}", yes)
    return elsewhere


def taken_before(ctx: CommandContext, store: str, message_id: str | None) -> datetime | None:
    """When a message of this keyboard with this id was booked in a store; None if it was not."""
    if message_id is None:
        return None
    found = _asked(lambda: _movements(ctx, store, message_id))
    return found[0].recorded_at if found else None


def clock_of(ctx: CommandContext, store: str) -> tzinfo:
    """The time zone of a store; UTC where it cannot be known."""

    def query() -> tzinfo:
        with ctx.snapshot() as snapshot:
            return zone_of(known_or_stocked(snapshot, store))

    return _asked(query) or UTC


def _expected(ctx: CommandContext, store: str) -> str:
    with ctx.snapshot() as snapshot:
        coming = [
            it.transfer
            for it in queries.transfers(snapshot, store)
            if it.to_store == store and any(line.on_the_way for line in it.lines)
        ]
    return f"on their way there: {', '.join(coming[:NAMED_MAX])}" if coming else "nothing is on its way there"


def _asked(query: Callable[[], AnswerT]) -> AnswerT | None:
    """The answer of the read side; None without one: what cannot be known is not asked about."""
    try:
        return query()
    except CommandError:
        return None


def _on_hand(ctx: CommandContext, store: str, sku: str) -> int | None:
    def query() -> int:
        with ctx.snapshot() as snapshot:
            return level_of(snapshot, store, sku, datetime.now(UTC)).terms.on_hand

    return _asked(query)


def _receipts(ctx: CommandContext, store: str, document: str) -> list[MovementAnswer]:
    with ctx.snapshot() as snapshot:
        return queries.receipts_of(snapshot, store, document)


def _named(ctx: CommandContext, transfer: str) -> list[TransferAnswer]:
    with ctx.snapshot() as snapshot:
        return queries.transfers_named(snapshot, transfer)


def _movements(ctx: CommandContext, store: str, message_id: str) -> list[MovementAnswer]:
    with ctx.snapshot() as snapshot:
        return queries.movements_of(snapshot, store, ctx.source, message_id)
