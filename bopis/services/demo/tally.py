"""What became of the pickup orders, told twice: by who acted in the demonstration, and by the read side. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.notices.events import DeliveryChanged
from bopis.domain.notices.terms import DeliveryState, Milestone
from bopis.domain.orders.events import CommandRefused, OrderPromised
from bopis.domain.orders.outcomes import NoticeDue, OrderCancelled, OrderExpired
from bopis.services.demo.pickups import Deed, Pickup, Story

OPEN = frozenset({DeliveryState.DUE, DeliveryState.WAITING})
MINUTE_MS = 60_000.0
P50, P95 = 0.5, 0.95
SHORT = "short"
MUST_OCCUR = ("kept", "late", "collected", "no_shows", "cancelled", "short", "early")

Notice = tuple[str, str, int]  # order, milestone, version


class Fate(Struct, frozen=True):
    """How one order went: its state at the end, and the instants that its customer cares about."""

    state: str
    placed_ms: int
    ready_ms: int | None = None
    ready_by_ms: int | None = None

    @property
    def kept(self) -> bool:
        """Whether it was ready by when it was promised."""
        return self.ready_ms is not None and self.ready_by_ms is not None and self.ready_ms <= self.ready_by_ms


class Told(Struct, frozen=True, kw_only=True):
    """One side of the story: every order's fate, every notice that was to be said, and how many mails were sent."""

    fates: Mapping[str, Fate]
    notices: frozenset[Notice]
    mails: int
    unsent: int = 0


class PickupFigures(Struct, frozen=True, kw_only=True):
    """The pickup orders as the read side tells them. ``mismatches`` counts what the actors know otherwise."""

    placed: int
    ready: int
    kept: int
    late: int
    p50_minutes: float
    p95_minutes: float
    collected: int
    no_shows: int
    cancelled: int
    short: int
    early: int
    mails: int
    unsent: int
    refused: int
    mismatches: int


class Tally:
    """Notes what is done to each order and what the orders answer; reads nothing that the read side wrote."""

    def __init__(self, pickups: Sequence[Pickup]) -> None:
        self.pickups = {it.order: it for it in pickups}
        self.done: dict[str, dict[Deed, int]] = {}
        self.promised: dict[str, int] = {}
        self.expired: set[str] = set()
        self.cancelled: set[str] = set()
        self.notices: set[Notice] = set()
        self.refused: list[str] = []
        self.answered: set[Notice] = set()
        self.short = self.reminded = 0
        self._heard: set[str] = set()

    def did(self, order: str, deed: Deed, at_ms: int) -> None:
        """Somebody did something, at this instant by their own clock."""
        self.done.setdefault(order, {})[deed] = at_ms

    def hear(self, event: Message) -> None:
        """Take a conclusion; one that is told again after a crash counts once."""
        if event.id in self._heard:
            return
        self._heard.add(event.id)
        order, data = event.subject, event.data
        if isinstance(data, OrderPromised):
            self.promised.setdefault(order, data.ready_by_ms)
        elif isinstance(data, OrderExpired):
            self.expired.add(order)
        elif isinstance(data, OrderCancelled):
            if data.reason.value == SHORT:
                self.short += 1
            else:
                self.cancelled.add(order)
        elif isinstance(data, CommandRefused):
            self.refused.append(f"{order}: {data.command} was refused ({data.reason.value})")
        elif isinstance(data, NoticeDue):
            self.notices.add((order, data.milestone.value, data.version))
            self.reminded += data.milestone is Milestone.REMINDER

    def hear_of_notice(self, event: Message) -> None:
        """Take a conclusion about what a customer is told."""
        data = event.data
        if isinstance(data, DeliveryChanged) and data.state not in OPEN:
            self.answered.add((event.subject, data.delivery.milestone.value, data.delivery.version))

    @property
    def all_told(self) -> bool:
        """Whether everything that customers are to be told was sent, or taken back."""
        return self.notices <= self.answered

    def knows(self, expired: set[str], reminders: int) -> bool:
        """Whether these orders have expired, and so many reminders were due."""
        return expired <= self.expired and self.reminded >= reminders

    @property
    def handed_over(self) -> int:
        """How many customers have their goods."""
        return sum(Deed.HAND_OVER in it for it in self.done.values())

    @property
    def ready(self) -> int:
        """How many orders were ready once."""
        return sum(Deed.STAGE in it for it in self.done.values())

    def told(self, mails: int) -> Told:
        """The story as the actors know it; ``mails`` is how many lie in the outbox."""
        fates = {order: self._fate(order, done) for order, done in self.done.items()}
        return Told(fates=fates, notices=frozenset(self.notices), mails=mails)

    def _fate(self, order: str, done: Mapping[Deed, int]) -> Fate:
        state = "ready" if Deed.STAGE in done else "promised"
        if Deed.HAND_OVER in done:
            state = "handed_over"
        elif Deed.CANCEL in done:
            state = "cancelled"
        elif order in self.expired:
            state = "expired"
        return Fate(state, done[Deed.PLACE], done.get(Deed.STAGE), self.promised.get(order))


def compared(tally: Tally, mine: Told, read: Told) -> PickupFigures:
    """The figures of the read side, and in how many places the actors know otherwise."""
    orders = mine.fates.keys() | read.fates.keys()
    wrong = sum(mine.fates.get(it) != read.fates.get(it) for it in orders)
    wrong += len(mine.notices ^ read.notices) + abs(mine.mails - read.mails)
    states = [it.state for it in read.fates.values()]
    ready = [it for it in read.fates.values() if it.ready_ms is not None]
    took = sorted((it.ready_ms or 0) - it.placed_ms for it in ready)
    kept = sum(it.kept for it in ready)
    return PickupFigures(
        placed=len(read.fates),
        ready=len(ready),
        kept=kept,
        late=len(ready) - kept,
        p50_minutes=_minutes(took, P50),
        p95_minutes=_minutes(took, P95),
        collected=states.count("handed_over"),
        no_shows=states.count("expired"),
        cancelled=states.count("cancelled"),
        short=tally.short,
        early=sum(it.story is Story.EARLY for it in tally.pickups.values()),
        mails=read.mails,
        unsent=read.unsent,
        refused=len(tally.refused),
        mismatches=wrong,
    )


def pickup_wrongs(found: PickupFigures, planned: int) -> tuple[str, ...]:
    """Everything about pickup orders that is not as it must be, in words."""
    must_be_zero = {
        "pickup figures differ from what was done": found.mismatches,
        "pickup orders were not placed": planned - found.placed,
        "commands about pickup orders were refused": found.refused,
        "mails were neither sent nor taken back": found.unsent,
        "pickup orders have no end": found.placed - found.collected - found.no_shows - found.cancelled,
    }
    told = [f"{count} {words}" for words, count in must_be_zero.items() if count]
    told += [f"of pickup orders, none was counted as {name}" for name in MUST_OCCUR if not getattr(found, name)]
    return tuple(told)


def _minutes(values: Sequence[int], share: float) -> float:
    """The smallest value that so large a share of the values does not exceed; 0 of nothing."""
    if not values:
        return 0.0
    place = max(0, -(-len(values) * int(share * 100) // 100) - 1)
    return round(values[place] / MINUTE_MS, 1)
