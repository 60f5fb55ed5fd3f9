"""The stock as an independent sum: what moved physically, and each hold from its grant to its end.

It walks through what was said to stores in the order of the log and hangs every conclusion on the message that caused
it, so that no crash and no lag of another topic can hide what overlapped.
"""

from collections import Counter
from typing import Any

from bopis.domain.inventory import events as e
from bopis.domain.inventory import messages as m
from bopis.domain.inventory.rows import Hold, Level, split_key
from bopis.verification.audit import Audit, physical_changes
from tests.simulation.findings import must
from tests.simulation.reading import Reading, Said

Cell = tuple[str, str]
Part = tuple[str, int]
Line = tuple[str, int]


def _number(said: Said) -> int:
    return int(said.message.id.rpartition("#")[2].partition("/")[0])


class StockAuditor:
    """Books, holds, and who holds what at each moment."""

    def __init__(self, reading: Reading, lines: dict[Part, Line], moved: set[frozenset[str]]) -> None:
        """``moved`` are pairs of holds of which the second was granted for a change of store."""
        self._moved = moved
        self._lines = lines
        self.active: dict[Part, int] = {}
        self.sku: dict[Part, Cell] = {}
        self.counted: set[Cell] = set()
        self.on_hand: Counter[Cell] = Counter()
        self.granted: set[str] = set()
        self.answered: Counter[str] = Counter()
        self.people_moved: Counter[Cell] = Counter()
        self._audit = Audit()
        concluded: dict[str, list[Said]] = {}
        for it in reading.said["inventory-events"]:
            concluded.setdefault(str(it.message.causation), []).append(it)
        for it in reading.said["stock"]:
            self._take(it, concluded.pop(it.message.cause, []))
        must(not concluded, "every conclusion has a cause", f"{list(concluded)[:3]}")

    def _take(self, it: Said, concluded: list[Said]) -> None:
        message = it.message
        # Every message counts when it is first said: what was refused as impossible is among the dead letters.
        self._audit.message(message, it.record.timestamp)
        data, store = message.data, message.subject
        if isinstance(data, m.StockCounted):
            self.counted |= {(store, line.sku) for line in data.lines}
        for sku, change in physical_changes(data):
            self.on_hand[store, sku] += change
            if message.source != "orders":
                self.people_moved[store, sku] += change
        # Conclusions of one cause are numbered; a crash may have brought them to the log in pieces.
        for said in sorted(concluded, key=_number):
            self._audit.event(said.message)
            self._conclude(said.message.subject, said.message.data)
        self._one_hold_per_line()

    def _conclude(self, store: str, event: Any) -> None:
        match event:
            case e.StockReserved():
                must(event.hold not in self.granted, "a hold is granted once", event.hold)
                self.granted.add(event.hold)
                self.answered[event.hold] += 1
                for line in event.lines:
                    self.active[event.hold, line.line] = line.quantity
                    self.sku[event.hold, line.line] = (store, line.sku)
                for line in event.lines:
                    self._covered(event.hold, (store, line.sku))
            case e.ReservationRefused():
                self.answered[event.hold] += 1
                for shortage in event.shortages:
                    cell = (store, shortage.sku)
                    told = (shortage.terms.on_hand, shortage.terms.held)
                    known = (self.on_hand[cell], self._held(cell))
                    must(cell in self.counted or told == known, "a refusal tells the truth", f"{cell} {told} {known}")
            case e.HoldChanged():
                for line in event.lines:
                    part = (event.hold, line.line)
                    must(part in self.active, "a hold ends once", f"{part} {event.end.value}")
                    units = self.active.pop(part)
                    must(units == line.quantity, "a hold ends with what it had", f"{part} {units} {line.quantity}")
                    if event.end is e.HoldEnd.COLLECTED:
                        self.on_hand[store, line.sku] -= units
            case e.ShortfallFound():
                for hit in event.hits:
                    self._lose((hit.hold, hit.line), hit.lost)
            case e.ShortPickFound():
                self._lose((event.hold, event.line), event.missing)
            case _:
                pass

    def _held(self, cell: Cell) -> int:
        return sum(units for part, units in self.active.items() if self.sku[part] == cell)

    def _covered(self, hold: str, cell: Cell) -> None:
        if cell not in self.counted:
            held, there = self._held(cell), self.on_hand[cell]
            must(held <= there, "no two orders hold one unit", f"{hold}: {cell} holds {held} of {there}")

    def _lose(self, part: Part, units: int) -> None:
        must(self.active.get(part, 0) >= units, "a hold loses only what it has", f"{part} {units}")
        self.active[part] -= units
        if not self.active[part]:
            del self.active[part]

    def _one_hold_per_line(self) -> None:
        holds: dict[Line, str] = {}
        for hold, number in self.active:
            line = self._lines.get((hold, number))
            if line is not None:
                other = holds.setdefault(line, hold)
                is_moving = frozenset((other, hold)) in self._moved
                must(other == hold or is_moving, "one active hold per line", f"{line}: {other} and {hold}")

    def at_rest(self, rows: dict[str, Any], left: Counter[Cell]) -> None:
        """Judge the rows when nothing is under way; ``left`` is what orders took out of each store."""
        must(not self.active, "every hold has ended", f"{self.active}")
        for key, row in rows.items():
            if isinstance(row, Hold):
                must(not row.active, "every hold row has ended", key)
            if not isinstance(row, Level):
                continue
            _, store, sku = split_key(key)
            must(row.held == 0, "nothing is held at rest", f"{key} {row.held}")
            if (store, sku) not in self.counted:
                cell = (store, sku)
                true = self.people_moved[cell] - left[cell]
                must(row.on_hand == true, "on hand is the sum of what moved", f"{key} {row.on_hand}, not {true}")
        violations = [*self._audit.violations_seen, *self._audit.violations(rows.items())]
        must(not violations, "the books pass the audit of the inventory", f"{violations[:2]}")
