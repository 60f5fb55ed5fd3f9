"""The facts of a decision, gathered from the routing tables at one moment."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from bopis.domain.inventory.rows import Level
from bopis.domain.sourcing.facts import TRUST_FULL, Incoming, SkuFacts, StoreFacts
from bopis.domain.sourcing.request import GeoPoint, Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.domain.values import DAY_MS, HOUR_MS
from bopis.geography import metres_between
from bopis.ports import OpeningHours
from bopis.services.routing.open_orders import OpenOrders
from bopis.services.routing.tables import DOUBT_DAYS, RoutingTables
from bopis.services.store_directory import StoreRecord

HORIZON_DAYS = 28  # the filter `not_open_in_time` looks four weeks ahead
DAYS_AFTER_SLOT = 21  # enough closing times for a pickup window of store days after the slot
MICRODEGREES = 1_000_000
FAR_M = 30_000_000  # Farther than any two places: stores without coordinates are listed last.

# Units by store and SKU that woken orders will request and that are not held yet.
Reserved = Mapping[tuple[str, str], int]


class FactGatherer:
    """Gathers facts per store. `reserved` units count as held."""

    def __init__(self, tables: RoutingTables, orders: OpenOrders, hours: OpeningHours, rules: RuleSet) -> None:
        self.tables = tables
        self.orders = orders
        self._hours = hours
        self._rules = rules

    def chosen(self, request: Request, now_ms: int, reserved: Reserved | None = None) -> tuple[StoreFacts, ...]:
        """Facts of the chosen store only: most orders need no other."""
        record = None if request.store is None else self.tables.record(request.store)
        return () if record is None else (self._facts(request, record, now_ms, reserved or {}),)

    def all(
        self, request: Request, now_ms: int, count: int, reserved: Reserved | None = None
    ) -> tuple[StoreFacts, ...]:
        """Facts of the chosen store and of the `count` nearest others that have any of the SKUs in their books."""
        others = [record for record in self._carriers(request) if record.store_id != request.store]
        origin = self._origin(request)
        distances = {record.store_id: self._distance(origin, record) for record in others}
        far = {store: FAR_M if metres is None else metres for store, metres in distances.items()}
        others.sort(key=lambda record: (far[record.store_id], record.store_id))
        nearest = others[:count]
        found = tuple(self._facts(request, record, now_ms, reserved or {}) for record in nearest)
        return self.chosen(request, now_ms, reserved) + found

    def _carriers(self, request: Request) -> Iterable[StoreRecord]:
        names = {store for sku in wanted_units(request.lines) for store in self.tables.carriers(sku)}
        records = (self.tables.record(name) for name in sorted(names))
        return [record for record in records if record is not None]

    def _facts(self, request: Request, record: StoreRecord, now_ms: int, reserved: Reserved) -> StoreFacts:
        store = record.store_id
        policy = self.tables.policy(store)
        days = HORIZON_DAYS
        if request.slot is not None:
            days = max(days, (request.slot.to_ms - now_ms) // DAY_MS + DAYS_AFTER_SLOT)
        return StoreFacts(
            store=store,
            calendar=self._hours.calendar(record.hours, now_ms, days),
            skus=tuple(self._sku(request, store, sku, now_ms, reserved) for sku in sorted(wanted_units(request.lines))),
            pickup=policy.pickup,
            closed=record.closed,
            heard_ms=self.tables.heard(store, policy),
            distance_m=self._distance(self._origin(request), record),
            cost=record.cost,
            capacity_minutes=record.capacity_minutes,
            pick_seconds=record.pick_seconds,
            work=self.orders.work(store),
        )

    def _sku(self, request: Request, store: str, sku: str, now_ms: int, reserved: Reserved) -> SkuFacts:
        terms = self.tables.terms(store, sku, self.tables.policy(store), now_ms)
        if units := reserved.get((store, sku), 0):
            terms = replace(terms, held=terms.held + units)
        incoming = self._incoming(store, sku, now_ms)
        return SkuFacts(
            sku=sku,
            terms=terms,
            incoming=incoming,
            awaited=self.orders.awaited(store, sku, request.order) if incoming else 0,
            trust=trust(self.tables.level(store, sku), now_ms),
        )

    def _incoming(self, store: str, sku: str, now_ms: int) -> tuple[Incoming, ...]:
        """Goods on their way, each with its date; a transfer without a date is expected after the rules'
        `transfer_hours`.

        Dated goods that are overdue do not count until they get a new date. A transfer without a date that is late by
        the rules is expected as if it had been sent now.
        """
        transfer_ms = self._rules.transfer_hours * HOUR_MS
        found = []
        for goods in self.tables.on_their_way(store, sku):
            arrives_ms = goods.sent_ms + transfer_ms
            by_rule_ms = arrives_ms if arrives_ms > now_ms else now_ms + transfer_ms
            at_ms = goods.expected_ms or (by_rule_ms if transfer_ms else 0)
            if at_ms > now_ms:
                found.append(Incoming(at_ms=at_ms, quantity=goods.units))
        return tuple(found)

    def _origin(self, request: Request) -> GeoPoint | None:
        """The point from which distances are measured: the customer's, else the chosen store's."""
        if request.place is not None or request.store is None:
            return request.place
        record = self.tables.record(request.store)
        return None if record is None else geo_point(record.latitude, record.longitude)

    def _distance(self, origin: GeoPoint | None, record: StoreRecord) -> int | None:
        there = geo_point(record.latitude, record.longitude)
        return None if origin is None or there is None else metres(origin, there)


def geo_point(latitude: float | None, longitude: float | None) -> GeoPoint | None:
    """A point in whole microdegrees, from degrees; None if it is unknown. Decisions contain no floats."""
    if latitude is None or longitude is None:
        return None
    return GeoPoint(latitude_e6=round(latitude * MICRODEGREES), longitude_e6=round(longitude * MICRODEGREES))


def metres(a: GeoPoint, b: GeoPoint) -> int:
    """The great-circle distance of two points in whole metres."""
    return round(metres_between(_degrees(a), _degrees(b)))


def _degrees(point: GeoPoint) -> tuple[float, float]:
    return point.latitude_e6 / MICRODEGREES, point.longitude_e6 / MICRODEGREES


def trust(level: Level, now_ms: int) -> int:
    """How reliable the books of a SKU are, per mille: half while a short pick is in doubt, then growing back linearly
    over DOUBT_DAYS after a count has settled it."""
    if not level.doubted_ms:
        return TRUST_FULL
    if level.in_doubt:
        return TRUST_FULL // 2
    days = max(0, now_ms - level.doubted_ms) // DAY_MS
    return min(TRUST_FULL, TRUST_FULL // 2 + TRUST_FULL // 2 * days // DOUBT_DAYS)
