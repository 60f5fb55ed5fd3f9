"""Instants as people in a store read them: each on the clock of its own store."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from bopis.domain.orders.state import Order

DAY = "%a %d %b"


class StoreTimes:
    """Clocks of stores. Once two stores of an order have different clocks, every time names its zone."""

    def __init__(self, zones: Mapping[str, tzinfo] | None = None, home: str = "", stores: Iterable[str] = ()) -> None:
        """``home`` is the store of times that belong to no other one, ``stores`` are those that one text is about."""
        self._zones = zones or {}
        self._home = home
        self._stores = tuple(dict.fromkeys((home, *stores)))

    def about(self, order: Order) -> "StoreTimes":
        """Clocks of the stores that an order is about: where it was placed, prepared, and offered."""
        work = [it.store for it in order.work]
        offers = [it.store for offer in order.offers for it in offer.offers]
        lines = [line.store for line in order.lines if line.store]
        return StoreTimes(self._zones, self._home or order.store, (order.store, *lines, *work, *offers))

    def among(self, stores: Iterable[str]) -> "StoreTimes":
        """Clocks of further stores that the same text is about."""
        return StoreTimes(self._zones, self._home, (*self._stores, *stores))

    def zone(self, store: str = "") -> tzinfo:
        """The zone of a store; UTC for one that was never imported."""
        return self._zones.get(store or self._home, UTC)

    def at(self, at_ms: int, store: str = "") -> datetime:
        """An instant on the clock of a store."""
        return datetime.fromtimestamp(at_ms / 1000, self.zone(store))

    def instant(self, at_ms: int | None, store: str = "") -> str:
        """An instant to the minute, with its zone where two meet; a dash for none."""
        if not at_ms:
            return "-"
        at = self.at(at_ms, store)
        return at.strftime(f"{DAY} %H:%M") + self._zone_name(at)

    def until(self, at_ms: int | None, store: str = "") -> str:
        """The end of a period; one that ends with the day names the day: ``the end of Wed 2 Dec``."""
        if not at_ms:
            return "-"
        at = self.at(at_ms, store)
        last = at - timedelta(minutes=1)
        if (at.hour, at.minute) == (0, 0) or (at.hour, at.minute) == (23, 59):
            day = at if at.minute else last
            return f"the end of {day:%a} {day.day} {day:%b}{self._zone_name(at)}"
        return self.instant(at_ms, store)

    def _zone_name(self, at: datetime) -> str:
        # Equal offsets under two names are one clock for people.
        offsets = {at.astimezone(self.zone(store)).utcoffset() for store in self._stores}
        return f" {at.tzname()}" if len(offsets) > 1 else ""
