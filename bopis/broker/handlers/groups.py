"""Group membership: join, sync, heartbeat, leave, and what there is to see of groups."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import DeleteGroupsResponse, DescribeGroupsResponse, ListGroupsResponse
from kafka.protocol.consumer import (
    HeartbeatResponse,
    JoinGroupResponse,
    LeaveGroupResponse,
    SyncGroupResponse,
)

from bopis.broker.codes import Code
from bopis.broker.coordinator import JoinWish, MemberIdRequired, MemberKey
from bopis.broker.errors import BrokerError, Refused
from bopis.broker.frames import RequestHeader
from bopis.broker.group import Group, State
from bopis.broker.handlers.topics import outcome
from bopis.broker.node import Node

_CONSUMER = "consumer"
_MEMBER_ID_REQUIRED_FROM = 4


async def join_group(node: Node, request: Any, header: RequestHeader) -> Any:
    """Answers when every member has joined."""
    wish = JoinWish(
        group=request.group_id,
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        client_id=header.client_id,
        protocol_type=request.protocol_type,
        protocols=[(protocol.name, protocol.metadata) for protocol in request.protocols or []],
        session_ms=request.session_timeout_ms,
        rebalance_ms=request.rebalance_timeout_ms,
        must_name_itself=header.version >= _MEMBER_ID_REQUIRED_FROM,
    )
    try:
        joined = await node.groups.join(wish)
    except MemberIdRequired as required:
        return _join_refused(header.version, required.code, required.member_id)
    except Refused as refusal:
        return _join_refused(header.version, refusal.code, request.member_id)
    members = [
        JoinGroupResponse.JoinGroupResponseMember(
            member_id=member.id,
            group_instance_id=member.instance_id,
            metadata=member.metadata(joined.protocol),
        )
        for member in joined.members
    ]
    return JoinGroupResponse(
        version=header.version,
        error_code=Code.NONE,
        generation_id=joined.generation,
        protocol_name=joined.protocol,
        leader=joined.leader,
        member_id=joined.member_id,
        members=members,
    )


def _join_refused(version: int, code: Code, member_id: str) -> Any:
    return JoinGroupResponse(
        version=version,
        error_code=code,
        generation_id=-1,
        protocol_name="",
        leader="",
        member_id=member_id,
        members=[],
    )


def _key(request: Any) -> MemberKey:
    return MemberKey(request.group_id, request.member_id, request.group_instance_id, request.generation_id)


async def sync_group(node: Node, request: Any, header: RequestHeader) -> Any:
    """Answers when the leader has given out the partitions."""
    assignment, error = b"", None
    try:
        given = {part.member_id: part.assignment for part in request.assignments or []}
        assignment = await node.groups.sync(_key(request), given)
    except Refused as refusal:
        error = refusal
    return SyncGroupResponse(version=header.version, error_code=outcome(error)[0], assignment=assignment)


def heartbeat(node: Node, request: Any, header: RequestHeader) -> Any:
    """I am still here."""
    error: BrokerError | None = None
    try:
        node.groups.heartbeat(_key(request))
    except Refused as refusal:
        error = refusal
    return HeartbeatResponse(version=header.version, error_code=outcome(error)[0])


def leave_group(node: Node, request: Any, header: RequestHeader) -> Any:
    """One member in the old versions, any number in the new."""
    if header.version < 3:
        code = _leave(node, request.group_id, request.member_id, None)
        return LeaveGroupResponse(version=header.version, error_code=code)
    results = [
        LeaveGroupResponse.MemberResponse(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            error_code=_leave(node, request.group_id, member.member_id, member.group_instance_id),
        )
        for member in request.members or []
    ]
    return LeaveGroupResponse(version=header.version, error_code=Code.NONE, members=results)


def _leave(node: Node, group: str, member_id: str, instance_id: str | None) -> Code:
    try:
        node.groups.leave(group, member_id, instance_id)
    except Refused as refusal:
        return refusal.code
    return Code.NONE


def list_groups(node: Node, _: Any, header: RequestHeader) -> Any:
    """Groups with members, and groups that only have positions."""
    groups = {name: group.protocol_type for name, group in node.groups.groups.items() if group.members}
    for name in sorted(node.offsets.groups):
        known = node.groups.groups.get(name)
        groups.setdefault(name, known.protocol_type if known else _CONSUMER)
    rows = [ListGroupsResponse.ListedGroup(group_id=name, protocol_type=kind) for name, kind in groups.items()]
    return ListGroupsResponse(version=header.version, error_code=Code.NONE, groups=rows)


def describe_groups(node: Node, request: Any, header: RequestHeader) -> Any:
    """The members of groups and what each was given."""
    rows = []
    for name in request.groups or []:
        group = node.groups.groups.get(name) or Group(name)
        state: State = group.state
        if not group.members and state == State.EMPTY and name not in node.offsets.groups:
            state = State.DEAD
        rows.append(_described(group, state))
    return DescribeGroupsResponse(version=header.version, groups=rows)


def _described(group: Group, state: State) -> Any:
    members = [
        DescribeGroupsResponse.DescribedGroup.DescribedGroupMember(
            member_id=member.id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            member_metadata=member.metadata(group.protocol),
            member_assignment=member.assignment,
        )
        for member in group.members.values()
    ]
    return DescribeGroupsResponse.DescribedGroup(
        error_code=Code.NONE,
        group_id=group.name,
        group_state=state.value,
        protocol_type=group.protocol_type or (_CONSUMER if state == State.EMPTY else ""),
        protocol_data=group.protocol,
        members=members,
    )


async def delete_groups(node: Node, request: Any, header: RequestHeader) -> Any:
    """Forget groups that have no members, with their positions."""
    results = []
    for name in request.groups_names or []:
        error: BrokerError | None = None
        try:
            known = node.groups.delete(name)
            if name in node.offsets.groups:
                await node.offsets.delete_group(name)
            elif not known:
                raise Refused(Code.GROUP_ID_NOT_FOUND)
        except BrokerError as refusal:
            error = refusal
        result = DeleteGroupsResponse.DeletableGroupResult(group_id=name, error_code=outcome(error)[0])
        results.append(result)
    return DeleteGroupsResponse(version=header.version, results=results)
