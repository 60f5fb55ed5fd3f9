"""Notices read the events of orders as they were written."""

from datetime import UTC, datetime

from bopis.domain.message import Message
from bopis.domain.notices.messages import LinesEnded, NoticeLine, NoticeRequest
from bopis.domain.orders import events as order_events
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import CustomerRef, Document, LineSum, Milestone, Proof
from bopis.wire.notices import NOTICES, notice_message
from bopis.wire.orders import ORDER_EVENTS

STAMP = Stamp(device="t", actor="", at_ms=1, recorded_at_ms=1)
LINES = (LineSum(line=2, sku="B", quantity=1), LineSum(line=1, sku="A", quantity=2))
PRICED = tuple(NoticeLine(line=it.line, sku=it.sku, quantity=it.quantity, unit_cents=199) for it in LINES)


def said(data: object) -> Message:
    message = Message(id="o#1", source="orders", time=datetime(2026, 11, 22, tzinfo=UTC), subject="O", data=data)
    return NOTICES.decode(ORDER_EVENTS.encode(message))


def test_a_notice_of_an_order_is_heard_with_everything_that_is_said() -> None:
    due = order_events.NoticeDue(
        stamp=STAMP,
        order="O",
        milestone=Milestone.READY,
        version=3,
        customer=CustomerRef(id="c"),
        store="S1",
        lines=PRICED,
        ready_by_ms=1,
        window_end_ms=2,
        answer_by_ms=3,
        reason="r",
        code_version=4,
        wanted_store="S2",
        currency="USD",
        pay_in_store=True,
        offered_cents=5,
        is_last=True,
    )

    told = notice_message(said(due))

    assert isinstance(told, NoticeRequest)
    assert told.at_ms == due.stamp.at_ms
    assert [(it.line, it.sku, it.quantity, it.unit_cents) for it in told.lines] == [(2, "B", 1, 199), (1, "A", 2, 199)]
    for name in set(NoticeRequest.__struct_fields__) - {"lines", "at_ms", "missing"}:
        assert getattr(told, name) == getattr(due, name)


def test_a_hand_over_is_heard_as_lines_that_are_gone() -> None:
    given = order_events.OrderHandedOver(
        stamp=STAMP,
        store="S1",
        lines=LINES,
        collected=(),
        uncovered=(),
        proof=Proof.CODE,
        document=Document.NONE,
        to="",
        signature="",
    )

    assert notice_message(said(given)) == LinesEnded(lines=(1, 2))
