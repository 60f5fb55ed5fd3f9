"""The judge of the demonstration sees what it is there to see."""

from datetime import UTC, datetime
from typing import Any

from bopis.demo.auditor import Auditor, Findings
from bopis.demo.report import failed_checks, latency_of
from bopis.domain.inventory.events import (
    HoldChanged,
    HoldEnd,
    ReservationRefused,
    ShortPickFound,
    StockRefusal,
    StockReserved,
)
from bopis.domain.inventory.messages import OrderLine, PosSale, ReserveStock, SaleLine, StockLine, StockReceived
from bopis.domain.message import Message

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CELL = ("S1", "LIM")


def told(message_id: str, data: Any) -> Message:
    return Message(id=message_id, source="test", time=AT, subject="S1", data=data)


def lines(units: int) -> tuple[OrderLine, ...]:
    return (OrderLine(line=1, sku="LIM", quantity=units),)


def wish(hold: str, units: int) -> Message:
    return told(f"{hold}/reserve", ReserveStock(hold=hold, order=hold, lines=lines(units), hold_until=AT))


def granted(hold: str, units: int, number: int = 0) -> Message:
    return told(f"{hold}#{number}", StockReserved(hold=hold, order=hold, lines=lines(units), hold_until_ms=0))


def ended(hold: str, units: int, end: HoldEnd) -> Message:
    return told(f"{hold}/{end}", HoldChanged(hold=hold, order=hold, end=end, lines=lines(units)))


def auditor_with(units: int, *wishes: Message) -> Auditor:
    auditor = Auditor()
    auditor.sent(told("d", StockReceived(document="d", lines=(StockLine(sku="LIM", quantity=units),))))
    for it in wishes:
        auditor.sent(it)
    return auditor


def judged(findings: Findings) -> tuple[str, ...]:
    return failed_checks(findings, gaps=0, dead_letters=0, verify="clean", late_baskets=1)


def test_an_honest_competition_is_right() -> None:
    auditor = auditor_with(3, wish("a", 2), wish("b", 2), wish("c", 1), wish("d", 2))
    refusal = ReservationRefused(hold="b", order="b", reason=StockRefusal.NOT_ENOUGH_STOCK)

    for event in (
        granted("a", 2),
        told("b#0", refusal),
        granted("c", 1),
        ended("a", 2, HoldEnd.RELEASED),
        granted("d", 2),
        ended("c", 1, HoldEnd.COLLECTED),
    ):
        auditor.received(event)
    findings = auditor.findings({CELL: 2})

    assert judged(findings) == ()
    assert (findings.granted, findings.refused, findings.active) == (3, {"not_enough_stock": 1}, 1)
    assert findings.ended == {"collected": 1, "released": 1}


def test_one_unit_promised_twice_is_seen() -> None:
    auditor = auditor_with(3, wish("a", 2), wish("b", 2))

    auditor.received(granted("a", 2))
    auditor.received(granted("b", 2))

    assert auditor.findings({CELL: 3}).oversold == 1
    assert "1 units were oversold" in judged(auditor.findings({CELL: 3}))


def test_what_was_collected_cannot_be_promised_again() -> None:
    auditor = auditor_with(2, wish("a", 2), wish("b", 1))

    auditor.received(granted("a", 2))
    auditor.received(ended("a", 2, HoldEnd.COLLECTED))
    auditor.received(granted("b", 1))

    assert auditor.findings({CELL: 0}).oversold == 1


def test_what_a_till_sold_cannot_be_promised() -> None:
    auditor = auditor_with(2, wish("a", 2))
    auditor.sent(told("s", PosSale(basket="s", lines=(SaleLine("LIM", 1),))))

    auditor.received(granted("a", 2))

    assert auditor.findings({CELL: 1}).oversold == 1


def test_an_event_that_is_told_again_counts_once() -> None:
    auditor = auditor_with(2, wish("a", 2))

    auditor.received(granted("a", 2))
    auditor.received(granted("a", 2))

    findings = auditor.findings({CELL: 2})
    assert (findings.granted, findings.oversold, findings.answered_twice) == (1, 0, 0)


def test_two_answers_none_and_two_ends_are_seen() -> None:
    auditor = auditor_with(9, wish("a", 1), wish("b", 1))

    auditor.received(granted("a", 1))
    auditor.received(granted("a", 1, number=1))
    auditor.received(ended("a", 1, HoldEnd.RELEASED))
    auditor.received(ended("a", 1, HoldEnd.EXPIRED))

    findings = auditor.findings({CELL: 9})
    assert (findings.answered_twice, findings.unanswered, findings.ended_wrongly) == (1, 1, 1)


def test_holds_of_pickup_orders_take_units_line_by_line_and_are_not_counted_as_wishes() -> None:
    auditor = auditor_with(5, wish("a", 1))
    two = (OrderLine(line=1, sku="LIM", quantity=2), OrderLine(line=2, sku="LIM", quantity=2))
    auditor.received(told("o#0", StockReserved(hold="o/1", order="o", lines=two, hold_until_ms=0)))
    auditor.received(granted("a", 1))

    auditor.received(told("o#1", HoldChanged(hold="o/1", order="o", end=HoldEnd.COLLECTED, lines=two[:1])))
    auditor.received(told("o#2", HoldChanged(hold="o/1", order="o", end=HoldEnd.RELEASED, lines=two[1:])))

    findings = auditor.findings({CELL: 3})
    assert (findings.oversold, findings.mismatches, findings.ended_wrongly) == (0, 0, 0)
    assert (findings.asked, findings.granted, findings.units_promised, findings.active) == (1, 1, 1, 1)
    assert findings.ended == {}


def test_units_that_a_pick_misses_stay_in_the_books_and_are_not_promised_again() -> None:
    auditor = auditor_with(3, wish("a", 2))
    auditor.received(told("o#0", StockReserved(hold="o/1", order="o", lines=lines(2), hold_until_ms=0)))

    auditor.received(told("o#1", ShortPickFound(hold="o/1", order="o", line=1, sku="LIM", missing=1)))
    auditor.received(told("o#2", HoldChanged(hold="o/1", order="o", end=HoldEnd.COLLECTED, lines=lines(1))))
    auditor.received(granted("a", 2))

    findings = auditor.findings({CELL: 2})
    assert (findings.mismatches, findings.ended_wrongly, findings.oversold) == (0, 0, 1)


def test_a_cell_that_differs_is_seen_on_either_side() -> None:
    auditor = auditor_with(5)

    assert auditor.findings({CELL: 5}).mismatches == 0
    assert auditor.findings({CELL: 4}).mismatches == 1
    assert auditor.findings({}).mismatches == 1
    assert auditor.findings({CELL: 5, ("S2", "X"): 1}).mismatches == 1


def test_whatever_is_wrong_is_told() -> None:
    auditor = auditor_with(1, wish("a", 1))

    found = failed_checks(auditor.findings({CELL: 1}), gaps=2, dead_letters=3, verify="1 differences", late_baskets=0)

    assert found == (
        "1 reservations were not answered",
        "2 messages are missing",
        "3 messages were parked",
        "verify: 1 differences",
        "no competition: there must be grants and refusals",
        "the offline store had no late baskets when it came back",
    )


def test_quantiles_are_those_of_the_samples() -> None:
    latency = latency_of([float(it) for it in range(1, 101)])

    assert (latency.p50, latency.p99, latency.max, latency.samples) == (50.0, 99.0, 100.0, 100)
    assert latency_of([]).samples == 0


def test_units_that_come_back_join_the_books() -> None:
    auditor = auditor_with(3)

    auditor.brought_back(*CELL, 2)

    assert auditor.findings({CELL: 5}).mismatches == 0
    assert auditor.findings({CELL: 3}).mismatches == 1
