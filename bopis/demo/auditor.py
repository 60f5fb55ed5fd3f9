"""The auditor of the demonstration: counts sales, promises and hand-overs independently of the product.

It knows the opening stock, sees every message that is published and every event that follows, and adds up with plain
dictionaries. It shares no code with the inventory, the read side or the generator except the message types.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.inventory.events import (
    HoldChanged,
    HoldEnd,
    ReservationRefused,
    ShortfallFound,
    ShortPickFound,
    StockReserved,
)
from bopis.domain.inventory.messages import PosSale, ReserveStock, StockReceived
from bopis.domain.message import Message

Cell = tuple[str, str]
GRANTED = ""


class HeldLine(NamedTuple):
    """Units that a line of a hold promises."""

    cell: Cell
    units: int


class HoldCounts(Struct, frozen=True, kw_only=True):
    """The holds that buyers asked for. ``refused`` counts by reason, ``ended`` by kind of end; ``active`` have units.

    Holds of pickup orders are not counted.
    """

    asked: int
    granted: int
    refused: dict[str, int]
    ended: dict[str, int]
    active: int


class Findings(HoldCounts, frozen=True, kw_only=True):
    """The auditor's result. ``oversold`` counts units that were promised although they were not in stock."""

    units_promised: int
    units_wanted: int
    oversold: int
    shortfalls: int
    unanswered: int
    answered_twice: int
    ended_wrongly: int
    mismatches: int
    cells: int


class Auditor:
    """Takes every message that is published and every event of the inventory, and gives its findings at the end."""

    def __init__(self) -> None:
        self._books: dict[Cell, int] = {}
        self._free: dict[Cell, int] = {}
        self._wanted: dict[str, int] = {}
        # The answers to each hold in their order: the reason of a refusal, or `GRANTED`.
        self._answers: dict[str, list[str]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._held: dict[str, dict[int, HeldLine]] = {}
        self._ended: dict[str, int] = {}
        self._promised = 0
        self._oversold = 0
        self._shortfalls = 0
        self._ended_wrongly = 0

    def sent(self, message: Message) -> None:
        """Count a message that is published to the stock topic, once per message."""
        data, store = message.data, message.subject
        if isinstance(data, PosSale):
            for line in data.lines:
                self._move((store, line.sku), -line.quantity)
        elif isinstance(data, StockReceived):
            for received in data.lines:
                self._move((store, received.sku), received.quantity)
        elif isinstance(data, ReserveStock):
            self._wanted[data.hold] = sum(line.quantity for line in data.lines)

    def brought_back(self, store: str, sku: str, units: int) -> None:
        """Count units of a pickup order that come back."""
        self._move((store, sku), units)

    def received(self, event: Message) -> None:
        """Count an event of the inventory; one that is repeated after a crash has the same id and counts once."""
        if (event.subject, event.id) in self._seen:
            return
        self._seen.add((event.subject, event.id))
        data, store = event.data, event.subject
        if isinstance(data, StockReserved):
            self._answers.setdefault(data.hold, []).append(GRANTED)
            for line in data.lines:
                self._promise(data.hold, line.line, HeldLine((store, line.sku), line.quantity))
        elif isinstance(data, ReservationRefused):
            self._answers.setdefault(data.hold, []).append(data.reason.value)
        elif isinstance(data, HoldChanged):
            self._end(data)
        elif isinstance(data, ShortPickFound):
            self._miss(data.hold, data.line, data.missing)
        elif isinstance(data, ShortfallFound):
            self._shortfalls += 1

    def holds(self) -> HoldCounts:
        """The counts of the holds that buyers asked for, so far."""
        answers = [answer for hold in self._wanted for answer in self._answers.get(hold, ())]
        reasons = sorted(set(answers) - {GRANTED})
        return HoldCounts(
            asked=len(self._wanted),
            granted=answers.count(GRANTED),
            refused={reason: answers.count(reason) for reason in reasons},
            ended=dict(sorted(self._ended.items())),
            active=len(self._held.keys() & self._wanted.keys()),
        )

    def findings(self, on_hand: Mapping[Cell, int]) -> Findings:
        """The findings, with on hand as readers see it to compare with."""
        counts = self.holds()
        answers = [self._answers.get(hold, []) for hold in self._wanted]
        cells = self._books.keys() | on_hand.keys()
        return Findings(
            asked=counts.asked,
            granted=counts.granted,
            refused=counts.refused,
            ended=counts.ended,
            active=counts.active,
            units_promised=self._promised,
            units_wanted=sum(self._wanted.values()),
            oversold=self._oversold,
            shortfalls=self._shortfalls,
            unanswered=sum(not it for it in answers),
            answered_twice=sum(len(it) > 1 for it in answers),
            ended_wrongly=self._ended_wrongly,
            mismatches=sum(self._books.get(cell, 0) != on_hand.get(cell, 0) for cell in cells),
            cells=len(cells),
        )

    def _move(self, cell: Cell, units: int) -> None:
        self._books[cell] = self._books.get(cell, 0) + units
        self._free[cell] = self._free.get(cell, 0) + units

    def _promise(self, hold: str, number: int, line: HeldLine) -> None:
        """Promise units. Free are the units in the books that no hold has; only they may be promised."""
        free = self._free.get(line.cell, 0)
        self._oversold += max(0, line.units - max(0, free))
        self._free[line.cell] = free - line.units
        self._held.setdefault(hold, {})[number] = line
        if hold in self._wanted:
            self._promised += line.units

    def _miss(self, hold: str, number: int, units: int) -> None:
        """Take missing units from a hold. They stay in the books and are not free, until the SKU is counted."""
        line = self._held[hold][number]
        self._held[hold][number] = line._replace(units=line.units - units)
        if line.units == units:
            self._forget(hold, number)

    def _end(self, data: HoldChanged) -> None:
        for line in data.lines:
            held = self._held.get(data.hold, {}).get(line.line)
            if held is None or held.units != line.quantity:
                self._ended_wrongly += 1
                return
            self._forget(data.hold, line.line)
            if data.end is HoldEnd.COLLECTED:
                self._books[held.cell] -= held.units
            else:
                self._free[held.cell] += held.units
        if data.hold in self._wanted:
            self._ended[data.end.value] = self._ended.get(data.end.value, 0) + 1

    def _forget(self, hold: str, number: int) -> None:
        del self._held[hold][number]
        if not self._held[hold]:
            del self._held[hold]
