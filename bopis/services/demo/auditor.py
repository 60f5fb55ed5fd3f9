"""The judge: counts apart from everything else what was sold, promised and handed over.

It knows what was on the shelves, hears what was said and what was answered, and adds up with plain dictionaries.
It shares no code with the inventory, the read side or the generator but the message types.
"""

from collections.abc import Mapping

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


class Findings(Struct, frozen=True, kw_only=True):
    """What the judge found. ``oversold`` counts units that were promised though they were not there."""

    asked: int
    granted: int
    refused: dict[str, int]
    ended: dict[str, int]
    active: int
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
    """Hears every message that was sent and every event, and judges at the end."""

    def __init__(self) -> None:
        self._books: dict[Cell, int] = {}
        self._wanted: dict[str, int] = {}
        self._answers: dict[str, list[str]] = {}
        self._heard: set[tuple[str, str]] = set()
        self._held: dict[str, dict[int, tuple[Cell, int]]] = {}
        self._refused: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._free: dict[Cell, int] = {}
        self._promised = 0
        self._oversold = 0
        self._shortfalls = 0
        self._ended_wrongly = 0

    def sent(self, message: Message) -> None:
        """Take a message that was acknowledged by the log, once per message."""
        data, store = message.data, message.subject
        if isinstance(data, PosSale):
            for line in data.lines:
                self._move((store, line.sku), -line.quantity)
        elif isinstance(data, StockReceived):
            for received in data.lines:
                self._move((store, received.sku), received.quantity)
        elif isinstance(data, ReserveStock):
            self._wanted[data.hold] = sum(line.quantity for line in data.lines)

    def heard(self, event: Message) -> None:
        """Take an event of the inventory; one that is told again after a crash has the same id and counts once."""
        if (event.subject, event.id) in self._heard:
            return
        self._heard.add((event.subject, event.id))
        data, store = event.data, event.subject
        if isinstance(data, StockReserved):
            self._answers.setdefault(data.hold, []).append("granted")
            for line in data.lines:
                self._promise((data.hold, line.line), (store, line.sku), line.quantity)
        elif isinstance(data, ReservationRefused):
            self._answers.setdefault(data.hold, []).append("refused")
            self._refused[data.reason.value] = self._refused.get(data.reason.value, 0) + 1
        elif isinstance(data, HoldChanged):
            self._end(data)
        elif isinstance(data, ShortPickFound):
            self._miss(data.hold, data.line, data.missing)
        elif isinstance(data, ShortfallFound):
            self._shortfalls += 1

    def findings(self, on_hand: Mapping[Cell, int]) -> Findings:
        """The judgement, against on hand as readers see it."""
        answered = {hold: answers for hold, answers in self._answers.items() if hold in self._wanted}
        cells = self._books.keys() | on_hand.keys()
        return Findings(
            asked=len(self._wanted),
            granted=sum(answers.count("granted") for answers in answered.values()),
            refused=dict(sorted(self._refused.items())),
            ended=dict(sorted(self._ended.items())),
            active=len(self._held.keys() & self._wanted.keys()),
            units_promised=self._promised,
            units_wanted=sum(self._wanted.values()),
            oversold=self._oversold,
            shortfalls=self._shortfalls,
            unanswered=len(self._wanted) - len(answered),
            answered_twice=sum(len(answers) > 1 for answers in answered.values()),
            ended_wrongly=self._ended_wrongly,
            mismatches=sum(self._books.get(cell, 0) != on_hand.get(cell, 0) for cell in cells),
            cells=len(cells),
        )

    def _move(self, cell: Cell, units: int) -> None:
        self._books[cell] = self._books.get(cell, 0) + units
        self._free[cell] = self._free.get(cell, 0) + units

    def _promise(self, line: tuple[str, int], cell: Cell, units: int) -> None:
        """Units are free when they are in the books and nobody holds them; a promise takes free ones only."""
        free = self._free.get(cell, 0)
        self._oversold += max(0, units - max(0, free))
        self._free[cell] = free - units
        hold, number = line
        self._held.setdefault(hold, {})[number] = (cell, units)
        if hold in self._wanted:
            self._promised += units

    def _miss(self, hold: str, number: int, units: int) -> None:
        """Units that were not on the shelf stay in the books, and are not free either, until somebody counts."""
        cell, held = self._held[hold][number]
        self._held[hold][number] = (cell, held - units)
        if held == units:
            self._forget(hold, number)

    def _end(self, data: HoldChanged) -> None:
        for line in data.lines:
            cell, units = self._held.get(data.hold, {}).get(line.line, (None, 0))
            if cell is None or units != line.quantity:
                self._ended_wrongly += 1
                return
            self._forget(data.hold, line.line)
            if data.end is HoldEnd.COLLECTED:
                self._books[cell] -= units
            else:
                self._free[cell] += units
        if data.hold in self._wanted:
            self._ended[data.end.value] = self._ended.get(data.end.value, 0) + 1

    def _forget(self, hold: str, number: int) -> None:
        del self._held[hold][number]
        if not self._held[hold]:
            del self._held[hold]
