"""Names that several parts of the product share: topics (without the prefix) and processors."""

from collections.abc import Sequence

STOCK_TOPIC = "stock"
LEVELS_TOPIC = "inventory-levels"
INVENTORY_EVENTS_TOPIC = "inventory-events"
STORES_TOPIC = "stores"
CATALOGUE_TOPIC = "catalogue"
ORDERS_TOPIC = "orders"
ORDER_STATE_TOPIC = "order-state"
ORDER_EVENTS_TOPIC = "order-events"
NOTICES_TOPIC = "notices"
NOTICE_STATE_TOPIC = "notice-state"
NOTICE_EVENTS_TOPIC = "notice-events"
PAYMENTS_TOPIC = "payments"
PAYMENT_STATE_TOPIC = "payment-state"
PAYMENT_EVENTS_TOPIC = "payment-events"
PAYMENT_CALLS_TOPIC = "payment-calls"
ROUTING_SHADOW_TOPIC = "routing-shadow"
DEAD_LETTERS_TOPIC = "dead-letters"
DEAD_LETTER_MARKS_TOPIC = "dead-letter-marks"
WORKERS_TOPIC = "workers"

# The topics that the read side is built from.
READ_SIDE_TOPICS = (
    STOCK_TOPIC,
    LEVELS_TOPIC,
    STORES_TOPIC,
    ORDERS_TOPIC,
    ORDER_STATE_TOPIC,
    ORDER_EVENTS_TOPIC,
    NOTICE_STATE_TOPIC,
)

WEBHOOKS_PROCESSOR = "webhooks"

# In the order in which people are shown them: each may read what those before it write.
PROCESSORS = (
    "inventory",
    "orders",
    "routing",
    "payments",
    "payment-runner",
    "notices",
    "notifier",
    "projection",
    WEBHOOKS_PROCESSOR,
)


def topics_text(names: Sequence[str]) -> str:
    """Topics in the text of a right: "topic a", or "topics a, b"."""
    return f"{'topic' if len(names) == 1 else 'topics'} {', '.join(names)}"
