"""A consumer group: its members, its generation, and the state of its rebalance.

The rules are those of Apache Kafka's classic group protocol. Nothing here waits or reads a clock: times are arguments,
results go to the futures on which the members' requests wait.
"""

from __future__ import annotations

import asyncio
import uuid
from enum import StrEnum
from typing import NamedTuple

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused


class GroupState(StrEnum):
    """The states, with the names that `kafka-consumer-groups --describe` shows."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class MemberProtocol(NamedTuple):
    """An assignment strategy that a member supports, with its subscription in the form of that strategy."""

    name: str
    metadata: bytes


class Member:
    """One consumer in a group. `joining` and `syncing` are its requests that wait for the others."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "deadline",
        "id",
        "instance_id",
        "joining",
        "protocols",
        "rebalance_seconds",
        "session_seconds",
        "syncing",
    )

    def __init__(self, identity: str, instance_id: str | None, client_id: str) -> None:
        self.id = identity
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = "/127.0.0.1"
        self.session_seconds = 10.0
        self.rebalance_seconds = 60.0
        self.protocols: list[MemberProtocol] = []
        self.assignment = b""
        self.deadline = 0.0
        self.joining: asyncio.Future[JoinResult] | None = None
        self.syncing: asyncio.Future[bytes] | None = None

    def metadata(self, protocol: str) -> bytes:
        """The member's metadata for a protocol, empty when it does not support that."""
        return next((it.metadata for it in self.protocols if it.name == protocol), b"")

    def refuse(self, code: ErrorCode) -> None:
        """Answer the waiting requests of this member with an error."""
        for waiting in (self.joining, self.syncing):
            if waiting is not None and not waiting.done():
                waiting.set_exception(Refused(code))
        self.joining = self.syncing = None


class JoinResult:
    """The response to a join: the generation, and for the leader all members with their metadata."""

    __slots__ = ("generation", "leader", "member_id", "members", "protocol")

    def __init__(self, group: Group, member_id: str, leader: str, members: list[Member]) -> None:
        self.generation = group.generation
        self.protocol = group.protocol
        self.leader = leader
        self.member_id = member_id
        self.members = members


class Group:
    """The members of a group and the state of their rebalance. Times are those of the event loop, in seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = GroupState.EMPTY
        self.generation = 0
        self.protocol_type = ""
        self.protocol = ""
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.instances: dict[str, str] = {}
        # Ids that were given to newcomers, and until when they may join with them.
        self.pending: dict[str, float] = {}
        self.join_deadline = 0.0

    def member(self, member_id: str, instance_id: str | None) -> Member:
        """The member. Raises `Refused`: unknown, or fenced by a newer process with the same instance id."""
        if instance_id is not None:
            current = self.instances.get(instance_id)
            if current is not None and current != member_id:
                raise Refused(ErrorCode.FENCED_INSTANCE_ID)
            if current is None:
                raise Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        member = self.members.get(member_id)
        if member is None:
            raise Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        return member

    def accepts(self, protocol_type: str, protocols: list[MemberProtocol]) -> bool:
        """Whether a consumer with these protocols shares one with all members."""
        if not self.members:
            return bool(protocol_type and protocols)
        return protocol_type == self.protocol_type and bool({it.name for it in protocols} & self._common())

    def _common(self) -> set[str]:
        sets = [{it.name for it in member.protocols} for member in self.members.values()]
        return set.intersection(*sets) if sets else set()

    def choose_protocol(self) -> str:
        """The protocol that most members prefer among those that all support; the first member's order breaks ties."""
        common = self._common()
        votes: dict[str, int] = {}
        for member in self.members.values():
            favourite = next((it.name for it in member.protocols if it.name in common), None)
            if favourite is not None:
                votes[favourite] = votes.get(favourite, 0) + 1
        return max(votes, key=lambda name: votes[name]) if votes else ""

    def add(self, member: Member) -> None:
        """Add a member."""
        self.members[member.id] = member
        if member.instance_id is not None:
            self.instances[member.instance_id] = member.id
        self.pending.pop(member.id, None)

    def replace(self, instance_id: str, client_id: str) -> Member:
        """Give a restarted static member a new id, which fences the process that has the old one."""
        old = self.members.pop(self.instances[instance_id])
        old.refuse(ErrorCode.FENCED_INSTANCE_ID)
        fresh = Member(new_member_id(instance_id), instance_id, client_id)
        # The assignment stays, so that a stable group need not rebalance.
        fresh.protocols, fresh.assignment = old.protocols, old.assignment
        fresh.session_seconds, fresh.rebalance_seconds = old.session_seconds, old.rebalance_seconds
        if self.leader == old.id:
            self.leader = fresh.id
        self.add(fresh)
        return fresh

    def remove(self, member: Member) -> None:
        """Remove a member; another one becomes leader if it was."""
        member.refuse(ErrorCode.UNKNOWN_MEMBER_ID)
        self.members.pop(member.id, None)
        if member.instance_id is not None and self.instances.get(member.instance_id) == member.id:
            del self.instances[member.instance_id]
        if self.leader == member.id:
            self.leader = next(iter(self.members), "")

    def prepare(self, now: float, delay_seconds: float) -> None:
        """Start a rebalance: all members have to join again within the longest rebalance timeout."""
        if self.state == GroupState.COMPLETING:
            # Members that wait for an assignment would wait for one of a generation that has ended.
            for member in self.members.values():
                if member.syncing is not None and not member.syncing.done():
                    member.syncing.set_exception(Refused(ErrorCode.REBALANCE_IN_PROGRESS))
                member.syncing = None
        # The delay lets the first members of a group join together; later ones are waited for anyway.
        was_empty = self.state == GroupState.EMPTY
        self.state = GroupState.PREPARING
        longest = max((member.rebalance_seconds for member in self.members.values()), default=0.0)
        self.join_deadline = now + (delay_seconds if was_empty else longest)

    def all_joined(self) -> bool:
        """Whether all members, and all newcomers with an id, have joined."""
        return not self.pending and all(member.joining is not None for member in self.members.values())

    def next_generation(self, now: float) -> list[Member]:
        """End the joining phase: remove the members that did not join, answer the others. Returns the removed ones."""
        # A static member keeps its place until its session expires (KIP-345).
        absent = [m for m in self.members.values() if m.joining is None and m.instance_id is None]
        for member in absent:
            self.remove(member)
        if not self.members:
            # A new generation, too: it fences late commits of the members that left.
            self.generation += 1
            self.state, self.protocol, self.leader = GroupState.EMPTY, "", ""
            return absent
        joined = [m for m in self.members.values() if m.joining is not None]
        if not joined:
            # Only static members, which are restarting: wait for them until their sessions expire.
            self.join_deadline = now + max(m.rebalance_seconds for m in self.members.values())
            return absent
        if self.leader not in self.members or self.members[self.leader].joining is None:
            self.leader = joined[0].id
        self.generation += 1
        self.protocol = self.choose_protocol()
        self.state = GroupState.COMPLETING
        self.join_deadline = now + max(m.rebalance_seconds for m in self.members.values())
        self._answer_joins(joined, now)
        return absent

    def _answer_joins(self, joined: list[Member], now: float) -> None:
        members = list(self.members.values())
        for member in joined:
            waiting, member.joining = member.joining, None
            member.deadline = now + member.session_seconds
            if waiting is not None and not waiting.done():
                waiting.set_result(
                    JoinResult(self, member.id, self.leader, members if member.id == self.leader else [])
                )

    def assign(self, assignments: dict[str, bytes], now: float) -> None:
        """Answer the waiting members with the leader's assignments; the group is stable from now on."""
        self.state = GroupState.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
            waiting, member.syncing = member.syncing, None
            if waiting is not None and not waiting.done():
                member.deadline = now + member.session_seconds
                waiting.set_result(member.assignment)


def new_member_id(stem: str) -> str:
    """A unique member id that begins with `stem`."""
    return f"{stem or 'member'}-{uuid.uuid4()}"
