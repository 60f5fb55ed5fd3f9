"""What an event changes. Never refuses, never sees a clock."""

from typing import assert_never

from msgspec.structs import replace

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue, Event, LinesClosed, NoticeOpened, ResendRefused
from bopis.domain.notices.limits import NOTICES_KEPT
from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.state import OPEN, Delivery, Notice, OrderNotices
from bopis.domain.notices.terms import DeliveryState, Milestone

# What is said of lines that have ended, and stays true.
ENDS = frozenset({Milestone.CANCELLED, Milestone.EXPIRED, Milestone.REFUNDED})


def evolve(row: OrderNotices, event: Event) -> OrderNotices:
    """The notices after an event."""
    match event:
        case NoticeOpened():
            return _opened(row, event)
        case DeliveryDue():
            due = {"state": DeliveryState.DUE, "attempt": event.attempt, "asked_ms": event.at_ms}
            return _changed(row, event.delivery, due | {"due_ms": event.answer_by_ms, "changed_ms": event.at_ms})
        case DeliveryChanged():
            fields = ("state", "attempt", "failures", "due_ms", "cause", "provider_id")
            changes = {name: getattr(event, name) for name in fields}
            return _changed(row, event.delivery, changes | {"changed_ms": event.at_ms})
        case LinesClosed():
            return replace(row, gone=tuple(sorted({*row.gone, *event.lines})))
        case ResendRefused():
            return row
        case _:
            assert_never(event)


def _opened(row: OrderNotices, event: NoticeOpened) -> OrderNotices:
    told = event.notice
    opened = Notice(
        notice=told,
        copy=event.copy,
        asked_by=event.asked_by,
        opened_ms=event.at_ms,
        deliveries=tuple(Delivery(channel=it) for it in event.channels),
    )
    kept = row.notices
    while len(kept) >= NOTICES_KEPT:
        done = next((it for it in kept if not any(d.state in OPEN for d in it.deliveries)), kept[0])
        kept = tuple(it for it in kept if it is not done)
    return replace(
        row,
        customer=told.customer,
        code_version=max(row.code_version, told.code_version or 1),
        notices=(*kept, opened),
    )


def _changed(row: OrderNotices, ref: DeliveryRef, changes: dict[str, object]) -> OrderNotices:
    notices = tuple(_with(it, ref, changes) if it.ref(ref.channel) == ref else it for it in row.notices)
    return replace(row, notices=notices)


def _with(notice: Notice, ref: DeliveryRef, changes: dict[str, object]) -> Notice:
    deliveries = tuple(replace(it, **changes) if it.channel is ref.channel else it for it in notice.deliveries)
    return replace(notice, deliveries=deliveries)
