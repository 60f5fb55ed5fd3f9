"""An independent and simpler model of the inventory, to judge the real one by.

It keeps every message it was told and computes each figure from all of them at the end, by the definition
and not by the way the engine computes it: no forgetting, no shortcuts, no shared code but the message types
and the check of what is plausible at all.
It is used by property tests, by ``bopis verify`` and by simulations.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Struct

from bopis.domain.inventory import events
from bopis.domain.inventory.admission import Rejected, check_plausible, memory_ms
from bopis.domain.inventory.events import HoldEnd
from bopis.domain.inventory.messages import (
    HOLD_COMMANDS,
    CategoriseSkus,
    Condition,
    PosReturn,
    PosSale,
    Reason,
    SetStockRule,
    StockAdjusted,
    StockCounted,
    StockPicked,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Hold, Level, LineState, Row, split_key
from bopis.domain.message import Message
from bopis.domain.values import epoch_ms

Cell = tuple[str, str]


class Violation(Struct, frozen=True, kw_only=True):
    """One invariant that does not hold, where, and what was found."""

    invariant: int
    where: str
    said: str


class _Count(Struct, frozen=True):
    at_ms: int
    counted_by: str
    cause: str
    units: int
    staged_counted: bool


class Audit:
    """Everything that was said about stock, and what must follow from it."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], Message] = {}
        self._contents: dict[tuple[str, str, str], int] = {}
        self._moves: dict[Cell, list[tuple[int, int]]] = {}
        self._picks: dict[str, tuple[str, int, StockPicked]] = {}
        self._ends: dict[tuple[str, str, int], int] = {}
        self._counts: dict[Cell, list[_Count]] = {}
        self._refused_counts: set[tuple[str, str]] = set()
        self._held: dict[tuple[str, str, int], list[Any]] = {}
        self._crossed: dict[Cell, bool] = {}
        self._ruled: set[str] = set()
        self.violations_seen: list[Violation] = []

    def message(self, message: Message, recorded_at_ms: int, digest: int) -> bool:
        """Take a message from the log in its order; returns whether it counts: plausible, and said first."""
        at_ms = min(epoch_ms(message.time), recorded_at_ms)
        try:
            check_plausible(message, epoch_ms(message.time), recorded_at_ms)
        except Rejected:
            return False
        told_by_id = message.seq is UNSET and not isinstance(message.data, HOLD_COMMANDS)
        if told_by_id and at_ms < recorded_at_ms - memory_ms(message):
            return False
        identity = message.id if message.seq is UNSET else f"#{message.seq}"
        key = (message.subject, message.source, identity)
        if key in self._contents:
            return False
        self._contents[key] = digest
        for sku, change in physical_changes(message.data):
            self._moves.setdefault((message.subject, sku), []).append((at_ms, change))
        if isinstance(message.data, StockCounted):
            self._take_count(message, message.data, at_ms)
        if isinstance(message.data, StockPicked):
            self._picks[message.cause] = (message.subject, at_ms, message.data)
        if isinstance(message.data, SetStockRule | CategoriseSkus):
            self._ruled.add(message.subject)
        return True

    def event(self, event: Message) -> None:
        """Take a conclusion of the inventory; judges holds as it goes.

        After a crash a conclusion may be said again: the same id and the same content say nothing new.
        """
        store, data = event.subject, event.data
        known = self._events.setdefault((store, event.id), event)
        if known is not event:
            if known != event:
                self._violate(4, f"{store} {event.id}", "the same id stands for two conclusions")
            return
        match data:
            case events.StockReserved():
                for line in data.lines:
                    key = (store, data.hold, line.line)
                    if key in self._held:
                        self._violate(2, f"{store} {data.hold}", "was granted twice")
                    self._held[key] = [line.sku, line.quantity, None]
            case events.HoldChanged():
                for line in data.lines:
                    self._end(event, (store, data.hold, line.line), line.quantity, data.end)
            case events.ShortfallFound():
                for hit in data.hits:
                    self._lose((store, hit.hold, hit.line), hit.lost)
            case events.ShortPickFound():
                self._lose((store, data.hold, data.line), data.missing)
            case events.ThresholdCrossed():
                self._cross((store, data.sku), data.in_pickup_stock)
            case events.CountRefused():
                self._refused_counts.add((str(event.causation), data.sku))
            case events.HoldCommandRefused(command="StockPicked"):
                self._picks.pop(str(event.causation), None)
            case _:
                pass

    @property
    def on_hand(self) -> dict[Cell, int]:
        """On hand of every cell by the definition: newest count, what was staged then, all movements after it."""
        staged = self._staged_moves()
        return {cell: self._on_hand(cell, staged.get(cell, [])) for cell in self._moves.keys() | self._counts.keys()}

    @property
    def held(self) -> dict[Cell, int]:
        """Units held per cell by the conclusions heard."""
        units: dict[Cell, int] = {}
        for (store, _, _), (sku, quantity, end) in self._held.items():
            if end is None:
                units[store, sku] = units.get((store, sku), 0) + quantity
        return units

    def violations(self, rows: Iterable[tuple[str, Row]]) -> list[Violation]:
        """Every invariant that the rows break, against what was said."""
        found = list(self.violations_seen)
        on_hand, held = self.on_hand, self.held
        seen: set[Cell] = set()
        holds: dict[Cell, int] = {}
        for key, row in rows:
            kind, store, rest = split_key(key)
            if kind == "level" and isinstance(row, Level):
                seen.add((store, rest))
                found += _compare((store, rest), row, on_hand, held)
                found += self._stands((store, rest), on_hand.get((store, rest), 0) - row.in_doubt, held)
            elif isinstance(row, Hold):
                for line in row.lines:
                    if line.state is LineState.HELD:
                        holds[store, line.sku] = holds.get((store, line.sku), 0) + line.quantity
        found += [
            Violation(invariant=1, where=f"{cell[0]} {cell[1]}", said=f"no row, but on hand must be {on_hand[cell]}")
            for cell in sorted(on_hand.keys() - seen)
            if on_hand[cell]
        ]
        if holds or held:
            found += [
                Violation(invariant=3, where=f"{cell[0]} {cell[1]}", said="holds and events tell different units")
                for cell in sorted(holds.keys() | held.keys())
                if holds.get(cell, 0) != held.get(cell, 0)
            ]
        return found

    def _take_count(self, message: Message, counted: StockCounted, at_ms: int) -> None:
        units: dict[str, int] = {}
        for line in counted.lines:
            units[line.sku] = units.get(line.sku, 0) + line.counted
        for sku, found in units.items():
            self._counts.setdefault((message.subject, sku), []).append(
                _Count(at_ms, f"{message.source} {message.id}", message.cause, found, counted.staged_counted)
            )

    def _staged_moves(self) -> dict[Cell, list[tuple[int, int]]]:
        """What was set aside and given up again, per cell, by the picks that were accepted."""
        moves: dict[Cell, list[tuple[int, int]]] = {}
        picked: dict[tuple[str, str, int], int] = {}
        for store, at_ms, pick in self._picks.values():
            for line in pick.lines:
                key = (store, pick.hold, line.line)
                picked[key] = picked.get(key, 0) + line.picked
                moves.setdefault((store, self._held[key][0]), []).append((at_ms, line.picked))
        for key, at_ms in self._ends.items():
            if picked.get(key):
                moves[key[0], self._held[key][0]].append((at_ms, -picked[key]))
        return moves

    def _on_hand(self, cell: Cell, staged_moves: list[tuple[int, int]]) -> int:
        moves = self._moves.get(cell, [])
        counts = [it for it in self._counts.get(cell, []) if (it.cause, cell[1]) not in self._refused_counts]
        if not counts:
            return sum(change for _, change in moves)
        newest = max(counts, key=lambda it: (it.at_ms, it.counted_by))
        staged = 0
        if not newest.staged_counted:
            staged = sum(change for at_ms, change in staged_moves if at_ms <= newest.at_ms)
        return newest.units + staged + sum(change for at_ms, change in moves if at_ms > newest.at_ms)

    def _end(self, event: Message, key: tuple[str, str, int], units: int, end: HoldEnd) -> None:
        line = self._held.get(key)
        if line is None or line[2] is not None or line[1] != units:
            self._violate(3, f"{key[0]} {key[1]} line {key[2]}", f"{end} with {units} units, but had {line}")
            return
        line[2] = end
        self._ends[key] = epoch_ms(event.time)
        if end is HoldEnd.COLLECTED:
            self._moves.setdefault((key[0], line[0]), []).append((self._ends[key], -units))

    def _cross(self, cell: Cell, is_in: bool) -> None:
        # A rule moves the threshold under many SKUs without a word on each, so who has rules may cross twice.
        if self._crossed.get(cell) is is_in and cell[0] not in self._ruled:
            self._violate(7, f"{cell[0]} {cell[1]}", f"crossed into the same state twice: in pickup stock {is_in}")
        self._crossed[cell] = is_in

    def _stands(self, cell: Cell, undoubted: int, held: dict[Cell, int]) -> list[Violation]:
        """Whether a SKU that crossed stands on the side that was said last."""
        said, is_in = self._crossed.get(cell), undoubted - held.get(cell, 0) > 0
        if said is None or said is is_in or cell[0] in self._ruled:
            return []
        return [Violation(invariant=7, where=" ".join(cell), said=f"in pickup stock {is_in}, but {said} was said last")]

    def _lose(self, key: tuple[str, str, int], lost: int) -> None:
        line = self._held.get(key)
        if line is None or line[2] is not None or lost > line[1]:
            self._violate(3, f"{key[0]} {key[1]} line {key[2]}", f"lost {lost} units, but had {line}")
            return
        line[1] -= lost
        if line[1] == 0:
            line[2] = HoldEnd.LOST

    def _violate(self, invariant: int, where: str, said: str) -> None:
        self.violations_seen.append(Violation(invariant=invariant, where=where, said=said))


def physical_changes(data: Any) -> list[tuple[str, int]]:
    """What a report moved in the store, SKU by SKU, counts and hand-overs left aside."""
    match data:
        case PosSale():
            return [(line.sku, -line.quantity) for line in data.lines]
        case PosReturn():
            return [(line.sku, line.quantity) for line in data.lines if line.condition is Condition.SELLABLE]
        case StockReceived() | TransferReceived():
            return [(line.sku, line.quantity) for line in data.lines]
        case TransferShipped():
            return [(line.sku, -line.quantity) for line in data.lines]
        case StockAdjusted():
            if data.reason is Reason.QUARANTINE_SCRAPPED:
                return []
            if data.reason is Reason.QUARANTINE_RELEASED:
                return [(line.sku, abs(line.change)) for line in data.lines]
            return [(line.sku, line.change) for line in data.lines]
        case _:
            return []


def _compare(cell: Cell, row: Level, on_hand: dict[Cell, int], held: dict[Cell, int]) -> list[Violation]:
    where = f"{cell[0]} {cell[1]}"
    found = []
    if row.on_hand != on_hand.get(cell, 0):
        found.append(Violation(invariant=1, where=where, said=f"on hand {row.on_hand}, must be {on_hand.get(cell, 0)}"))
    if row.held != held.get(cell, 0):
        found.append(Violation(invariant=2, where=where, said=f"held {row.held}, must be {held.get(cell, 0)}"))
    if row.held > max(row.on_hand, row.staged, 0):
        found.append(
            Violation(invariant=2, where=where, said=f"{row.held} held, but {row.on_hand} on hand are in the books")
        )
    return found
