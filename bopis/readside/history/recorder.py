"""The effects of one message as rows of the history: movements, standings, hold effects, policy and conclusions.
Pure."""

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from msgspec import UNSET

from bopis.domain.inventory.events import (
    Event,
    ShortfallFound,
    StockRuleSet,
    StorePolicySet,
)
from bopis.domain.inventory.messages import (
    PosReturn,
    PosSale,
    StockAdjusted,
    StockCounted,
    StockReceived,
    StockTick,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Hold, Level, hold_key, level_key, split_key
from bopis.domain.inventory.step import conclusion_id
from bopis.domain.inventory.trace import MovementKind
from bopis.domain.message import Message
from bopis.domain.values import epoch_ms
from bopis.readside.changes import Changes, RecordLike
from bopis.readside.history.cached_rows import NO_STANDING, CachedRows, standing_of
from bopis.readside.history.holds import HELD, LOST, HoldBefore, HoldEffect, effects
from bopis.wire.stock import INVENTORY_EVENTS

# The name of a store's policy in the policy history, beside the names of its rules.
POLICY = "policy"

KINDS = {kind: kind.value for kind in MovementKind}
REFERENCES: dict[type, str] = {
    PosSale: "basket",
    PosReturn: "basket",
    StockReceived: "document",
    TransferShipped: "transfer",
    TransferReceived: "transfer",
    StockAdjusted: "reason",
}
_type_names = {body: name for name, body in INVENTORY_EVENTS.bodies.items()}

Concluded = Iterable[tuple[str, Event]]


class HistoryRecorder:
    """Records one message after the other. The core calls it as its trace, once per line."""

    def __init__(self, partition: int, changes: Changes) -> None:
        self._partition = partition
        self._movements = changes.append("movements")
        self._standings = changes.append("standings")
        self._holds = changes.append("hold_history")
        self._policies = changes.append("policy_history")
        self._events = changes.append("inventory_events")
        self._first = 0

    def begin(self, record: RecordLike, message: Message) -> None:
        """Begin a message: everything that is recorded until the next one comes from it."""
        recorded_ms = record.timestamp
        data = message.data
        kind = type(data)
        self.offset = record.offset
        self.store = message.subject
        # A tick's own time is when it was requested; the holds that it ends, end on the log's clock.
        self.at_ms = recorded_ms if kind is StockTick else min(epoch_ms(message.time), recorded_ms)
        self.recorded_ms = recorded_ms
        actor = None if message.actor is UNSET else message.actor
        self.origin = (message.source, actor, message.id)
        self._message = message
        self._sequence = None if message.seq is UNSET else message.seq
        name = REFERENCES.get(kind)
        self._reference: str | None = str(getattr(data, name)) if name else None
        self._is_basket = kind is PosSale
        self._staged_counted = data.staged_counted if kind is StockCounted else None
        self._first = len(self._movements)

    def __call__(self, sku: str, kind: MovementKind, change: int, applied: int, on_hand: int) -> None:
        movements = self._movements
        movements.append(
            (
                self._partition, self.offset, len(movements) - self._first, self.store, sku, KINDS[kind],
                change, applied, on_hand, self.at_ms, self.recorded_ms, *self.origin, self._sequence, self._reference,
                -change if self._is_basket else None, self._staged_counted,
            )
        )  # fmt: skip

    def refer_to(self, order: str) -> None:
        """Make an order the reference of this message's movements."""
        self._reference = order

    def conclude(self, rows: CachedRows, concluded: Concluded, before: list[HoldBefore]) -> None:
        """Record the message's conclusions, its effects on holds, and the standing of each level that it changed."""
        first = len(self._events)
        # The index counts within the message: the id of a conclusion is made from it.
        for store, event in concluded:
            self._record_event(store, event, len(self._events) - first)
        self._record_holds(rows, concluded, before)
        self._record_standings(rows)

    def record_staged(self, rows: CachedRows, before: dict[tuple[str, str], int]) -> None:
        """Record changes of on hand that the core does not trace: the end of a staged hold by its deadline."""
        for (store, sku), on_hand in before.items():
            level = cast(Level | None, rows.get(level_key(store, sku)))
            if level is not None and level.on_hand != on_hand:
                self.store = store  # A tick has no store of its own.
                self(sku, MovementKind.STAGED, 0, level.on_hand - on_hand, level.on_hand)

    def _record_event(self, store: str, event: Any, index: int) -> None:
        body = msgspec.json.encode(event).decode()
        sku, hold, order = getattr(event, "sku", None), getattr(event, "hold", None), getattr(event, "order", None)
        event_id = conclusion_id(self._message, index, event)
        self._events.append(
            (
                self._partition, self.offset, index, event_id, _type_names[type(event)], store, sku,
                hold, order, self.at_ms, self.recorded_ms, *self.origin, body,
            )
        )  # fmt: skip
        if isinstance(event, StockRuleSet):
            self._record_policy(store, event.rule, (event.safety_stock, event.walk_in_reserve, None, None), None)
        elif isinstance(event, StorePolicySet):
            switches = (None, None, event.pickup, event.staleness_grace_minutes)
            self._record_policy(store, POLICY, switches, event.staleness_percent)

    def _record_policy(self, store: str, name: str, values: tuple[int | None, ...], percent: int | None) -> None:
        position = (self._partition, self.offset, 0)
        clocks = (self.at_ms, self.recorded_ms)
        self._policies.append((*position, store, name, *values, *clocks, *self.origin, percent))

    def _record_holds(self, rows: CachedRows, concluded: Concluded, holds: list[HoldBefore]) -> None:
        found: list[tuple[str, str, str, HoldEffect]] = []
        for before in holds:
            hold = cast(Hold | None, rows.get(hold_key(before.store, before.hold)))
            if hold is not None:
                for effect in effects(before, hold, self.at_ms, self.recorded_ms):
                    found.append((before.store, before.hold, hold.order, effect))
        # A shortfall hits holds that the message does not name.
        for store, event in concluded:
            if isinstance(event, ShortfallFound):
                for hit in event.hits:
                    effect = HoldEffect(hit.line, event.sku, HELD, LOST, -hit.lost, self.recorded_ms)
                    found.append((store, hit.hold, hit.order, effect))
        for line, (store, hold_id, order, effect) in enumerate(found):
            position = (self._partition, self.offset, line)
            number, sku, term, how, units, at_ms = effect
            columns = (store, sku, hold_id, order, number, term, how, units)
            self._holds.append((*position, *columns, at_ms, self.recorded_ms, *self.origin))

    def _record_standings(self, rows: CachedRows) -> None:
        """Record each touched level whose held, staged, in doubt, category or kept apart units have changed."""
        line = 0
        for key in dict.fromkeys(rows.touched):
            if key[0] == "@":
                continue
            level = cast(Level, rows.get(key))
            standing = standing_of(level)
            if standing == rows.standings.get(key, NO_STANDING):
                continue  # a movement only
            rows.standings[key] = standing
            _, store, sku = split_key(key)
            position = (self._partition, self.offset, line)
            clocks = (self.at_ms, self.recorded_ms)
            self._standings.append((*position, store, sku, level.on_hand, *standing, *clocks, *self.origin))
            line += 1
