"""What a message did to the holds it names: their lines before, their lines after, and the effects between. Pure.

Each effect is a signed change of one term of one SKU at an instant. A promise counts from when it was decided to
when it was decided to be over; goods count from when hands moved them. So what was granted, released, expired or
lost has the log's time, what was picked, missed or collected has its own.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

from bopis.domain.inventory.messages import CollectStock, ReleaseStock, ReserveStock, StockPicked, Tick
from bopis.domain.inventory.rows import Hold, LineState, Rows, hold_key, split_key
from bopis.domain.inventory.step import due_keys
from bopis.domain.message import Message

HELD, STAGED, IN_DOUBT = "held", "staged", "in_doubt"
GRANTED, PICKED, MISSING, PUT_BACK = "granted", "picked", "missing", "put_back"

# Order line, SKU, term, how, units, when.
Effect = tuple[int, str, str, str, int, int]


class Line(NamedTuple):
    """A line of a hold as it was before the message."""

    line: int
    sku: str
    quantity: int
    picked: int
    state: LineState


class Promise(NamedTuple):
    """A hold as it was before the message; without lines, it was not there."""

    store: str
    hold: str
    order: str
    lines: list[Line]


def promises_named(rows: Rows, message: Message, recorded_ms: int) -> list[Promise]:
    """The holds that the message may change by name, as they are now."""
    data = message.data
    if isinstance(data, Tick):
        held = [split_key(key) for key in due_keys(rows, message, recorded_ms)]
        return [_promise(rows, store, hold) for kind, store, hold in held if kind == "hold"]
    if isinstance(data, StockPicked | ReleaseStock | CollectStock):
        return [_promise(rows, message.subject, data.hold)]
    if isinstance(data, ReserveStock) and rows.get(hold_key(message.subject, data.hold)) is None:
        return [Promise(message.subject, data.hold, data.order, [])]
    return []


def granted(hold: Hold) -> Iterator[Effect]:
    """Every line of a new hold."""
    for line in hold.lines:
        yield line.line, line.sku, HELD, GRANTED, line.quantity, hold.granted_ms


def ended(promise: Promise, hold: Hold, at_ms: int, recorded_ms: int) -> Iterator[Effect]:
    """What became of the lines that were still held."""
    # A device whose clock lags may report a pick from before the grant; the promise cannot have ended before.
    moved_ms = max(at_ms, hold.granted_ms)
    for before, after in zip(promise.lines, hold.lines, strict=True):
        number, sku = after.line, after.sku
        if after.picked > before.picked:
            yield number, sku, STAGED, PICKED, after.picked - before.picked, at_ms
        if before.state is not LineState.HELD:
            continue
        if after.state in (LineState.HELD, LineState.LOST):
            missing = before.quantity - after.quantity
            if missing:
                yield number, sku, HELD, MISSING, -missing, moved_ms
                yield number, sku, IN_DOUBT, MISSING, missing, at_ms
            continue
        is_collected = after.state is LineState.COLLECTED
        yield number, sku, HELD, after.state.value, -before.quantity, moved_ms if is_collected else recorded_ms
        if before.picked:
            how, put_ms = (after.state.value, at_ms) if is_collected else (PUT_BACK, at_ms)
            yield number, sku, STAGED, how, -before.picked, put_ms


def _promise(rows: Rows, store: str, hold_id: str) -> Promise:
    hold = cast(Hold | None, rows.get(hold_key(store, hold_id)))
    if hold is None:
        return Promise(store, hold_id, "", [])
    lines = [Line(it.line, it.sku, it.quantity, it.picked, it.state) for it in hold.lines]
    return Promise(store, hold_id, hold.order, lines)
