"""An independent, simpler model of the inventory to verify the real one with.

It keeps every message and computes each figure from all of them at the end, by definition and not as the engine does:
no forgetting, no shortcuts, and no shared code but the message types and the plausibility check. Property tests,
``bopis verify`` and simulations use it.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from msgspec import UNSET, Struct, field

from bopis.domain.inventory import events
from bopis.domain.inventory.admission import DIGESTS_KEPT, Rejected, check_plausible, memory_ms
from bopis.domain.inventory.articles import CatalogueChanged
from bopis.domain.inventory.events import HoldEnd
from bopis.domain.inventory.messages import (
    HOLD_COMMANDS,
    AdjustmentReason,
    CategoriseSkus,
    Condition,
    PosReturn,
    PosSale,
    SetStockRule,
    SplitLine,
    StockAdjusted,
    StockCounted,
    StockPicked,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Hold, HoldLineState, Level, Row, split_key
from bopis.domain.message import Message, as_sent
from bopis.domain.values import epoch_ms
from bopis.verification.articles import Articles

Cell = tuple[str, str]


class Violation(Struct, frozen=True, kw_only=True):
    """A broken invariant: its number (see `docs/concepts/inventory.md`), the place, and the finding."""

    invariant: int
    where: str
    finding: str = field(name="said")


class _Count(Struct, frozen=True):
    at_ms: int
    counted_by: str
    cause: str
    units: int
    staged_counted: bool


class _HoldLine(NamedTuple):
    """A line of a hold in a store."""

    store: str
    hold: str
    line: int

    def __str__(self) -> str:
        return f"{self.store} {self.hold} line {self.line}"


class _HeldUnits(Struct):
    """The units that a line holds, and how it ended, if it did."""

    sku: str
    quantity: int
    end: HoldEnd | None = None


class _NewestEvents:
    """The events of a device's newest sequences, one for each place of its row."""

    def __init__(self) -> None:
        self.by_id: dict[str, Message] = {}
        self._places: dict[int, Message] = {}
        self._top = 0

    def add(self, message: Message) -> None:
        """Keep an accepted event in the place of its sequence, if that is one of the newest."""
        sequence = cast(int, message.seq)
        self._top = max(self._top, sequence)
        if sequence <= self._top - DIGESTS_KEPT:
            return
        place = sequence % DIGESTS_KEPT
        former = self._places.get(place)
        if former is not None and self.by_id.get(former.id) is former:
            del self.by_id[former.id]
        self._places[place] = self.by_id[message.id] = message


class Audit:
    """All messages and events about stock, and the invariants that must follow from them."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], Message] = {}
        self._contents: set[tuple[str, str, str]] = set()
        self._newest: dict[tuple[str, str], _NewestEvents] = {}
        self._moves: dict[Cell, list[tuple[int, int]]] = {}
        self._picks: dict[str, tuple[str, int, StockPicked]] = {}
        self._splits: list[tuple[_HoldLine, _HoldLine, int]] = []
        self._ends: dict[_HoldLine, int] = {}
        self._counts: dict[Cell, list[_Count]] = {}
        self._refused_counts: set[tuple[str, str]] = set()
        self._held: dict[_HoldLine, _HeldUnits] = {}
        self._crossed: dict[Cell, bool] = {}
        self._ruled: set[str] = set()
        self._split_stores: set[str] = set()
        self._same_ids: list[tuple[str, str]] = []
        self._articles: dict[int, Articles] = {}
        self.violations_seen: list[Violation] = []

    def message(self, message: Message, recorded_at_ms: int, partition: int = 0) -> bool:
        """Take the next message of a partition of the log; returns whether it counts: plausible, and not a repeat."""
        articles = self._articles.setdefault(partition, Articles())
        if isinstance(message.data, CatalogueChanged):
            return articles.change(message.data)
        at_ms = min(epoch_ms(message.time), recorded_at_ms)
        try:
            check_plausible(message, epoch_ms(message.time), recorded_at_ms)
        except Rejected:
            return False
        is_known_by_id = message.seq is UNSET and not isinstance(message.data, HOLD_COMMANDS)
        if is_known_by_id and at_ms < recorded_at_ms - memory_ms(message):
            return False
        identity = message.id if message.seq is UNSET else f"#{message.seq}"
        key = (message.subject, message.source, identity)
        if key in self._contents:
            return False
        if message.seq is not UNSET and not self._is_first_of_its_id(message):
            return False
        self._contents.add(key)
        for sku, change in articles.shelves(physical_changes(message.data)):
            self._moves.setdefault((message.subject, sku), []).append((at_ms, change))
        if isinstance(message.data, StockCounted):
            self._take_count(message, articles.counted(message.data), at_ms)
        if isinstance(message.data, StockPicked):
            self._picks[message.cause] = (message.subject, at_ms, message.data)
        if isinstance(message.data, SetStockRule | CategoriseSkus):
            self._ruled.add(message.subject)
        return True

    def exempt_split(self, store: str) -> None:
        """Do not compare ids and crossings of a store's events: two sets of books concluded them."""
        self._ruled.add(store)
        self._split_stores.add(store)

    def _is_first_of_its_id(self, message: Message) -> bool:
        """Whether none of the device's newest events has this id; the sequence of a repeat is accepted, too."""
        newest = self._newest.setdefault((message.subject, message.source), _NewestEvents())
        known = newest.by_id.get(message.id)
        if known is not None and (known.time, as_sent(known).data) != (message.time, as_sent(message).data):
            return False
        newest.add(message)
        self._contents.add((message.subject, message.source, f"#{message.seq}"))
        return known is None

    def event(self, event: Message) -> None:
        """Take the next event of the inventory, and check holds.

        After a crash an event may be written again: the same id with the same content changes nothing.
        """
        store, data = event.subject, event.data
        known = self._events.setdefault((store, event.id), event)
        if known is not event:
            if known != event:
                self._same_ids.append((store, event.id))
            return
        match data:
            case events.StockReserved():
                for line in data.lines:
                    key = _HoldLine(store, data.hold, line.line)
                    if key in self._held:
                        self._violate(2, f"{store} {data.hold}", "was granted twice")
                    self._held[key] = _HeldUnits(line.sku, line.quantity)
            case events.HoldChanged():
                for line in data.lines:
                    self._end(event, _HoldLine(store, data.hold, line.line), line.quantity, data.end)
            case events.HoldSplit():
                for split in data.lines:
                    self._split(_HoldLine(store, data.hold, split.line), split)
            case events.ShortfallFound():
                for hit in data.hits:
                    self._lose(_HoldLine(store, hit.hold, hit.line), hit.lost)
            case events.ShortPickFound():
                self._lose(_HoldLine(store, data.hold, data.line), data.missing)
            case events.ThresholdCrossed():
                self._cross((store, data.sku), data.in_pickup_stock)
            case events.MisplacedRowsDropped():
                self.exempt_split(data.store)
            case events.CountRefused():
                self._refused_counts.add((str(event.causation), data.sku))
            case events.HoldCommandRefused(command="StockPicked"):
                self._picks.pop(str(event.causation), None)
            case _:
                pass

    @property
    def on_hand(self) -> dict[Cell, int]:
        """On hand by cell: units of the newest count + units staged then + every movement after it."""
        staged = self._staged_moves()
        return {cell: self._on_hand(cell, staged.get(cell, [])) for cell in self._moves.keys() | self._counts.keys()}

    @property
    def held(self) -> dict[Cell, int]:
        """Units held by cell, from the events taken."""
        units: dict[Cell, int] = {}
        for key, line in self._held.items():
            if line.end is None:
                units[key.store, line.sku] = units.get((key.store, line.sku), 0) + line.quantity
        return units

    def violations(self, rows: Iterable[tuple[str, Row]]) -> list[Violation]:
        """Invariants that the rows break, given the messages and events taken."""
        found = list(self.violations_seen)
        found += [
            Violation(invariant=4, where=f"{store} {event_id}", finding="two events have the same id")
            for store, event_id in self._same_ids
            if store not in self._split_stores
        ]
        on_hand, held = self.on_hand, self.held
        seen: set[Cell] = set()
        holds: dict[Cell, int] = {}
        for key, row in rows:
            kind, store, rest = split_key(key)
            if kind == "level" and isinstance(row, Level):
                seen.add((store, rest))
                found += _compare((store, rest), row, on_hand, held)
                found += self._check_side((store, rest), on_hand.get((store, rest), 0) - row.in_doubt, held)
            elif isinstance(row, Hold):
                for line in row.lines:
                    if line.state is HoldLineState.HELD:
                        holds[store, line.sku] = holds.get((store, line.sku), 0) + line.quantity
        found += [
            Violation(invariant=1, where=f"{cell[0]} {cell[1]}", finding=f"no row, but on hand must be {on_hand[cell]}")
            for cell in sorted(on_hand.keys() - seen)
            if on_hand[cell]
        ]
        if holds or held:
            found += [
                Violation(
                    invariant=3, where=f"{cell[0]} {cell[1]}", finding="holds and events disagree about the units held"
                )
                for cell in sorted(holds.keys() | held.keys())
                if holds.get(cell, 0) != held.get(cell, 0)
            ]
        return found

    def _take_count(self, message: Message, units: dict[str, int], at_ms: int) -> None:
        for sku, found in units.items():
            self._counts.setdefault((message.subject, sku), []).append(
                _Count(at_ms, f"{message.source} {message.id}", message.cause, found, message.data.staged_counted)
            )

    def _staged_moves(self) -> dict[Cell, list[tuple[int, int]]]:
        """Units staged and unstaged by cell, from the picks that were accepted."""
        moves: dict[Cell, list[tuple[int, int]]] = {}
        picked: dict[_HoldLine, int] = {}
        for store, at_ms, pick in self._picks.values():
            for line in pick.lines:
                key = _HoldLine(store, pick.hold, line.line)
                picked[key] = picked.get(key, 0) + line.picked
                moves.setdefault((store, self._held[key].sku), []).append((at_ms, line.picked))
        for key, into, units in self._splits:
            picked[key] = picked.get(key, 0) - units
            picked[into] = picked.get(into, 0) + units
        for key, at_ms in self._ends.items():
            if picked.get(key):
                moves[key.store, self._held[key].sku].append((at_ms, -picked[key]))
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

    def _end(self, event: Message, key: _HoldLine, units: int, end: HoldEnd) -> None:
        line = self._held.get(key)
        if line is None or line.end is not None or line.quantity != units:
            self._violate(3, str(key), f"{end} with {units} units, but had {line}")
            return
        line.end = end
        self._ends[key] = epoch_ms(event.time)
        if end is HoldEnd.COLLECTED:
            self._moves.setdefault((key.store, line.sku), []).append((self._ends[key], -units))

    def _cross(self, cell: Cell, is_in: bool) -> None:
        # A rule moves the threshold of many SKUs without an event for each, so a store with rules may cross twice.
        if self._crossed.get(cell) is is_in and cell[0] not in self._ruled:
            self._violate(7, f"{cell[0]} {cell[1]}", f"crossed into the same state twice: in pickup stock {is_in}")
        self._crossed[cell] = is_in

    def _check_side(self, cell: Cell, undoubted: int, held: dict[Cell, int]) -> list[Violation]:
        """Check that a SKU is on the side of its last threshold crossing."""
        last, is_in = self._crossed.get(cell), undoubted - held.get(cell, 0) > 0
        if last is None or last is is_in or cell[0] in self._ruled:
            return []
        finding = f"in pickup stock {is_in}, but the last crossing was to {last}"
        return [Violation(invariant=7, where=" ".join(cell), finding=finding)]

    def _split(self, key: _HoldLine, split: SplitLine) -> None:
        into, line = key._replace(line=split.into), self._held.get(key)
        if line is None or into in self._held or (split.quantity and (line.end or split.quantity > line.quantity)):
            self._violate(3, str(key), f"split of {split.quantity} units, but had {line}")
            return
        end = None if split.quantity else HoldEnd.LOST
        self._held[into] = _HeldUnits(line.sku, split.quantity, end)
        self._splits.append((key, into, split.picked))
        if split.quantity:
            self._lose(key, split.quantity)

    def _lose(self, key: _HoldLine, lost: int) -> None:
        line = self._held.get(key)
        if line is None or line.end is not None or lost > line.quantity:
            self._violate(3, str(key), f"lost {lost} units, but had {line}")
            return
        line.quantity -= lost
        if line.quantity == 0:
            line.end = HoldEnd.LOST

    def _violate(self, invariant: int, where: str, finding: str) -> None:
        self.violations_seen.append(Violation(invariant=invariant, where=where, finding=finding))


def physical_changes(data: Any) -> list[tuple[str, int]]:
    """Physical movements of a report by SKU; counts and hand-overs have none here."""
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
            if data.reason is AdjustmentReason.QUARANTINE_SCRAPPED:
                return []
            if data.reason is AdjustmentReason.QUARANTINE_RELEASED:
                return [(line.sku, abs(line.change)) for line in data.lines]
            return [(line.sku, line.change) for line in data.lines]
        case _:
            return []


def _compare(cell: Cell, row: Level, on_hand: dict[Cell, int], held: dict[Cell, int]) -> list[Violation]:
    where = f"{cell[0]} {cell[1]}"
    found = []
    if row.on_hand != on_hand.get(cell, 0):
        found.append(
            Violation(invariant=1, where=where, finding=f"on hand {row.on_hand}, must be {on_hand.get(cell, 0)}")
        )
    if row.held != held.get(cell, 0):
        found.append(Violation(invariant=2, where=where, finding=f"held {row.held}, must be {held.get(cell, 0)}"))
    if row.held > max(row.on_hand, row.staged, 0):
        found.append(
            Violation(invariant=2, where=where, finding=f"{row.held} held, but {row.on_hand} on hand are in the books")
        )
    return found
