"""For tills and their vendors: `SalesPublisher` sends sales, returns and counts of a store to the log."""

from bopis.domain.inventory.messages import Condition, ReturnLine, SaleLine
from bopis.pos.errors import (
    BasketChanged,
    MessageRefused,
    NotDelivered,
    PublisherError,
    SourceInvalid,
)
from bopis.pos.publisher import Delivery, PublisherOptions, SalesPublisher

__all__ = [
    "BasketChanged",
    "Condition",
    "Delivery",
    "MessageRefused",
    "NotDelivered",
    "PublisherError",
    "PublisherOptions",
    "ReturnLine",
    "SaleLine",
    "SalesPublisher",
    "SourceInvalid",
]
