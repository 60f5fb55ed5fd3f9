"""What a notice says besides its words: the store, its hours, the articles, times on the store's clock, the code."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.terms import Milestone
from bopis.domain.orders.numbers import shown
from bopis.ports import OpeningHours
from bopis.services.directory import ALWAYS_OPEN, StoreRecord
from bopis.wire.catalogue import Article

CODED = frozenset({Milestone.READY, Milestone.REMINDER, Milestone.CODE_REISSUED})
VISITED = CODED | {Milestone.ALTERNATIVE_OFFERED}
DAYS_SHOWN = 3
PICTURE = "cid:pickup-code"
MAP = "https://www.openstreetmap.org/?mlat={0}&mlon={1}#map=17/{0}/{1}"


class Places:
    """Stores and articles as the log has them now."""

    def __init__(self) -> None:
        self.stores: dict[str, StoreRecord] = {}
        self.articles: dict[str, Article] = {}

    def store(self, name: str) -> StoreRecord:
        """A store; one that nobody imported has its id for a name."""
        return self.stores.get(name) or StoreRecord(store_id=name, name=name)

    def article(self, sku: str) -> str:
        """What an article is called; its SKU when nobody said."""
        found = self.articles.get(sku)
        return found.name if found is not None and found.name else sku


def facts(order: str, due: DeliveryDue, places: Places, hours: OpeningHours, now_ms: int) -> dict[str, Any]:
    """Everything that words may use, but the customer's name and the code."""
    told = due.notice
    store = places.store(told.store)
    zone = ZoneInfo(store.time_zone)
    return {
        "order": shown(order),
        "milestone": told.milestone.value,
        "store": {"name": store.name, "address": _address(store), "map": _map(store)},
        "hours": _hours(store, zone, hours, now_ms) if told.milestone in VISITED else [],
        "lines": [{"quantity": it.quantity, "name": places.article(it.sku)} for it in told.lines],
        "ready_by": _local(told.ready_by_ms, zone),
        "window_end": _local(told.window_end_ms, zone),
        "answer_by": _local(told.answer_by_ms, zone),
        "reason": told.reason,
        "reason_name": places.article(told.reason),
    }


def _local(at_ms: int | None, zone: ZoneInfo) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def _address(store: StoreRecord) -> str:
    place = " ".join(it for it in (store.postal_code, store.city) if it)
    return ", ".join(it for it in (store.street, place, store.state) if it)


def _map(store: StoreRecord) -> str:
    return "" if store.latitude is None or store.longitude is None else MAP.format(store.latitude, store.longitude)


def _hours(store: StoreRecord, zone: ZoneInfo, hours: OpeningHours, now_ms: int) -> list[dict[str, Any]]:
    """When the store is open today and on the next days; nothing for one that never closes or cannot be read."""
    if store.opening_hours == ALWAYS_OPEN:
        return []
    try:
        opens = hours.calendar(store.hours, now_ms, DAYS_SHOWN + 1).opens
    except Exception:
        return []  # Hours that cannot be read are told where stores are imported; a notice does without.
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    days = [(today + timedelta(days=number)) for number in range(DAYS_SHOWN)]
    spans = [(_local(begins, zone), _local(ends, zone)) for begins, ends in opens]
    return [
        {
            "day": day,
            "times": ", ".join(f"{a:%H:%M}–{b:%H:%M}" for a, b in spans if a and b and a.date() == day.date()),
        }
        for day in days
    ]
