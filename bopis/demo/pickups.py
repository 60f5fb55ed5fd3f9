"""The pickup orders of the day: their lines and stores, and the deeds of store and customer with their times. Pure."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from msgspec import Struct

from bopis.demo.articles import price_cents
from bopis.demo.day import DELIVERED_BEFORE
from bopis.demo.payings import Paying, dealt
from bopis.demo.world import DemoStore, World, opening_time
from bopis.domain.inventory.messages import StockLine, StockReceived
from bopis.domain.message import Message
from bopis.domain.orders.lines import PickedLine, ReturnedLine
from bopis.domain.orders.messages import (
    AcceptPick,
    CancelOrder,
    Command,
    CustomerArrived,
    RecordPick,
    ReturnInStore,
    StageOrder,
)
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.vocabulary import Arrival, Initiator
from bopis.domain.values import MINUTE_MS, epoch_ms

LINES = (1, 1, 2, 2, 3, 4)
UNITS = (2, 2, 3, 4)
# Early enough that goods and customer meet before the store closes.
ORDERED_WITHIN = timedelta(hours=8)
# Minutes after the deed before, from and to.
ACCEPTED, PICKED, STAGED, FETCHED = (2, 9), (10, 45), (3, 8), (15, 150)
PICKED_LATE = (125, 170)
BEFORE_FETCHED = (1, 6)
BROUGHT_BACK = (30, 90)
AT_ONCE = 2
CHALLENGE_MINUTES = 15  # a customer who does not confirm names another card after this
UNITS_BACK = 1


class Story(StrEnum):
    """The course of an order."""

    COLLECTED = "collected"
    LATE = "late"  # picked too late for its promise
    SHORT = "short"  # a unit is missing at the pick
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    EARLY = "early"  # the customer comes before it is ready


STORIES = (
    *[Story.COLLECTED] * 9, *[Story.LATE] * 2, *[Story.CANCELLED] * 2, Story.SHORT, Story.NO_SHOW, Story.EARLY,
)  # fmt: skip


class Deed(StrEnum):
    """An action of customer or store on an order."""

    PLACE = "place"
    ACCEPT = "accept"
    PICK = "pick"
    STAGE = "stage"
    ARRIVE = "arrive"
    HAND_OVER = "hand_over"
    CANCEL = "cancel"
    RETURN = "return"


class TimedDeed(NamedTuple):
    """A deed and its instant."""

    at_ms: int
    deed: Deed


class Plot(NamedTuple):
    """What happens to an order: at the counter, and to its payment."""

    story: Story
    paying: Paying | None


class OrderedUnits(NamedTuple):
    """Units of a SKU in an order."""

    sku: str
    units: int


class Pickup(Struct, frozen=True, kw_only=True):
    """One order with its deeds by time; `place` is where the store stages it. `paying` is how it is paid in advance;
    None: at the till."""

    order: str
    story: Story
    store: str
    place: str
    lines: tuple[OrderedUnits, ...]
    deeds: tuple[TimedDeed, ...]
    paying: Paying | None = None

    @property
    def kept_cents(self) -> int:
        """The price of what the customer has in the end."""
        if not any(it.deed is Deed.HAND_OVER for it in self.deeds):
            return 0
        price = sum(price_cents(it.sku) * it.units for it in self.lines)
        missing = (self.story is Story.SHORT) + UNITS_BACK * (self.paying is Paying.BRINGS_BACK)
        return price - missing * price_cents(self.lines[0].sku)


def pickups(world: World, day: date, cut_off: str) -> list[Pickup]:
    """Every pickup order of the day; the same for the same world and day. The store that goes offline takes none."""
    chance = random.Random(f"{world.seed}/pickups")
    open_ones = [store for store in world.stores if store.id != cut_off]
    count = len(open_ones) * world.scale.orders_per_store
    stories: list[Story] = []
    while len(stories) < count:
        stories += chance.sample(STORIES, len(STORIES))
    stores = [store for store in open_ones for _ in range(world.scale.orders_per_store)]
    chance.shuffle(stores)
    are_usual = [story is Story.COLLECTED for story in stories[:count]]
    payings = dealt(are_usual, random.Random(f"{world.seed}/payings"))
    plots = [Plot(*it) for it in zip(stories[:count], payings, strict=True)]
    return [
        _pickup(number, plot, store, day, chance)
        for number, (store, plot) in enumerate(zip(stores, plots, strict=True))
    ]


def goods_for(found: Iterable[Pickup], world: World, day: date, source: str) -> list[Message]:
    """A delivery to each store with the units of its orders, which the tills therefore never sell out."""
    wanted: dict[str, Counter[str]] = {}
    for it in found:
        wanted.setdefault(it.store, Counter()).update(dict(it.lines))
    messages = []
    for store in world.stores:
        units = sorted(wanted.get(store.id, Counter()).items())
        if units:
            document = f"pickups-{store.id}"
            lines = tuple(StockLine(sku=sku, quantity=count) for sku, count in units)
            messages.append(
                Message(
                    id=document,
                    source=f"{source}/pickups/{store.id}",
                    time=opening_time(store, day) - DELIVERED_BEFORE,
                    subject=store.id,
                    seq=1,
                    data=StockReceived(document=document, lines=lines),
                )
            )
    return messages


def body(it: Pickup, deed: Deed) -> Command | CustomerArrived:
    """The message of a deed. Raises `ValueError` for one that needs the customer's secrets."""
    match deed:
        case Deed.ACCEPT:
            return AcceptPick(store=it.store)
        case Deed.PICK:
            found = [PickedLine(line=n, picked=units) for n, (_, units) in enumerate(it.lines, 1)]
            if it.story is Story.SHORT:
                found[0] = PickedLine(line=1, picked=it.lines[0][1] - 1, missing=1)
            return RecordPick(store=it.store, lines=tuple(found))
        case Deed.STAGE:
            return StageOrder(store=it.store, location=it.place)
        case Deed.ARRIVE:
            return CustomerArrived(store=it.store, where=Arrival.COUNTER)
        case Deed.CANCEL:
            return CancelOrder(by=Initiator.CUSTOMER)
        case Deed.RETURN:
            return ReturnInStore(store=it.store, lines=(ReturnedLine(line=1, quantity=UNITS_BACK),))
        case _:
            raise ValueError(f"{deed.value} needs the customer's secrets")


def _pickup(number: int, plot: Plot, store: DemoStore, day: date, chance: random.Random) -> Pickup:
    opens_ms = epoch_ms(opening_time(store, day))
    placed_ms = opens_ms + chance.randrange(int(ORDERED_WITHIN.total_seconds())) * 1000
    skus = dict.fromkeys(store.pick(chance) for _ in range(chance.choice(LINES)))
    return Pickup(
        order=number_from(sha256(f"{store.id}/{number}/{day}".encode()).digest()),
        story=plot.story,
        store=store.id,
        place=f"{chance.choice('ABC')}{number % 20 + 1}",
        lines=tuple(OrderedUnits(sku, chance.choice(UNITS)) for sku in skus),
        deeds=tuple(_deeds(plot, placed_ms, chance)),
        paying=plot.paying,
    )


def _deeds(plot: Plot, placed_ms: int, chance: random.Random) -> Sequence[TimedDeed]:
    """The deeds of an order with this course, by time."""
    story, paying = plot

    def after(at_ms: int, minutes: tuple[int, int]) -> int:
        return at_ms + chance.randint(*minutes) * MINUTE_MS

    promised_ms = placed_ms + CHALLENGE_MINUTES * MINUTE_MS * (paying is Paying.NAMES_OTHER)
    accepted = after(promised_ms, ACCEPTED)
    picked = after(accepted, PICKED_LATE if story is Story.LATE else PICKED)
    staged = after(picked, STAGED)
    fetched = after(staged, FETCHED)
    arrived = fetched - chance.randint(*BEFORE_FETCHED) * MINUTE_MS
    if story is Story.EARLY:
        arrived, fetched = accepted + AT_ONCE * MINUTE_MS, staged + AT_ONCE * MINUTE_MS
    done = [
        TimedDeed(placed_ms, Deed.PLACE),
        TimedDeed(accepted, Deed.ACCEPT),
        TimedDeed(picked, Deed.PICK),
        TimedDeed(staged, Deed.STAGE),
    ]
    if paying is Paying.GIVES_UP:
        return done[:1]
    if story is Story.NO_SHOW:
        return done
    if story is Story.CANCELLED:
        # Half of them before the pick, half when the goods are ready.
        soon = chance.random() < 0.5
        if soon:
            return [*done[:2], TimedDeed(accepted + MINUTE_MS, Deed.CANCEL)]
        return [*done, TimedDeed(arrived, Deed.CANCEL)]
    done += [TimedDeed(arrived, Deed.ARRIVE), TimedDeed(fetched, Deed.HAND_OVER)]
    if paying is Paying.BRINGS_BACK:
        done.append(TimedDeed(after(fetched, BROUGHT_BACK), Deed.RETURN))
    return sorted(done)
