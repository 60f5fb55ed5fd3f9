"""The headless API `/v1`: one module per resource, each with its types and its endpoints."""

from bopis.web.api import (
    availability,
    callbacks,
    catalogue,
    documents,
    events,
    health,
    ledger,
    moving,
    order_commands,
    orders,
    payments,
    placing,
    pos,
    quotes,
    stock,
    stores,
    webhook_deliveries,
    webhooks,
)
from bopis.web.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *documents.ENDPOINTS,
    *availability.ENDPOINTS,
    *quotes.ENDPOINTS,
    *placing.ENDPOINTS,
    *orders.ENDPOINTS,
    *order_commands.ENDPOINTS,
    *moving.ENDPOINTS,
    *payments.ENDPOINTS,
    *callbacks.ENDPOINTS,
    *stock.ENDPOINTS,
    *stores.ENDPOINTS,
    *catalogue.ENDPOINTS,
    *pos.ENDPOINTS,
    *ledger.ENDPOINTS,
    *events.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *webhook_deliveries.ENDPOINTS,
)
