"""Request channels: stock, orders, payments and notices."""

from datetime import UTC, datetime

from bopis.domain.inventory.admission import SEEN_MEMORY_MS, Rejected, check_plausible
from bopis.domain.inventory.messages import SetStockRule
from bopis.domain.inventory.policy import check_rule
from bopis.domain.message import Message
from bopis.domain.values import DAY_MS, epoch_ms
from bopis.names import (
    INVENTORY_EVENTS_TOPIC,
    LEVELS_TOPIC,
    NOTICE_EVENTS_TOPIC,
    NOTICE_STATE_TOPIC,
    NOTICES_TOPIC,
    ORDER_EVENTS_TOPIC,
    ORDER_STATE_TOPIC,
    ORDERS_TOPIC,
    PAYMENT_EVENTS_TOPIC,
    PAYMENT_STATE_TOPIC,
    PAYMENTS_TOPIC,
    STOCK_TOPIC,
)
from bopis.services.errors import Implausible, InTheFuture, TooOld
from bopis.services.exchange import RequestChannel
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.payments import PAYMENT_EVENTS, PAYMENTS
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

AHEAD_MS_MAX = 60_000  # tolerance for the clock of a device


def check_stock_message(message: Message, now: datetime) -> None:
    """Check a message of a person as the inventory will check it.

    Such a message has no sequence: a repeat is recognised by its id, which the inventory remembers for a limited time.
    Raises `Implausible`, `InTheFuture` or `TooOld`.
    """
    try:
        check_plausible(message, epoch_ms(message.time), epoch_ms(now))
        if isinstance(message.data, SetStockRule):
            check_rule(message.data)
    except Rejected as error:
        raise Implausible(cause=error) from error
    if epoch_ms(message.time) > epoch_ms(now) + AHEAD_MS_MAX:
        time, clock = (at.astimezone(UTC).isoformat(timespec="seconds") for at in (message.time, now))
        raise InTheFuture(time=time, now=clock)
    if epoch_ms(message.time) < epoch_ms(now) - SEEN_MEMORY_MS:
        raise TooOld(time=message.time.isoformat(timespec="seconds"), days=SEEN_MEMORY_MS // DAY_MS)


STOCK_REQUESTS = RequestChannel(
    topic=STOCK_TOPIC,
    family=STOCK,
    events_topic=INVENTORY_EVENTS_TOPIC,
    events=INVENTORY_EVENTS,
    changelog_topic=LEVELS_TOPIC,
    check=check_stock_message,
)
ORDER_REQUESTS = RequestChannel(
    topic=ORDERS_TOPIC,
    family=ORDERS,
    events_topic=ORDER_EVENTS_TOPIC,
    events=ORDER_EVENTS,
    changelog_topic=ORDER_STATE_TOPIC,
    correlates=True,
)
PAYMENT_REQUESTS = RequestChannel(
    topic=PAYMENTS_TOPIC,
    family=PAYMENTS,
    events_topic=PAYMENT_EVENTS_TOPIC,
    events=PAYMENT_EVENTS,
    changelog_topic=PAYMENT_STATE_TOPIC,
    correlates=True,
)
NOTICE_REQUESTS = RequestChannel(
    topic=NOTICES_TOPIC,
    family=NOTICES,
    events_topic=NOTICE_EVENTS_TOPIC,
    events=NOTICE_EVENTS,
    changelog_topic=NOTICE_STATE_TOPIC,
    correlates=True,
)
