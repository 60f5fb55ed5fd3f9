"""Consumer groups: who joins, who leads, who is fenced, and whose commits count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription
from kafka.structs import OffsetAndMetadata

from tests.contract.members import SUBSCRIPTION, MemberWire, stable_pair
from tests.contract.reading import until
from tests.engines import Engine

ILLEGAL_GENERATION, UNKNOWN_MEMBER, REBALANCING, INCONSISTENT, FENCED_INSTANCE = 22, 25, 27, 23, 82
GROUP_NOT_FOUND, NON_EMPTY = 69, 68


@pytest.fixture
def new_member(engine: Engine, group: str) -> Iterator[Callable[..., MemberWire]]:
    members: list[MemberWire] = []

    def make(instance_id: str | None = None) -> MemberWire:
        members.append(MemberWire(engine.address, group, instance_id))
        return members[-1]

    yield make
    for member in members:
        member.close()


def test_a_newcomer_starts_a_rebalance_and_the_leader_shares_out(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member(), new_member()

    leader = stable_pair(first, second)

    assert leader is first
    assert first.generation == second.generation == 2
    assert first.heartbeat() == second.heartbeat() == 0


def test_members_learn_of_a_rebalance_by_their_heartbeats(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member(), new_member()
    first.join()
    first.sync({first.member_id: b"all"})
    assert first.heartbeat() == 0

    second.name_itself()
    second.send_join()

    assert until(lambda: first.heartbeat() == REBALANCING)
    first.send_join()
    assert first.receive_join().error_code == 0
    assert second.receive_join().error_code == 0


def test_a_leaving_member_starts_a_rebalance(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member(), new_member()
    stable_pair(first, second)

    assert second.leave() == 0

    assert first.heartbeat() == REBALANCING
    assert second.heartbeat() == UNKNOWN_MEMBER
    answer = first.join()
    assert (answer.error_code, len(answer.members)) == (0, 1)


def test_a_silent_member_is_dropped_after_its_session(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member(), new_member()
    second.session_ms = 6_000
    before_its_last_word = time.monotonic()
    stable_pair(first, second)

    assert until(lambda: first.heartbeat() == REBALANCING, 60)

    assert time.monotonic() - before_its_last_word > 5.5
    assert second.heartbeat() == UNKNOWN_MEMBER


def test_a_waiting_member_is_told_when_the_leader_goes(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member(), new_member()
    leader = stable_pair(first, second)
    assert leader is first
    first.send_join()
    assert until(lambda: second.heartbeat() == REBALANCING)
    second.send_join()
    first.receive_join()
    second.receive_join()
    second.send_sync()

    assert first.leave() == 0

    assert second.receive_sync().error_code == REBALANCING


def test_commits_of_another_generation_or_member_are_refused(
    new_member: Callable[..., MemberWire], make_topic: Callable[..., str]
) -> None:
    topic, first = make_topic(), new_member()
    first.join()
    first.sync({first.member_id: b"all"})
    assert first.commit(topic, 5) == 0

    stranger = new_member()
    stranger.member_id, stranger.generation = "somebody", first.generation
    first.generation -= 1

    assert first.commit(topic, 6) == ILLEGAL_GENERATION
    assert stranger.commit(topic, 7) == UNKNOWN_MEMBER
    assert first.committed(topic) == 5


def test_consumers_without_a_common_protocol_do_not_share_a_group(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member(), new_member()
    first.join()
    first.sync({first.member_id: b"all"})
    second.protocols = [("other", SUBSCRIPTION)]

    second.send_join()

    assert second.receive_join().error_code == INCONSISTENT


def test_a_restarted_static_member_gets_its_part_without_a_rebalance(
    new_member: Callable[..., MemberWire],
) -> None:
    first, second = new_member("till-1"), new_member("till-2")
    leader = stable_pair(first, second)
    follower = second if leader is first else first

    again = new_member(follower.instance_id)
    answer = again.join()

    assert (answer.error_code, answer.generation_id) == (0, follower.generation)
    assert again.sync().assignment == b"follower's"
    assert again.member_id != follower.member_id
    assert leader.heartbeat() == again.heartbeat() == 0


def test_a_restarted_static_leader_does_not_share_out_anew(new_member: Callable[..., MemberWire]) -> None:
    first, second = new_member("till-1"), new_member("till-2")
    leader = stable_pair(first, second)

    again = new_member(leader.instance_id)
    answer = again.join()

    assert answer.error_code == 0
    assert answer.leader != again.member_id
    assert again.sync().assignment == b"leader's"


def test_the_older_of_two_processes_with_one_instance_id_is_fenced(
    new_member: Callable[..., MemberWire], make_topic: Callable[..., str]
) -> None:
    topic, old = make_topic(), new_member("till-1")
    old.join()
    old.sync({old.member_id: b"all"})

    new = new_member("till-1")
    assert new.join().error_code == 0

    assert old.heartbeat() == FENCED_INSTANCE
    assert old.commit(topic, 3) == FENCED_INSTANCE
    assert old.sync().error_code == FENCED_INSTANCE
    old.send_join()
    assert old.receive_join().error_code == FENCED_INSTANCE
    assert new.heartbeat() == 0
    assert new.commit(topic, 4) == 0


def test_kafka_python_goes_on_where_its_group_stopped(
    engine: Engine, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(2)
    producer = KafkaProducer(bootstrap_servers=engine.bootstrap)
    for number in range(100):
        producer.send(topic, b"%d" % number)
    producer.flush()
    producer.close()

    def read(count: int) -> list[bytes]:
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=engine.bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_records=10,
        )
        values: list[bytes] = []
        while len(values) < count:
            for messages in consumer.poll(timeout_ms=5_000).values():
                values += [message.value for message in messages]
        consumer.commit()
        consumer.close()
        return values

    first = read(40)
    second = read(100 - len(first))

    assert sorted(first + second) == sorted(b"%d" % number for number in range(100))


async def test_two_aiokafka_consumers_share_the_partitions_and_take_over(
    engine: Engine, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(4)

    async def start() -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=engine.bootstrap,
            group_id=group,
            heartbeat_interval_ms=200,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        return consumer

    async def settle(*consumers: AIOKafkaConsumer) -> list[int]:
        for _ in range(100):
            for consumer in consumers:
                await consumer.getmany(timeout_ms=50)
            counts = [len(consumer.assignment()) for consumer in consumers]
            if sum(counts) == 4 and min(counts) == 4 // len(consumers):
                return counts
        raise AssertionError(f"the partitions were never shared out: {counts}")

    first = await start()
    assert await settle(first) == [4]
    second = await start()
    assert await settle(first, second) == [2, 2]
    await first.stop()
    assert await settle(second) == [4]

    producer = AIOKafkaProducer(bootstrap_servers=engine.bootstrap)
    await producer.start()
    for number in range(4):
        await producer.send_and_wait(topic, b"%d" % number, partition=number)
    await producer.stop()
    seen: set[bytes] = set()
    while len(seen) < 4:
        found = await second.getmany(timeout_ms=5_000)
        assert found
        seen |= {message.value for messages in found.values() for message in messages}
    await second.stop()


def test_positions_survive_a_crash_and_members_join_again(
    engine: Engine, make_topic: Callable[..., str], new_member: Callable[..., MemberWire]
) -> None:
    topic, member = make_topic(), new_member()
    member.join()
    member.sync({member.member_id: b"all"})
    assert member.commit(topic, 42) == 0

    engine.kill()
    engine.start()

    again = new_member()
    assert again.committed(topic) == 42
    again.member_id, again.generation = member.member_id, member.generation
    known = again.heartbeat()
    # A log may remember its members (Apache Kafka does) or have them join again; it may not do both by halves.
    assert known in {0, UNKNOWN_MEMBER}
    # A group that has no members knows no generation either: Apache Kafka's own answer where it forgot the group.
    assert again.commit(topic, 43) in ({UNKNOWN_MEMBER, ILLEGAL_GENERATION} if known else {0})
    assert again.committed(topic) == (42 if known else 43)
    again.member_id = ""
    assert again.join().error_code == 0


def test_groups_are_listed_described_and_deleted(
    admin: KafkaAdminClient, new_member: Callable[..., MemberWire], make_topic: Callable[..., str], group: str
) -> None:
    topic, member = make_topic(), new_member()
    subscription = ConsumerProtocolSubscription(version=0, topics=[topic], user_data=b"").encode()
    assignment = ConsumerProtocolAssignment(version=0, assigned_partitions=[], user_data=b"").encode()
    member.protocols = [("range", subscription)]
    member.join()
    member.sync({member.member_id: assignment})
    member.commit(topic, 3)

    described = admin.describe_groups([group])[group]
    assert (described["group_state"], len(described["members"])) == ("Stable", 1)
    assert group in {row["group_id"] for row in admin.list_groups()}
    refused = admin.delete_groups([group])[group]
    member.leave()
    deleted = admin.delete_groups([group])[group]
    missing = admin.delete_groups([group])[group]

    assert "NonEmptyGroup" in str(refused)
    assert "OK" in str(deleted) or "NoError" in str(deleted), deleted
    assert "GroupIdNotFound" in str(missing)
    assert member.committed(topic) == -1


def test_positions_of_an_idle_group_can_be_set_and_forgotten(
    admin: KafkaAdminClient, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(2)
    places = [TopicPartition(topic, number) for number in range(2)]
    admin.alter_group_offsets(group, {place: OffsetAndMetadata(7, "by hand", -1) for place in places})
    before = admin.list_group_offsets({group: None})[group]

    admin.delete_group_offsets(group, places[:1])
    after = admin.list_group_offsets({group: None})[group]

    assert {place: found.offset for place, found in before.items()} == dict.fromkeys(places, 7)
    assert {place: found.offset for place, found in after.items()} == {places[1]: 7}


def test_positions_in_a_deleted_topic_are_forgotten(
    admin: KafkaAdminClient, new_member: Callable[..., MemberWire], make_topic: Callable[..., str]
) -> None:
    topic, member = make_topic(), new_member()
    assert member.commit(topic, 9) == 0

    admin.delete_topics([topic])

    assert until(lambda: member.committed(topic) == -1)
