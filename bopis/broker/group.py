"""A consumer group as a value that changes: its members, its generation, and what it waits for.

The rules are those of Apache Kafka's classic group protocol. Nothing here waits or looks at a clock: times come in
as arguments, answers leave through the futures that the members' requests wait on.
"""

from __future__ import annotations

import asyncio
import uuid
from enum import StrEnum

from bopis.broker.codes import Code
from bopis.broker.errors import Refused


class State(StrEnum):
    """The names are those that `describe groups` shows."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class Member:
    """One consumer in a group."""

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
        self.protocols: list[tuple[str, bytes]] = []
        self.assignment = b""
        self.deadline = 0.0
        self.joining: asyncio.Future[Joined] | None = None
        self.syncing: asyncio.Future[bytes] | None = None

    def metadata(self, protocol: str) -> bytes:
        """What the member said about itself for this protocol."""
        return next((data for name, data in self.protocols if name == protocol), b"")

    def refuse(self, code: Code) -> None:
        """Answer whatever this member waits for with an error."""
        for waiting in (self.joining, self.syncing):
            if waiting is not None and not waiting.done():
                waiting.set_exception(Refused(code))
        self.joining = self.syncing = None


class Joined:
    """The answer to a join: the generation, and for the leader everybody's metadata."""

    __slots__ = ("generation", "leader", "member_id", "members", "protocol")

    def __init__(self, group: Group, member_id: str, leader: str, members: list[Member]) -> None:
        self.generation = group.generation
        self.protocol = group.protocol
        self.leader = leader
        self.member_id = member_id
        self.members = members


class Group:
    """The members of a group and the state of their rebalance."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.EMPTY
        self.generation = 0
        self.protocol_type = ""
        self.protocol = ""
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.instances: dict[str, str] = {}
        # Ids given out to newcomers that have not come back with them yet, and until when they may.
        self.promised: dict[str, float] = {}
        self.join_deadline = 0.0

    def member(self, member_id: str, instance_id: str | None) -> Member:
        """The member, or the refusal: unknown, or replaced by a newer process with the same instance id."""
        if instance_id is not None:
            current = self.instances.get(instance_id)
            if current is not None and current != member_id:
                raise Refused(Code.FENCED_INSTANCE_ID)
            if current is None:
                raise Refused(Code.UNKNOWN_MEMBER_ID)
        found = self.members.get(member_id)
        if found is None:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        return found

    def accepts(self, protocol_type: str, protocols: list[tuple[str, bytes]]) -> bool:
        """Whether a consumer with these protocols can work with those who are here."""
        if not self.members:
            return bool(protocol_type and protocols)
        return protocol_type == self.protocol_type and bool({name for name, _ in protocols} & self._common())

    def _common(self) -> set[str]:
        sets = [{name for name, _ in member.protocols} for member in self.members.values()]
        return set.intersection(*sets) if sets else set()

    def choose_protocol(self) -> str:
        """The protocol most members prefer among those that all know; the first member's order breaks ties."""
        common = self._common()
        votes: dict[str, int] = {}
        for member in self.members.values():
            favourite = next((name for name, _ in member.protocols if name in common), None)
            if favourite is not None:
                votes[favourite] = votes.get(favourite, 0) + 1
        return max(votes, key=lambda name: votes[name]) if votes else ""

    def add(self, member: Member) -> None:
        """Take a new member in."""
        self.members[member.id] = member
        if member.instance_id is not None:
            self.instances[member.instance_id] = member.id
        self.promised.pop(member.id, None)

    def replace(self, instance_id: str, client_id: str) -> Member:
        """Give a restarted static member a new id; whoever still uses the old one is fenced."""
        old = self.members.pop(self.instances[instance_id])
        old.refuse(Code.FENCED_INSTANCE_ID)
        fresh = Member(new_member_id(instance_id), instance_id, client_id)
        fresh.protocols, fresh.assignment = old.protocols, old.assignment
        fresh.session_seconds, fresh.rebalance_seconds = old.session_seconds, old.rebalance_seconds
        if self.leader == old.id:
            self.leader = fresh.id
        self.add(fresh)
        return fresh

    def remove(self, member: Member) -> None:
        """Let a member go."""
        member.refuse(Code.UNKNOWN_MEMBER_ID)
        self.members.pop(member.id, None)
        if member.instance_id is not None and self.instances.get(member.instance_id) == member.id:
            del self.instances[member.instance_id]
        if self.leader == member.id:
            self.leader = next(iter(self.members), "")

    def prepare(self, now: float, delay_seconds: float) -> None:
        """Start a rebalance: everyone has to join again within the longest rebalance timeout."""
        if self.state == State.COMPLETING:
            for member in self.members.values():
                if member.syncing is not None and not member.syncing.done():
                    member.syncing.set_exception(Refused(Code.REBALANCE_IN_PROGRESS))
                member.syncing = None
        was_empty = self.state == State.EMPTY
        self.state = State.PREPARING
        longest = max((member.rebalance_seconds for member in self.members.values()), default=0.0)
        self.join_deadline = now + (delay_seconds if was_empty else longest)

    def all_joined(self) -> bool:
        """Whether everybody who is here or was promised an id has joined again."""
        return not self.promised and all(member.joining is not None for member in self.members.values())

    def next_generation(self, now: float) -> list[Member]:
        """End the joining: those who did not join again leave, the others get their answers. Returns who left."""
        absent = [m for m in self.members.values() if m.joining is None and m.instance_id is None]
        for member in absent:
            self.remove(member)
        if not self.members:
            self.generation += 1
            self.state, self.protocol, self.leader = State.EMPTY, "", ""
            return absent
        joined = [m for m in self.members.values() if m.joining is not None]
        if not joined:
            # Only static members that are away: wait for them until their sessions end.
            self.join_deadline = now + max(m.rebalance_seconds for m in self.members.values())
            return absent
        if self.leader not in self.members or self.members[self.leader].joining is None:
            self.leader = joined[0].id
        self.generation += 1
        self.protocol = self.choose_protocol()
        self.state = State.COMPLETING
        self.join_deadline = now + max(m.rebalance_seconds for m in self.members.values())
        self._answer_joins(joined, now)
        return absent

    def _answer_joins(self, joined: list[Member], now: float) -> None:
        everyone = list(self.members.values())
        for member in joined:
            waiting, member.joining = member.joining, None
            member.deadline = now + member.session_seconds
            if waiting is not None and not waiting.done():
                waiting.set_result(Joined(self, member.id, self.leader, everyone if member.id == self.leader else []))

    def share(self, assignments: dict[str, bytes], now: float) -> None:
        """The leader has decided: everybody who waits gets their part, and the group is stable."""
        self.state = State.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
            waiting, member.syncing = member.syncing, None
            if waiting is not None and not waiting.done():
                member.deadline = now + member.session_seconds
                waiting.set_result(member.assignment)


def new_member_id(stem: str) -> str:
    """An id that nobody had before."""
    return f"{stem or 'member'}-{uuid.uuid4()}"
