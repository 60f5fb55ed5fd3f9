"""Everything that handlers need: memory that follows the log, desks, the read side, secrets, and who calls."""

import asyncio
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import anyio
from anyio import CapacityLimiter
from sqlalchemy import Engine

from bopis.access.roles import Principal
from bopis.adapters.barcodes import gtin14
from bopis.adapters.log import LogReader
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.webhooks.table import WebhookTable, webhooks_url
from bopis.ports import OpeningHours, OrderProjection, Publisher, Secrets
from bopis.readside.opening import ReadSide
from bopis.services.channels import NOTICE_REQUESTS, ORDER_REQUESTS, PAYMENT_REQUESTS, STOCK_REQUESTS
from bopis.services.checkout import Checkout
from bopis.services.counter.desk import OrderDesk
from bopis.services.counter.store_times import StoreTimes
from bopis.services.exchange import Author, Exchange, RequestChannel
from bopis.services.payments.desk import PaymentDesk
from bopis.services.progress import decided_positions
from bopis.settings import Settings
from bopis.web.access.account import AccountSignIn
from bopis.web.access.gate import Gate
from bopis.web.live.follower import Follower
from bopis.web.live.hub import Hub
from bopis.web.live.log_pool import LogDesk, LogPool
from bopis.web.live.read_side import read_side_missing
from bopis.web.live.stock import LiveStock
from bopis.web.problems import Problem
from bopis.web.rate_limits import RateLimits

CHANNELS = (STOCK_REQUESTS, ORDER_REQUESTS, PAYMENT_REQUESTS, NOTICE_REQUESTS)
THREADS_MAX = 48
Result = TypeVar("Result")
Kept = TypeVar("Kept")


class SiteParts(NamedTuple):
    """What a site is made of; `now_ms` is the clock of the log, in epoch milliseconds."""

    gate: Gate
    access: AccessTable
    secrets: Secrets
    publisher: Publisher
    open_reader: Callable[[], LogReader]
    read_side: ReadSide | None
    stock: LiveStock
    hub: Hub
    hours: OpeningHours
    now_ms: Callable[[], int]
    account: AccountSignIn | None = None


class Site:
    """The parts of one web process. Blocking work is given to `in_thread`."""

    def __init__(self, settings: Settings, parts: SiteParts) -> None:
        self.settings = settings
        self.gate = parts.gate
        self.access = parts.access
        self.secrets = parts.secrets
        self.publisher = parts.publisher
        self.stock = parts.stock
        self.hub = parts.hub
        self.hours = parts.hours
        self.account = parts.account
        # Where browsers reach this process; its own address is known when it listens.
        self.url = settings.web_url
        self.now_ms = parts.now_ms
        self.limits = RateLimits(settings.web_rate)
        self.followers: list[Follower] = []
        self._at_close: list[Callable[[], Awaitable[None]]] = []
        self._kept: dict[Callable[[Site], Any], Any] = {}
        self._read_side = parts.read_side
        self._open_reader = parts.open_reader
        self._pool = LogPool(parts.open_reader, self.projection)
        self._exchanges: dict[str, Exchange] = {}
        self._decided_before: dict[str, dict[int, int]] = {}
        self._exchange_readers: list[LogReader] = []
        self._opening = threading.Lock()
        self._threads = CapacityLimiter(THREADS_MAX)
        self._webhooks: WebhookTable | None = None

    # Time and threads

    def now(self) -> datetime:
        """The time of this site in UTC."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def author(self, principal: Principal) -> Author:
        """A caller as the author of messages."""
        return Author(principal.source, principal.name, self.now, lambda: str(uuid.uuid4()))

    async def in_thread(self, work: Callable[..., Result], *args: Any) -> Result:
        """Run blocking work in a thread."""
        return await anyio.to_thread.run_sync(lambda: work(*args), limiter=self._threads)

    def keep(self, make: "Callable[[Site], Kept]") -> "Kept":
        """What a function or class makes of this site, made at the first call."""
        if make not in self._kept:
            self._kept[make] = make(self)
        kept: Kept = self._kept[make]
        return kept

    # What follows the log

    @property
    def is_ready(self) -> bool:
        """Whether everything that follows the log has read what it had at the start."""
        return all(it.is_ready for it in self.followers)

    @property
    def failure(self) -> str:
        """The reason why the memory is not followed at the moment, after a fault; empty while it is."""
        return "; ".join(it.failure for it in self.followers if it.failure)

    @property
    def age_ms(self) -> int:
        """How long ago the memory last had everything that the log has, in milliseconds."""
        return max((it.lag_ms() for it in self.followers), default=0)

    def require_ready(self) -> None:
        """Raise `Problem` while the memory is not loaded: an answer would be half of the truth."""
        if not self.is_ready:
            raise Problem(503, "not-ready", "The tables are being read; try again in some seconds.", retry_after_s=2)

    def times(self, store: str = "") -> StoreTimes:
        """The clocks of all stores; times that name no store are on the clock of this one."""
        return StoreTimes(self.stock.store_labels().zones, store, (store,) if store else ())

    # Blocking work: call these in a thread

    def desk(self) -> AbstractContextManager[LogDesk]:
        """A reader of the log with current books of orders."""
        return self._pool.desk()

    def projection(self) -> OrderProjection | None:
        """The orders of the read side; None where there is none now."""
        return self._read_side.projection() if self._read_side is not None else None

    def engine(self) -> Engine:
        """The read side. Raises `Problem` where there is none now."""
        engine = self._read_side.engine() if self._read_side is not None else None
        if engine is None:
            raise read_side_missing()
        return engine

    def webhooks(self) -> WebhookTable:
        """The table of webhooks. Raises `WebhooksUnavailable`."""
        with self._opening:
            if self._webhooks is None:
                self._webhooks = WebhookTable(webhooks_url(self.settings))
            return self._webhooks

    def order_desk(self, principal: Principal, ended: Callable[[str], str] | None = None) -> OrderDesk:
        """The order desk for a caller's commands; ``ended`` is that of `OrderDesk`."""
        return OrderDesk(self._exchange(ORDER_REQUESTS), self.author(principal), self.settings.read_wait_seconds, ended)

    def payment_desk(self, principal: Principal) -> PaymentDesk:
        """The payment desk for a caller's commands."""
        return PaymentDesk(self._exchange(PAYMENT_REQUESTS), self.author(principal), self.settings.read_wait_seconds)

    def checkout(self, principal: Principal) -> Checkout:
        """The checkout for a caller."""
        return Checkout(self.order_desk(principal), self.stock.catalogue, gtin14, self.secrets)

    def order_exchange(self) -> Exchange:
        """Requests to orders, as messages that are composed already."""
        return self._exchange(ORDER_REQUESTS)

    def stock_exchange(self) -> Exchange:
        """Requests to the inventory."""
        return self._exchange(STOCK_REQUESTS)

    def notice_exchange(self) -> Exchange:
        """Requests to the notices."""
        return self._exchange(NOTICE_REQUESTS)

    def wait_decided(self, topic: str, partition: int, offset: int) -> bool:
        """Wait until the message at a place of a topic of requests is decided. Returns whether it is in time.

        Raises `Problem` for a place that the log does not have.
        """
        channel = next(it for it in CHANNELS if it.topic == topic)
        exchange = self._exchange(channel)
        if not exchange.wait_decided(partition, offset, 0):
            with self.desk() as desk:
                if offset >= desk.reader.end_offsets([topic]).get((topic, partition), 0):
                    raise Problem(400, "position-invalid", "The log has no message at this position.")
                if topic not in self._decided_before:
                    # Read after the exchange was opened, which sees only what is decided from then on.
                    self._decided_before[topic] = decided_positions(desk.reader, channel.changelog_topic)
        if self._decided_before.get(topic, {}).get(partition, -1) >= offset:
            return True
        return exchange.wait_decided(partition, offset, self.settings.read_wait_seconds)

    def _exchange(self, channel: RequestChannel) -> Exchange:
        with self._opening:
            found = self._exchanges.get(channel.topic)
            if found is None:
                reader = self._open_reader()
                self._exchange_readers.append(reader)
                found = Exchange(channel, self.publisher, reader, self.settings.topic_prefix)
                self._exchanges[channel.topic] = found
            return found

    # Life

    def at_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close something of a piece that was made by `keep` when the site is closed."""
        self._at_close.append(close)

    async def close(self) -> None:
        """Stop following, and close connections."""
        await asyncio.gather(*(it.stop() for it in self.followers))
        for close in self._at_close:
            await close()
        self._pool.close()
        for reader in self._exchange_readers:
            reader.close()
        if self._webhooks is not None:
            self._webhooks.close()


def real_now_ms() -> int:
    """The clock of this machine in epoch milliseconds."""
    return int(time.time() * 1000)
