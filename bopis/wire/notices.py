"""The types spoken on the ``notices`` topic, and those that notices answer with.

What orders say stands there under the names of orders; `heard` tells which part of it notices listen to.
"""

from bopis.domain.message import Message
from bopis.domain.notices import events, messages
from bopis.domain.orders import outcomes
from bopis.wire.envelope import Family

NOTICES = Family(
    {
        "bopis.orders.notice_due.v1": outcomes.NoticeDue,
        "bopis.orders.order_handed_over.v1": outcomes.OrderHandedOver,
        "bopis.notice.resend.v1": messages.ResendNotice,
        "bopis.notice.answered.v1": messages.DeliveryAnswered,
        "bopis.notice.tick.v1": messages.Tick,
    },
    old={},
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


def heard(message: Message) -> messages.NoticeMessage:
    """What a message of the topic says to notices."""
    said = message.data
    if isinstance(said, outcomes.NoticeDue):
        return messages.NoticeDue(
            milestone=said.milestone,
            version=said.version,
            customer=said.customer,
            store=said.store,
            lines=tuple(messages.NoticeLine(line=it.line, sku=it.sku, quantity=it.quantity) for it in said.lines),
            ready_by_ms=said.ready_by_ms,
            window_end_ms=said.window_end_ms,
            answer_by_ms=said.answer_by_ms,
            reason=said.reason,
            code_version=said.code_version,
        )
    if isinstance(said, outcomes.OrderHandedOver):
        return messages.LinesGone(lines=tuple(sorted({it.line for it in said.lines})))
    told: messages.NoticeMessage = said
    return told
