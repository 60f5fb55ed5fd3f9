"""Goods with a date: orders wait for what is expected in time, and are served when it comes."""

from datetime import UTC, datetime

from bopis.domain.inventory.messages import (
    ExpectationWithdrawn,
    StockExpected,
    StockLine,
    StockReceived,
    TransferShipped,
)
from bopis.domain.orders.messages import CancelOrder
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Initiator
from bopis.domain.sourcing.decision import RoutingOutcome, Rung
from bopis.domain.values import HOUR_MS
from tests.services.routing.bus import NOON_MS, Bus

LINES = (StockLine(sku="X", quantity=3),)
OTHER = (StockLine(sku="Y", quantity=3),)


def at(hours: int) -> datetime:
    return datetime.fromtimestamp((NOON_MS + hours * HOUR_MS) / 1000, UTC)


def expecting(hours: int) -> Bus:
    bus = Bus()
    bus.open_store("S1")
    bus.tell_stock("S1", StockExpected(document="PO-7", lines=LINES, expected_at=at(hours)))
    return bus


def test_an_order_waits_for_a_document_and_is_promised_when_it_is_received() -> None:
    bus = expecting(hours=24)

    bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)
    [decision] = bus.decisions()
    bus.tell_stock("S1", StockReceived(document="PO-7", lines=LINES))

    assert (decision.answer.rung, decision.answer.outcome) == (Rung.LATER, RoutingOutcome.WAITING)
    assert decision.answer.assignments[0].stock_from_ms == NOON_MS + 24 * HOUR_MS
    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_what_was_withdrawn_or_received_is_expected_no_longer() -> None:
    for ended in (ExpectationWithdrawn(document="PO-7"), StockReceived(document="PO-7", lines=OTHER)):
        bus = expecting(hours=24)
        bus.tell_stock("S1", ended)

        bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)
        [decision] = bus.decisions()

        assert decision.answer.outcome is RoutingOutcome.REFUSED


def test_what_is_overdue_counts_for_nothing_until_a_new_date_is_said() -> None:
    bus = expecting(hours=1)
    bus.now_ms += 2 * HOUR_MS

    bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)
    bus.tell_stock("S1", StockExpected(document="PO-7", lines=LINES, expected_at=at(5)))
    bus.place("BBBBBBB2", "S1", {"X": 2}, later=True)

    assert [it.answer.outcome for it in bus.decisions()] == [RoutingOutcome.REFUSED, RoutingOutcome.WAITING]


def test_a_transfer_with_a_date_is_expected_by_it_whatever_the_rules_say() -> None:
    bus = Bus()
    for store in ("S1", "S2"):
        bus.open_store(store)
    bus.receive("S2", "X", 3)
    bus.tell_stock("S2", TransferShipped(transfer="T1", to_store="S1", lines=LINES, expected_at=at(6)))

    bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)
    [decision] = bus.decisions()

    assert decision.answer.assignments[0].stock_from_ms == NOON_MS + 6 * HOUR_MS


def test_what_comes_is_for_those_who_waited_before_and_no_unit_of_it_is_told_to_two() -> None:
    bus = expecting(hours=24)

    bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)
    bus.place("AAAAAAA2", "S1", {"X": 2}, later=True)
    bus.place("AAAAAAA3", "S1", {"X": 1}, later=True)
    told = [it.answer.outcome for it in bus.decisions()]
    bus.tell_stock("S1", StockReceived(document="PO-7", lines=LINES))

    assert told == [RoutingOutcome.WAITING, RoutingOutcome.REFUSED, RoutingOutcome.WAITING]
    assert bus.lines("AAAAAAA1") == bus.lines("AAAAAAA3") == {"S1": LineState.PROMISED}


def test_an_order_that_ended_waits_for_nothing() -> None:
    bus = expecting(hours=24)
    bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)

    bus.tell_order("AAAAAAA1", CancelOrder(by=Initiator.CUSTOMER))
    bus.place("AAAAAAA2", "S1", {"X": 3}, later=True)

    assert bus.decisions()[-1].answer.outcome is RoutingOutcome.WAITING
