"""Orders by the read side and by what the log has beyond it: as new as the log, and no record read twice."""

from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy import Engine

from bopis.domain.orders import messages as m
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.terms import By
from bopis.ports import Offsets, OrdersWanted, Record
from bopis.readside.queries.known_orders import ReadOrders
from bopis.services.counter.orderbook import STATE_TOPIC, OrderBook
from streams.changelog import Claim, Position, encode_note
from tests.domain.orders.world import S1, number
from tests.readside.orderlog import CLAIM, POSITION, OrderLog

EVERY = OrdersWanted(ended=True)


class OneLog:
    """The orders' changelog as the port shows it; it counts what is read of it."""

    def __init__(self, written: OrderLog) -> None:
        self._records = written.topics[STATE_TOPIC]
        self.read_offsets: list[int] = []

    def start_offsets(self, _: Iterable[str]) -> dict[tuple[str, int], int]:
        return {(STATE_TOPIC, 0): 0}

    def end_offsets(self, _: Iterable[str]) -> dict[tuple[str, int], int]:
        return {(STATE_TOPIC, 0): len(self._records)}

    def offsets_at(self, _: Iterable[str], at_ms: int) -> dict[tuple[str, int], int]:
        raise AssertionError("nobody asks for an instant")

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        where = (STATE_TOPIC, 0)
        for it in self._records[first[where] : end[where]]:
            self.read_offsets.append(it.offset)
            yield Record(STATE_TOPIC, 0, it.offset, it.timestamp, it.key, it.value)


def book_beyond(written: OrderLog, engine: Engine) -> tuple[OrderBook, OneLog]:
    log = OneLog(written)
    book = OrderBook(log, known=ReadOrders(engine))
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
    written.tell(m.CancelOrder(by=By.CUSTOMER), number(4))
    written.project(engine)
    written.tell(m.CancelOrder(by=By.CUSTOMER), number(2))
    written.place(5)
    return written


def test_it_answers_as_a_book_that_read_the_whole_log(written: OrderLog, engine: Engine) -> None:
    whole = OrderBook(OneLog(written))
    whole.refresh()

    book, _ = book_beyond(written, engine)

    assert same(book.find(EVERY, 10), whole.find(EVERY, 10))
    assert same(book.in_store(S1), whole.in_store(S1))
    assert [it.order for it in book.in_store(S1)]
    for wanted in (
        OrdersWanted(),
        OrdersWanted(store=S1),
        OrdersWanted(store="nowhere"),
        OrdersWanted(state=LineState.CANCELLED, ended=True),
        OrdersWanted(begin=number(3)[:3]),
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
    stand = ReadOrders(engine).stands()[0].position

    book, log = book_beyond(written, engine)
    book.refresh()

    assert log.read_offsets == list(range(stand + 1, len(written.topics[STATE_TOPIC])))
    assert log.read_offsets


def test_a_read_side_of_another_log_is_not_believed(written: OrderLog, engine: Engine) -> None:
    other = OrderLog()
    other.place(9)

    book, log = book_beyond(other, engine)

    assert [it.order for it in book.find(EVERY, 10)] == [number(9)]
    assert log.read_offsets[0] == 0


def test_a_claim_that_the_read_side_has_read_still_tells_who_lost_the_partition(
    written: OrderLog, engine: Engine
) -> None:
    claim = len(written.topics[STATE_TOPIC])
    written._put(STATE_TOPIC, CLAIM, encode_note(Claim("b", 2, 0)), 0)
    written.project(engine)
    late = Position(len(written.topics["orders"]), claim - 1)
    written._put(STATE_TOPIC, POSITION, encode_note(late), 0)
    written._put(STATE_TOPIC, number(1).encode(), b"{}", 0)

    book, _ = book_beyond(written, engine)

    found = book.get(number(1))
    assert found is not None
    assert found.state is not LineState.CANCELLED
