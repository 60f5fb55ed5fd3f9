"""One seed: a world, its plan, its end, its audit."""

from collections.abc import Sequence
from random import Random
from typing import Any

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.simulation.auditor import audit, first_dice
from tests.simulation.faults import Faults
from tests.simulation.payers import Payers
from tests.simulation.people import People
from tests.simulation.plan import PAYERS, PEOPLE, Step, plan
from tests.simulation.world import World, happen

# A day of nothing but one deadline after the other, so that none is met only because another one was due.
STEADY_LOOKS_MAX = 40
# How much time passes before each of the last looks: long enough for every deadline, in the order of their lengths.
LAST_LOOKS_MS = (0, 0, 0, 16 * MINUTE_MS, 16 * MINUTE_MS, 5 * HOUR_MS, 4 * DAY_MS, DAY_MS, 15 * DAY_MS, 30 * DAY_MS)
LOOKS_MAX = 24
PAYMENT_LOOKS_MAX = 60  # a gateway that cannot close is asked for longer
NOTICE_LOOKS_MAX = 100  # quiet hours and tries again have moments of their own


def run(seed: int, steps: Sequence[Step] | None = None) -> World:
    """Let a plan happen and judge it. Raises `Finding`, or whatever broke, when it does not hold."""
    first = first_dice(seed)
    world = World(first)
    people = People(world, first)
    payers = Payers(world)
    faults = Faults(world, people)

    def act(kind: str, dice: Random) -> None:
        actors: Any = people if kind in PEOPLE else payers if kind in PAYERS else faults
        actors.act(kind, dice)

    happen(world, plan(seed) if steps is None else steps, act)
    _end(world, people, payers, Random(seed ^ 0xE4D))
    audit(world.log, world.post.took, world.gateways.ledger)
    return world


def _end(world: World, people: People, payers: Payers, dice: Random) -> None:
    """Nothing goes wrong any more: staff do their work, customers come or do not, and every deadline passes."""
    world.heal(dice)
    collects = dice.random() < 0.5
    steadily = dice.random() < 0.3
    looks = (*LAST_LOOKS_MS, *[DAY_MS] * (LOOKS_MAX - len(LAST_LOOKS_MS)))
    for passing_ms in (0, 0, *[None] * STEADY_LOOKS_MAX, *looks) if steadily else looks:
        world.log.now_ms = world.next_deadline() if passing_ms is None else world.log.now_ms + passing_ms
        people.heartbeat()
        world.come_to_rest()
        world.check_holds()
        world.check_payments()
        if not any(it.live for it in world.orders()):
            break
        people.staff_work(dice, thorough=True)
        payers.everybody_acts(dice)
        if collects:
            people.everybody_collects(dice)
            people.goods_come_back(dice)
    _settle(world, payers, dice)
    world.log.now_ms += 100 * DAY_MS
    world.come_to_rest()
    for _ in range(NOTICE_LOOKS_MAX):
        due_ms = world.next_notice()
        if due_ms is None:
            return
        world.log.now_ms = max(world.log.now_ms, due_ms) + 1
        world.come_to_rest()


def _settle(world: World, payers: Payers, dice: Random) -> None:
    """Every answer comes, and people do what payments wait for: before authorisations end by themselves."""
    for _ in range(PAYMENT_LOOKS_MAX):
        world.come_to_rest()
        payers.everybody_acts(dice)
        world.come_to_rest()
        due_ms = world.next_payment()
        if due_ms is None:
            break
        world.log.now_ms = max(world.log.now_ms, due_ms) + 1
    world.check_payments()
