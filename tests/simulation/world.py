"""The processors, the log between them and the people around them, moved by dice: one run of one plan."""

from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec

from bopis.domain.orders.state import Order
from bopis.domain.payments.state import Payment
from bopis.services.store_directory import StoreRecord
from streams.errors import Fenced
from streams.processors.inventory import InventoryProcessor
from streams.processors.notices import NoticesProcessor
from streams.processors.orders import OrdersProcessor
from streams.processors.payments import PaymentsProcessor
from tests.simulation.audit_payments import check_open, is_settled
from tests.simulation.findings import must
from tests.simulation.gateways import Gateways
from tests.simulation.log import Log
from tests.simulation.notifier import Post, SimulatedNotifier
from tests.simulation.owner import Owner
from tests.simulation.payment_runner import SimulatedRunner
from tests.simulation.plan import Step
from tests.simulation.routing import SimulatedRouting
from tests.simulation.rows import WrittenRows

S1, S2 = "S1", "S2"
STORES = {
    S1: StoreRecord(store_id=S1, name="one", latitude=52.5, longitude=13.4, capacity_minutes=600),
    S2: StoreRecord(store_id=S2, name="two", latitude=52.51, longitude=13.41, capacity_minutes=600),
}
PROCESSORS = {it.name: it for it in (InventoryProcessor(), OrdersProcessor(), PaymentsProcessor(), NoticesProcessor())}
ROUNDS_MAX = 300
_order = msgspec.json.Decoder(Order).decode
_payment = msgspec.json.Decoder(Payment).decode
Place = tuple[str, int]


class NeverAtRest(AssertionError):
    """Messages go on following from messages although nobody says anything new."""


class World:
    """Everything but the people: they are told apart in `tests.simulation.people`."""

    def __init__(self, first: Random) -> None:
        self.log = Log(partitions=first.choice((1, 1, 2)))
        self.owners: dict[Place, Owner | None] = {}
        self.zombies: list[Owner] = []
        self.under_way: list[tuple[str, bytes, bytes]] = []
        self.outboxes: dict[str, deque[tuple[str, bytes, bytes]]] = {}
        self.closed: set[str] = set()
        self._orders = WrittenRows(self.log, "order-state", _order)
        self.payments = WrittenRows(self.log, "payment-state", _payment)
        for store, record in STORES.items():
            self.log.put("stores", store.encode(), msgspec.json.encode(record))
        for name in PROCESSORS:
            for number in range(self.log.partitions):
                self.start((name, number), first)
        self.routing = SimulatedRouting(self.log)
        self.post = Post(self.log)
        self.notifier = SimulatedNotifier(self.log, self.post, [])
        self.gateways = Gateways(self.log)
        # The first one has the partitions; the others only finish what was under way.
        self.runners = [SimulatedRunner(self.log, self.gateways)]

    # Processes

    def start(self, place: Place, dice: Random) -> None:
        """A worker claims a partition and recovers it from its changelog."""
        self.owners[place] = Owner(PROCESSORS[place[0]], place[1], self.log, Random(dice.getrandbits(32)))

    def stop(self, place: Place) -> None:
        """A worker is gone with what it had not written."""
        owner = self.owners[place]
        if owner is not None:
            owner.die()
        self.owners[place] = None

    def follow(self, place: Place, dice: Random) -> None:
        """A worker that stands still is followed by another one, and wakes later without knowing it."""
        owner = self.owners[place]
        if owner is not None:
            self.zombies.append(owner)
        self.start(place, dice)

    # Messages on their way

    def send(self, shop: str | None, message: tuple[str, bytes, bytes], dice: Random) -> None:
        """A message leaves for the log: at once, some time later, or when its shop has a line again."""
        if shop in self.outboxes:
            self.outboxes[shop].append(message)
        elif dice.random() < 0.3:
            self.under_way.append(message)
        else:
            self.log.put(*message)

    def connect(self, shop: str) -> None:
        """A shop has a line again: what it wrote down meanwhile arrives in its order."""
        for message in self.outboxes.pop(shop, ()):
            self.log.put(*message)

    # What happens by itself

    def churn(self, dice: Random, count: int) -> None:
        """So many small steps of whatever process comes first."""
        processes = (*filter(None, self.owners.values()), *self.zombies)
        actors: list[Any] = [*processes, "routing", "notifier", "network", "runner", "bank"]
        for _ in range(count):
            actor = actors[int(dice.random() * len(actors))]
            if actor == "network":
                if self.under_way:
                    self.log.put(*self.under_way.pop(dice.randrange(len(self.under_way))))
            elif actor == "routing":
                self._route(dice)
            elif actor == "notifier":
                self._notify(dice)
            elif actor == "runner":
                self._pay(dice)
            elif actor == "bank":
                self.gateways.act(dice)
            else:
                self._work(actor, dice)

    def _work(self, owner: Owner, dice: Random) -> None:
        chance = dice.random()
        try:
            if chance < 0.45:
                owner.take(1 + int(dice.random() * 5))
            elif chance < 0.95:
                for _ in range(1 + int(dice.random() * 4)):
                    owner.commit()
            else:
                owner.look_at_the_clock()
        except Fenced:
            owner.die()
            if owner in self.zombies:
                self.zombies.remove(owner)

    def _route(self, dice: Random) -> None:
        routing, chance = self.routing, dice.random()
        if chance < 0.4 and (places := routing.places):
            routing.follow(dice.choice(places), 1 + int(dice.random() * 6))
            routing.speak()
        elif chance < 0.9 and (questions := routing.questions):
            routing.answer(dice.choice(questions), 1 + int(dice.random() * 6))
        elif chance >= 0.9:
            routing.commit()

    def _notify(self, dice: Random) -> None:
        notifier = self.notifier
        if dice.random() < 0.5 and (letters := notifier.letters):
            notifier.take(dice.choice(letters), 1 + int(dice.random() * 4))
        else:
            notifier.attempt(dice)

    def _pay(self, dice: Random) -> None:
        dice.choice(self.runners).act(dice)
        self.runners[1:] = [it for it in self.runners[1:] if it.has_hands_full]

    # Coming to rest

    def heal(self, dice: Random) -> None:
        """Every process runs, every shop has a line, nothing stands still any more."""
        for place, owner in list(self.owners.items()):
            if owner is None:
                self.start(place, dice)
        for shop in list(self.outboxes):
            self.connect(shop)
        while self.zombies:
            self.zombies.pop().die()
        self.gateways.heal(dice)

    def come_to_rest(self) -> None:
        """Everything that is under way arrives and is decided, and what is due by now is told."""
        for _ in range(ROUNDS_MAX):
            before = self.log.appended
            while self.under_way:
                self.log.put(*self.under_way.pop(0))
            for owner in filter(None, self.owners.values()):
                owner.look_at_the_clock()
                while not owner.rests:
                    owner.take(50)
                    owner.commit()
            for place in self.routing.places:
                self.routing.follow(place, 10_000)
            self.routing.speak()
            for number in self.routing.questions:
                self.routing.answer(number, 10_000)
            for number in self.notifier.letters:
                self.notifier.take(number, 10_000)
            while self.notifier.hands:
                self.notifier.attempt(None)
            self.gateways.rest()
            for runner in self.runners:
                runner.rest()
            del self.runners[1:]
            if self.log.appended == before:
                return
        raise NeverAtRest(f"{ROUNDS_MAX} rounds, and still something follows")

    # Looking

    def next_deadline(self) -> int:
        """When the next order wants to be looked at; now if none does."""
        due = [it.due_ms for it in (*self.orders(), *self.payments.all()) if it.due_ms]
        return max(self.log.now_ms, min(due, default=0)) + 1

    def next_notice(self) -> int | None:
        """When the next delivery wants to be looked at, None if none does."""
        owners = [it for (name, _), it in self.owners.items() if name == "notices" and it is not None]
        return min(filter(None, (it.table.rows.next_deadline() for it in owners)), default=None)

    def check_holds(self) -> None:
        """At rest no unit is held for an order that has ended: a deadline far away is only the net below."""
        live = {it.order for it in self.orders() if it.live}
        for (name, _), owner in self.owners.items():
            for key, row in owner.table.rows.items("@hold|") if owner is not None and name == "inventory" else ():
                must(not row.active or row.order in live, "a hold ends with its order", key)

    def check_payments(self) -> None:
        """At rest an authorisation is open only for what is still to be handed over."""
        orders = {it.order: it for it in self.orders()}
        check_open(self.gateways.ledger, self.payments.all(), orders, self.log.now_ms)

    def next_payment(self) -> int | None:
        """When the next payment that waits for an answer wants to be looked at, None if none waits."""
        return min((it.due_ms for it in self.payments.all() if not is_settled(it) and it.due_ms), default=None)

    def order(self, number: str) -> Order | None:
        """An order as the newest written row shows it, which may be behind what is decided."""
        return self._orders.get(number)

    def orders(self) -> list[Order]:
        """Every order, by number."""
        return self._orders.all()


def happen(world: World, steps: Iterable[Step], act: Any) -> None:
    """Let each step happen, and the machinery go on for a while after it."""
    for it in steps:
        dice = Random(it.dice)
        act(it.kind, dice)
        world.churn(dice, int(dice.random() * 36))
