"""Any interleaving of messages, duplicates, late arrivals and restarts keeps the invariants.

The machine generates and the `Audit` judges: they share no code with the engine but the message types.
"""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle, KitComponent
from bopis.domain.inventory.events import (
    ReceiptDiscrepancyFound,
    ReservationRefused,
    StockReserved,
    ThresholdCrossed,
)
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    CollectStock,
    CountLine,
    ExpectationWithdrawn,
    ExtendHold,
    OrderLine,
    PickLine,
    PosSale,
    ReleaseStock,
    ReserveStock,
    SaleLine,
    SetStockRule,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockLine,
    StockPicked,
    StockReceived,
    StockTick,
)
from bopis.domain.inventory.rows import Expected, Hold, Level, expected_key, row_type, split_key
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS, ChangeLine
from bopis.verification.audit import Audit
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from streams.processors.inventory import conclusions
from tests.domain.books import NOON_MS, MemoryRows, at

STORES = ("S1", "S2")
SKUS = ("A", "B", "C")
ARTICLES = (
    CataloguedArticle(sku="A", gtins=("05012345678900",)),
    CataloguedArticle(sku="B"),
    CataloguedArticle(sku="C", gtins=("05012345678900",)),
    CataloguedArticle(sku="K", components=(KitComponent(sku="A", quantity=2), KitComponent(sku="B", quantity=1))),
)
stores = st.sampled_from(STORES)
skus = st.sampled_from(SKUS)
few = st.integers(1, 5)
earlier = st.sampled_from([0, 0, 0, 1, MINUTE_MS, HOUR_MS, DAY_MS])


class Inventory(RuleBasedStateMachine):
    """Two stores, three SKUs, two tills each, people at desks, pickers and orders, and a log between them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = MemoryRows()
        self.audit = Audit()
        self.now_ms = NOON_MS
        self.said: list[tuple[Message, bytes]] = []
        self.waiting: list[tuple[Message, bytes]] = []
        self.sequences: dict[str, int] = {}
        self.holds: list[tuple[str, str]] = []
        self.number = 0
        self.safety: dict[tuple[str, str], int] = {}
        # Of each store's one document: the time of the newest word about it, and what it will bring.
        self.expected: dict[str, tuple[int, dict[str, int]]] = {}

    # What happens in the world

    def _say(self, store: str, data: Any, before_ms: int = 0, till: int | None = None) -> Message:
        self.number += 1
        header: dict[str, Any] = {"id": f"m{self.number}", "source": "desk"}
        if till is not None:
            source = f"till-{store}-{till}"
            self.sequences[source] = self.sequences.get(source, 0) + 1
            header |= {"source": source, "seq": self.sequences[source]}
        return Message(subject=store, time=at(self.now_ms - before_ms), data=data, **header)

    def _deliver(self, message: Message, value: bytes) -> list[Any]:
        """The log appends the record and the engine takes it; nothing is expected of a repeat."""
        stood = self._in_pickup_stock()
        counts = self.audit.message(message, self.now_ms)
        concluded = step(self.rows, message, self.now_ms, value)
        if message.data.__class__ not in (StockTick, ReserveStock, ReleaseStock, CollectStock, ExtendHold):
            assert counts or not concluded
        for output in conclusions(message, self.now_ms, concluded):
            if output.topic == "inventory-events":
                self.audit.event(INVENTORY_EVENTS.decode(output.value))
        if isinstance(message.data, SetStockRule) and counts:
            self.safety[message.subject, str(message.data.sku)] = message.data.safety_stock or 0
        self._judge_crossings(stood, [(store, it) for store, it in concluded if isinstance(it, ThresholdCrossed)])
        return [event for _, event in concluded if not isinstance(event, ThresholdCrossed)]

    def _in_pickup_stock(self) -> dict[tuple[str, str], bool]:
        """Which SKUs that are in the books are in pickup stock: on hand, held and rules by the judge's own books."""
        on_hand, held = self.audit.on_hand, self.audit.held
        levels = {split_key(key)[1:]: row for key, row in self.rows.rows.items() if isinstance(row, Level)}
        return {
            cell: on_hand.get(cell, 0) - held.get(cell, 0) - row.in_doubt - self.safety.get(cell, 0) > 0
            for cell, row in levels.items()
        }

    def _judge_crossings(self, stood: dict[tuple[str, str], bool], said: list[tuple[str, ThresholdCrossed]]) -> None:
        stands = self._in_pickup_stock()
        crossed = {cell: is_in for cell, is_in in stands.items() if stood.get(cell, is_in) is not is_in}
        assert {(store, event.sku): event.in_pickup_stock for store, event in said} == crossed
        assert len(said) == len(crossed), "each crossing is said once"

    def _publish(self, message: Message) -> list[Any]:
        value = STOCK.encode(message)
        self.said.append((message, value))
        return self._deliver(message, value)

    @initialize(units=st.integers(0, 20))
    def opening_stock(self, units: int) -> None:
        for store in STORES if units else ():
            lines = tuple(StockLine(sku=sku, quantity=units) for sku in SKUS)
            self._publish(self._say(store, StockReceived(document="opening", lines=lines)))

    @rule(milliseconds=st.sampled_from([1, MINUTE_MS, HOUR_MS, 4 * HOUR_MS]))
    def time_passes(self, milliseconds: int) -> None:
        self.now_ms += milliseconds

    @rule(
        store=stores,
        till=st.integers(1, 2),
        before=earlier,
        lines=st.lists(st.tuples(skus, st.integers(-2, 4)), min_size=1, max_size=4),
        offline=st.booleans(),
    )
    def a_till_sells(self, store: str, till: int, before: int, lines: list[tuple[str, int]], offline: bool) -> None:
        sale = PosSale(basket=f"b{self.number}", lines=tuple(SaleLine(sku, quantity) for sku, quantity in lines))
        message = self._say(store, sale, before, till)
        if offline:
            self.waiting.append((message, STOCK.encode(message)))
        else:
            self._publish(message)

    @rule(
        articles=st.lists(st.sampled_from(ARTICLES), max_size=3, unique_by=lambda it: it.sku),
        removed=st.lists(st.sampled_from((*SKUS, "K")), max_size=1),
    )
    def the_catalogue_changes(self, articles: list[CataloguedArticle], removed: list[str]) -> None:
        body = CatalogueChanged(
            partition=0, following=self.number + 1, articles=tuple(articles), removed=tuple(removed)
        )
        message = msgspec.structs.replace(self._say("-", body), source="inventory")
        self._publish(message)

    @rule(store=stores, code=st.sampled_from(("5012345678900", " a", "b", "K", "k", "nobody's")), units=few)
    def a_code_is_sold(self, store: str, code: str, units: int) -> None:
        self._publish(self._say(store, PosSale(basket="b", lines=(SaleLine(code, units),)), 0, 1))

    @rule(store=stores, code=st.sampled_from(("5012345678900", "K", "c ")), units=st.integers(0, 4), before=earlier)
    def a_code_is_counted(self, store: str, code: str, units: int, before: int) -> None:
        lines = (CountLine(sku=code, counted=units), CountLine(sku="B", counted=1))
        self._publish(self._say(store, StockCounted(lines=lines), before))

    @precondition(lambda self: self.waiting)
    @rule(index=st.integers(0, 10_000))
    def an_offline_message_arrives(self, index: int) -> None:
        message, value = self.waiting.pop(index % len(self.waiting))
        self.said.append((message, value))
        self._deliver(message, value)

    @rule(store=stores, sku=skus, units=few, before=earlier)
    def goods_arrive(self, store: str, sku: str, units: int, before: int) -> None:
        line = StockLine(sku=sku, quantity=units)
        answer = self._publish(self._say(store, StockReceived(document="d", lines=(line,)), before))
        known = self.expected.get(store)
        is_newest = known is not None and self.now_ms - before >= known[0]
        differs = is_newest and self._coming(store) not in ({}, {sku: units})
        assert any(isinstance(it, ReceiptDiscrepancyFound) for it in answer) is differs
        if is_newest:
            self.expected[store] = self.now_ms - before, {}

    @rule(store=stores, sku=skus, units=few, before=earlier, hours=st.integers(-1, 5))
    def goods_are_expected(self, store: str, sku: str, units: int, before: int, hours: int) -> None:
        line = StockLine(sku=sku, quantity=units)
        when = at(self.now_ms + hours * HOUR_MS)
        self._publish(self._say(store, StockExpected(document="d", lines=(line,), expected_at=when), before))
        if self.now_ms - before >= self.expected.get(store, (0, {}))[0]:
            self.expected[store] = self.now_ms - before, {sku: units}

    @rule(store=stores, before=earlier)
    def goods_are_expected_no_longer(self, store: str, before: int) -> None:
        answer = self._publish(self._say(store, ExpectationWithdrawn(document="d"), before))
        assert bool(answer) is not bool(self._coming(store))
        self._end_expectation(store, before)

    def _end_expectation(self, store: str, before: int) -> None:
        if self._coming(store) and self.now_ms - before >= self.expected[store][0]:
            self.expected[store] = self.now_ms - before, {}

    def _coming(self, store: str) -> dict[str, int]:
        return self.expected.get(store, (0, {}))[1]

    @rule(store=stores, sku=skus, change=st.integers(-3, 3))
    def the_books_are_adjusted(self, store: str, sku: str, change: int) -> None:
        line = ChangeLine(sku=sku, change=change)
        self._publish(self._say(store, StockAdjusted(reason=AdjustmentReason.CORRECTION, lines=(line,))))

    @rule(store=stores, sku=skus, units=st.integers(0, 8), before=earlier, staged=st.booleans(), closes=st.booleans())
    def the_shelf_is_counted(self, store: str, sku: str, units: int, before: int, staged: bool, closes: bool) -> None:
        line = CountLine(sku=sku, counted=units)
        counted = StockCounted(lines=(line,), staged_counted=staged, closes_gaps=closes)
        self._publish(self._say(store, counted, before))

    @rule(store=stores, sku=skus, units=st.integers(0, 3))
    def safety_stock_is_set(self, store: str, sku: str, units: int) -> None:
        self._publish(self._say(store, SetStockRule(sku=sku, safety_stock=units)))

    @rule(store=stores, lines=st.lists(st.tuples(skus, few), min_size=1, max_size=3), hours=st.integers(1, 3))
    def an_order_wants_stock(self, store: str, lines: list[tuple[str, int]], hours: int) -> None:
        hold = f"h{self.number}"
        wanted = ReserveStock(
            hold=hold,
            order=f"o{self.number}",
            lines=tuple(OrderLine(line=n, sku=sku, quantity=q) for n, (sku, q) in enumerate(lines, 1)),
            hold_until=at(self.now_ms + hours * HOUR_MS),
        )
        free = {sku: self._free(store, sku) for sku, _ in lines}
        asked: dict[str, int] = {}
        for sku, quantity in lines:
            asked[sku] = asked.get(sku, 0) + quantity

        answer = self._publish(self._say(store, wanted))

        self.holds.append((store, hold))
        assert len(answer) == 1
        if isinstance(answer[0], StockReserved):
            assert all(asked[sku] <= free[sku] for sku in asked), "invariant 2: granted more than there was"
        else:
            assert isinstance(answer[0], ReservationRefused)

    def _free(self, store: str, sku: str) -> int:
        """On hand less active holds, by the judge's own books."""
        return self.audit.on_hand.get((store, sku), 0) - self.audit.held.get((store, sku), 0)

    @precondition(lambda self: self.holds)
    @rule(
        index=st.integers(0, 10_000),
        command=st.sampled_from([ReleaseStock, CollectStock]),
        lines=st.sampled_from([(), (1,), (2,)]),
    )
    def a_hold_is_ended(self, index: int, command: Any, lines: tuple[int, ...]) -> None:
        store, hold = self.holds[index % len(self.holds)]
        self._publish(self._say(store, command(hold=hold, lines=lines)))

    @precondition(lambda self: self.holds)
    @rule(index=st.integers(0, 10_000), hours=st.integers(0, 5))
    def a_hold_is_extended(self, index: int, hours: int) -> None:
        store, hold = self.holds[index % len(self.holds)]
        self._publish(self._say(store, ExtendHold(hold=hold, hold_until=at(self.now_ms + hours * HOUR_MS))))

    @precondition(lambda self: self.holds)
    @rule(
        index=st.integers(0, 10_000),
        line=st.integers(1, 2),
        picked=st.integers(0, 3),
        missing=st.integers(0, 2),
        before=earlier,
    )
    def goods_are_picked(self, index: int, line: int, picked: int, missing: int, before: int) -> None:
        store, hold = self.holds[index % len(self.holds)]
        found = PickLine(line=line, picked=picked, missing=missing)
        self._publish(self._say(store, StockPicked(hold=hold, lines=(found,)), before))

    @rule()
    def the_timer_ticks(self) -> None:
        if self.rows.due(self.now_ms):
            self._publish(self._say("-", StockTick(at=at(self.now_ms))))

    # What may go wrong

    @precondition(lambda self: self.said)
    @rule(index=st.integers(0, 10_000))
    def the_log_says_it_again(self, index: int) -> None:
        message, value = self.said[index % len(self.said)]
        before = msgspec.json.encode(self.rows.rows)
        if isinstance(message.data, StockTick):
            return
        concluded = self._deliver(message, value)

        assert all("Refused" in type(event).__name__ for event in concluded)
        assert msgspec.json.encode(self.rows.rows) == before

    @rule()
    def the_worker_restarts(self) -> None:
        """All that survives is what the changelog keeps: the rows as bytes."""
        fresh = MemoryRows()
        for key, row in self.rows.rows.items():
            fresh.rows[key] = msgspec.json.decode(msgspec.json.encode(row), type=row_type(key))
            if due := getattr(fresh.rows[key], "due_ms", 0):
                fresh.deadlines[key] = due
        self.rows = fresh

    @invariant()
    def no_deadline_is_forgotten(self) -> None:
        overdue = {
            key
            for key, row in self.rows.rows.items()
            if isinstance(row, Hold) and row.active and row.until_ms <= self.now_ms
        }
        assert overdue <= set(self.rows.due(self.now_ms))

    @invariant()
    def what_is_expected_is_what_was_said_last(self) -> None:
        rows = {store: self.rows.rows.get(expected_key(store, "d")) for store in STORES}
        assert {store: row.lines for store, row in rows.items() if isinstance(row, Expected) and row.lines} == {
            store: lines for store, (_, lines) in self.expected.items() if lines
        }

    @invariant()
    def the_judge_agrees(self) -> None:
        assert self.audit.violations(self.rows.rows.items()) == []


TestInventory = Inventory.TestCase
TestInventory.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=timedelta(seconds=20), print_blob=True
)
