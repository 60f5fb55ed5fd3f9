"""The notices processor and the notifier as processes over a real log, a real mail server, and who asks for notices."""

import json
import os
import time
import uuid
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pydantic import SecretStr

from bopis.adapters.secrets.vault import open_vault
from bopis.domain.message import Message
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.vocabulary import Channel, CustomerRef, DeliveryState, Milestone
from bopis.domain.orders.events import NoticeDue
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.vocabulary import LineSum
from bopis.services.store_directory import StoreRecord
from bopis.settings import Settings
from bopis.wire.notices import NOTICES
from tests.engines.forks import PIPE, Process, fork
from tests.services.notices.post import Mailbox

PATIENCE_S = 300.0
PARTITIONS = 2
NAMES = ("notices", "notifier")


class Floor:
    """Two workers, their log and their mail server; every order has a customer of its own."""

    def __init__(self, bootstrap: str, home: Path, box: Mailbox, **settings: str) -> None:
        self.prefix = f"n{uuid.uuid4().hex[:8]}."
        self.home = home
        self.box = box
        key = b64encode(os.urandom(32)).decode()
        keys = f"sqlite:///{home / 'keys.sqlite3'}"
        self.vault = open_vault(Settings(data_dir=home, master_key=SecretStr(key), keys_database=keys))
        self._environment = {
            **os.environ,
            "BOPIS_DATA_DIR": str(home),
            "BOPIS_BROKER": f"kafka://{bootstrap}",
            "BOPIS_TOPIC_PREFIX": self.prefix,
            "BOPIS_PARTITIONS": str(PARTITIONS),
            "BOPIS_MASTER_KEY": key,
            "BOPIS_KEYS_DATABASE": keys,
            "BOPIS_SMTP_HOST": "127.0.0.1",
            "BOPIS_SMTP_PORT": str(box.port),
            "BOPIS_SMTP_SECURITY": "none",
            "BOPIS_NOTICE_QUIET_HOURS": "",
            **{f"BOPIS_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: dict[str, Process] = {}
        self.producer = KafkaProducer(bootstrap_servers=bootstrap)
        self._bootstrap = bootstrap

    def start(self, *names: str) -> None:
        """Start workers and wait until they are ready."""
        for name in names:
            words = ["streams", "worker", name, "--json"]
            environment = self._environment | {"BOPIS_INSTANCE": f"{name}-1"}
            with (self.home / f"{name}.txt").open("ab") as sink:
                self.processes[name] = fork(words, env=environment, stdout=PIPE, stderr=sink)
        for name in names:
            said = self.processes[name].stdout
            assert said is not None
            told = json.loads(said.readline() or "{}")
            assert told.get("event") == "ready", (self.home / f"{name}.txt").read_text()[-3000:]

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.communicate(timeout=PATIENCE_S)

    def stop(self, name: str) -> int:
        process = self.processes.pop(name)
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        return process.returncode

    def talk(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.home.glob("*.txt")))

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.producer.close()
        self.vault.close()

    def due(self, order: str, milestone: Milestone = Milestone.READY, channel: Channel = Channel.EMAIL) -> None:
        """Orders say that a customer is to be told."""
        now_ms = int(time.time() * 1000)
        sealed = self.vault.seal(order, {"name": f"Customer of {order}", "email": f"{order.lower()}@example.org"})
        due = NoticeDue(
            stamp=Stamp(device="t", actor="", at_ms=now_ms, recorded_at_ms=now_ms),
            order=order,
            milestone=milestone,
            version=1,
            customer=CustomerRef(id=order, language="en", channels=(channel,), sealed=sealed),
            store="S1",
            lines=(LineSum(line=1, sku="A", quantity=1),),
            window_end_ms=now_ms + 72 * 3_600_000,
            code_version=1,
        )
        self.say(order, due, f"{order}/{milestone.value}")

    def say(self, order: str, data: Any, told_as: str) -> None:
        message = Message(id=told_as, source="orders", time=datetime.now(UTC), subject=order, data=data)
        self.producer.send(self.prefix + "notices", key=order.encode(), value=NOTICES.encode(message))

    def describe_store(self) -> None:
        store = StoreRecord(store_id="S1", name="Main Street", city="Springfield", time_zone="America/Chicago")
        self.producer.send(self.prefix + "stores", key=b"S1", value=msgspec.json.encode(store))
        self.producer.flush()

    def repeat_events(self) -> None:
        """Say everything on the topic of conclusions once more, as a writer does that was killed before a commit."""
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None, auto_offset_reset="earliest")
        try:
            tps = [TopicPartition(self.prefix + "notice-events", number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            consumer.seek_to_beginning()
            ends, found = consumer.end_offsets(tps), []
            while any(consumer.position(tp) < ends[tp] for tp in tps):
                for records in consumer.poll(timeout_ms=200).values():
                    found += records
            for it in found:
                self.producer.send(it.topic, partition=it.partition, key=it.key, value=it.value)
            self.producer.flush()
        finally:
            consumer.close()

    def rows(self) -> dict[str, OrderNotices]:
        """Notices as the changelog tells them."""
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None, auto_offset_reset="earliest")
        try:
            tps = [TopicPartition(self.prefix + "notice-state", number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            consumer.seek_to_beginning()
            ends, found = consumer.end_offsets(tps), {}
            while any(consumer.position(tp) < ends[tp] for tp in tps):
                for records in consumer.poll(timeout_ms=200).values():
                    for it in records:
                        if it.value is not None and it.key[0]:
                            found[it.key.decode()] = msgspec.json.decode(it.value, type=OrderNotices)
            return found
        finally:
            consumer.close()

    def states(self) -> dict[str, DeliveryState]:
        return {
            it.ref(d.channel).key(order): d.state
            for order, row in self.rows().items()
            for it in row.notices
            for d in it.deliveries
        }

    def until(self, enough: Any) -> dict[str, DeliveryState]:
        """The states, as soon as they are enough."""
        end = time.monotonic() + PATIENCE_S
        self.producer.flush()
        while True:
            states = self.states()
            if enough(states):
                return states
            assert time.monotonic() < end, f"{Counter(states.values())}\n{self.talk()}"
            time.sleep(0.3)

    def mails(self) -> Counter[str]:
        """How often each mail reached the server, by its id."""
        return Counter(str(mail["Message-ID"]) for mail in self.box.mails)
