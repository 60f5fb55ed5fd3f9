"""The reply to a request to resend a notice."""

from bopis.domain.notices.events import DeliveryDue, ResendRefused
from bopis.domain.notices.vocabulary import ResendRefusal
from bopis.services.exchange import Reply
from bopis.services.notifier.errors import NotResent

REASONS = {
    ResendRefusal.UNKNOWN_ORDER: "no notice of this order was ever due",
    ResendRefusal.UNKNOWN_NOTICE: "the customer never got this notice",
    ResendRefusal.ENDED: "it is no longer true, the order has ended",
    ResendRefusal.REPLACED: "it is no longer true, a newer notice has replaced it",
    ResendRefusal.TOO_LATE: "it would come too late, its time is over",
}


def due_deliveries(reply: Reply) -> list[DeliveryDue]:
    """The deliveries that are due because of a resend. Raises `NotResent` when it was refused."""
    refused = reply.event(ResendRefused)
    if refused is not None:
        raise NotResent(reason=REASONS[refused.reason])
    return [event.data for event in reply.events if isinstance(event.data, DeliveryDue)]
