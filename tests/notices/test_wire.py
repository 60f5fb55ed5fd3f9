"""What orders say is what notices hear."""

from datetime import UTC, datetime

from bopis.domain.message import Message
from bopis.domain.notices.messages import LinesGone, NoticeDue
from bopis.domain.orders import outcomes
from bopis.domain.orders.terms import CustomerRef, Document, LineSum, Milestone, Proof
from bopis.domain.orders.units import Stamp
from bopis.wire.notices import NOTICES, heard
from bopis.wire.orders import ORDER_EVENTS

STAMP = Stamp(device="t", actor="", at_ms=1, recorded_at_ms=1)
LINES = (LineSum(line=2, sku="B", quantity=1), LineSum(line=1, sku="A", quantity=2))


def said(data: object) -> Message:
    message = Message(id="o#1", source="orders", time=datetime(2026, 11, 22, tzinfo=UTC), subject="O", data=data)
    return NOTICES.decode(ORDER_EVENTS.encode(message))


def test_a_notice_of_an_order_is_heard_with_everything_that_is_said() -> None:
    due = outcomes.NoticeDue(
        stamp=STAMP,
        order="O",
        milestone=Milestone.READY,
        version=3,
        customer=CustomerRef(id="c"),
        store="S1",
        lines=LINES,
        ready_by_ms=1,
        window_end_ms=2,
        answer_by_ms=3,
        reason="r",
        code_version=4,
    )

    told = heard(said(due))

    assert isinstance(told, NoticeDue)
    assert [(it.line, it.sku, it.quantity) for it in told.lines] == [(2, "B", 1), (1, "A", 2)]
    for name in set(NoticeDue.__struct_fields__) - {"lines"}:
        assert getattr(told, name) == getattr(due, name)


def test_a_hand_over_is_heard_as_lines_that_are_gone() -> None:
    given = outcomes.OrderHandedOver(
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

    assert heard(said(given)) == LinesGone(lines=(1, 2))
