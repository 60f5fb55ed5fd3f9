"""Log connections for work in threads: readers with a book of orders, lent to one piece of work at a time."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bopis.adapters.log import LogReader
from bopis.errors import BopisError
from bopis.ports import OrderProjection
from bopis.services.counter.order_lookup import OrderBook
from bopis.services.payments.book import PaymentBook
from bopis.web.problems import Problem

POOL_MAX = 8
# A book keeps every row that changed since it was opened: after this it is opened anew, behind the read side.
BOOK_S_MAX = 300.0
WAIT_S_MAX = 10.0


class LogDesk:
    """One reader of the log with its books of orders and payments, as current as their last `refresh`."""

    def __init__(self, reader: LogReader, projection: OrderProjection | None) -> None:
        self.reader = reader
        self.projection = projection
        self.orders = OrderBook(reader, projection=projection)
        self.payments = PaymentBook(reader)
        self.opened = time.monotonic()


class LogPool:
    """Lends `LogDesk`s; opens them when they are needed."""

    def __init__(self, open_reader: Callable[[], LogReader], projection: Callable[[], OrderProjection | None]) -> None:
        self._open_reader = open_reader
        self._projection = projection
        self._idle: queue.LifoQueue[LogDesk | None] = queue.LifoQueue()
        for _ in range(POOL_MAX):
            self._idle.put(None)

    @contextmanager
    def desk(self) -> Iterator[LogDesk]:
        """Borrow a desk whose books are current. Raises the errors of the log; then the desk is not used again."""
        try:
            desk = self._idle.get(timeout=WAIT_S_MAX)
        except queue.Empty:
            raise Problem(503, "busy", "Too many requests read the log at a time.", retry_after_s=2) from None
        with ExitStack() as stack:
            # What is given back: nothing after an error, so that the next one opens a new connection.
            kept: list[LogDesk | None] = [None]
            stack.callback(lambda: self._idle.put(kept[0]))
            if desk is not None and time.monotonic() - desk.opened > BOOK_S_MAX:
                desk.reader.close()
                desk = None
            if desk is None:
                desk = LogDesk(self._open_reader(), self._projection())
            try:
                desk.orders.refresh()
                yield desk
            except BopisError:
                kept[0] = desk
                raise
            except BaseException:
                desk.reader.close()
                raise
            kept[0] = desk

    def close(self) -> None:
        """Close the idle connections."""
        while not self._idle.empty():
            desk = self._idle.get_nowait()
            if desk is not None:
                desk.reader.close()
