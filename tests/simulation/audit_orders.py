"""Orders as plain sums: what was ordered, what each line became, what left the stores. It knows no states, no timers
and no policies, only what must hold whatever they are."""

from collections import Counter
from typing import Any

from bopis.domain.orders import events as e
from tests.simulation.findings import must

Cell = tuple[str, str]
Line = tuple[str, int]
Part = tuple[str, int]
TOLD_TO_NOTICES: tuple[type[Any], ...] = (e.NoticeDue, e.OrderHandedOver)
PAID_IN_STORE, AUTHORISED = "pay_in_store", "authorised"


class OrderAuditor:
    """Hears the events of every order in their order."""

    def __init__(self) -> None:
        self.ordered: Counter[str] = Counter()
        self.quantity: dict[Line, int] = {}
        self.units: dict[Line, list[tuple[str, int]]] = {}
        self.ended: dict[Line, str] = {}
        self.lines_of: dict[Part, Line] = {}
        self.wanted: set[str] = set()
        self.left: Counter[Cell] = Counter()
        self.notices: set[str] = set()
        self._told: set[tuple[str, str, int]] = set()
        self._held: set[Line] = set()
        self._moving: dict[str, tuple[Any, ...]] = {}
        # Pairs of holds that cover a line at once: the new store holds it before the old one releases it.
        self.moved: set[frozenset[str]] = set()
        self._paid: dict[str, str] = {}
        self._returned: Counter[Line] = Counter()
        self._substitutes: dict[Line, str] = {}
        self._asked: dict[str, set[int]] = {}
        self._window_end: dict[tuple[str, str], int] = {}
        self._reminders: Counter[tuple[str, str, int]] = Counter()
        self._captured: Counter[str] = Counter()

    def hear(self, order: str, event: Any, name: str) -> None:
        """Take one event."""
        self._enter(order, event)
        self._held_and_promised(order, event)
        self._end(order, event)
        if type(event) in TOLD_TO_NOTICES:
            self.notices.add(name)
        if isinstance(event, e.NoticeDue):
            told = (order, event.milestone.value, event.version)
            must(told not in self._told, "a notice is said once", f"{told}")
            self._told.add(told)
            if event.milestone.value == "reminder":
                window = (order, event.store, self._window_end.get((order, event.store), 0))
                self._reminders[window] += 1
                must(self._reminders[window] <= 2, "two reminders at most", f"{window}")

    def _enter(self, order: str, event: Any) -> None:
        match event:
            case e.OrderPlaced():
                must(order not in self.ordered, "an order is placed once", order)
                self._paid[order] = event.payment.value
                for it in event.lines:
                    self.ordered[order] += it.quantity
                    self.quantity[order, it.line] = it.quantity
                    parts = [(part.sku, part.quantity) for part in it.components]
                    self.units[order, it.line] = parts or [(it.sku, 1)]
            case e.RoutingRequested():
                asked = self._asked.setdefault(order, set())
                must(event.attempt not in asked, "an attempt is asked for once", f"{order} {event.attempt}")
                asked.add(event.attempt)
            case e.RouteTaken():
                asked = self._asked.get(order, set())
                must(event.attempt in asked, "the first answer to an attempt counts", f"{order} {event.attempt}")
                self._asked[order] = asked - {event.attempt} | {-event.attempt}
            case e.HoldRequested():
                must(event.hold not in self.wanted, "a hold is asked for once", event.hold)
                self.wanted.add(event.hold)
                for take in event.takes:
                    self._part_ways((order, take.line), take.into, take.quantity)
                for part in event.parts:
                    line = (order, part.line)
                    must(line not in self.ended, "nothing is held for what ended", f"{event.hold} {line}")
                    must(line not in self._held, "one hold per line", f"{event.hold} {line}")
                    self.lines_of[event.hold, part.number] = line
            case e.MoveHoldRequested():
                must(event.hold not in self.wanted, "a hold is asked for once", event.hold)
                self.wanted.add(event.hold)
                self._moving[event.hold] = event.parts
            case e.OrderMoved():
                for part in self._moving.pop(event.hold):
                    line = (order, part.line)
                    must(line not in self.ended, "nothing moves that ended", f"{event.hold} {line}")
                    self.moved |= {
                        frozenset((it[0], event.hold)) for it, known in self.lines_of.items() if known == line
                    }
                    self.lines_of[event.hold, part.number] = line
            case e.LineShort():
                self._part_ways((order, event.line), event.into, event.missing)
            case e.SubstituteOffered():
                self._substitutes[order, event.line] = event.sku
            case e.SubstituteAnswered(accepted=True):
                self.units[order, event.line] = [(self._substitutes[order, event.line], 1)]
            case e.PaymentAnswered():
                self._paid[order] = event.state.value
            case _:
                pass

    def _held_and_promised(self, order: str, event: Any) -> None:
        match event:
            case e.LinesHeld():
                self._held |= {(order, it.line) for it in event.lines}
            case e.OrderMoved():
                self._held |= {(order, it.line) for it in event.lines}
            case e.LinesFreed():
                self._held -= {(order, it) for it in event.lines}
            case e.LineShort(into=into, line=line) if into == line:
                self._held.discard((order, line))
            case e.OrderPromised():
                paid = self._paid[order] in (PAID_IN_STORE, AUTHORISED)
                must(paid, "a promise is paid for", f"{order} {self._paid[order]}")
                for line in event.lines:
                    must((order, line) in self._held, "a promise is held", f"{order} {line}")
            case e.OrderReady():
                self._window_end[order, event.store] = event.window_end_ms
                for line in event.lines:
                    must((order, line) not in self.ended, "never ready after an end", f"{order} {line}")
            case e.ArrivalRecorded() | e.WindowExtended() if event.window_end_ms:
                self._window_end[order, event.store] = event.window_end_ms
            case e.OrderExpired():
                early = event.stamp.recorded_at_ms < self._window_end[order, event.store]
                must(not early, "no window ends early", f"{order} in {event.store}")
            case _:
                pass

    def _end(self, order: str, event: Any) -> None:
        match event:
            case e.OrderCancelled() | e.OrderExpired():
                for line in event.lines:
                    self._ends((order, line), type(event).__name__)
            case e.OrderHandedOver():
                for given in event.lines:
                    line = (order, given.line)
                    self._ends(line, "OrderHandedOver")
                    must(self.quantity[line] == given.quantity, "a line is handed over whole", f"{line}")
                    for sku, per_unit in self.units[line]:
                        self.left[event.store, sku] += per_unit * given.quantity
            case e.OrderReturned():
                for back in event.units:
                    line = (order, back.line)
                    self._returned[line] += back.quantity
                    must(self.ended.get(line) == "OrderHandedOver", "only what left comes back", f"{line}")
                    must(self._returned[line] <= self.quantity[line], "no more comes back than left", f"{line}")
                    for sku, per_unit in self.units[line] if back.condition.value == "sellable" else ():
                        self.left[event.store, sku] -= per_unit * back.quantity
            case e.CaptureRequested():
                self._captured[order] += event.amount.cents
            case _:
                pass

    def _ends(self, line: Line, how: str) -> None:
        must(line not in self.ended, "one terminal state each", f"{line}: {self.ended.get(line)} and {how}")
        self.ended[line] = how
        self._held.discard(line)

    def _part_ways(self, line: Line, into: int, units: int) -> None:
        order, number = line
        if into == number:
            return
        self.quantity[line] -= units
        must(self.quantity[line] > 0, "units are conserved", f"{line} gave away more than it had")
        must((order, into) not in self.quantity, "units are conserved", f"line {into} of {order} is there already")
        self.quantity[order, into] = units
        self.units[order, into] = self.units[line]

    def at_rest(self, orders: dict[str, Any]) -> None:
        """Judge the rows when nothing is under way and nobody has anything left to do."""
        for order, units in self.ordered.items():
            known = {number: it for (name, number), it in self.quantity.items() if name == order}
            must(sum(known.values()) == units, "units are conserved", f"{order} {known} of {units}")
            row = orders.get(order)
            must(row is not None, "an order that was placed has a row", order)
            lines = {it.line: it for it in row.lines} if row is not None else {}
            must(lines.keys() == known.keys(), "the row has the lines of the events", f"{order} {sorted(lines)}")
            for number, line in lines.items():
                must(not line.live, "nothing hangs", f"{order} line {number} is {line.state.value}")
                must((order, number) in self.ended, "the row ends as the events do", f"{order} {number}")
                must(line.quantity == known[number], "the row has the units of the events", f"{order} {number}")
            must(not row.due_ms, "no deadline is left", f"{order} {row.due_ms}") if row is not None else None
        must(orders.keys() == self.ordered.keys(), "a row is an order that was placed", f"{sorted(orders)}")
