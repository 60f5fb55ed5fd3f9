"""Types on the ``notices`` topic, and events on ``notice-events``.

Events of orders are on ``notices`` under their own names; `notice_message` translates them.
"""

from typing import assert_never

from bopis.domain.message import Message
from bopis.domain.notices import events, messages
from bopis.domain.orders import events as order_events
from bopis.domain.sourcing.unserved import Unserved
from bopis.wire.envelope import Family

NOTICES = Family(
    {
        "bopis.orders.notice_due.v1": order_events.NoticeDue,
        "bopis.orders.order_handed_over.v1": order_events.OrderHandedOver,
        "bopis.notice.resend.v1": messages.ResendNotice,
        "bopis.notice.answered.v1": messages.DeliveryAnswered,
        "bopis.notice.tick.v1": messages.NoticeTick,
    },
    old={},
    unplaced=(messages.NoticeTick,),
    from_outside=True,
)
NoticesBody = (
    order_events.NoticeDue
    | order_events.OrderHandedOver
    | messages.ResendNotice
    | messages.DeliveryAnswered
    | messages.NoticeTick
)

NOTICE_EVENTS = Family(
    {
        "bopis.notices.opened.v1": events.NoticeOpened,
        "bopis.notices.delivery_due.v1": events.DeliveryDue,
        "bopis.notices.delivery_changed.v1": events.DeliveryChanged,
        "bopis.notices.lines_closed.v1": events.LinesClosed,
        "bopis.notices.resend_refused.v1": events.ResendRefused,
    },
    old={},
)


def notice_message(message: Message) -> messages.NoticeMessage:
    """The body of a message on ``notices`` as notices take it; events of orders become requests."""
    data: NoticesBody = message.data
    match data:
        case order_events.NoticeDue():
            return messages.NoticeRequest(
                milestone=data.milestone,
                version=data.version,
                customer=data.customer,
                store=data.store,
                lines=data.lines,
                ready_by_ms=data.ready_by_ms,
                window_end_ms=data.window_end_ms,
                answer_by_ms=data.answer_by_ms,
                reason=data.reason,
                code_version=data.code_version,
                wanted_store=data.wanted_store,
                currency=data.currency,
                pay_in_store=data.pay_in_store,
                offered_cents=data.offered_cents,
                is_last=data.is_last,
                at_ms=data.stamp.at_ms,
                missing=_missing(data.unserved),
                due_cents=data.due_cents,
                link=data.link,
            )
        case order_events.OrderHandedOver():
            return messages.LinesEnded(lines=tuple(sorted({it.line for it in data.lines})))
        case messages.ResendNotice() | messages.DeliveryAnswered() | messages.NoticeTick():
            return data
        case _:
            assert_never(data)


def _missing(unserved: Unserved | None) -> tuple[messages.MissingStock, ...]:
    if unserved is None:
        return ()
    return tuple(
        messages.MissingStock(
            sku=it.sku,
            wanted=it.wanted,
            store=unserved.store,
            available=it.available,
            other=it.other,
            other_available=it.other_available,
            other_distance_m=it.other_distance_m,
            distance_m_max=unserved.distance_metres_max,
        )
        for it in unserved.skus
    )
