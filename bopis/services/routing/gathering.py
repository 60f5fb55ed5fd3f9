"""The facts of a decision, gathered from the live tables at one moment."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from bopis.domain.inventory.rows import Level
from bopis.domain.sourcing.facts import TRUST_FULL, Incoming, SkuFacts, StoreFacts
from bopis.domain.sourcing.request import Place, Request
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.stock import wanted_units
from bopis.domain.values import DAY_MS, HOUR_MS
from bopis.ports import OpeningHours
from bopis.services.directory import StoreRecord
from bopis.services.routing.distance import metres, place
from bopis.services.routing.open_orders import OpenOrders
from bopis.services.routing.tables import DOUBT_DAYS, Tables

HORIZON_DAYS = 28
DAYS_AFTER_SLOT = 21
FAR_M = 30_000_000  # Farther than any two places: stores without coordinates stand behind all others.

Spoken = Mapping[tuple[str, str], int]


class Gatherer:
    """Facts per store; ``spoken`` are units that were promised to others a moment ago and are not held yet."""

    def __init__(self, tables: Tables, orders: OpenOrders, hours: OpeningHours, rules: RuleSet) -> None:
        self.tables = tables
        self.orders = orders
        self._hours = hours
        self._rules = rules

    def chosen(self, request: Request, now_ms: int, spoken: Spoken | None = None) -> tuple[StoreFacts, ...]:
        """The chosen store alone: most orders need no other."""
        record = None if request.store is None else self.tables.record(request.store)
        return () if record is None else (self._facts(request, record, now_ms, spoken or {}),)

    def all(self, request: Request, now_ms: int, count: int, spoken: Spoken | None = None) -> tuple[StoreFacts, ...]:
        """The chosen store and the nearest others, at most so many, that have any of the SKUs in their books."""
        others = [it for it in self._carriers(request) if it.store_id != request.store]
        point = self._point(request)
        others.sort(key=lambda it: (self._distance(point, it) or FAR_M, it.store_id))
        near = others[:count]
        found = tuple(self._facts(request, it, now_ms, spoken or {}) for it in near)
        return self.chosen(request, now_ms, spoken) + found

    def _carriers(self, request: Request) -> Iterable[StoreRecord]:
        names = {store for sku in wanted_units(request.lines) for store in self.tables.carriers(sku)}
        records = (self.tables.record(it) for it in sorted(names))
        return [it for it in records if it is not None]

    def _facts(self, request: Request, record: StoreRecord, now_ms: int, spoken: Spoken) -> StoreFacts:
        store = record.store_id
        policy = self.tables.policy(store)
        days = HORIZON_DAYS
        if request.slot is not None:
            days = max(days, (request.slot.to_ms - now_ms) // DAY_MS + DAYS_AFTER_SLOT)
        return StoreFacts(
            store=store,
            calendar=self._hours.calendar(record.hours, now_ms, days),
            skus=tuple(self._sku(request, record, sku, now_ms, spoken) for sku in sorted(wanted_units(request.lines))),
            pickup=policy.pickup,
            closed=record.closed,
            heard_ms=self.tables.heard(store, policy),
            distance_m=self._distance(self._point(request), record),
            cost=record.cost,
            capacity_minutes=record.capacity_minutes,
            pick_seconds=record.pick_seconds,
            work=self.orders.work(store),
        )

    def _sku(self, request: Request, record: StoreRecord, sku: str, now_ms: int, spoken: Spoken) -> SkuFacts:
        store = record.store_id
        terms = self.tables.terms(store, sku, self.tables.policy(store), now_ms)
        if taken := spoken.get((store, sku), 0):
            terms = replace(terms, held=terms.held + taken)
        incoming = self._incoming(store, sku, now_ms)
        return SkuFacts(
            sku=sku,
            terms=terms,
            incoming=incoming,
            awaited=self.orders.awaited(store, sku, request.order) if incoming else 0,
            trust=trust(self.tables.level(store, sku), now_ms),
        )

    def _incoming(self, store: str, sku: str, now_ms: int) -> tuple[Incoming, ...]:
        """Goods on their way that somebody gave a date, and transfers without one by when the rules expect them.

        What is dated and overdue counts for nothing until a new date is said; a transfer without a date that is late
        by the rules is expected as if it were sent today.
        """
        takes_ms = self._rules.transfer_hours * HOUR_MS
        found = []
        for expected_ms, sent_ms, units in self.tables.on_their_way(store, sku):
            by_rule_ms = sent_ms + takes_ms if sent_ms + takes_ms > now_ms else now_ms + takes_ms
            at_ms = expected_ms or (by_rule_ms if takes_ms else 0)
            if at_ms > now_ms:
                found.append(Incoming(at_ms=at_ms, quantity=units))
        return tuple(found)

    def _point(self, request: Request) -> Place | None:
        """Where distances are counted from: the customer, else the chosen store."""
        if request.place is not None or request.store is None:
            return request.place
        record = self.tables.record(request.store)
        return None if record is None else place(record.latitude, record.longitude)

    def _distance(self, point: Place | None, record: StoreRecord) -> int | None:
        there = place(record.latitude, record.longitude)
        return None if point is None or there is None else metres(point, there)


def trust(level: Level, now_ms: int) -> int:
    """How far the shelf keeps what the books promise, per mille: half while a short pick is in doubt, and growing
    back over two weeks after a count has settled it."""
    if not level.doubted_ms:
        return TRUST_FULL
    if level.in_doubt:
        return TRUST_FULL // 2
    days = max(0, now_ms - level.doubted_ms) // DAY_MS
    return min(TRUST_FULL, TRUST_FULL // 2 + TRUST_FULL // 2 * days // DOUBT_DAYS)
