"""The customers who pay in advance act when they are asked, and the clock waits only for what can still happen."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bopis.demo.clock import DayClock, OffsetClock
from bopis.demo.customers import Customers
from bopis.demo.payings import Paying
from bopis.demo.pickups import OrderedUnits, Pickup, Story
from bopis.demo.state import DemoState
from bopis.demo.tally import Tally
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.orders.events import HoldsProlonged, LinesHeld, NoticeDue, PaymentAnswered
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import CustomerRef, PayBy, PaymentState
from bopis.domain.payments.gateway import AttemptReason, Operation, PaymentMethod
from bopis.domain.payments.messages import AddMethod, RecordPaidInStore
from bopis.domain.payments.state import Attempt, AttemptState, Cover, CoverState, Payment, PaymentEnding
from bopis.wire.payments import PAYMENTS

ORDER = "N6PV4KQ2"
NOW_MS, LATER_MS = 1_800_000_000_000, 1_800_000_600_000
STAMP = Stamp(device="d", actor="", at_ms=0, recorded_at_ms=0)


class Said:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    def publish(self, topic: str, key: str, value: bytes) -> None:
        assert (topic, key) == ("payments", ORDER)
        self.bodies.append(PAYMENTS.decode(value).data)

    def flush(self) -> None: ...


class Book:
    """The payments as they are now."""

    def __init__(self, payment: Payment) -> None:
        self.payment: Payment | None = payment

    def get(self, order: str) -> Payment | None:
        return self.payment if order == ORDER else None

    def all(self) -> list[Payment]:
        return [self.payment] if self.payment else []


@pytest.fixture
def payment() -> Payment:
    """The bank wants the customer; the next deadline is the end of the challenge."""
    attempt = Attempt(
        number=1,
        method=1,
        reason=AttemptReason.FIRST,
        asked=100,
        key="k",
        since_ms=0,
        state=AttemptState.ACTION_REQUIRED,
    )
    return Payment(
        order=ORDER,
        currency="USD",
        methods=(PaymentMethod(token="tok_challenge"),),
        opened_ms=0,
        hold_until_ms=LATER_MS,
        due_ms=LATER_MS,
        attempts=(attempt,),
    )


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def customers(tmp_path: Path, payment: Payment, said: Said) -> Customers:
    """The customers of a day with one order, whose goods are held."""
    return customers_of(tmp_path, payment, said, Paying.NAMES_OTHER)


def customers_of(home: Path, payment: Payment, said: Said, paying: Paying) -> Customers:
    lines = (OrderedUnits("DAI-0001", 2),)
    bought = Pickup(order=ORDER, story=Story.COLLECTED, store="S01", place="A1", lines=lines, deeds=(), paying=paying)
    clock = OffsetClock.create(home / "clock")
    clock.set_to(NOW_MS)
    day = DayClock(opens_ms=NOW_MS, closes_ms=LATER_MS, seconds=1.0, began=0.0)
    found = Customers(DemoState(day, clock, Tally((bought,))), said, None, "demo")  # type: ignore[arg-type]  # they only publish
    found._book = Book(payment)  # type: ignore[assignment]  # in the place of the log
    found.hear(ORDER, LinesHeld(stamp=STAMP, hold="h", store="S01", lines=()))
    found.hear(ORDER, HoldsProlonged(stamp=STAMP, lines=(1,), hold_until_ms=LATER_MS))
    return found


def notice(reason: PayBy, link: str = "") -> NoticeDue:
    return NoticeDue(
        stamp=STAMP,
        order=ORDER,
        milestone=Milestone.PAYMENT_NEEDED,
        version=1,
        customer=CustomerRef(id="c", sealed=""),
        store="S01",
        lines=(),
        reason=reason.value,
        due_cents=100,
        link=link,
    )


def book_of(customers: Customers) -> Book:
    return customers._book  # type: ignore[return-value]  # see above


def test_a_payment_that_waits_for_its_customer_waits_for_the_clock(customers: Customers) -> None:
    assert customers.wait_for_clock(ORDER)
    assert customers.next_deadline_ms([ORDER, "another"]) == LATER_MS
    assert customers.are_done


@pytest.mark.parametrize(
    "change",
    [
        {"due_ms": NOW_MS},
        {"hold_until_ms": LATER_MS + 1},
        {"ending": PaymentEnding.EXHAUSTED},
        {"cover": Cover(state=CoverState.AUTHORISED)},
    ],
)
def test_what_is_due_decided_or_not_held_yet_does_not_wait_for_the_clock(
    customers: Customers, payment: Payment, change: dict[str, Any]
) -> None:
    book_of(customers).payment = replace(payment, **change)

    assert not customers.wait_for_clock(ORDER)


def test_a_call_that_is_under_way_does_not_wait_for_the_clock(customers: Customers, payment: Payment) -> None:
    asking = replace(payment.attempts[0], asking=Operation.CLOSE)
    book_of(customers).payment = replace(payment, attempts=(asking,))

    assert not customers.wait_for_clock(ORDER)
    assert not customers.are_done


def test_a_payment_that_nobody_has_seen_yet_does_not_wait_for_the_clock(customers: Customers) -> None:
    book_of(customers).payment = None

    assert not customers.wait_for_clock(ORDER)
    assert customers.next_deadline_ms([ORDER]) is None


def test_a_customer_names_another_card_once_and_is_waited_for(customers: Customers, said: Said) -> None:
    customers.hear(ORDER, notice(PayBy.LINK, "http://bank/challenge"))
    assert said.bodies == []

    customers.hear(ORDER, notice(PayBy.OTHER_METHOD))
    customers.hear(ORDER, notice(PayBy.OTHER_METHOD))

    assert [type(it) for it in said.bodies] == [AddMethod]
    assert not customers.wait_for_clock(ORDER)


def test_a_customer_who_gives_up_names_none(tmp_path: Path, payment: Payment, said: Said) -> None:
    customers = customers_of(tmp_path, payment, said, Paying.GIVES_UP)

    customers.hear(ORDER, notice(PayBy.OTHER_METHOD))

    assert said.bodies == []
    assert customers.wait_for_clock(ORDER)


def test_only_what_no_method_pays_is_paid_at_the_till(customers: Customers, said: Said) -> None:
    tally = customers._state.tally
    bought = tally.pickups[ORDER]
    assert not customers.pay_at_till(bought, NOW_MS)
    answered = PaymentAnswered(stamp=STAMP, state=PaymentState.PAY_IN_STORE, method="", cents=0, at_counter_cents=198)
    tally.payments.take(ORDER, answered)

    assert customers.pay_at_till(bought, NOW_MS)

    assert said.bodies == [RecordPaidInStore(amount=198, receipt=f"till-{ORDER}")]
    assert tally.payments.paid_at_till == {ORDER: 198}
