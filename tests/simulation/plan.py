"""What will happen, written down before it does: a list of steps, so that a failing one can be cut shorter."""

from random import Random
from typing import NamedTuple

STEPS = 60
# How often each kind of step comes up, of people and of the world around them.
PEOPLE = {
    "customer_orders": 8,
    "customers_race": 2,
    "customer_orders_again": 1,
    "staff_work": 30,
    "customer_changes_store": 4,
    "staff_err": 4,
    "customer_arrives": 4,
    "goods_are_handed_over": 5,
    "somebody_cancels": 3,
    "offer_is_answered": 3,
    "pickup_is_extended": 1,
    "code_is_reissued": 0.5,
    "goods_come_back": 3,
    "till_sells": 7,
    "goods_arrive": 2,
    "shelf_is_counted": 1,
    "hold_ends_elsewhere": 1,
    "notice_is_sent_again": 1,
    "nonsense_is_said": 1,
}
PAYERS = {
    "challenge_is_answered": 3,
    "method_is_named": 3,
    "desk_mends": 2,
}
WORLD = {
    "worker_dies": 6,
    "worker_is_followed": 3,
    "worker_is_away": 2,
    "routing_dies": 2,
    "notifier_dies": 2,
    "runner_dies": 2,
    "runner_is_followed": 1,
    "gateway_goes_away": 1.5,
    "shop_goes_offline": 2,
    "shop_comes_back": 3,
    "message_is_repeated": 4,
    "time_passes": 6,
    "clock_jumps": 1,
    "pickup_is_switched": 1,
    "store_closes": 0.3,
    "timers_look": 5,
}
ALL = PEOPLE | PAYERS | WORLD
KINDS = list(ALL)
WEIGHTS = list(ALL.values())


class Step(NamedTuple):
    """One thing that happens; ``dice`` decides everything about it and about what the machinery does after it."""

    number: int
    kind: str
    dice: int


def plan(seed: int, steps: int = STEPS) -> list[Step]:
    """The steps of a seed: always the same ones."""
    dice = Random(seed)
    kinds = ["customer_orders", *dice.choices(KINDS, WEIGHTS, k=steps - 1)]
    return [Step(number, kind, dice.getrandbits(48)) for number, kind in enumerate(kinds)]
