"""Facts for the templates of notices: store, opening hours, articles, and times on the store's clock."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.messages import MissingStock, NoticeLine
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.orders.numbers import shown
from bopis.domain.quantities import EACH
from bopis.domain.values import epoch_ms
from bopis.ports import OpeningHours
from bopis.services.opening_days import opening_days
from bopis.services.store_directory import ALWAYS_OPEN, StoreRecord
from bopis.wire.catalogue import Article

CODED = frozenset({Milestone.READY, Milestone.REMINDER, Milestone.CODE_REISSUED})
VISITED = CODED | {Milestone.ALTERNATIVE_OFFERED}
DAYS_SHOWN = 3
DAYS_SHOWN_MAX = 7  # a longer pickup window is shown by its first days and its last one
WINDOW_DAYS_MAX = 60
# Countries whose addresses put the city before the postcode, with and without a state between them.
CITY_STATE_POSTCODE = frozenset({"US", "CA", "AU"})
CITY_POSTCODE = frozenset({"GB", "IE"})
PICTURE = "cid:pickup-code"
MAP = "https://www.openstreetmap.org/?mlat={0}&mlon={1}#map=17/{0}/{1}"


class ReferenceData:
    """Stores and articles, from compacted topics of the log."""

    def __init__(self) -> None:
        self.stores: dict[str, StoreRecord] = {}
        self.articles: dict[str, Article] = {}

    def store(self, name: str) -> StoreRecord:
        """A store. A store that was not imported has its id as its name."""
        return self.stores.get(name) or StoreRecord(store_id=name, name=name)

    def article(self, sku: str) -> str:
        """The name of an article; its SKU if it has none."""
        article = self.articles.get(sku)
        return article.name if article is not None and article.name else sku

    def unit(self, sku: str) -> str:
        """The unit that quantities of an article count."""
        article = self.articles.get(sku)
        return article.unit if article is not None else EACH


def facts(order: str, due: DeliveryDue, reference: ReferenceData, hours: OpeningHours, now_ms: int) -> dict[str, Any]:
    """The facts that templates may use, without the customer's name and the pickup code."""
    notice = due.notice
    store = reference.store(notice.store)
    zone = ZoneInfo(store.time_zone)
    is_elsewhere = notice.wanted_store not in ("", notice.store)
    is_visited = notice.milestone in VISITED and notice.store in reference.stores
    return {
        "order": shown(order),
        "milestone": notice.milestone.value,
        "store": {
            "name": store.name,
            "address": address_of(store),
            "map": map_of(store),
            "phone": store.phone,
            "country": store.country,
        },
        "wanted_store": reference.store(notice.wanted_store).name if is_elsewhere else "",
        "hours": hours_of(store, hours, now_ms, notice.window_end_ms or 0) if is_visited else [],
        "lines": [_line(reference, line) for line in notice.lines],
        "currency": notice.currency,
        "pay_in_store": notice.pay_in_store,
        "ready_by": _local(notice.ready_by_ms, zone),
        "window_end": _local(notice.window_end_ms, zone),
        "answer_by": _local(notice.answer_by_ms, zone),
        "happened": _local(notice.at_ms or None, zone),
        "is_last": notice.is_last,
        "reason": notice.reason,
        "reason_name": reference.article(notice.reason),
        "reason_cents": notice.offered_cents,
        "due_cents": notice.due_cents,
        "lacking": [_lacking(reference, it) for it in notice.missing],
        # Filled by an installation with pages for its customers; no link is better than one that leads nowhere.
        "links": {"status": "", "cancel": "", "accept": "", "decline": "", "pay": notice.link},
    }


def _line(reference: ReferenceData, line: NoticeLine) -> dict[str, Any]:
    return {
        "quantity": line.quantity,
        "unit": reference.unit(line.sku),
        "name": reference.article(line.sku),
        "unit_cents": line.unit_cents,
    }


def _lacking(reference: ReferenceData, missing: MissingStock) -> dict[str, Any]:
    """An article that no store could serve: what was wanted, what its store has, and the store that has most of it."""
    return {
        "name": reference.article(missing.sku),
        "unit": reference.unit(missing.sku),
        "wanted": missing.wanted,
        "store": reference.store(missing.store).name,
        "available": max(0, missing.available),
        "other": reference.store(missing.other).name if missing.other else "",
        "other_available": missing.other_available,
        "other_metres": missing.other_distance_m,
    }


def _local(at_ms: int | None, zone: ZoneInfo) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def address_of(store: StoreRecord) -> str:
    """The address in one line, in the order of its country."""
    if store.country in CITY_STATE_POSTCODE:
        place = ", ".join(it for it in (store.city, f"{store.state} {store.postal_code}".strip()) if it)
    elif store.country in CITY_POSTCODE:
        place = " ".join(it for it in (store.city, store.postal_code) if it)
    else:
        place = ", ".join(it for it in (f"{store.postal_code} {store.city}".strip(), store.state) if it)
    return ", ".join(it for it in (store.street, place) if it)


def map_of(store: StoreRecord) -> str:
    return "" if store.latitude is None or store.longitude is None else MAP.format(store.latitude, store.longitude)


def hours_of(store: StoreRecord, hours: OpeningHours, now_ms: int, until_ms: int) -> list[dict[str, Any]]:
    """Opening hours of today, the next days and the day of `until_ms`; empty for invalid hours, and for a store whose
    hours say that it never closes."""
    if store.opening_hours == ALWAYS_OPEN:
        return []
    try:
        days = opening_days(store.hours, hours, now_ms, WINDOW_DAYS_MAX)
    except Exception:  # The import reports invalid hours; a notice is better without them than not sent.
        return []
    # A window that ends at midnight ends with the day before.
    last = [day for day in days if epoch_ms(day.begins) < until_ms][-1:]
    until = days.index(last[0]) + 1 if last else 0
    shown = days[: max(DAYS_SHOWN, until if until <= DAYS_SHOWN_MAX else 0)]
    shown += [day for day in last if day not in shown]
    return [{"day": day.begins, "spans": list(day.opens), "all_day": day.all_day} for day in shown]
