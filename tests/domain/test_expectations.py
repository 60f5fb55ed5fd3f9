"""Goods with a date: expected, received, withdrawn, overdue; and what may be promised for a later instant."""

import itertools

import pytest

from bopis.domain.inventory.availability import available_on
from bopis.domain.inventory.events import (
    ExpectationRefused,
    ReceiptDifference,
    ReceiptDiscrepancyFound,
    ReceiptOverdue,
    StockRefusal,
)
from bopis.domain.inventory.messages import (
    ExpectationWithdrawn,
    OrderLine,
    ReserveStock,
    StockExpected,
    StockLine,
    StockReceived,
    StockTick,
    TransferAnnounced,
    TransferReceived,
)
from bopis.domain.inventory.rows import Expected, Incoming, Terms, Transfer, expected_key, transfer_key
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.domain.books import NOON_MS, STORE, Shop, at, kinds


def lines(**units: int) -> tuple[StockLine, ...]:
    return tuple(StockLine(sku=sku, quantity=quantity) for sku, quantity in units.items())


def expected(hours: int = 24, **units: int) -> StockExpected:
    return StockExpected(document="PO-7", lines=lines(**units), expected_at=at(NOON_MS + hours * HOUR_MS))


def received(**units: int) -> StockReceived:
    return StockReceived(document="PO-7", lines=lines(**units))


def coming(shop: Shop) -> dict[str, int]:
    row = shop.rows.get(expected_key(STORE, "PO-7"))
    return row.lines if isinstance(row, Expected) else {}


def test_what_is_expected_is_never_promised_today() -> None:
    shop = Shop()
    shop.say(expected(hours=1, A=4))

    wanted = OrderLine(line=1, sku="A", quantity=1)
    answer = shop.say(ReserveStock(hold="h", order="o", lines=(wanted,), hold_until=at(NOON_MS + DAY_MS)))

    assert kinds(answer) == ["ReservationRefused"]
    assert shop.on_hand() == 0


def test_a_receipt_as_announced_ends_what_was_expected_and_says_nothing() -> None:
    shop = Shop()
    shop.say(expected(A=4, B=1))

    events = shop.say(received(A=4, B=1))

    assert events == []
    assert (coming(shop), shop.on_hand("A")) == ({}, 4)


def test_a_receipt_that_brings_less_or_more_says_so_and_the_rest_is_expected_no_longer() -> None:
    shop = Shop()
    shop.say(expected(A=4, B=1))

    events = shop.say(received(A=3, C=2))

    differences = (
        ReceiptDifference(sku="A", expected=4, received=3),
        ReceiptDifference(sku="B", expected=1, received=0),
        ReceiptDifference(sku="C", expected=0, received=2),
    )
    assert events == [ReceiptDiscrepancyFound(document="PO-7", lines=differences)]
    assert coming(shop) == {}


def test_a_rest_that_is_still_to_come_is_announced_anew() -> None:
    shop = Shop()
    shop.say(expected(A=4))
    shop.say(received(A=3))

    shop.say(expected(A=1))

    assert coming(shop) == {"A": 1}


def test_a_receipt_of_a_document_that_nobody_announced_leaves_nothing_to_remember() -> None:
    shop = Shop()

    shop.say(received(A=4))

    assert shop.rows.get(expected_key(STORE, "PO-7")) is None


def test_of_the_words_about_a_document_the_newest_by_its_own_time_stands_in_any_order_of_arrival() -> None:
    said = [(expected(A=2), 2), (expected(A=5, B=1), 1), (ExpectationWithdrawn(document="PO-7"), 0)]

    for order in itertools.permutations(said):
        shop = Shop()
        shop.say(expected(A=9), at_ms=NOON_MS - HOUR_MS)
        for data, minutes in order:
            shop.say(data, at_ms=NOON_MS - MINUTE_MS * (3 - minutes))

        assert coming(shop) == {"A": 2}


@pytest.mark.parametrize(
    "before", [(), (expected(A=4), received(A=4)), (expected(A=4), ExpectationWithdrawn(document="PO-7"))]
)
def test_a_withdrawal_of_what_is_not_expected_is_refused_by_name(before: tuple[object, ...]) -> None:
    shop = Shop()
    for data in before:
        shop.say(data)

    events = shop.say(ExpectationWithdrawn(document="PO-7"))

    assert events == [ExpectationRefused(document="PO-7", reason=StockRefusal.UNKNOWN_DOCUMENT)]


def test_what_has_not_come_in_time_is_said_to_be_overdue_once() -> None:
    shop = Shop()
    shop.say(expected(hours=1, A=4))
    shop.now_ms += HOUR_MS

    first, again = (shop.say(StockTick(at=at(shop.now_ms)), source="inventory") for _ in range(2))

    overdue = ReceiptOverdue(document="PO-7", expected_ms=NOON_MS + HOUR_MS, lines=lines(A=4))
    assert (first, again) == ([overdue], [])
    assert coming(shop) == {"A": 4}


def test_what_stays_overdue_is_forgotten_in_the_end_without_a_word() -> None:
    shop = Shop()
    shop.say(expected(hours=1, A=4))
    shop.now_ms += HOUR_MS
    shop.say(StockTick(at=at(shop.now_ms)), source="inventory")
    shop.now_ms += 200 * DAY_MS

    events = shop.say(StockTick(at=at(shop.now_ms)), source="inventory")

    assert events == []
    assert shop.rows.get(expected_key(STORE, "PO-7")) is None


def test_a_new_date_makes_overdue_goods_expected_again() -> None:
    shop = Shop()
    shop.say(expected(hours=1, A=4))
    shop.now_ms += HOUR_MS
    shop.say(StockTick(at=at(shop.now_ms)), source="inventory")

    shop.say(expected(hours=2, A=4))
    shop.now_ms += HOUR_MS
    events = shop.say(StockTick(at=at(shop.now_ms)), source="inventory")

    assert kinds(events) == ["ReceiptOverdue"]


@pytest.mark.parametrize("ending", [received(A=4), ExpectationWithdrawn(document="PO-7")])
def test_what_was_received_or_withdrawn_is_never_overdue_and_is_forgotten_in_the_end(ending: object) -> None:
    shop = Shop()
    shop.say(expected(hours=1, A=4))
    shop.say(ending)
    shop.now_ms += 200 * DAY_MS

    events = shop.say(StockTick(at=at(shop.now_ms)), source="inventory")

    assert events == []
    assert shop.rows.get(expected_key(STORE, "PO-7")) is None


def test_a_transfer_is_coming_until_it_is_complete_and_remembers_when_it_is_expected() -> None:
    shop = Shop("S2")
    when = at(NOON_MS + HOUR_MS)
    shop.say(TransferAnnounced(transfer="t1", from_store="S1", lines=lines(A=4, B=1), expected_at=when))
    row = shop.rows.get(transfer_key("S2", "t1"))
    assert isinstance(row, Transfer)
    announced = dict(row.coming)

    shop.say(TransferReceived(transfer="t1", from_store="S1", lines=lines(A=1, B=1), complete=False))
    in_part = dict(row.coming)
    shop.say(TransferReceived(transfer="t1", from_store="S1", lines=lines(A=1)))

    assert (announced, in_part, row.coming) == ({"A": 4, "B": 1}, {"A": 3}, {})
    assert row.expected_ms == NOON_MS + HOUR_MS


@pytest.mark.parametrize(
    ("hours", "units"),
    [(1, 2), (2, 7), (24, 8)],
)
def test_a_later_promise_counts_what_is_free_now_and_what_is_expected_between(hours: int, units: int) -> None:
    found = terms(on_hand=6, held=3, safety_stock=1)
    incoming = [
        Incoming(at_ms=NOON_MS + 2 * HOUR_MS, quantity=5),
        Incoming(at_ms=NOON_MS + 24 * HOUR_MS, quantity=1),
        Incoming(at_ms=NOON_MS, quantity=100),
    ]

    assert available_on(found, incoming, NOON_MS + hours * HOUR_MS, NOON_MS) == units


def test_what_is_short_on_the_books_is_refilled_before_anything_is_promised() -> None:
    incoming = [Incoming(at_ms=NOON_MS + 1, quantity=5)]

    assert available_on(terms(on_hand=-3), incoming, NOON_MS + 1, NOON_MS) == 2
    assert available_on(terms(on_hand=-7), incoming, NOON_MS + 1, NOON_MS) == 0


def terms(on_hand: int, held: int = 0, safety_stock: int = 0) -> Terms:
    return Terms(
        on_hand=on_hand,
        held=held,
        in_doubt=0,
        safety_stock=safety_stock,
        walk_in_reserve=0,
        staleness=0,
        safety_stock_rule="default",
        walk_in_reserve_rule="default",
    )
