"""An independent and simpler model of orders, to judge the real one by.

It hears what both processors concluded, in the order in which they concluded it, keeps plain sums, and knows nothing
of states, timers or policies. Each fact that must hold is checked when it could first be broken.
"""

from collections import Counter
from typing import Any

from bopis.domain.inventory import events as stock
from bopis.domain.orders import events as e

Cell = tuple[str, str]
Line = tuple[str, int]
Part = tuple[str, int]


class OrderJudge:
    """What was ordered, what is held for which line, what left the stores, and how each line ended."""

    def __init__(self) -> None:
        self.ordered: Counter[str] = Counter()
        self.quantity: dict[Line, int] = {}
        self.units: dict[Line, list[tuple[str, int]]] = {}
        self.ended: dict[Line, str] = {}
        self.parts: dict[Part, Line] = {}
        self.active: dict[Part, int] = {}
        self.left: Counter[Cell] = Counter()
        self.told: dict[tuple[str, str, int], Any] = {}
        self.returned: Counter[Line] = Counter()
        # Lines split off a line, in order, and how many of these splits each part of a hold has followed.
        self.splits: dict[Line, list[int]] = {}
        self.splits_taken: Counter[Part] = Counter()
        # Parts of holds for a change of store, and holds that such a change gave up, of either store.
        self.moving: dict[str, tuple[Any, ...]] = {}
        self.given_up: set[str] = set()

    def order_event(self, order: str, event: Any) -> None:
        """Hear what the saga concluded."""
        match event:
            case e.OrderPlaced():
                for it in event.lines:
                    self.ordered[order] += it.quantity
                    self.quantity[order, it.line] = it.quantity
                    parts = [(part.sku, part.quantity) for part in it.components]
                    self.units[order, it.line] = parts or [(it.sku, 1)]
            case e.HoldRequested():
                for take in event.takes:
                    self._part_ways((order, take.line), take.into, take.quantity)
                for part in event.parts:
                    assert (order, part.line) not in self.ended, f"{event.hold} is asked for a line that ended"
                    self.parts[event.hold, part.number] = (order, part.line)
                    self.splits_taken[event.hold, part.number] = len(self.splits.get((order, part.line), []))
            case e.MoveHoldRequested():
                self.moving[event.hold] = event.parts
            case e.MoveEnded():
                self.given_up |= {event.hold} if event.hold else set()
            case e.OrderMoved():
                self._move(order, event)
            case e.LineSplit():
                assert (order, event.line) not in self.ended, f"{event.line} of {order} is split after it ended"
                self._part_ways((order, event.line), event.into, event.quantity)
                self.splits.setdefault((order, event.line), []).append(event.into)
            case e.LineShort():
                self._part_ways((order, event.line), event.into, event.missing)
            case e.SubstituteOffered():
                self.told[order, "substitute", event.line] = event.sku
            case e.SubstituteAnswered(accepted=True):
                self.units[order, event.line] = [(self.told[order, "substitute", event.line], 1)]
            case e.OrderReady():
                for line in event.lines:
                    assert (order, line) not in self.ended, f"{order} line {line} is ready after it ended"
            case e.OrderCancelled() | e.OrderExpired():
                for line in event.lines:
                    self._end((order, line), type(event).__name__)
            case e.OrderHandedOver():
                for given in event.lines:
                    key = (order, given.line)
                    self._end(key, "OrderHandedOver")
                    assert self.quantity[key] == given.quantity, f"{key} was handed over in part"
                    for sku, per_unit in self.units[key]:
                        self.left[event.store, sku] += per_unit * given.quantity
            case e.OrderReturned():
                for back in event.units:
                    key = (order, back.line)
                    self.returned[key] += back.quantity
                    assert self.ended[key] == "OrderHandedOver"
                    assert self.returned[key] <= self.quantity[key], f"more of {key} came back than left"
                    if back.condition.value == "sellable":
                        for sku, per_unit in self.units[key]:
                            self.left[event.store, sku] -= per_unit * back.quantity
            case e.NoticeDue():
                name = (order, event.milestone.value, event.version)
                assert name not in self.told, f"{name} is said twice"
                self.told[name] = event
            case _:
                pass
        assert sum(units for (number, _), units in self.quantity.items() if number == order) == self.ordered[order]

    def stock_event(self, event: Any) -> None:
        """Hear what the inventory concluded."""
        match event:
            case stock.StockReserved():
                for line in event.lines:
                    assert (event.hold, line.line) not in self.active, f"{event.hold} was granted twice"
                    self.active[event.hold, line.line] = line.quantity
            case stock.HoldChanged():
                for line in event.lines:
                    units = self.active.pop((event.hold, line.line))
                    assert units == line.quantity, f"{event.hold} ends with other units than it had"
            case stock.HoldSplit():
                for part in event.lines:
                    assert (event.hold, part.into) not in self.parts, f"{part} is split off twice"
                    line = self.parts.get((event.hold, part.line))
                    if line is not None:
                        nth = self.splits_taken[event.hold, part.line]
                        self.splits_taken[event.hold, part.line] += 1
                        self.parts[event.hold, part.into] = (line[0], self.splits[line][nth])
                    if part.quantity:
                        self._lose((event.hold, part.line), part.quantity)
                        self.active[event.hold, part.into] = part.quantity
            case stock.ShortfallFound():
                for hit in event.hits:
                    self._lose((hit.hold, hit.line), hit.lost)
            case stock.ShortPickFound():
                self._lose((event.hold, event.line), event.missing)
            case _:
                pass
        self._one_hold_per_line()

    def at_rest(self, lines: dict[Line, bool], on_hand: dict[Cell, int], moved: dict[Cell, int]) -> None:
        """Judge when nothing is under way: ``lines`` tells which are live, ``moved`` what else moved the books."""
        assert {it for it, live in lines.items() if not live} == set(self.ended)
        for part, units in self.active.items():
            line = self.parts.get(part)
            assert line is None or line not in self.ended or not units, f"{part} is held for {line}, which ended"
            assert line is not None or part[0] not in self.given_up or not units, f"{part} was given up and is held"
        for cell in on_hand.keys() | self.left.keys() | moved.keys():
            assert on_hand.get(cell, 0) == moved.get(cell, 0) - self.left[cell], f"the books of {cell} are not true"

    def _move(self, order: str, event: e.OrderMoved) -> None:
        """The lines have the new hold from now on; what the old ones still cover is to be released."""
        parts = self.moving[event.hold]
        for part in parts:
            assert self.active.get((event.hold, part.number)) == part.quantity, f"{event.hold} is not held yet"
        moved = {(order, it.line) for it in event.lines}
        assert {line for line in self.quantity if line[0] == order and line not in self.ended} == moved
        for part_of, line in list(self.parts.items()):
            if line in moved:
                self.given_up.add(part_of[0])
                del self.parts[part_of]
        for part in parts:
            self.parts[event.hold, part.number] = (order, part.line)
            self.splits_taken[event.hold, part.number] = len(self.splits.get((order, part.line), []))

    def _end(self, line: Line, how: str) -> None:
        assert line not in self.ended, f"{line} ended as {self.ended.get(line)} and again as {how}"
        self.ended[line] = how

    def _part_ways(self, line: Line, into: int, units: int) -> None:
        order, number = line
        if into == number:
            return
        self.quantity[line] -= units
        assert self.quantity[line] > 0
        assert (order, into) not in self.quantity, f"line {into} of {order} is there already"
        self.quantity[order, into] = units
        self.units[order, into] = self.units[line]

    def _lose(self, part: Part, units: int) -> None:
        self.active[part] -= units
        assert self.active[part] >= 0, f"{part} lost more than it had"
        if not self.active[part]:
            del self.active[part]

    def _one_hold_per_line(self) -> None:
        holds: dict[Line, set[str]] = {}
        for (hold, number), _ in self.active.items():
            line = self.parts.get((hold, number))
            if line is not None:
                holds.setdefault(line, set()).add(hold)
        several = {line: named for line, named in holds.items() if len(named) > 1}
        assert not several, f"lines with more than one active hold: {several}"
