"""The timeline of orders: every event with its origin, its two times, and the figures that KPIs need. Pure."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from bopis.domain.message import Message
from bopis.domain.orders import events as e
from bopis.readside.changes import Changes, RecordLike
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS

_encode = msgspec.json.Encoder().encode
_names = {body: name.split(".")[-2] for name, body in ORDER_EVENTS.bodies.items()}


class EventFigures(NamedTuple):
    """The countable part of an event: lines, units, missing units, the instant that it sets, and its reason."""

    lines: int | None = None
    units: int | None = None
    missing: int | None = None
    due_ms: int | None = None
    reason: str | None = None


def name_of(event: type) -> str:
    """The name of a type of event in the timeline, for example ``order_ready``."""
    return _names[event]


def project_events(partition: int, records: Iterable[RecordLike], changes: Changes) -> list[int]:
    """Insert each event once, by its id. Returns the offsets of records that are no events."""
    undecodable = []
    for record in records:
        try:
            message = ORDER_EVENTS.decode(record.value or b"")
        except WireError:
            undecodable.append(record.offset)
            continue
        row = _row(message, partition, record.offset)
        changes.insert_once("order_timeline", (message.subject, message.id), row)
    return undecodable


def _row(message: Message, partition: int, offset: int) -> tuple[Any, ...]:
    event = message.data
    figures, stamp = figures_of(event), event.stamp
    causation = "" if message.causation is UNSET else message.causation
    store = getattr(event, "store", None) or None
    return (
        message.subject, message.id, partition, offset, _names[type(event)], store, *figures,
        stamp.at_ms, stamp.recorded_at_ms, stamp.device, stamp.actor or None, causation, _body(event),
    )  # fmt: skip


def figures_of(event: Any) -> EventFigures:
    """The figures of an event. Everything else is in its body."""
    special = _FIGURES.get(type(event))
    if special is not None:
        return special(event)
    lines = getattr(event, "lines", None)
    reason = getattr(event, "reason", None)
    return EventFigures(
        lines=None if lines is None else len(lines),
        due_ms=next((at_ms for name in _INSTANTS if (at_ms := getattr(event, name, None))), None),
        reason=None if reason is None else str(reason),
    )


_INSTANTS = ("ready_by_ms", "window_end_ms", "again_at_ms", "answer_by_ms", "wait_until_ms", "decide_by_ms")


def _summed(event: Any) -> int:
    return sum(line.quantity for line in event.lines)


# Tasks and notices have their kind in the place of a reason.
_FIGURES: dict[type, Callable[[Any], EventFigures]] = {
    e.OrderPlaced: lambda it: EventFigures(len(it.lines), _summed(it), None, it.slot_from_ms),
    e.LinesHeld: lambda it: EventFigures(len(it.lines), _summed(it)),
    e.HoldRefused: lambda it: EventFigures(len(it.lines), None, None, None, "excluded" if it.excluded else "again"),
    e.PickRecorded: lambda it: EventFigures(
        len({units.line for units in it.units}),
        sum(units.picked for units in it.units),
        sum(units.missing for units in it.units),
    ),
    e.LineShort: lambda it: EventFigures(1, None, it.missing, it.decide_by_ms or None, it.cause.value),
    e.CoverLost: lambda it: EventFigures(None, None, it.units),
    e.ShortPickConfirmed: lambda it: EventFigures(None, None, it.units),
    e.TaskRaised: lambda it: EventFigures(len(it.lines), _summed(it), None, None, it.kind.value),
    e.TaskClosed: lambda it: EventFigures(None, it.counted, None, None, it.kind.value),
    e.OrderHandedOver: lambda it: EventFigures(
        len(it.lines), _summed(it), sum(line.quantity for line in it.uncovered), None, it.proof.value
    ),
    e.BooksCorrected: lambda it: EventFigures(len(it.lines), _summed(it)),
    e.OrderReturned: lambda it: EventFigures(len(it.units), sum(units.quantity for units in it.units)),
    e.NoticeDue: lambda it: EventFigures(len(it.lines), None, None, it.ready_by_ms, it.milestone.value),
}


def _body(event: Any) -> str:
    if isinstance(event, e.OrderPlaced | e.CodeReissued):
        event = replace(event, code_hash="", token_hash="")
    return _encode(event).decode()
