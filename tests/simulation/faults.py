"""What goes wrong around the people: processes, lines, clocks, repeats, and stores that stop."""

from collections import deque
from random import Random

import msgspec

from bopis.domain.inventory.messages import SetStorePolicy
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.simulation.bank import GATEWAYS
from tests.simulation.log import NOON_MS
from tests.simulation.notifier import SimulatedNotifier
from tests.simulation.payment_runner import SimulatedRunner
from tests.simulation.people import SHOPS, People
from tests.simulation.routing import SimulatedRouting
from tests.simulation.world import STORES, World

PASSING = (1_000, MINUTE_MS, MINUTE_MS, 5 * MINUTE_MS, 11 * MINUTE_MS, 16 * MINUTE_MS, 3 * HOUR_MS, DAY_MS, 4 * DAY_MS)
REPEATS_KNOWN_MS = 20 * DAY_MS  # repeats are known for 30 days, so the days of a run end before that


class Faults:
    """Each kind of step of the plan that is nobody's wish."""

    def __init__(self, world: World, people: People) -> None:
        self.world = world
        self.people = people
        self.deaths = 0

    def act(self, kind: str, dice: Random) -> None:
        """Do what a kind of step names."""
        getattr(self, kind)(dice)

    def worker_dies(self, dice: Random) -> None:
        """A process is killed in whatever it was doing, and another one takes its place."""
        place = dice.choice(list(self.world.owners))
        self.world.stop(place)
        self.world.start(place, dice)
        self.deaths += 1

    def worker_is_followed(self, dice: Random) -> None:
        """A process that stands still loses its partition and goes on writing until it is refused."""
        self.world.follow(dice.choice(list(self.world.owners)), dice)

    def worker_is_away(self, dice: Random) -> None:
        """A process is gone until somebody starts it: hours, or days."""
        for place, owner in self.world.owners.items():
            if owner is None:
                self.world.start(place, dice)
                return
        self.world.stop(dice.choice(list(self.world.owners)))

    def routing_dies(self, dice: Random) -> None:
        """Routing begins anew with what the topics tell."""
        if dice.random() < 0.5:
            self.world.routing.commit()
        self.world.routing = SimulatedRouting(self.world.log)

    def notifier_dies(self, dice: Random) -> None:
        """The notifier is killed with what it has in hand, or only stands still and goes on beside the next one."""
        world = self.world
        hands = world.notifier.hands if dice.random() < 0.5 else []
        world.notifier = SimulatedNotifier(world.log, world.post, hands)

    def runner_dies(self, dice: Random) -> None:
        """The payment runner is killed in whatever it was doing."""
        world = self.world
        for runner in world.runners:
            runner.die(dice)
        world.runners = [SimulatedRunner(world.log, world.gateways)]

    def runner_is_followed(self, dice: Random) -> None:
        """The partitions of the payment runner go to another one; it finishes the calls that are under way."""
        world = self.world
        world.runners[0].retire()
        world.runners.insert(0, SimulatedRunner(world.log, world.gateways))

    def gateway_goes_away(self, dice: Random) -> None:
        """A gateway is gone for minutes."""
        away_ms = self.world.gateways.away_ms
        away_ms[dice.choice(list(GATEWAYS))] = self.world.log.now_ms + dice.randrange(1, 15) * MINUTE_MS

    def shop_goes_offline(self, dice: Random) -> None:
        """A shop's line is cut; its devices write down what happens."""
        self.world.outboxes.setdefault(dice.choice(SHOPS), deque())

    def shop_comes_back(self, dice: Random) -> None:
        """A shop's line is there again."""
        if self.world.outboxes:
            self.world.connect(dice.choice(sorted(self.world.outboxes)))

    def message_is_repeated(self, dice: Random) -> None:
        """Whoever heard no answer sends the same bytes again; but the log tells repeats of a tick of the stock."""
        log = self.world.log
        topic = dice.choice(("orders", "stock", "notices", "payments"))
        records = dice.choice(log.topics[topic])
        record = dice.choice(records) if records else None
        if record is not None and record.value is not None and b'stock.tick.v1"' not in record.value[:40]:
            log.put(topic, record.key, record.value)

    def time_passes(self, dice: Random) -> None:
        """Seconds, hours or days in which nobody says anything."""
        late = self.world.log.now_ms - NOON_MS > REPEATS_KNOWN_MS
        self.world.log.now_ms += dice.choice(PASSING[:7] if late else PASSING)

    def clock_jumps(self, dice: Random) -> None:
        """The clock of a shop's devices is wrong from now on."""
        self.people.skews[dice.choice(SHOPS)] = dice.choice((-HOUR_MS, -5 * MINUTE_MS, 0, 10 * MINUTE_MS, HOUR_MS))

    def pickup_is_switched(self, dice: Random) -> None:
        """A shop takes no more pickups, or takes them again."""
        self.people.tell_stock(dice.choice(SHOPS), SetStorePolicy(pickup=dice.random() < 0.6), dice)

    def store_closes(self, dice: Random) -> None:
        """A shop closes for good."""
        shop = dice.choice(SHOPS)
        self.world.closed.add(shop)
        record = msgspec.structs.replace(STORES[shop], closed=True)
        self.world.log.put("stores", shop.encode(), msgspec.json.encode(record))

    def timers_look(self, dice: Random) -> None:
        """Every timer looks at the clock."""
        for owner in filter(None, self.world.owners.values()):
            owner.look_at_the_clock()
