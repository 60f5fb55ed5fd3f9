"""Records as sources hand them to the journal."""

from datetime import UTC, datetime
from typing import Any

from bopis.domain.inventory.messages import PosSale, Report, SaleLine
from bopis.journal.entries import Basket, fingerprint_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def basket_of(key: str, body: Report, time: datetime = NOON) -> Basket:
    """A record with a body."""
    return Basket(key=key, fingerprint=fingerprint_of(body, time), bodies=(body,), time=time, place=f"{key}.ndjson:1")


def sold(key: str, **units: Any) -> Basket:
    """A sale; names of units are SKUs."""
    return basket_of(key, PosSale(basket=key[:64] or "-", lines=tuple(SaleLine(sku, it) for sku, it in units.items())))
