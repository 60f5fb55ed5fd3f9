"""Brute force: what every question about the past must be answered with, from all messages at once.

Nothing here is kept step by step in tables: for the clock of the log the core itself is run again up to the
instant; for the clock of what occurred everything that was accepted is laid out and added up.
"""

from copy import deepcopy
from typing import Any, NamedTuple

from msgspec import UNSET

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.availability import last_report, terms
from bopis.domain.inventory.events import CountRefused, StockRuleSet, StorePolicySet
from bopis.domain.inventory.messages import HOLD_COMMANDS, CollectStock, StockCounted, StockPicked, StockTick
from bopis.domain.inventory.movements import add_sold
from bopis.domain.inventory.rows import (
    Hold,
    HoldLineState,
    Level,
    StockRule,
    Store,
    Terms,
    level_key,
    split_key,
    store_key,
)
from bopis.domain.inventory.step import step
from bopis.domain.values import epoch_ms
from bopis.verification.audit import physical_changes
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK
from tests.domain.books import MemoryRows
from tests.readside.world import Record


class Said(NamedTuple):
    """An accepted message, the holds before and after it, and what it concluded."""

    message: Any
    at_ms: int
    recorded_ms: int
    holds_before: dict[tuple[str, str], Hold]
    holds_after: dict[tuple[str, str], Hold]
    events: tuple[Any, ...]


def run(stock: list[Record]) -> tuple[MemoryRows, list[Said]]:
    """The core over all records, and what was accepted."""
    rows, accepted = MemoryRows(), []
    seen: set[Any] = set()
    for record in stock:
        try:
            message = STOCK.decode(record.value or b"")
        except WireError:
            continue
        before = _holds(rows)
        try:
            events = step(rows, message, record.timestamp, record.value or b"")
        except Rejected:
            continue
        if not isinstance(message.data, HOLD_COMMANDS) or message.seq is not UNSET:
            identity = (message.subject, message.source, message.id if message.seq is UNSET else message.seq)
            if identity in seen and not isinstance(message.data, StockTick):
                continue
            seen.add(identity)
        at_ms = min(epoch_ms(message.time), record.timestamp)
        accepted.append(Said(message, at_ms, record.timestamp, before, _holds(rows), tuple(e for _, e in events)))
    return rows, accepted


def recorded_terms(stock: list[Record], store: str, sku: str, at_ms: int) -> Terms:
    """What the books said: the core over what the log had learned by then."""
    rows, _ = run([record for record in stock if record.timestamp <= at_ms])
    level: Any = rows.get(level_key(store, sku)) or Level()
    policy: Any = rows.get(store_key(store)) or Store()
    return terms(level, sku, policy, last_report(rows, store, policy, at_ms), at_ms)


class Occurred:
    """What was true at an instant, from everything that is known at the end."""

    def __init__(self, stock: list[Record]) -> None:
        self._rows, self._accepted = run(stock)

    def terms(self, store: str, sku: str, at_ms: int) -> Terms:
        mine = [said for said in self._accepted if said.message.subject == store]
        changes = [change for said in self._accepted for change in self._promised(said, store, sku)]
        count = self._count(mine, sku, at_ms)
        counted_ms = count[0] if count else -1
        on_hand = sum(n for said in mine for n in self._moved(said, sku, counted_ms, at_ms))
        if count:
            on_hand += count[2]
            if not count[3]:
                on_hand += sum(n for term, when, n in changes if term == "staged" and when <= count[0])
        policy, category = self._policy(store, sku, at_ms)
        level = Level(
            on_hand=on_hand,
            held=sum(n for term, when, n in changes if term == "held" and when <= at_ms),
            in_doubt=sum(n for term, when, n in changes if term == "in_doubt" and counted_ms < when <= at_ms),
            category=category,
        )
        for said in mine:
            for line in said.message.data.lines if type(said.message.data).__name__ == "PosSale" else ():
                if line.sku == sku and said.at_ms <= at_ms:
                    add_sold(level, said.at_ms, line.quantity)
        known: Any = self._rows.get(store_key(store)) or Store()
        policy.devices = known.devices
        return terms(level, sku, policy, last_report(self._rows, store, policy, at_ms), at_ms)

    def _count(self, mine: list[Said], sku: str, at_ms: int) -> tuple[int, str, int, bool] | None:
        counts = []
        for said in mine:
            data = said.message.data
            refused = {event.sku for event in said.events if isinstance(event, CountRefused)}
            if isinstance(data, StockCounted) and said.at_ms <= at_ms and sku not in refused:
                found = [line.counted for line in data.lines if line.sku == sku]
                if found:
                    by = f"{said.message.source} {said.message.id}"
                    counts.append((said.at_ms, by, sum(found), data.staged_counted))
        return max(counts, default=None)

    def _moved(self, said: Said, sku: str, after_ms: int, until_ms: int) -> list[int]:
        if not after_ms < said.at_ms <= until_ms:
            return []
        moved = [n for it, n in physical_changes(said.message.data) if it == sku]
        if isinstance(said.message.data, CollectStock):
            for key, hold in said.holds_after.items():
                for was, now in zip(said.holds_before.get(key, hold).lines, hold.lines, strict=True):
                    if was.state is not now.state and now.sku == sku and key[0] == said.message.subject:
                        moved.append(-now.quantity)
        return moved

    def _promised(self, said: Said, store: str, sku: str) -> list[tuple[str, int, int]]:
        """Changes of what is held, staged and in doubt: decisions at the log's time, what hands did at its own."""
        physical = isinstance(said.message.data, CollectStock | StockPicked)
        tick = isinstance(said.message.data, StockTick)
        found: list[tuple[str, int, int]] = []
        for key, hold in said.holds_after.items():
            if key[0] != store:
                continue
            was = said.holds_before.get(key)
            for index, now in enumerate(hold.lines):
                if now.sku != sku:
                    continue
                before = was.lines[index] if was else None
                held_before = before.quantity if before and before.state is HoldLineState.HELD else 0
                staged_before = before.picked if before and before.state is HoldLineState.HELD else 0
                held_now = now.quantity if now.state is HoldLineState.HELD else 0
                staged_now = now.picked if now.state is HoldLineState.HELD else 0
                when = max(said.at_ms, hold.granted_ms) if physical else said.recorded_ms
                found.append(("held", when, held_now - held_before))
                found.append(("staged", said.recorded_ms if tick else said.at_ms, staged_now - staged_before))
                if isinstance(said.message.data, StockPicked) and held_now < held_before:
                    found.append(("in_doubt", said.at_ms, held_before - held_now))
        return found

    def _policy(self, store: str, sku: str, at_ms: int) -> tuple[Store, str]:
        policy, category = Store(), ""
        for said in self._accepted:
            if said.message.subject != store or said.recorded_ms > at_ms:
                continue
            for event in said.events:
                if isinstance(event, StorePolicySet):
                    policy.pickup, policy.staleness_grace_minutes = event.pickup, event.staleness_grace_minutes
                    policy.staleness_percent = event.staleness_percent
                elif isinstance(event, StockRuleSet):
                    policy.rules[event.rule] = StockRule(event.safety_stock, event.walk_in_reserve)
            if type(said.message.data).__name__ == "CategoriseSkus":
                category = next((it.category for it in said.message.data.lines if it.sku == sku), category)
        return policy, category


def _holds(rows: MemoryRows) -> dict[tuple[str, str], Hold]:
    found = {}
    for key, row in rows.rows.items():
        if isinstance(row, Hold):
            _, store, hold = split_key(key)
            found[store, hold] = deepcopy(row)
    return found
