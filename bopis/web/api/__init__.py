"""The headless API `/v1`: one module per resource, each with its types and its endpoints."""

from bopis.web.api import availability, health, order_commands, orders, placing
from bopis.web.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *availability.ENDPOINTS,
    *placing.ENDPOINTS,
    *orders.ENDPOINTS,
    *order_commands.ENDPOINTS,
)
