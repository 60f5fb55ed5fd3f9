"""A conclusion of the notices processor has one content under its id, whichever messages are repeated."""

from datetime import UTC, datetime
from typing import Any

from bopis.domain.message import Message
from bopis.domain.notices.events import DeliveryDue, NoticeOpened, ResendRefused
from bopis.domain.notices.messages import ResendNotice
from bopis.domain.notices.vocabulary import CustomerRef, Milestone
from bopis.domain.orders.events import NoticeDue
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import LineSum
from bopis.domain.values import MINUTE_MS
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from streams.engine.rows import PartitionRows
from streams.processors.notices import NoticesProcessor
from tests.services.notices.book import ORDER, START_MS
from tests.simulation.log import Kept


class Partition:
    """The processor over its rows, record by record."""

    def __init__(self) -> None:
        self.processor = NoticesProcessor()
        self.rows = PartitionRows(self.processor.decode, self.processor.encode)
        self.now_ms = START_MS
        self.offset = 0

    def take(self, value: bytes) -> list[Message]:
        """The log appends a record, and the processor concludes from it."""
        self.offset += 1
        self.now_ms += 1
        record = Kept(self.offset, self.now_ms, ORDER.encode(), value, (), self.offset)
        return [NOTICE_EVENTS.decode(it.value) for it in self.processor.handle(self.rows, record)]

    def ticks(self) -> list[bytes]:
        return [value for _, value in self.processor.tick(self.rows, self.now_ms)]


def said(data: Any, told_as: str) -> bytes:
    time = datetime.fromtimestamp(START_MS / 1000, UTC)
    return NOTICES.encode(Message(id=told_as, source="desk", time=time, subject=ORDER, data=data))


def ready() -> NoticeDue:
    return NoticeDue(
        stamp=Stamp(device="orders", actor="", at_ms=START_MS, recorded_at_ms=START_MS),
        order=ORDER,
        milestone=Milestone.READY,
        version=1,
        customer=CustomerRef(id="c", sealed="s"),
        store="S1",
        lines=(LineSum(line=1, sku="A", quantity=1),),
    )


def test_a_resend_that_was_refused_and_comes_again_once_it_can_be_done_has_another_id() -> None:
    partition = Partition()
    again = said(ResendNotice(milestone=Milestone.READY), "r1")

    [first] = partition.take(again)
    [second] = partition.take(again)
    partition.take(said(ready(), "n1"))
    third = partition.take(again)

    assert [type(it.data) for it in (first, second)] == [ResendRefused, ResendRefused]
    assert [type(it.data) for it in third] == [NoticeOpened, DeliveryDue]
    assert len({it.id for it in (first, second, *third)}) == 4
    assert {it.causation for it in (first, second, *third)} == {"desk/r1"}


def test_a_tick_of_notices_that_comes_twice_concludes_once() -> None:
    partition = Partition()
    partition.take(said(ready(), "n1"))
    partition.now_ms += 11 * MINUTE_MS
    [tick] = partition.ticks()

    unknown = partition.take(tick)
    again = partition.take(tick)

    assert [it.id.rpartition("/")[2] for it in unknown] == ["1#0"]
    assert again == []
