"""The ledger of the second fold: messages of journals as they were sent, closed differences, and reports of agents.
Pure."""

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from bopis.domain.inventory.admission import is_accepted
from bopis.domain.inventory.ledger import parsed_name
from bopis.domain.inventory.messages import AdjustmentReason, AgentHeartbeat, StockAdjusted
from bopis.domain.inventory.rows import Device
from bopis.domain.message import Message, as_sent
from bopis.domain.values import epoch_ms
from bopis.readside.changes import Changes, RecordLike
from bopis.wire.ledger import MOVING, hash_of, is_of_journal, stated_units

_encode = msgspec.json.Encoder().encode
_MOVING = frozenset(MOVING)


class LedgerRow(NamedTuple):
    """A message that may belong in the ledger, and whether its sequence was accepted before it came."""

    message: Message
    is_repeat: bool


def before_step(message: Message, device: Device | None) -> LedgerRow | None:
    """Look at a message, and the row of its device, before the books take it; None for one that leaves nothing here."""
    data = message.data
    if not message.seq or not is_of_journal(message.source):
        is_closing = isinstance(data, StockAdjusted) and data.reason is AdjustmentReason.DRIFT
        return LedgerRow(message, is_repeat=False) if is_closing else None
    if type(data) not in _MOVING and type(data) is not AgentHeartbeat:
        return None
    return LedgerRow(message, device is not None and is_accepted(device, message.seq))


def after_step(found: LedgerRow, record: RecordLike, changes: Changes) -> None:
    """Record a message that the books took. Of two with one sequence the first one is in the books."""
    message = found.message
    if found.is_repeat:
        return
    if not message.seq:
        _close(message, record, changes)
    elif isinstance(message.data, AgentHeartbeat):
        _report(message, record, changes)
    else:
        sent, key = as_sent(message), (message.subject, message.source, message.seq)
        units = _encode(stated_units(sent)).decode()
        row = (*key, message.id, hash_of(record.value or b""), units, *_clocks(message, record))
        changes.insert_once("ledger", key, row)


def _close(message: Message, record: RecordLike, changes: Changes) -> None:
    named = None if message.causation is UNSET else parsed_name(message.causation)
    if named is None:
        return  # an adjustment by hand, about no message
    key = (message.subject, *named)
    actor = None if message.actor is UNSET else message.actor
    row = (*key, *_clocks(message, record), actor, message.id, message.data.note)
    changes.set("ledger_closings", key, row)


def _report(message: Message, record: RecordLike, changes: Changes) -> None:
    data: AgentHeartbeat = message.data
    if not data.version:
        return  # a till with a spool of its own; it has no files and no journal to compare
    key, clocks = (message.subject, message.source), _clocks(message, record)
    figures: tuple[Any, ...] = (data.version, data.clock_ahead_ms, data.depth, data.rejects, data.changed)
    changes.set("agents", key, (*key, *figures, *clocks))
    if data.ledger is not None:
        changes.set("agent_comparisons", key, (*key, _encode(data.ledger).decode(), *clocks))


def _clocks(message: Message, record: RecordLike) -> tuple[int, int]:
    return min(epoch_ms(message.time), record.timestamp), record.timestamp
