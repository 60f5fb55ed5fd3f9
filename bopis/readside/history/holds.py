"""Effects of a message on the holds that it names: the difference between their lines before and after it. Pure.

An effect is a signed change of one term of one SKU at an instant. A hold counts from when it was decided to when its
end was decided; goods count from when they were moved. So grants, releases, expiries and losses have the log's time,
picks, missing units and collections have their own.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

from bopis.domain.inventory.messages import CollectStock, ReleaseStock, ReserveStock, StockPicked, StockTick
from bopis.domain.inventory.rows import Hold, HoldLineState, StockRows, hold_key, split_key
from bopis.domain.inventory.step import due_keys
from bopis.domain.message import Message

HELD, STAGED, IN_DOUBT = "held", "staged", "in_doubt"
GRANTED, PICKED, MISSING, PUT_BACK, LOST = "granted", "picked", "missing", "put_back", "lost"


class HoldEffect(NamedTuple):
    """A change of a term by units of one order line, and its reason (`how`)."""

    order_line: int
    sku: str
    term: str
    how: str
    units: int
    at_ms: int


class LineBefore(NamedTuple):
    """A line of a hold before the message."""

    line: int
    sku: str
    quantity: int
    picked: int
    state: HoldLineState
    doubted: int = 0


class HoldBefore(NamedTuple):
    """A hold before the message. One that did not exist has no lines."""

    store: str
    hold: str
    order: str
    lines: list[LineBefore]


def holds_before(rows: StockRows, message: Message, recorded_ms: int) -> list[HoldBefore]:
    """The holds that a message names and may change, as they are before it."""
    data = message.data
    if isinstance(data, StockTick):
        due = [split_key(key) for key in due_keys(rows, message, recorded_ms)]
        return [_before(rows, store, hold) for kind, store, hold in due if kind == "hold"]
    if isinstance(data, StockPicked | ReleaseStock | CollectStock):
        return [_before(rows, message.subject, data.hold)]
    if isinstance(data, ReserveStock) and rows.get(hold_key(message.subject, data.hold)) is None:
        return [HoldBefore(message.subject, data.hold, data.order, [])]
    return []


def effects(before: HoldBefore, hold: Hold, at_ms: int, recorded_ms: int) -> Iterator[HoldEffect]:
    """The effects on a hold of a message of time `at_ms`, recorded at `recorded_ms`."""
    if not before.lines:
        for line in hold.lines:
            yield HoldEffect(line.line, line.sku, HELD, GRANTED, line.quantity, hold.granted_ms)
        return
    # A device whose clock lags may report a pick from before the grant; the hold cannot have ended before.
    moved_ms = max(at_ms, hold.granted_ms)
    for line_before, after in zip(before.lines, hold.lines, strict=True):
        number, sku = after.line, after.sku
        if after.picked > line_before.picked:
            yield HoldEffect(number, sku, STAGED, PICKED, after.picked - line_before.picked, at_ms)
        if line_before.state is not HoldLineState.HELD:
            continue
        if after.state in (HoldLineState.HELD, HoldLineState.LOST):
            missing = line_before.quantity - after.quantity
            if missing:
                yield HoldEffect(number, sku, HELD, MISSING, -missing, moved_ms)
                yield HoldEffect(number, sku, IN_DOUBT, MISSING, missing, at_ms)
            continue
        is_collected = after.state is HoldLineState.COLLECTED
        ended_ms = moved_ms if is_collected else recorded_ms
        yield HoldEffect(number, sku, HELD, after.state.value, -line_before.quantity, ended_ms)
        if line_before.picked:
            how = after.state.value if is_collected else PUT_BACK
            yield HoldEffect(number, sku, STAGED, how, -line_before.picked, at_ms)
        if after.doubted > line_before.doubted:
            yield HoldEffect(number, sku, IN_DOUBT, MISSING, after.doubted - line_before.doubted, at_ms)


def _before(rows: StockRows, store: str, hold_id: str) -> HoldBefore:
    hold = cast(Hold | None, rows.get(hold_key(store, hold_id)))
    if hold is None:
        return HoldBefore(store, hold_id, "", [])
    lines = [LineBefore(it.line, it.sku, it.quantity, it.picked, it.state, it.doubted) for it in hold.lines]
    return HoldBefore(store, hold_id, hold.order, lines)
