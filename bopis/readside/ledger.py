"""What one message did, as rows of the history: movements, standings, what holds did, policy and conclusions. Pure."""

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
    Tick,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Hold, Level, hold_key, level_key, split_key
from bopis.domain.inventory.step import conclusion_id
from bopis.domain.inventory.trace import Kind
from bopis.domain.message import Message
from bopis.domain.values import epoch_ms
from bopis.readside.changes import Changes, RecordLike
from bopis.readside.promises import Promise, ended, granted
from bopis.readside.rows import NOTHING, FoldRows, standing_of
from bopis.wire.stock import INVENTORY_EVENTS

POLICY = "policy"

KINDS = {kind: kind.value for kind in Kind}
REFERENCES: dict[type, str] = {
    PosSale: "basket",
    PosReturn: "basket",
    StockReceived: "document",
    TransferShipped: "transfer",
    TransferReceived: "transfer",
    StockAdjusted: "reason",
}
_type_names = {body: name for name, body in INVENTORY_EVENTS.bodies.items()}


class Ledger:
    """Writes down one message after the other; called by the core as its trace."""

    def __init__(self, partition: int, changes: Changes) -> None:
        self._partition = partition
        self._movements = changes.append("movements")
        self._standings = changes.append("standings")
        self._holds = changes.append("hold_history")
        self._policies = changes.append("policy_history")
        self._events = changes.append("inventory_events")
        self._first = 0

    def open(self, record: RecordLike, message: Message) -> None:
        """Begin a message: everything until the next one comes from it."""
        recorded_ms = record.timestamp
        data = message.data
        kind = type(data)
        self.offset = record.offset
        self.store = message.subject
        # A tick's own time is when it was asked for; what it ends, ends on the log's clock.
        self.at_ms = recorded_ms if kind is Tick else min(epoch_ms(message.time), recorded_ms)
        self.recorded_ms = recorded_ms
        actor = None if message.actor is UNSET else message.actor
        self.said = (message.source, actor, message.id)
        self._message = message
        self._sequence = None if message.seq is UNSET else message.seq
        name = REFERENCES.get(kind)
        self._reference: str | None = str(getattr(data, name)) if name else None
        self._is_basket = kind is PosSale
        self._staged_counted = data.staged_counted if kind is StockCounted else None
        self._first = len(self._movements)

    def __call__(self, sku: str, kind: Kind, change: int, applied: int, on_hand: int) -> None:
        self._move(self.store, sku, KINDS[kind], (change, applied, on_hand))

    def _move(self, store: str, sku: str, kind: str, units: tuple[int, int, int]) -> None:
        movements = self._movements
        change = units[0]
        movements.append(
            (
                self._partition, self.offset, len(movements) - self._first, store, sku, kind, *units,
                self.at_ms, self.recorded_ms, *self.said, self._sequence, self._reference,
                -change if self._is_basket else None, self._staged_counted,
            )
        )  # fmt: skip

    def conclude(self, rows: FoldRows, concluded: Iterable[tuple[str, Event]], promises: list[Promise]) -> None:
        """Write down what followed: conclusions, what became of holds, and where each level stands now."""
        first = len(self._events)
        for store, event in concluded:
            self._event(store, event, len(self._events) - first)
        self._follow(rows, concluded, promises)
        self._stand(rows)

    def refer(self, order: str) -> None:
        """The movements of this message belong to an order."""
        self._reference = order

    def _event(self, store: str, event: Any, index: int) -> None:
        body = msgspec.json.encode(event).decode()
        sku, hold, order = getattr(event, "sku", None), getattr(event, "hold", None), getattr(event, "order", None)
        told_as = conclusion_id(self._message, index, event)
        self._events.append(
            (
                self._partition, self.offset, index, told_as, _type_names[type(event)], store, sku,
                hold, order, self.at_ms, self.recorded_ms, *self.said, body,
            )
        )  # fmt: skip
        if isinstance(event, StockRuleSet):
            self._policy(store, event.rule, (event.safety_stock, event.walk_in_reserve, None, None))
        elif isinstance(event, StorePolicySet):
            self._policy(store, POLICY, (None, None, event.pickup, event.staleness_grace_minutes))

    def _policy(self, store: str, name: str, said: tuple[Any, ...]) -> None:
        place = (self._partition, self.offset, 0)
        self._policies.append((*place, store, name, *said, self.at_ms, self.recorded_ms, *self.said))

    def _follow(self, rows: FoldRows, concluded: Iterable[tuple[str, Event]], promises: list[Promise]) -> None:
        effects = []
        for promise in promises:
            hold = cast(Hold | None, rows.get(hold_key(promise.store, promise.hold)))
            if hold is None:
                continue
            found = ended(promise, hold, self.at_ms, self.recorded_ms) if promise.lines else granted(hold)
            effects += [(promise.store, promise.hold, hold.order, effect) for effect in found]
        for store, event in concluded:
            if isinstance(event, ShortfallFound):
                effects += [
                    (store, hit.hold, hit.order, (hit.line, event.sku, "held", "lost", -hit.lost, self.recorded_ms))
                    for hit in event.hits
                ]
        for line, (store, hold_id, order, (number, sku, term, how, units, at_ms)) in enumerate(effects):
            place = (self._partition, self.offset, line)
            kept = (store, sku, hold_id, order, number, term, how, units)
            self._holds.append((*place, *kept, at_ms, self.recorded_ms, *self.said))

    def _stand(self, rows: FoldRows) -> None:
        """Note each touched level whose holds, staging, doubts, category or goods kept apart are not what they were."""
        line = 0
        for key in dict.fromkeys(rows.touched):
            if key[0] == "@":
                continue
            level = cast(Level, rows.get(key))
            standing = standing_of(level)
            if standing == rows.standings.get(key, NOTHING):
                continue
            rows.standings[key] = standing
            _, store, sku = split_key(key)
            place = (self._partition, self.offset, line)
            clocks = (self.at_ms, self.recorded_ms)
            self._standings.append((*place, store, sku, level.on_hand, *standing, *clocks, *self.said))
            line += 1

    def correct_untold(self, rows: FoldRows, before: dict[tuple[str, str], int]) -> None:
        """Note changes of on hand that the core made without telling: the end of a staged hold by its deadline."""
        for (store, sku), on_hand in before.items():
            level = cast(Level | None, rows.get(level_key(store, sku)))
            if level is not None and level.on_hand != on_hand:
                self._move(store, sku, Kind.STAGED.value, (0, level.on_hand - on_hand, level.on_hand))
