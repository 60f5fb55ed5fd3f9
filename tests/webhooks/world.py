"""A worker of webhooks as a process of its own over a shared log, its table, and events to be delivered."""

from __future__ import annotations

import os
import signal
import time
import uuid
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from pydantic import SecretStr

from bopis.adapters.log import LogReader
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.secrets.sealing import wrap
from bopis.adapters.secrets.vault import open_vault
from bopis.adapters.webhooks.table import DeliveryPage, WebhookTable, webhooks_url
from bopis.domain.message import Message
from bopis.domain.orders import events as orders
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import EndReason, Initiator
from bopis.names import ORDER_EVENTS_TOPIC
from bopis.services.worker_reports import newest_reports
from bopis.settings import Settings
from bopis.webhooks.public_events import EventType
from bopis.webhooks.records import (
    CLOCKS_APART_MS,
    EventDelivery,
    EventSubscription,
    new_secret,
    new_subscription_id,
    rotated,
)
from bopis.wire.orders import ORDER_EVENTS
from tests.engines import Engine
from tests.engines.forks import Process, fork
from tests.webhooks.conftest import ReceiverProcess, eventually

ROOT = Path(__file__).parents[2]
STAMP = Stamp(device="d", actor="anna", at_ms=1, recorded_at_ms=1)
PARTITIONS = 3


class WebhookWorld:
    """The installation: topics, table, worker."""

    def __init__(self, engine: Engine, home: Path, receiver: ReceiverProcess) -> None:
        self.home = home
        self.receiver = receiver
        self.bootstrap = engine.bootstrap
        self.prefix = f"w{uuid.uuid4().hex[:8]}."
        self.master_key = b64encode(os.urandom(32)).decode()
        self.settings = Settings(
            data_dir=home, broker=f"kafka://{engine.bootstrap}", topic_prefix=self.prefix, partitions=PARTITIONS,
            master_key=SecretStr(self.master_key), database=f"sqlite:///{home / 'readside.sqlite3'}",
        )  # fmt: skip
        self.table = WebhookTable(webhooks_url(self.settings))
        with closing(open_vault(self.settings)) as vault:
            self.key = vault.webhook_key
        self.log = home / "worker.log"
        self.process: Process | None = None
        self.start()
        self.publisher = LogPublisher(engine.bootstrap, self.prefix, linger_ms=0, timeout_seconds=60)

    def start(self) -> None:
        """Start the worker, and wait until it reads."""
        # A worker that is killed is found by its name again, so its successor need not wait for its session.
        given = {
            "DATA_DIR": str(self.home), "BROKER": self.settings.broker, "TOPIC_PREFIX": self.prefix,
            "PARTITIONS": str(PARTITIONS), "MASTER_KEY": self.master_key, "DATABASE": self.settings.database,
            "WEBHOOK_PRIVATE_ADDRESSES": "true", "WEBHOOK_TIMEOUT_SECONDS": "20", "INSTANCE": "webhooks-1",
            "LOG_LEVEL": "info",
        }  # fmt: skip
        environment = {**os.environ, **{f"BOPIS_{name}": value for name, value in given.items()}}
        before = self.log.read_text().count("worker.ready") if self.log.exists() else 0
        with self.log.open("ab") as sink:
            words = ["streams", "worker", "webhooks"]
            self.process = fork(words, stdout=sink, stderr=sink, cwd=self.home, env=environment)
        eventually(lambda: self.log.read_text().count("worker.ready") > before or self._has_ended(), 120)

    def _has_ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3_000:]
        return False

    def kill(self) -> None:
        """End the worker at once."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def close(self) -> None:
        """Stop everything."""
        self.kill()
        self.publisher.close()
        self.table.close()

    def issues(self) -> list[str]:
        """What the worker reports as wrong."""
        with LogReader(self.bootstrap, self.prefix) as reader:
            return [issue.text for it in newest_reports(reader) for issue in it.report.issues]

    def subscribe(self, path: str, *types: EventType, **fields: Any) -> tuple[str, EventSubscription]:
        """A subscription of the receiver at a path; its secret in clear text, and its record."""
        identity, (text, key), now_ms = new_subscription_id(), new_secret(), int(time.time() * 1000)
        made = EventSubscription(
            id=identity, owner="shop", url=self.receiver.url(path), types=types or (EventType.ORDER_READY,),
            created_ms=now_ms, since_ms=now_ms - CLOCKS_APART_MS, secret=wrap(self.key, identity, key),
        )  # fmt: skip
        made = replace(made, **fields)
        self.table.add(made)
        return text, made

    def rotate(self, subscription: EventSubscription) -> str:
        """A new secret beside the old one."""
        text, key = new_secret()
        changed = rotated(subscription, wrap(self.key, subscription.id, key), int(time.time() * 1000), 1)
        self.table.change(changed, "secret", "old_secret", "old_secret_until_ms")
        return text

    def emit(self, *given: tuple[str, Any]) -> None:
        """Publish events of orders: (order, event)."""
        for order, event in given:
            message = Message(id=uuid.uuid4().hex, source="orders", time=datetime.now(UTC), subject=order, data=event)
            self.publisher.publish(ORDER_EVENTS_TOPIC, order, ORDER_EVENTS.encode(message))
        self.publisher.flush(60)

    def rows(self, subscription: EventSubscription) -> list[EventDelivery]:
        """Its deliveries, the oldest first."""
        return self.table.deliveries(DeliveryPage(subscription.id, 10_000))[::-1]

    def states(self, subscription: EventSubscription) -> list[str]:
        return [it.state.value for it in self.rows(subscription)]

    def hurry(self, subscription: EventSubscription) -> None:
        """Let everything that waits for its next attempt be due now."""
        for it in self.rows(subscription):
            if it.next_ms and it.attempts:
                self.table.postpone(it, 1, it.error)


def ready(store: str = "319") -> orders.OrderReady:
    return orders.OrderReady(stamp=STAMP, store=store, lines=(1,), window_end_ms=5_000, hold_until_ms=9_000)


def cancelled() -> orders.OrderCancelled:
    return orders.OrderCancelled(stamp=STAMP, lines=(1,), by=Initiator.CUSTOMER, reason=EndReason.CUSTOMER_WISH)


def new_order() -> str:
    return uuid.uuid4().hex[:8].upper()
