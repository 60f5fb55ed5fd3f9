"""The fenced writer against a real log."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, NotLeaderForPartitionError
from aiokafka.structs import TopicPartition

from streams.clock import system_ms
from streams.engine.batches import NO_HEADERS
from streams.engine.connection import LogConnection
from streams.engine.log_client import LATEST, LogClient
from streams.engine.processor import Output
from streams.engine.writer import PartitionWriter, in_requests
from streams.errors import CommitTooLarge, Fenced
from streams.limits import StreamLimits
from tests.streams.stream_world import PARTITIONS, World

LIMITS = StreamLimits(commit_bytes_max=100_000, output_batch_bytes_max=2_000)


@pytest.fixture
async def client(world: World, tmp_path: Path) -> AsyncIterator[LogClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.engine.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(world.topic(name), PARTITIONS, 1) for name in ("totals", "sums")])
    await admin.close()
    connection = LogConnection(
        bootstrap=world.engine.bootstrap, prefix=world.prefix, partitions=PARTITIONS, data_dir=tmp_path
    )
    client = LogClient(connection, LIMITS)
    await client.start()
    await client.watch((world.topic("totals"), world.topic("sums")))
    yield client
    await client.stop()


async def opened(client: LogClient, world: World) -> PartitionWriter:
    writer = PartitionWriter(client, world.topic("writer"), LIMITS, system_ms)
    await writer.open()
    return writer


def entries(*values: bytes) -> list[Any]:
    return [(b"k", value, NO_HEADERS) for value in values]


async def test_a_batch_is_appended_whole_and_its_offset_told(client: LogClient, world: World) -> None:
    writer, tp = await opened(client, world), TopicPartition(world.topic("totals"), 1)

    assert await writer.atomically(tp, entries(b"a", b"b")) == 0
    assert await writer.atomically(tp, entries(b"c")) == 2
    assert [record.value for record in (await world.read("totals"))[1]] == [b"a", b"b", b"c"]


async def test_nothing_of_an_older_owner_gets_in_after_a_claim(client: LogClient, world: World) -> None:
    tp = TopicPartition(world.topic("totals"), 0)
    old = await opened(client, world)
    await old.atomically(tp, entries(b"old"))
    new = await opened(client, world)
    await old.atomically(tp, entries(b"old, before the claim"))

    await new.atomically(tp, entries(b"claim"))

    with pytest.raises(Fenced):
        await old.atomically(tp, entries(b"stale"))
    with pytest.raises(Fenced):
        await old.append(tp, entries(b"stale, too"))
    assert new.epoch == old.epoch + 1
    values = [record.value for record in (await world.read("totals"))[0]]
    assert values == [b"old", b"old, before the claim", b"claim"]


async def test_an_answer_that_was_lost_on_the_way_does_not_write_twice(client: LogClient, world: World) -> None:
    writer, tp = await opened(client, world), TopicPartition(world.topic("totals"), 0)
    await writer.atomically(tp, entries(b"a"))
    ask, lost = client.to_leader, []

    async def lossy(where: TopicPartition, request: Any) -> Any:
        answer = await ask(where, request)
        if len(lost) < 2:
            lost.append(answer)
            raise KafkaConnectionError("the answer was lost")
        return answer

    client.to_leader = lossy  # type: ignore[method-assign]  # a fault, planted

    assert await writer.atomically(tp, entries(b"b", b"c")) == 1
    assert await writer.atomically(tp, entries(b"d")) == 3
    assert len(lost) == 2
    assert [record.value for record in (await world.read("totals"))[0]] == [b"a", b"b", b"c", b"d"]


async def test_a_commit_that_does_not_fit_is_refused_whole(client: LogClient, world: World) -> None:
    writer, tp = await opened(client, world), TopicPartition(world.topic("totals"), 0)

    with pytest.raises(CommitTooLarge, match="Lower `commit_rows_max`"):
        await writer.atomically(tp, entries(b"x" * 60_000, b"x" * 60_000))
    with pytest.raises(CommitTooLarge):
        await writer.atomically(tp, entries(b"x" * 120_000))
    assert await client.offset(tp, LATEST) == 0


async def test_outputs_find_the_partition_that_every_client_would_choose(client: LogClient, world: World) -> None:
    writer = await opened(client, world)
    keys = [b"key-%d" % number for number in range(40)]

    await writer.publish(Output(world.topic("sums"), key, b"x" * 200, (("name", b"value"),)) for key in keys)

    producer = await world.producer()
    for key in keys:
        await producer.send_and_wait(world.topic("sums"), b"reference", key=key)
    await producer.stop()
    found = await world.read("sums")
    for records in found.values():
        ours = [record.key for record in records if record.value != b"reference"]
        assert ours == [record.key for record in records if record.value == b"reference"]
    assert found[0][0].headers == (("name", b"value"),)


async def test_what_leaves_together_is_one_request_and_only_what_was_not_taken_is_sent_again(
    client: LogClient, world: World
) -> None:
    writer, topic = await opened(client, world), world.topic("sums")
    keys = [b"key-%d" % number for number in range(8)]
    # A log that has only just made the topic may refuse the first write to it, whatever the test does.
    await writer.publish(Output(topic, key, b"before") for key in keys)
    ask, sent = client.to_leader, []

    async def partly(where: TopicPartition, request: Any) -> Any:
        [(_, batches)] = request._topics
        sent.append([number for number, _ in batches])
        if len(sent) > 1:
            return await ask(where, request)
        taken, refused = batches[0], batches[1:]
        answer = await ask(where, writer._request({TopicPartition(topic, taken[0]): taken[1]}))
        not_leader = [(number, NotLeaderForPartitionError.errno, -1) for number, _ in refused]
        return SimpleNamespace(topics=[*answer.topics, (topic, not_leader)])

    client.to_leader = partly  # type: ignore[method-assign]  # a fault, planted
    await writer.publish(Output(topic, key, b"first") for key in keys)
    await writer.publish(Output(topic, key, b"second") for key in keys)

    assert len(sent[0]) > 1
    assert sent == [sent[0], sent[0][1:], sent[0]]
    for records in (await world.read("sums")).values():
        ours = [record.key for record in records if record.value == b"first"]
        assert [(it.key, it.value) for it in records] == [
            (k, v) for v in (b"before", b"first", b"second") for k in ours
        ]


async def test_a_stale_writer_is_fenced_whatever_leaves_together(client: LogClient, world: World) -> None:
    old, topic = await opened(client, world), world.topic("sums")
    outputs = [Output(topic, b"key-%d" % number, b"x") for number in range(8)]
    await old.publish(outputs)
    new = await opened(client, world)
    await new.publish(outputs[:1])

    with pytest.raises(Fenced):
        await old.publish(outputs)


def test_batches_go_out_in_as_few_requests_as_fit() -> None:
    built = {TopicPartition("t", number): b"x" * size for number, size in enumerate((40, 60, 1, 300, 50))}

    parts = in_requests(built, 100)

    assert [[tp.partition for tp in part] for part in parts] == [[0, 1], [2], [3], [4]]
    assert {tp: batch for part in parts for tp, batch in part.items()} == built
