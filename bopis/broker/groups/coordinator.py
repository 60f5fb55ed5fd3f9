"""The group coordinator: joins, syncs, heartbeats, leaves, and the timer that ends expired sessions and rebalances.

The protocol is Apache Kafka's classic group protocol, with static membership (KIP-345) and member ids that are required
before a join (KIP-394).
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.groups.membership import Group, GroupState, JoinResult, Member, MemberProtocol, new_member_id
from bopis.broker.limits import BrokerLimits

log = logging.getLogger(__name__)

_MS = 1_000
# How long a newcomer may take to join with the id that it was given.
_PENDING_SECONDS = 60.0
# A timer that is late by more than this many ticks means that the whole process did not run (a suspended laptop).
_TICKS_ASLEEP = 20


class JoinRequest(NamedTuple):
    """A request to join a group, or to rejoin it (with a member id)."""

    group: str
    member_id: str
    instance_id: str | None
    client_id: str
    protocol_type: str
    protocols: list[MemberProtocol]
    session_ms: int
    rebalance_ms: int
    member_id_required: bool


class MemberKey(NamedTuple):
    """The sender of a request, and the generation that it believes to be in."""

    group: str
    member_id: str
    instance_id: str | None
    generation: int


class GroupCoordinator:
    """All groups of this log. Membership is not stored: after a restart members join again by themselves.

    Methods raise `Refused` with the code that tells the member what to do next.
    """

    def __init__(self, limits: BrokerLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._delay = limits.group_join_delay_ms / _MS
        self.groups: dict[str, Group] = {}
        self._ticked = self._loop.time()
        self._timer = self._loop.call_later(limits.group_tick_seconds, self._tick)

    def close(self) -> None:
        """Stop the timer and refuse every waiting request; clients then look for the coordinator again."""
        self._timer.cancel()
        for group in self.groups.values():
            for member in group.members.values():
                member.refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE)

    async def join(self, join: JoinRequest) -> JoinResult:
        """Join or rejoin; returns when the generation begins. Raises `MemberIdRequired` for a newcomer."""
        group = self._group_to_join(join)
        now = self._loop.time()
        member = self._newcomer(group, join, now) if join.member_id == "" else self._returning(group, join)
        if isinstance(member, JoinResult):
            return member
        if member.joining is not None and not member.joining.done():
            member.joining.set_exception(Refused(ErrorCode.UNKNOWN_MEMBER_ID))
        waiting = member.joining = self._loop.create_future()
        if group.state != GroupState.PREPARING:
            group.prepare(now, self._delay)
        self._end_joining_if_complete(group, now)
        joined: JoinResult = await waiting
        return joined

    def _group_to_join(self, join: JoinRequest) -> Group:
        limits = self._limits
        if not join.group:
            raise Refused(ErrorCode.INVALID_GROUP_ID)
        if not limits.group_session_timeout_ms_min <= join.session_ms <= limits.group_session_timeout_ms_max:
            raise Refused(ErrorCode.INVALID_SESSION_TIMEOUT)
        group = self.groups.get(join.group)
        if group is None:
            if join.member_id:
                raise Refused(ErrorCode.UNKNOWN_MEMBER_ID)
            self._check_capacity()
            group = self.groups[join.group] = Group(join.group)
        if not group.accepts(join.protocol_type, join.protocols):
            raise Refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        return group

    def _check_capacity(self) -> None:
        """Below the limit of groups; at the limit an empty one is removed."""
        if len(self.groups) < self._limits.groups_max:
            return
        idle = next((g for g in self.groups.values() if g.state == GroupState.EMPTY and not g.pending), None)
        if idle is None:
            raise Refused(ErrorCode.GROUP_MAX_SIZE_REACHED)
        del self.groups[idle.name]

    def _newcomer(self, group: Group, join: JoinRequest, now: float) -> Member | JoinResult:
        """A member that must wait for the generation, or the result for one that need not."""
        if join.instance_id is not None and join.instance_id in group.instances:
            return self._restarted(group, join, now)
        if len(group.members) + len(group.pending) >= self._limits.group_members_max:
            raise Refused(ErrorCode.GROUP_MAX_SIZE_REACHED)
        identity = new_member_id(join.instance_id or join.client_id)
        if join.member_id_required and join.instance_id is None:
            group.pending[identity] = now + min(_PENDING_SECONDS, join.session_ms / _MS)
            raise MemberIdRequired(identity)
        return self._admit(group, identity, join)

    def _restarted(self, group: Group, join: JoinRequest, now: float) -> Member | JoinResult:
        """A static member that came back: in a stable group it keeps its assignment without a rebalance."""
        assert join.instance_id is not None
        leader_before = group.leader
        member = group.replace(join.instance_id, join.client_id)
        _configure(member, join)
        member.deadline = now + member.session_seconds
        if group.state == GroupState.STABLE and group.choose_protocol() == group.protocol:
            # A restarted leader finds its old id as the leader's, so it does not compute a new assignment.
            return JoinResult(group, member.id, leader_before, [])
        return member

    def _returning(self, group: Group, join: JoinRequest) -> Member | JoinResult:
        """As `_newcomer`, for a member that has an id."""
        if join.member_id in group.pending and join.instance_id is None:
            return self._admit(group, join.member_id, join)
        member = group.member(join.member_id, join.instance_id)
        same = member.protocols == join.protocols
        is_leader = member.id == group.leader
        _configure(member, join)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == GroupState.COMPLETING and same:
            # The response to an earlier join was lost: give it again.
            return JoinResult(group, member.id, group.leader, list(group.members.values()) if is_leader else [])
        if group.state == GroupState.STABLE and same and not is_leader:
            return JoinResult(group, member.id, group.leader, [])
        return member

    def _admit(self, group: Group, identity: str, join: JoinRequest) -> Member:
        if not group.members:
            group.protocol_type = join.protocol_type
        member = Member(identity, join.instance_id, join.client_id)
        _configure(member, join)
        group.add(member)
        return member

    async def sync(self, key: MemberKey, assignments: dict[str, bytes]) -> bytes:
        """The assignment of a member. The leader brings those of all, the others wait for it."""
        group, member = self._identified(key)
        if group.state == GroupState.PREPARING:
            raise Refused(ErrorCode.REBALANCE_IN_PROGRESS)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == GroupState.STABLE:
            return member.assignment
        waiting = member.syncing = self._loop.create_future()
        if member.id == group.leader:
            group.assign(assignments, self._loop.time())
        assignment: bytes = await waiting
        return assignment

    def heartbeat(self, key: MemberKey) -> None:
        """Extend the session of a member. Raises `Refused` when it has to join again."""
        group, member = self._identified(key)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == GroupState.PREPARING:
            raise Refused(ErrorCode.REBALANCE_IN_PROGRESS)

    def check_commit(self, key: MemberKey) -> None:
        """Raise `Refused` unless the sender is a member of the current generation, or the group has no members."""
        group = self.groups.get(key.group)
        if key.generation < 0 and not key.member_id:
            if group is not None and group.members:
                raise Refused(ErrorCode.UNKNOWN_MEMBER_ID)
            return
        if group is None:
            raise Refused(ErrorCode.ILLEGAL_GENERATION)
        member = group.member(key.member_id, key.instance_id)
        if key.generation != group.generation:
            raise Refused(ErrorCode.ILLEGAL_GENERATION)
        member.deadline = self._loop.time() + member.session_seconds
        if group.state == GroupState.COMPLETING:
            raise Refused(ErrorCode.REBALANCE_IN_PROGRESS)

    def leave(self, group_name: str, member_id: str, instance_id: str | None) -> None:
        """Remove a member; the others rebalance."""
        group = self.groups.get(group_name)
        if group is None:
            raise Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        if instance_id is not None and not member_id:
            member_id = group.instances.get(instance_id, "")
        if group.pending.pop(member_id, None) is None:
            group.remove(group.member(member_id, instance_id))
        self._rebalance(group)

    def delete(self, name: str) -> bool:
        """Delete a group without members. False when it does not exist."""
        group = self.groups.get(name)
        if group is None:
            return False
        if group.members:
            raise Refused(ErrorCode.NON_EMPTY_GROUP)
        del self.groups[name]
        return True

    def _identified(self, key: MemberKey) -> tuple[Group, Member]:
        group = self.groups.get(key.group)
        if group is None:
            raise Refused(ErrorCode.UNKNOWN_MEMBER_ID)
        member = group.member(key.member_id, key.instance_id)
        if key.generation != group.generation:
            raise Refused(ErrorCode.ILLEGAL_GENERATION)
        return group, member

    def _rebalance(self, group: Group) -> None:
        now = self._loop.time()
        if group.state in (GroupState.STABLE, GroupState.COMPLETING):
            group.prepare(now, self._delay)
        self._end_joining_if_complete(group, now)

    def _end_joining_if_complete(self, group: Group, now: float) -> None:
        if group.state != GroupState.PREPARING or not group.all_joined():
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
                _extend_deadlines(group, asleep)
            self._expire(group, now)

    def _expire(self, group: Group, now: float) -> None:
        overdue = [identity for identity, until in group.pending.items() if until < now]
        for identity in overdue:
            del group.pending[identity]
        waits = (GroupState.PREPARING, GroupState.COMPLETING)
        expired = [m for m in group.members.values() if m.deadline < now and m.joining is None and m.syncing is None]
        for member in expired:
            log.info("group.member_expired", extra={"group": group.name, "member": member.id})
            group.remove(member)
        if expired:
            self._rebalance(group)
        elif overdue:
            self._end_joining_if_complete(group, now)
        if group.state in waits and group.members and group.join_deadline < now:
            self._end_waiting(group, now)

    def _end_waiting(self, group: Group, now: float) -> None:
        if group.state == GroupState.PREPARING:
            group.next_generation(now)
        else:
            # The leader is alive but did not bring the assignments: all members join again.
            group.prepare(now, self._delay)


def _configure(member: Member, join: JoinRequest) -> None:
    member.protocols = join.protocols
    member.session_seconds = join.session_ms / _MS
    # Version 0 has one timeout for both.
    member.rebalance_seconds = (join.rebalance_ms if join.rebalance_ms > 0 else join.session_ms) / _MS


def _extend_deadlines(group: Group, seconds: float) -> None:
    group.join_deadline += seconds
    for member in group.members.values():
        member.deadline += seconds
    for identity in group.pending:
        group.pending[identity] += seconds


class MemberIdRequired(Refused):
    """Join again with this id (KIP-394)."""

    def __init__(self, member_id: str) -> None:
        super().__init__(ErrorCode.MEMBER_ID_REQUIRED)
        self.member_id = member_id
