"""Payments over real processes at a gateway at its worst, while everything that takes part is killed at random: ledgers
equal, nobody charged twice, nothing handed out without cover."""

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bopis.demo.clock import OffsetClock
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.orders.state import LineState
from bopis.domain.payments.events import PaymentOpened
from bopis.domain.payments.state import CoverState
from bopis.wire.payments import PAYMENT_EVENTS
from tests.engines import Engines
from tests.faults.order_judge import changelog, told_of
from tests.faults.payment_judge import Books, assert_payments_are_right, events_by_order, open_calls
from tests.faults.payment_ledger import LedgerFile
from tests.faults.payment_people import Fate, PayingPeople
from tests.faults.payment_programs import GATEWAY, VICTIMS, WORST, PaidCrew, log_on
from tests.faults.test_orders import conclusions
from tests.faults.verdict import Result

REST_SECONDS_MAX = 240.0
# Of many customers, one may take a dearer article, have every method declined and name no other one: the goods are then
# held to the end of a checkout hold, ten minutes, before the line is cancelled.
MANY, MANY_REST_SECONDS_MAX = 100, 840.0
LOOK_SECONDS = 1.0
SOAK_COUNT = int(os.environ.get("BOPIS_FAULTS_COUNT", "2000"))
KILL_EVERY_S = 2.5
RATE = 20
SHORT_S, BESIDE_COUNT = 10.0, 4
# Workers without which no payment is decided, and those without which nothing becomes of an order.
OF_PAYMENTS = ("payments", "payment-runner")
OF_ORDERS = ("orders", "inventory", "routing", "notices")

Shared = Callable[[str], PaidCrew]


@pytest.fixture(scope="module")
def crews(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One installation on each log for all tests of this file. The embedded log goes by a clock that can be turned."""
    running: dict[str, PaidCrew] = {}
    with ExitStack() as stack:

        def shared(name: str) -> PaidCrew:
            if name not in running:
                home = tmp_path_factory.mktemp(f"payments-{name}")
                stack.callback(shutil.rmtree, home, ignore_errors=True)
                if name == "embedded":
                    engine, clock = log_on(home)
                    stack.callback(engine.stop)
                else:
                    engine, clock = engines.shared(name), OffsetClock.create(home / "clock")  # type: ignore[assignment]  # another log
                running[name] = stack.enter_context(PaidCrew(engine, home, clock)).open()
            return running[name]

        yield shared


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=[pytest.mark.soak, pytest.mark.kafka])])
def crew(request: pytest.FixtureRequest, crews: Shared) -> PaidCrew:
    return crews(request.param)


@pytest.mark.parametrize(
    ("count", "kills"),
    [(24, 3), pytest.param(SOAK_COUNT, 200, marks=pytest.mark.soak)],
    ids=["some", "thousands"],
)
def test_ledgers_are_equal_whatever_the_gateway_does_and_whoever_is_killed(
    crew: PaidCrew, count: int, kills: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    result = Result("kill -9 of all in payments", crew.engine.name)
    crew.restart_gateway(**WORST, seed=seed % 2**31)
    people = PayingPeople(crew, count, seed)
    people.open_store()

    victims = killed_through(crew, people, kills, random.Random(seed))
    settle(crew, people)
    before = assert_payments_are_right(crew, people)
    nobody_came = [it for it, fate in people.fates.items() if fate is Fate.NOT_COLLECTED and it in people.windows]
    if crew.engine.name == "embedded" and nobody_came:
        crew.days_pass(max(people.windows[it] for it in nobody_came) + 1_000)
        settle(crew, people, lambda books: all(not books.orders[it].live for it in nobody_came))
    after = assert_payments_are_right(crew, people)

    result.count = count
    result.notes = {"killed": dict(victims), "before": before, "after": after, "asked": len(people.asked)}
    result.note(count)
    handed = sum(any(type(it).__name__ == "OrderHandedOver" for it in events_by_order(crew)[o]) for o in people.fates)
    assert handed > count // 8, "a good part of the customers has goods"


def killed_through(crew: PaidCrew, people: PayingPeople, kills: int, chance: random.Random) -> Counter[str]:
    """Place everything and answer what is heard, while somebody kills a process again and again."""
    victims, deck = Counter[str](), list[str]()
    per_kill = max(1, len(people.to_place) // kills)
    with conclusions(crew) as listen:
        while people.to_place or victims.total() < kills:
            people.place_some(per_kill)
            end = time.monotonic() + chance.uniform(0.3, KILL_EVERY_S)
            while time.monotonic() < end:
                listen(people)
                people.act()
            deck = deck or chance.sample(VICTIMS, len(VICTIMS))
            victim = deck.pop()
            crew.kill(victim)
            victims[victim] += 1
            crew.begin(victim)
    crew.wait_ready()
    return victims


def settle(crew: PaidCrew, people: PayingPeople, enough: Callable[[Books], bool] = lambda _: True) -> Books:
    """Answer what is heard until two looks tell that nothing is under way."""
    began, seen = time.monotonic(), 0
    ledger = LedgerFile(crew.ledger)
    with conclusions(crew) as listen:
        while True:
            end = time.monotonic() + LOOK_SECONDS
            while time.monotonic() < end:
                listen(people)
                has_acted = people.act()
            books = Books(crew)
            left = books.open_ones(people.fates)
            is_still = has_acted and books.is_decided and not left and ledger.refresh().is_told and enough(books)
            seen = seen + 1 if is_still else 0
            if seen > 1:
                return books
            rest_s = MANY_REST_SECONDS_MAX if len(people.fates) > MANY else REST_SECONDS_MAX
            patience_s = rest_s + len(people.fates) / 10
            if time.monotonic() > began + patience_s:
                told = {order: (why, people.fates[order], told_of(crew, order)[-12:]) for order, why in left.items()}
                pytest.fail(
                    f"{has_acted} {books.is_decided} {ledger.is_told}: {told}\n{people.refused[-20:]}\n{crew.talk()}"
                )


@pytest.mark.parametrize(
    ("count", "away_s"),
    [
        (14, 6.0),
        # Longer than a call waits for its gateway where another one could be asked.
        pytest.param(120, 75.0, marks=pytest.mark.soak),
        pytest.param(1_200, 600.0, marks=pytest.mark.soak),
    ],
    ids=["some", "a-minute", "ten-minutes"],
)
def test_orders_are_taken_while_the_gateway_is_away_and_paid_by_hold_end_when_it_is_back(
    crew: PaidCrew, count: int, away_s: float
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    result = Result("the gateway is away", crew.engine.name)
    crew.restart_gateway(rate=2 * RATE)
    crew.change(payment_rate=RATE, payment_concurrency=1)
    crew.kill("payment-runner")
    crew.begin("payment-runner")
    crew.wait_ready()
    people = PayingPeople(crew, count, seed, cards=("ok",), fates=(Fate.COLLECTED,))
    people.open_store()

    crew.kill(GATEWAY)
    away = time.monotonic()
    # Spread over the absence, so that their holds end at different times.
    for number in range(count):
        people.place_some(1)
        if away_s > SHORT_S:
            time.sleep(max(0.0, away + away_s / 2 * number / count - time.monotonic()))
    crew.producer.flush()
    crew.wait(lambda: are_held(Books(crew), people), "the goods of all are held")
    time.sleep(max(0.0, away + away_s - time.monotonic()))
    held = are_held(Books(crew), people)
    crew.begin(GATEWAY)
    back = time.monotonic()
    books = settle(crew, people)

    result.count = count
    result.notes = {"away_s": away_s, "settled_s": round(time.monotonic() - back, 1)}
    result.note(count)
    assert held, "goods are held as long as the gateway is away"
    assert_payments_are_right(crew, people)
    assert all(line.state is LineState.HANDED_OVER for it in people.fates for line in books.orders[it].lines)
    ledger, holds = LedgerFile(crew.ledger).refresh(), first_holds(crew)
    ends = [holds[it.order] for it in ledger.authorisations.values() if it.order in people.fates]
    assert len(ends) == count
    assert ends == sorted(ends), "the nearest end of a hold first, as the order was placed with it"


def test_orders_go_on_while_payments_are_stopped_and_payments_while_all_others_are(crew: PaidCrew) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    crew.restart_gateway(accepted=50)
    by_card = PayingPeople(crew, BESIDE_COUNT, seed, cards=("ok", "hard"), fates=(Fate.COLLECTED,))
    at_till = PayingPeople(crew, BESIDE_COUNT, seed + 1, fates=(Fate.COLLECTED,))
    at_till.open_store()

    for name in OF_PAYMENTS:
        crew.kill(name)
    by_card.place_some(BESIDE_COUNT)
    at_till.place_some(BESIDE_COUNT, paid=False)
    with conclusions(crew) as listen:

        def all_collected() -> bool:
            listen(at_till)
            rows = Books(crew).orders
            return at_till.fates.keys() <= rows.keys() and not any(rows[it].live for it in at_till.fates)

        crew.wait(all_collected, "goods that are paid at the till are collected while payments are stopped")
    crew.wait(lambda: are_held(Books(crew), by_card), "the goods of the others are held")
    crew.wait(lambda: are_notified(crew, at_till), "customers are notified while payments are stopped")

    for name in OF_ORDERS:
        crew.kill(name)
    for name in OF_PAYMENTS:
        crew.begin(name)
    crew.wait(lambda: not open_payments(Books(crew), by_card), "payments are decided while all else is stopped")
    before = Books(crew)
    for name in OF_ORDERS:
        crew.begin(name)
    settle(crew, by_card)

    assert are_held(before, by_card), "no order has heard of it"
    assert any(it.cover.state is CoverState.AUTHORISED for it in before.payments.values())
    assert_payments_are_right(crew, by_card)


def are_held(books: Books, people: PayingPeople) -> bool:
    """Whether the goods of every order are held, and none is promised."""
    rows = [books.orders.get(it) for it in people.fates]
    return all(row is not None and {line.state for line in row.lines} == {LineState.HELD} for row in rows)


def first_holds(crew: PaidCrew) -> dict[str, int]:
    """The end of each order's hold when it was placed. Holds are prolonged while the gateway stays away."""
    events = (PAYMENT_EVENTS.decode(it.value or b"") for it in crew.read("payment-events"))
    return {it.subject: it.data.hold_until_ms for it in events if isinstance(it.data, PaymentOpened)}


def are_notified(crew: PaidCrew, people: PayingPeople) -> bool:
    """Whether notices know that all was collected."""
    rows, _ = changelog(crew, "notice-state", OrderNotices)
    notices = [[row.notice.milestone for row in rows[it].notices] for it in people.fates if it in rows]
    return len(notices) == len(people.fates) and all(Milestone.COLLECTED in it for it in notices)


def open_payments(books: Books, people: PayingPeople) -> list[str]:
    """Orders whose payment is not decided: no method approved, and there may be one that does."""
    payments = {it: books.payments.get(it) for it in people.fates}
    return [
        order
        for order, it in payments.items()
        if it is None or list(open_calls(it)) or (it.cover.state is CoverState.AUTHORISING and it.ending is None)
    ]
