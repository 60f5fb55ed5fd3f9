"""The stores of one run: the shelf as it is, and the books as the inventory has them.

Reports reach the books at once, or when an outage ends, through the inventory's own step. Whether an order is promised
is decided by the filter of sourcing and then by the inventory, on the terms that both compute for every other caller.
The shelf has no part in that: it shows whether promised units were there.
"""

from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from msgspec import UNSET

from benchmarks.promise.traffic import Basket, Line
from bopis.domain.calendar.hours import Calendar
from bopis.domain.inventory.availability import last_report, terms
from bopis.domain.inventory.events import StockReserved
from bopis.domain.inventory.messages import (
    AgentHeartbeat,
    CollectStock,
    CountLine,
    OrderLine,
    PickLine,
    PosSale,
    ReserveStock,
    SaleLine,
    SetStockRule,
    SetStorePolicy,
    StockCounted,
    StockLine,
    StockPicked,
    StockReceived,
)
from bopis.domain.inventory.rows import (
    Hold,
    HoldLine,
    HoldLineState,
    Level,
    Store,
    Terms,
    hold_key,
    level_key,
    store_key,
)
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.domain.sourcing.candidates import Candidate, judge
from bopis.domain.sourcing.facts import SkuFacts, StoreFacts
from bopis.domain.sourcing.request import Request, RequestLine
from bopis.domain.sourcing.rules import RuleSet
from bopis.domain.sourcing.timing import DecisionContext
from bopis.domain.values import DAY_MS, MINUTE_MS
from bopis.services.migration.survey import MemoryRows
from bopis.services.routing.fact_gathering import trust

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOLD_DAYS = 7
LINES_PER_MESSAGE = 500


class Protection(NamedTuple):
    """A kind of protection: units that are never promised, and the settings of staleness and trust."""

    name: str
    safety_stock: int = 0
    staleness_percent: int = 0
    trust_permille_min: int = 0


class Picked(NamedTuple):
    """How the pick of an order ended: everything was found, or these SKUs were short."""

    complete: bool
    short: tuple[str, ...]


class Shop:
    """One store: shelf, books, and the reports that wait while it is cut off."""

    def __init__(self, store: str, protection: Protection, begin_ms: int, end_ms: int) -> None:
        self.store = store
        self.is_cut_off = False
        self.shelf: Counter[str] = Counter()
        self.promised: Counter[str] = Counter()  # promised and not yet picked
        self.rows = MemoryRows()
        self._waiting: deque[Message] = deque()
        self._numbers: Counter[str] = Counter()
        self._reported_ms = 0
        midnights = tuple(range(begin_ms - DAY_MS, end_ms + 30 * DAY_MS, DAY_MS))
        self._calendar = Calendar(opens=((midnights[0], midnights[-1]),), days=midnights)
        # Whether data are too old for any promise is another rule, and off here for every kind of protection.
        self._rules = RuleSet(trust_permille_min=protection.trust_permille_min, data_age_minutes_max=0)
        self._step(SetStorePolicy(staleness_percent=protection.staleness_percent), begin_ms, begin_ms, "office")
        if protection.safety_stock:
            self._step(SetStockRule(safety_stock=protection.safety_stock), begin_ms, begin_ms, "office")

    def sell(self, basket: Basket) -> None:
        """Sell what is on the shelf of a basket, promised or not. Lost units disappear without a report."""
        sold = []
        for line in basket.lines:
            units = min(line.quantity, self.shelf[line.sku])
            if units:
                self.shelf[line.sku] -= units
                sold.append(SaleLine(line.sku, units))
        if sold:
            self._report(PosSale(basket=f"{basket.number}", lines=tuple(sold)), basket.at_ms)
        for sku in basket.lost:
            self.shelf[sku] -= self.shelf[sku] > 0

    def order(self, basket: Basket) -> bool:
        """Whether an order is promised: its store passes the filters, and the inventory holds every line."""
        at_ms = basket.at_ms
        self.say_alive(at_ms)
        lines = tuple(
            OrderLine(line=number, sku=it.sku, quantity=it.quantity) for number, it in enumerate(basket.lines, 1)
        )
        asked = Request(
            order=f"{basket.number}",
            attempt=1,
            lines=tuple(RequestLine(line=it.line, sku=it.sku, quantity=it.quantity) for it in lines),
            store=self.store,
        )
        judged = judge(asked, self._facts([it.sku for it in lines], at_ms), DecisionContext(at_ms, self._rules))
        if not isinstance(judged, Candidate) or judged.missing:
            return False
        reserve = ReserveStock(
            hold=f"{basket.number}",
            order=f"{basket.number}",
            lines=lines,
            hold_until=_instant(at_ms + HOLD_DAYS * DAY_MS),
        )
        if not any(isinstance(it, StockReserved) for it in self._step(reserve, at_ms, at_ms, "orders")):
            return False
        self.promised.update({it.sku: it.quantity for it in basket.lines})
        return True

    def has(self, lines: tuple[Line, ...]) -> bool:
        """Whether the shelf has these units beside those promised before."""
        return all(self.shelf[it.sku] - self.promised[it.sku] >= it.quantity for it in lines)

    def pick(self, basket: Basket, at_ms: int) -> Picked:
        """Pick an order and hand over what is found. What is missing is in doubt until it is counted."""
        hold = cast(Hold, self.rows.get(hold_key(self.store, f"{basket.number}")))
        self.promised.subtract({it.sku: it.quantity for it in basket.lines})
        picks, short = [], []
        for line, wanted in zip(hold.lines, basket.lines, strict=True):
            units = line.quantity if line.state is HoldLineState.HELD else 0
            found = min(units, self.shelf[line.sku])
            self.shelf[line.sku] -= found
            if found < wanted.quantity:
                short.append(line.sku)
            if units:
                picks.append(PickLine(line=line.line, picked=found, missing=units - found))
        if picks:
            self._step(StockPicked(hold=f"{basket.number}", lines=tuple(picks)), at_ms, at_ms, "orders")
        if any(_is_held(it) for it in hold.lines):
            self._step(CollectStock(hold=f"{basket.number}"), at_ms, at_ms, "orders")
        return Picked(not short, tuple(short))

    def count(self, sku: str, at_ms: int) -> None:
        """Count a SKU on the shelf."""
        self._report(StockCounted(lines=(CountLine(sku=sku, counted=self.shelf[sku]),)), at_ms)

    def deliver(self, full: dict[str, int], at_ms: int) -> None:
        """Fill every SKU up by the store's own books, which know every report, whether it was sent or waits."""
        booked = self.own_books(full)
        lines = [StockLine(sku=sku, quantity=full[sku] - booked[sku]) for sku in full if booked[sku] < full[sku]]
        self.shelf.update({it.sku: it.quantity for it in lines})
        for first in range(0, len(lines), LINES_PER_MESSAGE):
            part = tuple(lines[first : first + LINES_PER_MESSAGE])
            self._report(StockReceived(document=f"{at_ms}/{first}", lines=part), at_ms)

    def own_books(self, skus: dict[str, int]) -> dict[str, int]:
        """On hand by the books and the reports that wait."""
        found = {sku: self._level(sku).on_hand for sku in skus}
        for message in self._waiting:
            for line in getattr(message.data, "lines", ()):
                match message.data:
                    case PosSale():
                        found[line.sku] -= line.quantity
                    case StockReceived():
                        found[line.sku] += line.quantity
                    case StockCounted():
                        found[line.sku] = line.counted
        return found

    def cut_off(self) -> None:
        self.is_cut_off = True

    def reconnect(self, at_ms: int) -> None:
        """Send everything that waits, in order."""
        self.is_cut_off = False
        while self._waiting:
            self._take(self._waiting.popleft(), at_ms)
        self.say_alive(at_ms)

    def say_alive(self, at_ms: int) -> None:
        """A connected store reports every minute."""
        if not self.is_cut_off and at_ms - self._reported_ms >= MINUTE_MS:
            self._report(AgentHeartbeat(), at_ms)

    def terms(self, sku: str, at_ms: int) -> Terms:
        """Terms of available to promise, as every other caller computes them."""
        policy = self._policy()
        return terms(self._level(sku), sku, policy, last_report(self.rows, self.store, policy, at_ms), at_ms)

    def _facts(self, skus: list[str], at_ms: int) -> StoreFacts:
        facts = tuple(
            SkuFacts(sku=sku, terms=self.terms(sku, at_ms), trust=trust(self._level(sku), at_ms))
            for sku in sorted(skus)
        )
        return StoreFacts(store=self.store, calendar=self._calendar, skus=facts, distance_m=0)

    def _policy(self) -> Store:
        return cast(Store, self.rows.get(store_key(self.store)))

    def _level(self, sku: str) -> Level:
        return cast(Level | None, self.rows.get(level_key(self.store, sku))) or Level()

    def _report(self, data: Any, at_ms: int) -> None:
        source = f"agent/{self.store}"
        message = self._message(data, at_ms, source, self._next(source))
        if self.is_cut_off:
            self._waiting.append(message)
        else:
            self._take(message, at_ms)

    def _take(self, message: Message, recorded_ms: int) -> None:
        self._reported_ms = recorded_ms
        step(self.rows, message, recorded_ms, b"")

    def _step(self, data: Any, at_ms: int, recorded_ms: int, source: str) -> list[Any]:
        message = self._message(data, at_ms, source, None)
        return [event for _, event in step(self.rows, message, recorded_ms, b"")]

    def _message(self, data: Any, at_ms: int, source: str, number: int | None) -> Message:
        name = number if number is not None else self._next(f"{source}/{self.store}")
        return Message(
            id=f"{source}/{name:09d}",
            source=source,
            time=_instant(at_ms),
            subject=self.store,
            data=data,
            seq=UNSET if number is None else number,
        )

    def _next(self, source: str) -> int:
        self._numbers[source] += 1
        return self._numbers[source]


def _is_held(line: HoldLine) -> bool:
    return line.state is HoldLineState.HELD


def _instant(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)
