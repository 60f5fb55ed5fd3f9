"""Orders by the read side and by what the log has beyond it: as new as the log, and no record read twice."""

from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy import Engine

from bopis.domain.orders import messages as m
from bopis.domain.orders.events import OrderCancelled
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.vocabulary import Initiator
from bopis.names import ORDER_STATE_TOPIC
from bopis.ports import ListKey, Offsets, OrderFilter, Record
from bopis.readside.engine import reading
from bopis.readside.queries.orders import OrdersInSql, SqlOrders
from bopis.readside.writer import Projection
from bopis.services.counter.order_history import read_order_history
from bopis.services.counter.order_lookup import OrderBook
from bopis.wire.changelog import Claim, Position, encode_note
from tests.domain.orders.world import S1, number
from tests.readside.orderlog import CLAIM, POSITION, OrderLog
from tests.readside.tables import emptied

EVERY = OrderFilter(ended=True)


class OneLog:
    """What a world of orders wrote as the port shows it; it notes what is read of it."""

    def __init__(self, written: OrderLog) -> None:
        self._topics = written.topics
        self.read_offsets: list[int] = []

    def start_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        return {(topic, 0): 0 for topic in topics}

    def end_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        return {(topic, 0): len(self._topics[topic]) for topic in topics}

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[tuple[str, int], int]:
        return {(it, 0): sum(record.timestamp < at_ms for record in self._topics[it]) for it in topics}

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        for topic, _ in first:
            for it in self._topics[topic][first[topic, 0] : end[topic, 0]]:
                self.read_offsets.append(it.offset)
                yield Record(topic, 0, it.offset, it.timestamp, it.key, it.value)


def book_beyond(written: OrderLog, engine: Engine) -> tuple[OrderBook, OneLog]:
    log = OneLog(written)
    book = OrderBook(log, projection=OrdersInSql(engine))
    book.refresh()
    return book, log


def same(left: Iterable[Order], right: Iterable[Order]) -> bool:
    return [(it.order, it.state) for it in left] == [(it.order, it.state) for it in right]


@pytest.fixture
def written(engine: Engine) -> OrderLog:
    """Four orders in the read side; then one is cancelled and a fifth is placed, in the log alone."""
    written = OrderLog()
    for n in (1, 2, 3, 4):
        written.place(n)
        written.now_ms += 1_000
    written.tell(m.CancelOrder(by=Initiator.CUSTOMER), number(4))
    written.project(engine)
    written.tell(m.CancelOrder(by=Initiator.CUSTOMER), number(2))
    written.place(5)
    return written


def test_it_answers_as_a_book_that_read_the_whole_log(written: OrderLog, engine: Engine) -> None:
    whole = OrderBook(OneLog(written))
    whole.refresh()

    book, _ = book_beyond(written, engine)

    placed_ms = written.orders.rows[number(3)].placed_ms
    assert same(book.find(EVERY, 10), whole.find(EVERY, 10))
    assert same(book.in_store(S1), whole.in_store(S1))
    assert [it.order for it in book.in_store(S1)]
    for wanted in (
        OrderFilter(),
        OrderFilter(store=S1),
        OrderFilter(store="nowhere"),
        OrderFilter(state=LineState.CANCELLED, ended=True),
        OrderFilter(prefix=number(3)[:3]),
        OrderFilter(customer="c3", ended=True),
        OrderFilter(placed_since_ms=placed_ms, ended=True),
        OrderFilter(placed_before_ms=placed_ms, ended=True),
        OrderFilter(ended=True, after=ListKey(placed_ms, number(3))),
    ):
        assert same(book.find(wanted, 10), whole.find(wanted, 10)), wanted
        assert same(book.find(wanted, 1), whole.find(wanted, 1)), wanted
    for n in range(1, 6):
        found, expected = book.get(number(n)), whole.get(number(n))
        assert found is not None
        assert expected is not None
        assert (found.order, found.state) == (expected.order, expected.state)
        assert book.named(number(n)).state is expected.state


def test_it_reads_nothing_again_that_the_read_side_has(written: OrderLog, engine: Engine) -> None:
    with reading(engine) as snapshot:
        read = SqlOrders(snapshot).changelog_positions()[0].position

    book, log = book_beyond(written, engine)
    book.refresh()

    assert log.read_offsets == list(range(read + 1, len(written.topics[ORDER_STATE_TOPIC])))
    assert log.read_offsets


def test_an_answer_is_of_one_moment_also_when_the_read_side_passes_what_was_read_of_the_log(
    written: OrderLog, engine: Engine
) -> None:
    book, _ = book_beyond(written, engine)
    for n in (5, 1):
        written.tell(m.CancelOrder(by=Initiator.CUSTOMER), number(n))
    written.project(engine)

    found, there, named = book.find(EVERY, 10), book.in_store(S1), book.named(number(5))

    whole = OrderBook(OneLog(written))
    whole.refresh()
    assert same(found, whole.find(EVERY, 10))
    assert same(there, whole.in_store(S1))
    assert named.state is LineState.CANCELLED


def test_a_read_side_that_is_rebuilt_meanwhile_is_read_behind_its_new_position(
    written: OrderLog, engine: Engine
) -> None:
    book, _ = book_beyond(written, engine)
    emptied(engine)
    records = written.topics[ORDER_STATE_TOPIC]
    Projection(engine).write(ORDER_STATE_TOPIC, 0, records[: len(records) // 2])

    found = book.find(EVERY, 10)

    whole = OrderBook(OneLog(written))
    whole.refresh()
    assert same(found, whole.find(EVERY, 10))


def test_a_read_side_of_another_log_is_not_believed(written: OrderLog, engine: Engine) -> None:
    other = OrderLog()
    other.place(9)

    book, log = book_beyond(other, engine)

    assert [it.order for it in book.find(EVERY, 10)] == [number(9)]
    assert log.read_offsets[0] == 0


def test_a_claim_that_the_read_side_has_read_still_tells_who_lost_the_partition(
    written: OrderLog, engine: Engine
) -> None:
    claim = len(written.topics[ORDER_STATE_TOPIC])
    written._put(ORDER_STATE_TOPIC, CLAIM, encode_note(Claim("b", 2, 0)), 0)
    written.project(engine)
    late = Position(len(written.topics["orders"]), claim - 1)
    written._put(ORDER_STATE_TOPIC, POSITION, encode_note(late), 0)
    written._put(ORDER_STATE_TOPIC, number(1).encode(), b"{}", 0)

    book, _ = book_beyond(written, engine)

    found = book.get(number(1))
    assert found is not None
    assert found.state is not LineState.CANCELLED


def test_the_story_of_an_order_is_read_where_it_stands_and_from_what_came_since(
    written: OrderLog, engine: Engine
) -> None:
    for n in range(6, 60):
        written.place(n)
    order = written.orders.rows[number(2)]
    whole, beyond = OneLog(written), OneLog(written)

    expected = read_order_history(whole, order)
    found = read_order_history(beyond, order, OrdersInSql(engine))

    assert found == expected
    assert [type(it.data) for it in found.events].count(OrderCancelled) == 1
    written.project(engine)
    again = OneLog(written)
    assert read_order_history(again, order, OrdersInSql(engine)) == expected
    assert len(again.read_offsets) < len(beyond.read_offsets) < len(whole.read_offsets)
