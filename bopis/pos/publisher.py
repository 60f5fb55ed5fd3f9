"""`SalesPublisher`: a till's messages to the log, over kafka-python, with a durable spool by choice."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from bopis.adapters.agent_process import KafkaOptions
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.security import Security
from bopis.domain.inventory.admission import Rejected, check_plausible
from bopis.domain.inventory.messages import AgentHeartbeat, PosReturn, PosSale, Report, ReturnLine, SaleLine
from bopis.domain.inventory.outcomes import Outcome
from bopis.domain.message import Message
from bopis.domain.values import EPOCH_MS_MAX, ID_LENGTH_MAX, STORE_LENGTH_MAX, epoch_ms
from bopis.errors import BopisError
from bopis.journal.entries import Basket, fingerprint_of
from bopis.journal.journal import Journal
from bopis.journal.limits import JournalLimits
from bopis.journal.status import status_of
from bopis.names import STOCK_TOPIC
from bopis.ports import PendingDelivery, RecordMetadata
from bopis.pos.errors import BasketChanged, MessageRefused, NotDelivered, SourceInvalid
from bopis.uplink.kafka import KafkaUplink
from bopis.uplink.sender import Sender, SenderOptions
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK
from bopis.wire.text import explained

PREFIX = "bopis."
LINGER_MS = 5
CLOSE_SECONDS = 20.0
PAUSE_SECONDS_MAX = 10.0


# Called on a thread of the publisher when the log has acknowledged a message, or with the error: return quickly.
OnReport = Callable[[str, BopisError | None], None]


class PublisherOptions(Struct, frozen=True, kw_only=True):
    """Options of a publisher: the prefix of the installation's topics, TLS and login, who gets the delivery reports,
    seconds that the log may take, and seconds between heartbeats (0: none; only with a spool)."""

    prefix: str = PREFIX
    security: Security = Security()
    on_report: OnReport | None = None
    timeout_seconds: float = 30.0
    heartbeat_seconds: float = 60.0


class Delivery(Struct, frozen=True, kw_only=True):
    """One message that was published. `position` is its place in the spool, 0 without one; `is_repeat` says that the
    same message was published before."""

    id: str
    position: int = 0
    is_repeat: bool = False


class SalesPublisher:
    """Publishes what happens at one till of one store.

    The partition is chosen by construction: the key is the store, the hash Kafka's murmur2. With a `spool` (a directory
    of this till alone) `sale` returns when the sale is on the disk, and a thread sends it, however long the log is
    away; each message has the next number of the till, so a lost one would be noticed. Without a spool `sale` returns
    when the message was handed to the client; `flush` waits for the log.

    `options.on_report` is called with the id of each message that the log acknowledged or, without a spool, refused.
    Raises `SourceInvalid`; `AdapterError` when the log cannot be reached and there is no spool.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        store: str,
        source: str,
        spool: Path | str | None = None,
        options: PublisherOptions = PublisherOptions(),
    ) -> None:
        _check("store", store, STORE_LENGTH_MAX)
        _check("source", source, ID_LENGTH_MAX)
        self.store, self.source = store, source
        kafka = KafkaOptions(bootstrap=bootstrap, embedded_in=None, prefix=options.prefix, security=options.security)
        self._route: _Spooled | _Direct
        if spool is not None:
            self._route = _Spooled(Path(spool), self, kafka, options)
        else:
            self._route = _Direct(self, kafka, options)

    def sale(
        self,
        basket: str,
        lines: Mapping[str, int] | Iterable[SaleLine],
        *,
        time: datetime | None = None,
        message_id: str | None = None,
    ) -> Delivery:
        """Publish a basket: units by SKU, or lines. A quantity below zero is a sellable return.

        `time` is when it was sold, with an offset; by default now. The id is the basket's number by default: the same
        basket again counts once. Raises `MessageRefused` or `BasketChanged`, and with a spool `JournalError`.
        """
        sold = [SaleLine(sku, units) for sku, units in lines.items()] if isinstance(lines, Mapping) else lines
        return self.publish(PosSale(basket=basket, lines=tuple(sold)), message_id or basket, time=time)

    def returned(
        self, basket: str, lines: Iterable[ReturnLine], *, time: datetime | None = None, message_id: str | None = None
    ) -> Delivery:
        """Publish returned goods with their condition. Raises as `sale` does."""
        body = PosReturn(basket=basket, lines=tuple(lines))
        return self.publish(body, message_id or f"{basket}/return", time=time)

    def heartbeat(self) -> Delivery:
        """Report that the till is connected; with a spool this happens by itself."""
        now = datetime.now(UTC)
        return self.publish(AgentHeartbeat(), f"heartbeat/{now.isoformat()}", time=now)

    def publish(self, body: Report, message_id: str, *, time: datetime | None = None) -> Delivery:
        """Publish any report of the store under an id that is unique for this till. Raises as `sale` does."""
        at = time or datetime.now(UTC)
        # Sold "now" and published again is the same sale: only a stated time is a part of it.
        fingerprint = fingerprint_of(body, time or datetime.fromtimestamp(0, UTC))
        return self._route.publish(Basket(key=message_id, fingerprint=fingerprint, bodies=(body,), time=at))

    @property
    def waiting(self) -> int:
        """Messages that the log has not acknowledged yet."""
        return self._route.waiting()

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Wait until the log has acknowledged everything. Raises `NotDelivered`, or without a spool the error of the
        first message that failed."""
        self._route.flush(timeout_seconds)

    def close(self) -> None:
        """End; with a spool at once: what waits is sent when the publisher is opened again."""
        self._route.close()

    def __enter__(self) -> "SalesPublisher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Spooled:
    """Messages by way of a journal on this machine's disk."""

    def __init__(self, directory: Path, till: SalesPublisher, kafka: KafkaOptions, options: PublisherOptions) -> None:
        self._source, self._on_report = till.source, options.on_report
        self._journal = Journal(directory, till.store, JournalLimits())
        self._journal.check()
        self._outgoing = Journal(directory, till.store, JournalLimits())
        uplink = KafkaUplink(kafka, till.store, options.timeout_seconds)
        sending = SenderOptions(
            source=till.source, heartbeat_seconds=options.heartbeat_seconds, pause_seconds_max=PAUSE_SECONDS_MAX
        )
        self._reported = self._outgoing.acknowledged()
        self._sender = Sender(sending, self._outgoing, uplink, lambda *_, **__: None, self._sent)
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._sender.run, name="bopis-publisher", daemon=True)
        self._thread.start()

    def publish(self, basket: Basket) -> Delivery:
        [taken] = self._journal.take(self._source, [basket])
        match taken.outcome:
            case Outcome.REJECTED:
                raise MessageRefused(id=basket.key, cause=taken.cause)
            case Outcome.CHANGED | Outcome.WAITING:
                raise BasketChanged(id=basket.key)
        self._sender.wake()
        return Delivery(id=basket.key, position=taken.position, is_repeat=taken.outcome is Outcome.DUPLICATE)

    def waiting(self) -> int:
        return self._journal.usage().depth

    def flush(self, timeout_seconds: float) -> None:
        end = time.monotonic() + timeout_seconds
        last = self._journal.last_position()
        with self._changed:
            while self._journal.acknowledged() < last:
                left = end - time.monotonic()
                if left <= 0:
                    cause = status_of(self._journal).uplink.problem or "no answer yet"
                    raise NotDelivered(count=self.waiting(), seconds=timeout_seconds, cause=cause)
                self._changed.wait(min(left, 1.0))

    def close(self) -> None:
        self._sender.stop()
        self._thread.join(CLOSE_SECONDS)
        self._outgoing.close()
        self._journal.close()

    def _sent(self, position: int) -> None:
        if self._on_report is not None:
            for entry in self._outgoing.between(self._reported, position):
                self._on_report(STOCK.decode(entry.value).id, None)
        self._reported = max(self._reported, position)
        with self._changed:
            self._changed.notify_all()


class _Direct:
    """Messages straight to the client of the log."""

    def __init__(self, till: SalesPublisher, kafka: KafkaOptions, options: PublisherOptions) -> None:
        self._till, self._on_report = till, options.on_report
        # Acknowledged before `publish` could note that they are pending.
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._pending: dict[int, PendingDelivery] = {}
        self._number = 0
        self._publisher = LogPublisher(
            kafka.bootstrap,
            kafka.prefix,
            linger_ms=LINGER_MS,
            timeout_seconds=options.timeout_seconds,
            **kafka.security.client_options(),
        )

    def publish(self, basket: Basket) -> Delivery:
        till = self._till
        message = Message(
            id=basket.key,
            source=till.source,
            time=basket.time,
            subject=till.store,
            data=basket.bodies[0],
            seq=msgspec.UNSET,
        )
        try:
            check_plausible(message, epoch_ms(message.time), EPOCH_MS_MAX)
            value = STOCK.encode(message)
        except (WireError, Rejected) as error:
            raise MessageRefused(id=basket.key, cause=explained(str(error))) from error
        with self._lock:
            self._number += 1
            number = self._number

        def report(result: RecordMetadata | Exception) -> None:
            if isinstance(result, RecordMetadata):
                # A failed one stays, so that `flush` raises its error.
                with self._lock:
                    if self._pending.pop(number, None) is None:
                        self._early.add(number)
            if self._on_report is not None:
                self._on_report(basket.key, result if isinstance(result, BopisError) else None)

        pending = self._publisher.publish(STOCK_TOPIC, till.store, value, on_delivery=report)
        with self._lock:
            if number in self._early:
                self._early.discard(number)
            else:
                self._pending[number] = pending
        return Delivery(id=basket.key)

    def waiting(self) -> int:
        with self._lock:
            return len(self._pending)

    def flush(self, timeout_seconds: float) -> None:
        end = time.monotonic() + timeout_seconds
        with self._lock:
            pending = sorted(self._pending.items())
        for number, delivery in pending:
            try:
                delivery.wait(max(0.001, end - time.monotonic()))
            finally:
                with self._lock:
                    self._pending.pop(number, None)

    def close(self) -> None:
        self._publisher.close()


def _check(what: str, value: str, length_max: int) -> None:
    if not value or len(value) > length_max:
        raise SourceInvalid(what=what, value=value, cause=f"it must have 1 to {length_max} characters")
    if what == "store" and ("|" in value or value[0] == "@"):
        raise SourceInvalid(what=what, value=value, cause="it may not contain '|' nor start with '@'")
