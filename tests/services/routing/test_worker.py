"""The routing worker as a process: killed while it answers, and nothing that was asked stays without an answer."""

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bopis.domain.message import Message
from bopis.domain.orders.events import RoutingRequested
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.messages import OrderRouted, StoreWithdrawn
from bopis.domain.orders.state import Line, LineState, Order
from bopis.domain.orders.vocabulary import Allows, CustomerRef, PaymentState
from bopis.domain.sourcing.ladder import replay
from bopis.domain.sourcing.request import Request, RequestLine
from bopis.services.store_directory import StoreRecord
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.placement import partition_of
from tests.engines import Engine
from tests.engines.forks import PIPE, Process, fork

PATIENCE_S = 240.0
PARTITIONS = 2
ORDERS_ASKED = 60


class Worker:
    """A routing worker, and a way to say and hear what its topics carry."""

    def __init__(self, bootstrap: str, home: Path) -> None:
        self._prefix = f"r{uuid.uuid4().hex[:8]}."
        self._home = home
        self._environment = {
            **os.environ,
            "BOPIS_DATA_DIR": str(home),
            "BOPIS_BROKER": f"kafka://{bootstrap}",
            "BOPIS_TOPIC_PREFIX": self._prefix,
            "BOPIS_PARTITIONS": str(PARTITIONS),
        }
        self._process: subprocess.Popen[str] | None = None
        self._others: list[subprocess.Popen[str]] = []
        self.start()
        self._producer = KafkaProducer(bootstrap_servers=bootstrap)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
        self._heard: dict[str, list[bytes]] = {}
        topics = ("orders", "dead-letters")
        self._consumer.assign([TopicPartition(self._prefix + it, p) for it in topics for p in range(PARTITIONS)])
        self._consumer.seek_to_beginning()

    def start(self) -> None:
        self._process = self._started("routing-1")

    def start_another(self) -> None:
        """A second worker of the group."""
        self._others.append(self._started("routing-2"))

    def _started(self, name: str) -> Process:
        # Under a name that lasts, a killed worker's partitions need not wait for its session to end.
        environment = self._environment | {"BOPIS_INSTANCE": name}
        with (self._home / "worker.txt").open("ab") as sink:
            process = fork(["streams", "worker", "routing", "--json"], env=environment, stdout=PIPE, stderr=sink)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline() or "{}")
        assert told.get("event") == "ready", (self._home / "worker.txt").read_text()[-3000:]
        return process

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode

    def say(self, topic: str, key: str, value: bytes) -> None:
        """A record; rows of the inventory lie in the partition of their store."""
        partition = partition_of(key.removeprefix("@store|").split("|")[0].encode(), PARTITIONS)
        self._producer.send(self._prefix + topic, key=key.encode(), value=value, partition=partition)

    def ask(self, order: str, store: str = "S1") -> None:
        """An order asks for a store."""
        line = RequestLine(line=1, sku="X", quantity=1)
        request = Request(order=order, attempt=1, lines=(line,), store=store)
        stamp = Stamp(device="t", actor="", at_ms=0, recorded_at_ms=0)
        message = Message(
            id=f"{order}#1",
            source="orders",
            time=datetime.now(UTC),
            subject=order,
            data=RoutingRequested(stamp=stamp, attempt=1, request=request),
        )
        self.say("order-events", order, ORDER_EVENTS.encode(message))

    def hear(self, topic: str, enough: Any) -> list[Any]:
        """Values of a topic, as soon as they are enough."""
        self._producer.flush()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = self._heard.get(topic, [])
            if enough(found):
                return found
            for records in self._consumer.poll(timeout_ms=200).values():
                for it in records:
                    self._heard.setdefault(it.topic.removeprefix(self._prefix), []).append(it.value)
        raise AssertionError(f"{len(found)} records on {topic} after {PATIENCE_S} s")

    def routed(self, orders: set[str]) -> list[OrderRouted]:
        """The answers on the topic ``orders``, as soon as each of these orders has one."""
        heard = self.hear("orders", lambda values: {ORDERS.decode(it).subject for it in values} >= orders)
        told = [ORDERS.decode(it).data for it in heard]
        return [it for it in told if isinstance(it, OrderRouted)]

    def until_known(self, letter: str = "P") -> None:
        """Request until the store is found: tables are read beside requests, so an earlier record may arrive later."""
        for number in range(100):
            asked = f"{letter}ROBE{number:03}"
            self.ask(asked)
            if any(it.decision.order == asked for it in self.routed({asked})):
                return
            time.sleep(0.1)
        raise AssertionError("the worker never saw the store")

    def close(self) -> None:
        for it in self._others:
            it.terminate()
            it.communicate(timeout=PATIENCE_S)
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self._producer.close()
        self._consumer.close()


@pytest.fixture
def worker(engine: Engine, tmp_path: Path) -> Iterator[Worker]:
    opened = Worker(engine.bootstrap, tmp_path)
    yield opened
    opened.close()


def test_every_request_is_answered_although_the_worker_is_killed_among_them(worker: Worker) -> None:
    worker.say("stores", "S1", msgspec.json.encode(StoreRecord(store_id="S1", name="One")))
    worker.say("inventory-levels", "S1|X", b'{"on_hand":500}')
    worker.until_known()
    numbers = [f"ORDER{number:03}" for number in range(ORDERS_ASKED)]
    worker.say("order-events", "BROKEN00", b'{"type":"bopis.orders.routing_requested.v1"}')

    for number in numbers[:20]:
        worker.ask(number)
    worker.hear("orders", lambda values: len(values) > 5)
    worker.stop(signal.SIGKILL)
    for number in numbers[20:]:
        worker.ask(number)
    worker.start()
    answers = worker.routed(set(numbers))

    served = {it.decision.order: it.decision for it in answers if it.decision.order in numbers}
    assert set(served) == set(numbers)
    assert {it.answer.assignments[0].store for it in served.values()} == {"S1"}
    assert all(replay(it) == it for it in served.values())
    assert worker.hear("dead-letters", lambda values: len(values) >= 1)[0].startswith(b'{"type"')
    assert worker.stop() == 0


def test_open_orders_of_a_store_hear_that_it_takes_no_more_pickups_also_while_routing_was_down(worker: Worker) -> None:
    order = Order(
        order="ORDER001",
        key="k",
        request="r",
        customer=CustomerRef(id="c"),
        store="S1",
        allows=Allows(),
        placed_ms=1,
        payment=PaymentState.PAY_IN_STORE,
        lines=(Line(line=1, sku="X", quantity=1, store="S1", state=LineState.PROMISED),),
    )
    worker.say("stores", "S1", msgspec.json.encode(StoreRecord(store_id="S1", name="One")))
    worker.say("order-state", "ORDER001", msgspec.json.encode(order))
    worker.stop()
    worker.say("inventory-levels", "@store|S1", b'{"pickup":false}')

    worker.start()
    heard = worker.hear("orders", lambda values: len(values) >= 1)

    assert ORDERS.decode(heard[0]).data == StoreWithdrawn(store="S1", closing=False)
    assert ORDERS.decode(heard[0]).subject == "ORDER001"


def test_two_workers_share_the_requests_and_both_know_every_store(worker: Worker) -> None:
    worker.start_another()
    worker.say("stores", "S1", msgspec.json.encode(StoreRecord(store_id="S1", name="One")))
    worker.say("inventory-levels", "S1|X", b'{"on_hand":500}')
    # Keys of both partitions: each worker has to have seen the store.
    for letter in "ABCDEFGH":
        worker.until_known(letter)
    numbers = {f"ORDER{number:03}" for number in range(30)}

    for number in sorted(numbers):
        worker.ask(number)
    answers = [it.decision.order for it in worker.routed(numbers)]

    assert sorted(it for it in answers if it in numbers) == sorted(numbers)
