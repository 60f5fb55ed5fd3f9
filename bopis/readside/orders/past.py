"""The past of orders: every conclusion with who, on what, when, and the figures that KPIs are made from. Pure."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from bopis.domain.message import Message
from bopis.domain.orders import events as e
from bopis.domain.orders import outcomes as o
from bopis.readside.changes import Changes, RecordLike
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS

_encode = msgspec.json.Encoder().encode
_names = {body: name.split(".")[-2] for name, body in ORDER_EVENTS.bodies.items()}


class Figures(NamedTuple):
    """What of a conclusion can be counted: lines, units, units that were missing, an instant set, and a reason."""

    lines: int | None = None
    units: int | None = None
    missing: int | None = None
    due_ms: int | None = None
    reason: str | None = None


def name_of(event: type) -> str:
    """What the timeline calls a type of conclusion, for example ``order_ready``."""
    return _names[event]


def project_events(partition: int, records: Iterable[RecordLike], changes: Changes) -> list[int]:
    """Note each conclusion once, under its id. Returns the offsets of records that are none."""
    unread = []
    for record in records:
        try:
            message = ORDER_EVENTS.decode(record.value or b"")
        except WireError:
            unread.append(record.offset)
            continue
        row = _row(message, partition, record.offset)
        changes.note("order_timeline", (message.subject, message.id), row)
    return unread


def _row(message: Message, partition: int, offset: int) -> tuple[Any, ...]:
    event = message.data
    figures, stamp = figures_of(event), event.stamp
    causation = "" if message.causation is UNSET else message.causation
    store = getattr(event, "store", None) or None
    return (
        message.subject, message.id, partition, offset, _names[type(event)], store, *figures,
        stamp.at_ms, stamp.recorded_at_ms, stamp.device, stamp.actor or None, causation, _body(event),
    )  # fmt: skip


def figures_of(event: Any) -> Figures:
    """The figures of a conclusion; what is not among them stands in its body."""
    special = _FIGURES.get(type(event))
    if special is not None:
        return special(event)
    lines = getattr(event, "lines", None)
    reason = getattr(event, "reason", None)
    return Figures(
        lines=None if lines is None else len(lines),
        due_ms=next((it for name in _INSTANTS if (it := getattr(event, name, None))), None),
        reason=None if reason is None else str(reason),
    )


_INSTANTS = ("ready_by_ms", "window_end_ms", "again_at_ms", "answer_by_ms", "wait_until_ms", "decide_by_ms")


def _summed(event: Any) -> int:
    return sum(it.quantity for it in event.lines)


# The kinds of task and milestone are what tells one such conclusion from another.
_FIGURES: dict[type, Callable[[Any], Figures]] = {
    e.OrderPlaced: lambda it: Figures(len(it.lines), _summed(it), None, it.slot_from_ms),
    e.LinesHeld: lambda it: Figures(len(it.lines), _summed(it)),
    e.HoldRefused: lambda it: Figures(len(it.lines), None, None, None, "excluded" if it.excluded else "again"),
    e.PickRecorded: lambda it: Figures(
        len({units.line for units in it.units}),
        sum(units.picked for units in it.units),
        sum(units.missing for units in it.units),
    ),
    e.LineShort: lambda it: Figures(1, None, it.missing, it.decide_by_ms or None, it.cause.value),
    e.CoverLost: lambda it: Figures(None, None, it.units),
    e.ShortPickConfirmed: lambda it: Figures(None, None, it.units),
    e.TaskRaised: lambda it: Figures(len(it.lines), _summed(it), None, None, it.kind.value),
    e.TaskClosed: lambda it: Figures(None, it.counted, None, None, it.kind.value),
    o.OrderHandedOver: lambda it: Figures(
        len(it.lines), _summed(it), sum(line.quantity for line in it.uncovered), None, it.proof.value
    ),
    o.BooksCorrected: lambda it: Figures(len(it.lines), _summed(it)),
    o.OrderReturned: lambda it: Figures(len(it.units), sum(units.quantity for units in it.units)),
    o.NoticeDue: lambda it: Figures(len(it.lines), None, None, it.ready_by_ms, it.milestone.value),
}


def _body(event: Any) -> str:
    if isinstance(event, e.OrderPlaced | o.CodeReissued):
        event = replace(event, code_hash="", token_hash="")
    return _encode(event).decode()
