"""A member of a group: how it joins, commits, seeks, waits for more and leaves."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError, KafkaConnectionError
from aiokafka.structs import TopicPartition

from streams.engine import consumers
from streams.engine.connection import LogConnection
from streams.engine.consumers import GATHER_MS_MAX, GroupConsumer
from streams.engine.log_client import LogClient
from streams.limits import StreamLimits

TP = TopicPartition("events", 0)
QUICK = StreamLimits(retry_backoff_ms=1)


class Coordinator:
    def __init__(self) -> None:
        self._group_instance_id: str | None = "g-one"


class Fetcher:
    _fetch_min_bytes = 1
    _fetch_max_wait_ms = consumers.FETCH_WAIT_MS


class Consumer:
    """aiokafka's consumer, as far as a member uses it; `failures` starts fail."""

    failures = 0
    made: list["Consumer"]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.calls: list[Any] = []
        self._coordinator = Coordinator()
        self._fetcher = Fetcher()
        Consumer.made.append(self)

    async def start(self) -> None:
        self.calls.append("start")
        if len(Consumer.made) <= Consumer.failures:
            raise KafkaConnectionError("no log")

    async def stop(self) -> None:
        self.calls.append(("stop", self._coordinator._group_instance_id))

    def subscribe(self, topics: list[str], listener: Any) -> None:
        self.calls.append(("subscribe", topics, listener))

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if tp != TP:
            raise IllegalStateError("not assigned")
        self.calls.append(("seek", offset))

    def resume(self, tp: TopicPartition) -> None:
        self.calls.append(("resume", tp.partition))


class Listener:
    """Notes which partitions come and go."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def revoked(self) -> None:
        self.calls.append("revoked")

    def assigned(self, tps: Any) -> None:
        self.calls.append(tps)


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    Consumer.made, Consumer.failures = [], 0
    monkeypatch.setattr(consumers, "AIOKafkaConsumer", Consumer)


def member(limits: StreamLimits = QUICK, instance: str = "one", **options: Any) -> tuple[GroupConsumer, LogClient]:
    connection = LogConnection(bootstrap="127.0.0.1:1", prefix="p.", partitions=1, data_dir=Path(), instance=instance)
    return GroupConsumer("g", connection, limits, **options), LogClient(connection, limits)


async def joined(limits: StreamLimits = QUICK, **options: Any) -> tuple[GroupConsumer, Consumer, Listener]:
    group, client = member(limits, **options)
    listener = Listener()
    await group.join(client, ["p.events"], listener)
    return group, Consumer.made[-1], listener


async def test_a_member_joins_with_a_new_consumer_after_each_failure_and_subscribes_once() -> None:
    Consumer.failures = 2

    group, consumer, _ = await joined()

    assert [it.calls[:1] for it in Consumer.made] == [["start"]] * 3
    assert [it.calls[-1][0] for it in Consumer.made] == ["stop", "stop", "subscribe"]
    assert consumer.calls[-1] == ("subscribe", ["p.events"], group)


@pytest.mark.parametrize(("instance", "static"), [("one", "g-one"), ("", None)])
async def test_a_worker_with_a_name_is_a_static_member(instance: str, static: str | None) -> None:
    _, consumer, _ = await joined(instance=instance)

    assert consumer.options["group_instance_id"] == static


@pytest.mark.parametrize(("leave_on_stop", "kept"), [(True, None), (False, "g-one")])
async def test_a_static_member_leaves_for_good_unless_it_shall_keep_its_place(
    leave_on_stop: bool, kept: str | None
) -> None:
    group, consumer, _ = await joined(StreamLimits(leave_on_stop=leave_on_stop))

    await group.leave()

    assert consumer.calls[-1] == ("stop", kept)


async def test_a_member_that_never_joined_has_nothing_to_leave() -> None:
    group, _ = member()

    await group.leave()

    assert (group.is_member(), group.assignment(), Consumer.made) == (None, frozenset(), [])


async def test_the_worker_is_told_of_partitions_in_order() -> None:
    group, _, listener = await joined()

    await group.on_partitions_assigned({TopicPartition("b", 1), TopicPartition("b", 0), TopicPartition("a", 2)})
    await group.on_partitions_revoked({TP})

    assert listener.calls == [[("a", 2), ("b", 0), ("b", 1)], "revoked"]


async def test_a_seek_that_another_rebalance_has_overtaken_is_no_error() -> None:
    group, consumer, _ = await joined()

    await group.seek({TP: 7})
    await group.seek({TopicPartition("elsewhere", 0): 7})

    assert consumer.calls[-2:] == [("seek", 7), ("resume", 0)]


async def test_fetches_gather_for_a_while_and_then_return_at_the_first_byte_again() -> None:
    group, consumer, _ = await joined()
    sizes = []
    for seconds in (0.005, 10.0, 0.0):
        group.gather(seconds)
        sizes.append((consumer._fetcher._fetch_min_bytes, consumer._fetcher._fetch_max_wait_ms))

    most = QUICK.fetch_bytes_max
    assert sizes == [(most, 5), (most, GATHER_MS_MAX), (1, consumers.FETCH_WAIT_MS)]
