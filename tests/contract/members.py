"""A group member that does one step of the group protocol at a time."""

from __future__ import annotations

from typing import Any

from kafka.protocol.consumer import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from tests.contract.reading import until
from tests.engines.wire import Wire

MEMBER_ID_REQUIRED = 79
REBALANCING = 27
# Apache Kafka reads what members say about their topics, so it must be well-formed.
SUBSCRIPTION = ConsumerProtocolSubscription(version=0, topics=[], user_data=b"").encode()


class MemberWire:
    """One member with a connection of its own."""

    def __init__(self, address: tuple[str, int], group: str, instance_id: str | None = None) -> None:
        self.wire = Wire(address)
        self.group = group
        self.instance_id = instance_id
        self.member_id = ""
        self.generation = -1
        self.session_ms = 10_000
        self.protocols = [("range", SUBSCRIPTION)]

    def send_join(self) -> None:
        protocol = JoinGroupRequest.JoinGroupRequestProtocol
        self.wire.send(
            JoinGroupRequest(
                version=5,
                group_id=self.group,
                session_timeout_ms=self.session_ms,
                rebalance_timeout_ms=10_000,
                member_id=self.member_id,
                group_instance_id=self.instance_id,
                protocol_type="consumer",
                protocols=[protocol(name=name, metadata=metadata) for name, metadata in self.protocols],
            )
        )

    def receive_join(self) -> Any:
        answer = self.wire.receive(JoinGroupResponse, 5)
        if answer.error_code == 0:
            self.member_id, self.generation = answer.member_id, answer.generation_id
        return answer

    def name_itself(self) -> None:
        """Ask for a member id, as a dynamic member has to."""
        self.send_join()
        answer = self.wire.receive(JoinGroupResponse, 5)
        assert answer.error_code == MEMBER_ID_REQUIRED
        self.member_id = answer.member_id

    def join(self) -> Any:
        if self.instance_id is None and not self.member_id:
            self.name_itself()
        self.send_join()
        return self.receive_join()

    def send_sync(self, assignments: dict[str, bytes] | None = None) -> None:
        part = SyncGroupRequest.SyncGroupRequestAssignment
        self.wire.send(
            SyncGroupRequest(
                version=3,
                group_id=self.group,
                generation_id=self.generation,
                member_id=self.member_id,
                group_instance_id=self.instance_id,
                assignments=[part(member_id=key, assignment=data) for key, data in (assignments or {}).items()],
            )
        )

    def receive_sync(self) -> Any:
        return self.wire.receive(SyncGroupResponse, 3)

    def sync(self, assignments: dict[str, bytes] | None = None) -> Any:
        self.send_sync(assignments)
        return self.receive_sync()

    def heartbeat(self) -> int:
        request = HeartbeatRequest(
            version=3,
            group_id=self.group,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
        )
        return int(self.wire.call(request, HeartbeatResponse).error_code)

    def commit(self, topic: str, offset: int, partition: int = 0) -> int:
        data = OffsetCommitRequest.OffsetCommitRequestTopic
        part = data.OffsetCommitRequestPartition(
            partition_index=partition, committed_offset=offset, committed_leader_epoch=-1, committed_metadata="note"
        )
        request = OffsetCommitRequest(
            version=7,
            group_id=self.group,
            generation_id_or_member_epoch=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            topics=[data(name=topic, partitions=[part])],
        )
        return int(self.wire.call(request, OffsetCommitResponse).topics[0].partitions[0].error_code)

    def committed(self, topic: str, partition: int = 0) -> int:
        data = OffsetFetchRequest.OffsetFetchRequestTopic
        request = OffsetFetchRequest(
            version=5, group_id=self.group, topics=[data(name=topic, partition_indexes=[partition])]
        )
        return int(self.wire.call(request, OffsetFetchResponse).topics[0].partitions[0].committed_offset)

    def leave(self) -> int:
        member = LeaveGroupRequest.MemberIdentity(member_id=self.member_id, group_instance_id=self.instance_id)
        request = LeaveGroupRequest(version=3, group_id=self.group, members=[member])
        return int(self.wire.call(request, LeaveGroupResponse).members[0].error_code)

    def close(self) -> None:
        self.wire.__exit__(None, None, None)


def stable_pair(first: MemberWire, second: MemberWire) -> MemberWire:
    """Bring two members into one stable generation; returns the leader."""
    assert first.join().error_code == 0
    assert first.sync({first.member_id: b"all"}).error_code == 0
    if second.instance_id is None:
        second.name_itself()
    second.send_join()
    # The other connection may be slower: the first joins again only when it is told to.
    assert until(lambda: first.heartbeat() == REBALANCING)
    first.send_join()
    answers = {first: first.receive_join(), second: second.receive_join()}
    assert [answer.error_code for answer in answers.values()] == [0, 0]
    leader = next(member for member, answer in answers.items() if answer.leader == member.member_id)
    follower = second if leader is first else first
    follower.send_sync()
    assert leader.sync({leader.member_id: b"leader's", follower.member_id: b"follower's"}).error_code == 0
    assert follower.receive_sync().assignment == b"follower's"
    return leader
