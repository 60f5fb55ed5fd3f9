"""Folds: an order's notices after an event. A fold never refuses and never reads a clock."""

from typing import assert_never

from msgspec.structs import replace

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue, Event, LinesClosed, NoticeOpened, ResendRefused
from bopis.domain.notices.limits import NOTICES_KEPT
from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.state import OPEN, Delivery, Notice, OrderNotices
from bopis.domain.notices.vocabulary import DeliveryState


def evolve(row: OrderNotices, event: Event) -> OrderNotices:
    """The order's notices after an event."""
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
    opened = Notice(
        notice=event.notice,
        copy=event.copy,
        asked_by=event.asked_by,
        opened_ms=event.at_ms,
        deliveries=tuple(Delivery(channel=channel) for channel in event.channels),
    )
    kept = row.notices
    while len(kept) >= NOTICES_KEPT:
        # The oldest notice without an open delivery goes first: an open one may still be sent or answered.
        settled = (notice for notice in kept if not any(it.state in OPEN for it in notice.deliveries))
        dropped = next(settled, kept[0])
        kept = tuple(notice for notice in kept if notice is not dropped)
    return replace(
        row,
        customer=event.notice.customer,
        code_version=max(row.code_version, event.notice.code_version or 1),
        notices=(*kept, opened),
    )


def _changed(row: OrderNotices, ref: DeliveryRef, changes: dict[str, object]) -> OrderNotices:
    notices = tuple(
        _with_delivery(notice, ref, changes) if notice.ref(ref.channel) == ref else notice for notice in row.notices
    )
    return replace(row, notices=notices)


def _with_delivery(notice: Notice, ref: DeliveryRef, changes: dict[str, object]) -> Notice:
    deliveries = tuple(
        replace(delivery, **changes) if delivery.channel is ref.channel else delivery for delivery in notice.deliveries
    )
    return replace(notice, deliveries=deliveries)
