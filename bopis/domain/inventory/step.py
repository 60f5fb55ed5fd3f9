"""Exact step of the inventory: admit one message once, book it at its own time, emit the events that follow.

``step`` is deterministic: the same rows and the same message give the same rows and the same events. It is the whole
interface of the inventory for a processor, the history or a simulation.
"""

from typing import NamedTuple, assert_never, cast, get_args

from msgspec import UNSET, structs

from bopis.domain.inventory import (
    catalogue,
    expectations,
    holds,
    hot_path,
    policy,
    reports,
    resolution,
    shortfalls,
    transfers,
)
from bopis.domain.inventory.admission import Rejected, admit, admit_by_id, check_plausible
from bopis.domain.inventory.articles import CatalogueChanged
from bopis.domain.inventory.events import Event, HoldCommandRefused, MisplacedRowsDropped, StoreEvent
from bopis.domain.inventory.messages import (
    HOLD_COMMANDS,
    AgentHeartbeat,
    CategoriseSkus,
    CollectStock,
    Command,
    DropMisplacedRows,
    ExpectationWithdrawn,
    ExtendHold,
    PosReturn,
    PosSale,
    ReleaseStock,
    Report,
    ReserveStock,
    SetStockRule,
    SetStorePolicy,
    SplitHold,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockMessage,
    StockPicked,
    StockReceived,
    StockTick,
    TransferAnnounced,
    TransferDiverted,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import MARK_KEY, NO_STORE, CatalogueMark, Hold, StockRows, split_key
from bopis.domain.inventory.thresholds import ThresholdWatch
from bopis.domain.inventory.trace import Trace
from bopis.domain.message import Message, ResolvedMessage, as_sent
from bopis.domain.values import Clocks, epoch_ms

INVENTORY = "inventory"  # the source of the messages that the owner of a partition writes into it
STOCK_TYPES: frozenset[type] = frozenset(get_args(Report | Command))


def step(
    rows: StockRows, message: Message, recorded_at_ms: int, value: bytes, trace: Trace | None = None
) -> tuple[StoreEvent, ...]:
    """Apply one message to the rows of its store; returns the events that follow, each with its store.

    ``recorded_at_ms`` is the record's append time in the log, ``value`` its bytes. A duplicate changes
    nothing and emits nothing. Raises `Rejected` before any row is changed when the message cannot be true or is of
    another family; it is then to be parked.
    """
    data: StockMessage = message.data
    # No message type is derived from another one, and comparing the very type is four times faster than isinstance.
    if type(data) is StockTick or type(data) is CatalogueChanged:
        return _own(rows, message, recorded_at_ms)
    time_ms = epoch_ms(message.time)
    check_plausible(message, time_ms, recorded_at_ms)
    sent = as_sent(message) if type(message) is ResolvedMessage else message
    mark: CatalogueMark | None = rows.get(MARK_KEY)  # type: ignore[assignment]  # the key tells the type
    if type(data) is not PosSale:
        message = _checked(rows, message, value, mark)
    elif mark is not None:
        resolution.check_units(rows, data, mark)
    # Nothing can have happened after the log recorded it, whatever the device's clock says.
    clocks = Clocks(time_ms if time_ms < recorded_at_ms else recorded_at_ms, recorded_at_ms)
    gaps: tuple[Event, ...] = ()
    if message.seq or type(data) not in HOLD_COMMANDS:
        if message.seq is UNSET:
            admission = admit_by_id(rows, sent, clocks, value)
        else:
            admission = admit(rows, sent, clocks, time_ms, value)
        gaps = admission.gaps
        if not admission.is_new:
            return tuple(StoreEvent(message.subject, gap) for gap in gaps)
    if type(data) is PosSale and trace is None:
        events = hot_path.sell(rows, message.subject, data, clocks, mark.version if mark is not None else 0)
    else:
        events = _watched(rows, message, MessageContext(clocks, trace, mark))
        if type(data) is DropMisplacedRows:
            return tuple(StoreEvent(data.store, event) for event in events)
    return tuple(StoreEvent(message.subject, event) for event in gaps + events) if gaps or events else ()


class MessageContext(NamedTuple):
    """The clocks and the trace of a message, and the partition's catalogue."""

    clocks: Clocks
    trace: Trace | None
    mark: CatalogueMark | None


def _own(rows: StockRows, message: Message, recorded_at_ms: int) -> tuple[StoreEvent, ...]:
    """Apply a message that the owner of the partition wrote into it."""
    if type(message.data) is StockTick:
        return _tick(rows, message, recorded_at_ms)
    return _change_catalogue(rows, message)


def _checked(rows: StockRows, message: Message, value: bytes, mark: CatalogueMark | None) -> Message:
    """The message with its codes resolved, if there is a catalogue. Raises `Rejected`."""
    if mark is not None:
        message = _resolved(rows, message)
    _check(rows, message.subject, message.data, value)
    return message


def _watched(rows: StockRows, message: Message, context: MessageContext) -> tuple[Event, ...]:
    """Apply a message, and find the thresholds that it crossed."""
    clocks, trace, mark = context
    watch = ThresholdWatch(rows)
    is_sale = mark is not None and type(message.data) is PosSale
    events = _apply(watch, _resolved(rows, message) if is_sale else message, clocks, trace)
    if type(message.data) is DropMisplacedRows:
        return events
    events += tuple(event for _, event in watch.crossed())
    if mark is not None and is_sale:
        resolution.mark_articles(rows, message.subject, message.data, mark)
    return events


def _change_catalogue(rows: StockRows, message: Message) -> tuple[StoreEvent, ...]:
    """Take what the owner of the partition has read in the catalogue. Raises `Rejected` for anybody else's message."""
    if message.source != INVENTORY:
        raise Rejected(f"the catalogue is changed by {INVENTORY!r} alone, not by {message.source!r}")
    catalogue.change(rows, message.data)
    return ()


def _resolved(rows: StockRows, message: Message) -> Message:
    data = resolution.resolve(lambda code: catalogue.resolved(rows, code), message.data)
    return message if data is message.data else structs.replace(message, data=data)


def _check(rows: StockRows, store: str, data: StockMessage, value: bytes) -> None:
    """Raise `Rejected` for a message of another family, or one that contradicts itself or the rows."""
    if type(data) not in STOCK_TYPES:
        raise Rejected(f"{type(data).__name__} is not a message on stock")
    if type(data) is ReserveStock:
        holds.check_reservation(rows, store, data, value)
    elif type(data) is SetStockRule:
        policy.check_rule(data)
    elif type(data) is DropMisplacedRows:
        _check_misplaced(store, data)


def _apply(rows: StockRows, message: Message, clocks: Clocks, trace: Trace | None) -> tuple[Event, ...]:
    store, data = message.subject, cast(Report | Command, message.data)
    match data:
        case PosSale():
            return reports.sell_traced(rows, store, data, clocks, trace)
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
            return reports.receive_transfer(rows, store, data, clocks, trace)
        case TransferAnnounced():
            return transfers.announce(rows, store, data, clocks.recorded_at_ms)
        case TransferDiverted():
            return transfers.divert(rows, store, data, clocks.recorded_at_ms)
        case StockPicked():
            return shortfalls.pick(rows, store, data, clocks, trace)
        case ReserveStock():
            return holds.reserve(rows, store, data, clocks.recorded_at_ms)
        case ReleaseStock():
            return holds.release(rows, store, data, clocks, trace)
        case CollectStock():
            return holds.collect(rows, store, data, clocks, trace)
        case ExtendHold():
            return holds.extend(rows, store, data)
        case SplitHold():
            return holds.split(rows, store, data, clocks)
        case SetStockRule():
            return policy.set_rule(rows, store, data)
        case SetStorePolicy():
            return policy.set_policy(rows, store, data)
        case CategoriseSkus():
            return policy.categorise(rows, store, data)
        case DropMisplacedRows():
            return _drop_misplaced(rows, data)
        case AgentHeartbeat():
            return ()  # its admission has already noted that the device reports
        case _:
            assert_never(data)


def _check_misplaced(subject: str, command: DropMisplacedRows) -> None:
    """Raise `Rejected` for a command that could drop a store's own rows."""
    if subject != NO_STORE:
        raise Rejected(f"subject {subject!r} of a command about misplaced rows; it must be {NO_STORE!r}")
    if command.store == NO_STORE:
        raise Rejected("rows of no store belong to their partition and are never misplaced")
    for row in command.rows:
        if "|" not in row.key or split_key(row.key)[1] != command.store:
            raise Rejected(f"row {row.key!r} is not a row of store {command.store!r}")


def _drop_misplaced(rows: StockRows, command: DropMisplacedRows) -> tuple[Event, ...]:
    for row in command.rows:
        rows.drop(row.key)
    return (MisplacedRowsDropped(store=command.store, rows=command.rows),)


def due_keys(rows: StockRows, message: Message, recorded_at_ms: int) -> list[str]:
    """Keys of the rows that a tick is about: all that are due, or those of its subject if the tick was moved."""
    due = rows.due(recorded_at_ms)
    if message.data.numbers is UNSET:
        return due
    return [key for key in due if split_key(key)[1] == message.subject]


def conclusion_id(message: Message, index: int, event: Event | None = None) -> str:
    """Id of the event that ``step`` returned at ``index``: the same whenever the message is decided again.

    A command that succeeded may be refused when it comes again, so a refusal has an id of its own.
    """
    numbers = message.data.numbers if isinstance(message.data, StockTick) else UNSET
    if numbers is not UNSET and index < len(numbers):
        index = numbers[index]
    derived = f"{message.cause}#{index}"
    return f"{derived}/refused" if isinstance(event, HoldCommandRefused) else derived


def _tick(rows: StockRows, message: Message, recorded_at_ms: int) -> tuple[StoreEvent, ...]:
    """Expire holds, report overdue goods, and drop memories whose deadline has passed on the log's clock."""
    watch = ThresholdWatch(rows)
    events: list[StoreEvent] = []
    for key in due_keys(rows, message, recorded_at_ms):
        kind, store, rest = split_key(key)
        if kind == "hold" and cast(Hold, rows.get(key)).active:
            events += [StoreEvent(store, event) for event in holds.expire(watch, store, rest, recorded_at_ms)]
        elif kind == "expected":
            events += [StoreEvent(store, event) for event in expectations.overdue(rows, store, rest, recorded_at_ms)]
        else:
            rows.drop(key)
    return (*events, *watch.crossed())
