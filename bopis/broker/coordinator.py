"""The group coordinator: joins, syncs, heartbeats and leaves, and the clock that ends what nobody answers."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from bopis.broker.codes import Code
from bopis.broker.errors import Refused
from bopis.broker.group import Group, Joined, Member, State, new_member_id
from bopis.broker.limits import BrokerLimits

log = logging.getLogger(__name__)

_MS = 1_000
_PROMISE_SECONDS = 60.0
# A clock that stood still longer than this many ticks means that the whole process did (a suspended laptop).
_TICKS_ASLEEP = 20


class JoinWish(NamedTuple):
    """What a member asks for when it joins."""

    group: str
    member_id: str
    instance_id: str | None
    client_id: str
    protocol_type: str
    protocols: list[tuple[str, bytes]]
    session_ms: int
    rebalance_ms: int
    must_name_itself: bool


class MemberKey(NamedTuple):
    """Who speaks, and from which generation."""

    group: str
    member_id: str
    instance_id: str | None
    generation: int


class Coordinator:
    """All groups of this log. Membership is not stored: after a restart members join again by themselves."""

    def __init__(self, limits: BrokerLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._delay = limits.group_join_delay_ms / _MS
        self.groups: dict[str, Group] = {}
        self._ticked = self._loop.time()
        self._timer = self._loop.call_later(limits.group_tick_seconds, self._tick)

    def close(self) -> None:
        """Stop the clock and send everyone who waits away."""
        self._timer.cancel()
        for group in self.groups.values():
            for member in group.members.values():
                member.refuse(Code.COORDINATOR_NOT_AVAILABLE)

    async def join(self, wish: JoinWish) -> Joined:
        """Join or rejoin; answers when the generation begins."""
        group = self._group_to_join(wish)
        now = self._loop.time()
        if wish.member_id == "":
            member, answer = self._newcomer(group, wish, now)
            if answer is not None:
                return answer
        else:
            member, answer = self._returning(group, wish)
            if answer is not None:
                return answer
        if member.joining is not None and not member.joining.done():
            member.joining.set_exception(Refused(Code.UNKNOWN_MEMBER_ID))
        waiting = member.joining = self._loop.create_future()
        if group.state != State.PREPARING:
            group.prepare(now, self._delay)
        self._end_joining_if_complete(group, now)
        joined: Joined = await waiting
        return joined

    def _group_to_join(self, wish: JoinWish) -> Group:
        limits = self._limits
        if not wish.group:
            raise Refused(Code.INVALID_GROUP_ID)
        if not limits.group_session_timeout_ms_min <= wish.session_ms <= limits.group_session_timeout_ms_max:
            raise Refused(Code.INVALID_SESSION_TIMEOUT)
        group = self.groups.get(wish.group)
        if group is None:
            if wish.member_id:
                raise Refused(Code.UNKNOWN_MEMBER_ID)
            self._make_room()
            group = self.groups[wish.group] = Group(wish.group)
        if not group.accepts(wish.protocol_type, wish.protocols):
            raise Refused(Code.INCONSISTENT_GROUP_PROTOCOL)
        return group

    def _make_room(self) -> None:
        if len(self.groups) < self._limits.groups_max:
            return
        idle = next((g for g in self.groups.values() if g.state == State.EMPTY and not g.promised), None)
        if idle is None:
            raise Refused(Code.GROUP_MAX_SIZE_REACHED)
        del self.groups[idle.name]

    def _newcomer(self, group: Group, wish: JoinWish, now: float) -> tuple[Member, Joined | None]:
        if wish.instance_id is not None and wish.instance_id in group.instances:
            return self._restarted(group, wish, now)
        if len(group.members) + len(group.promised) >= self._limits.group_members_max:
            raise Refused(Code.GROUP_MAX_SIZE_REACHED)
        identity = new_member_id(wish.instance_id or wish.client_id)
        if wish.must_name_itself and wish.instance_id is None:
            group.promised[identity] = now + min(_PROMISE_SECONDS, wish.session_ms / _MS)
            raise MemberIdRequired(identity)
        return self._admit(group, identity, wish), None

    def _restarted(self, group: Group, wish: JoinWish, now: float) -> tuple[Member, Joined | None]:
        """A static member that came back: while the group is stable it gets its old part without a rebalance."""
        assert wish.instance_id is not None
        leader_before = group.leader
        member = group.replace(wish.instance_id, wish.client_id)
        self._note(member, wish)
        member.deadline = now + member.session_seconds
        if group.state == State.STABLE and group.choose_protocol() == group.protocol:
            # The old leader's name tells a restarted leader not to compute a new assignment.
            return member, Joined(group, member.id, leader_before, [])
        return member, None

    def _returning(self, group: Group, wish: JoinWish) -> tuple[Member, Joined | None]:
        if wish.member_id in group.promised and wish.instance_id is None:
            return self._admit(group, wish.member_id, wish), None
        member = group.member(wish.member_id, wish.instance_id)
        same = member.protocols == wish.protocols
        is_leader = member.id == group.leader
        self._note(member, wish)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == State.COMPLETING and same:
            return member, Joined(group, member.id, group.leader, list(group.members.values()) if is_leader else [])
        if group.state == State.STABLE and same and not is_leader:
            return member, Joined(group, member.id, group.leader, [])
        return member, None

    def _admit(self, group: Group, identity: str, wish: JoinWish) -> Member:
        if not group.members:
            group.protocol_type = wish.protocol_type
        member = Member(identity, wish.instance_id, wish.client_id)
        self._note(member, wish)
        group.add(member)
        return member

    def _note(self, member: Member, wish: JoinWish) -> None:
        member.protocols = wish.protocols
        member.session_seconds = wish.session_ms / _MS
        # The oldest version knows one timeout for both.
        member.rebalance_seconds = (wish.rebalance_ms if wish.rebalance_ms > 0 else wish.session_ms) / _MS

    async def sync(self, key: MemberKey, assignments: dict[str, bytes]) -> bytes:
        """The leader gives everyone's part, the others wait for theirs."""
        group, member = self._known(key)
        if group.state == State.PREPARING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == State.STABLE:
            return member.assignment
        waiting = member.syncing = self._loop.create_future()
        if member.id == group.leader:
            group.share(assignments, self._loop.time())
        assignment: bytes = await waiting
        return assignment

    def heartbeat(self, key: MemberKey) -> None:
        """The member is alive; the refusal tells it to join again."""
        group, member = self._known(key)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == State.PREPARING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)

    def check_commit(self, key: MemberKey) -> None:
        """Only a member of the current generation may move a group's positions, or anyone while it is empty."""
        group = self.groups.get(key.group)
        if key.generation < 0 and not key.member_id:
            if group is not None and group.members:
                raise Refused(Code.UNKNOWN_MEMBER_ID)
            return
        if group is None:
            raise Refused(Code.ILLEGAL_GENERATION)
        member = group.member(key.member_id, key.instance_id)
        if key.generation != group.generation:
            raise Refused(Code.ILLEGAL_GENERATION)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == State.COMPLETING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)

    def leave(self, group_name: str, member_id: str, instance_id: str | None) -> None:
        """Let a member go; the rest rebalances."""
        group = self.groups.get(group_name)
        if group is None:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        if instance_id is not None and not member_id:
            member_id = group.instances.get(instance_id, "")
        if group.promised.pop(member_id, None) is None:
            group.remove(group.member(member_id, instance_id))
        self._rebalance(group)

    def delete(self, name: str) -> bool:
        """Forget an empty group. False when there is none."""
        group = self.groups.get(name)
        if group is None:
            return False
        if group.members:
            raise Refused(Code.NON_EMPTY_GROUP)
        del self.groups[name]
        return True

    def _known(self, key: MemberKey) -> tuple[Group, Member]:
        group = self.groups.get(key.group)
        if group is None:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        member = group.member(key.member_id, key.instance_id)
        if key.generation != group.generation:
            raise Refused(Code.ILLEGAL_GENERATION)
        return group, member

    def _rebalance(self, group: Group) -> None:
        now = self._loop.time()
        if group.state in (State.STABLE, State.COMPLETING):
            group.prepare(now, self._delay)
        self._end_joining_if_complete(group, now)

    def _end_joining_if_complete(self, group: Group, now: float) -> None:
        if group.state != State.PREPARING or not group.all_joined():
            return
        if self._delay and now < group.join_deadline and group.generation == 0:
            return
        group.next_generation(now)

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._limits.group_tick_seconds, self._tick)
        asleep = now - self._ticked - self._limits.group_tick_seconds
        self._ticked = now
        for group in tuple(self.groups.values()):
            if asleep > self._limits.group_tick_seconds * _TICKS_ASLEEP:
                _grant(group, asleep)
            self._expire(group, now)

    def _expire(self, group: Group, now: float) -> None:
        overdue = [identity for identity, until in group.promised.items() if until < now]
        for identity in overdue:
            del group.promised[identity]
        waits = (State.PREPARING, State.COMPLETING)
        gone = [m for m in group.members.values() if m.deadline < now and m.joining is None and m.syncing is None]
        for member in gone:
            log.info("group.member_expired", extra={"group": group.name, "member": member.id})
            group.remove(member)
        if gone:
            self._rebalance(group)
        elif overdue:
            self._end_joining_if_complete(group, now)
        if group.state in waits and group.members and group.join_deadline < now:
            self._end_waiting(group, now)

    def _end_waiting(self, group: Group, now: float) -> None:
        if group.state == State.PREPARING:
            group.next_generation(now)
        else:
            # The leader is alive but never brought the assignment: everybody joins again.
            group.prepare(now, self._delay)


def _grant(group: Group, seconds: float) -> None:
    group.join_deadline += seconds
    for member in group.members.values():
        member.deadline += seconds
    for identity in group.promised:
        group.promised[identity] += seconds


class MemberIdRequired(Refused):
    """Join again with this id."""

    def __init__(self, member_id: str) -> None:
        super().__init__(Code.MEMBER_ID_REQUIRED)
        self.member_id = member_id
