"""One message on stock: admitted once, booked at its own time, its consequences concluded.

``step`` is deterministic: the same rows and the same message give the same rows and the same events. It is
all that a processor, the history and a simulation need to know of the inventory.
"""

from typing import cast

from msgspec import UNSET

from bopis.domain.inventory import expectations, holds, policy, reports, shortfalls, transfers
from bopis.domain.inventory.admission import DUPLICATE, Rejected, admit, check_plausible
from bopis.domain.inventory.events import Event, HoldCommandRefused
from bopis.domain.inventory.messages import (
    HOLD_COMMANDS,
    AgentHeartbeat,
    CategoriseSkus,
    CollectStock,
    Command,
    ExpectationWithdrawn,
    ExtendHold,
    PosReturn,
    PosSale,
    ReleaseStock,
    Report,
    ReserveStock,
    SetStockRule,
    SetStorePolicy,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockPicked,
    StockReceived,
    Tick,
    TransferAnnounced,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Hold, Rows, split_key
from bopis.domain.inventory.thresholds import Watched
from bopis.domain.inventory.trace import Trace
from bopis.domain.message import Message
from bopis.domain.values import Clocks, epoch_ms

Concluded = tuple[str, Event]


def step(
    rows: Rows, message: Message, recorded_at_ms: int, digest: int, trace: Trace | None = None
) -> tuple[Concluded, ...]:
    """Take one message into the rows of its store; returns what was concluded, as (store, event) pairs.

    ``recorded_at_ms`` is the record's append time in the log, ``digest`` the CRC-32 of its bytes. A duplicate
    changes nothing and concludes nothing. Raises `Rejected` before any row is changed when the message
    cannot be true; it is then to be parked.
    """
    data: Report | Command = message.data
    store = message.subject
    # Of the types of messages none is derived from another, and asking for the very type is four times faster.
    if type(data) is Tick:
        return _tick(rows, message, recorded_at_ms)
    time_ms = epoch_ms(message.time)
    check_plausible(message, time_ms, recorded_at_ms)
    # Nothing can have happened after the log learned it, whatever the device's clock says.
    clocks = Clocks(time_ms if time_ms < recorded_at_ms else recorded_at_ms, recorded_at_ms)
    gaps: tuple[Event, ...] = ()
    if type(data) is ReserveStock:
        holds.check_reservation(rows, store, data, digest)
    elif type(data) is SetStockRule:
        policy.check_rule(data)
    if message.seq or type(data) not in HOLD_COMMANDS:
        admission, gaps = admit(rows, message, clocks, digest)
        if admission is DUPLICATE:
            return ()
    if type(data) is PosSale and trace is None:
        events = reports.sell_untraced(rows, store, data, clocks)
    else:
        watched = Watched(rows)
        if type(data) is ReserveStock:
            events = holds.reserve(watched, store, data, recorded_at_ms, digest)
        else:
            events = _apply(watched, message, data, clocks, trace)
        events += tuple(event for _, event in watched.crossed())
    if not gaps and not events:
        return ()
    return tuple((store, event) for event in gaps + events)


def _apply(
    rows: Rows, message: Message, data: Report | Command, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    store = message.subject
    match data:
        case PosSale():
            return reports.sell(rows, store, data, clocks, trace)
        case PosReturn():
            return reports.bring_back(rows, store, data, clocks, trace)
        case StockReceived():
            return reports.receive(rows, store, data, clocks, trace)
        case StockExpected():
            return expectations.expect(rows, store, data, clocks)
        case ExpectationWithdrawn():
            return expectations.withdraw(rows, store, data, clocks)
        case StockAdjusted():
            return reports.adjust(rows, store, data, clocks, trace)
        case StockCounted():
            return reports.count_shelf(rows, message, data, clocks, trace)
        case TransferShipped():
            return reports.ship(rows, store, data, clocks, trace)
        case TransferReceived():
            return reports.take_in(rows, store, data, clocks, trace)
        case TransferAnnounced():
            return transfers.announce(rows, store, data, clocks.recorded_at_ms)
        case StockPicked():
            return shortfalls.pick(rows, store, data, clocks, trace)
        case AgentHeartbeat():
            return ()
        case _:
            return _obey(rows, message, data, clocks, trace)


def _obey(
    rows: Rows, message: Message, data: Report | Command, clocks: Clocks, trace: Trace | None
) -> tuple[Event, ...]:
    store = message.subject
    match data:
        case ReleaseStock():
            return holds.release(rows, store, data, clocks, trace)
        case CollectStock():
            return holds.collect(rows, store, data, clocks, trace)
        case ExtendHold():
            return holds.extend(rows, store, data)
        case SetStockRule():
            return policy.set_rule(rows, store, data)
        case SetStorePolicy():
            return policy.set_policy(rows, store, data)
        case CategoriseSkus():
            return policy.categorise(rows, store, data)
        case _:
            raise Rejected(f"{type(data).__name__} is not a message on stock")


def due_keys(rows: Rows, message: Message, recorded_at_ms: int) -> list[str]:
    """The keys of rows that a tick looks at: all that are due, or those of its subject if it was moved."""
    due = rows.due(recorded_at_ms)
    if message.data.numbers is UNSET:
        return due
    return [key for key in due if split_key(key)[1] == message.subject]


def conclusion_id(message: Message, index: int, event: Event | None = None) -> str:
    """The id of the conclusion that ``step`` returned at ``index``: the same however often it is drawn.

    What was done once may be refused when the same command comes again, so a refusal has a name of its own.
    """
    numbers = message.data.numbers if isinstance(message.data, Tick) else UNSET
    if numbers is not UNSET and index < len(numbers):
        index = numbers[index]
    told_as = f"{message.cause}#{index}"
    return f"{told_as}/refused" if isinstance(event, HoldCommandRefused) else told_as


def _tick(rows: Rows, message: Message, recorded_at_ms: int) -> tuple[Concluded, ...]:
    """End holds whose deadline has passed on the log's clock, say what is overdue, and forget what is remembered no
    longer."""
    watched = Watched(rows)
    concluded: list[Concluded] = []
    for key in due_keys(rows, message, recorded_at_ms):
        kind, store, rest = split_key(key)
        if kind == "hold" and cast(Hold, rows.get(key)).active:
            concluded += [(store, event) for event in holds.expire(watched, store, rest, recorded_at_ms)]
        elif kind == "expected":
            concluded += [(store, event) for event in expectations.overdue(rows, store, rest, recorded_at_ms)]
        else:
            rows.drop(key)
    return (*concluded, *watched.crossed())
