"""Group membership: join, sync, heartbeat, leave; and the description and deletion of groups."""

from __future__ import annotations

from typing import Any

from kafka.protocol.admin import DeleteGroupsResponse, DescribeGroupsResponse, ListGroupsResponse
from kafka.protocol.consumer import HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, SyncGroupResponse

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import BrokerError, Refused, error_fields
from bopis.broker.frames import RequestHeader
from bopis.broker.groups.coordinator import JoinRequest, MemberIdRequired, MemberKey
from bopis.broker.groups.membership import Group, GroupState, MemberProtocol
from bopis.broker.node import BrokerNode

_CONSUMER = "consumer"
# From this version on a member joins twice: first for an id, then with it (KIP-394).
_MEMBER_ID_REQUIRED_FROM = 4


async def join_group(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Join a group; the response follows when all members have joined."""
    join = JoinRequest(
        group=request.group_id,
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        client_id=header.client_id,
        protocol_type=request.protocol_type,
        protocols=[MemberProtocol(protocol.name, protocol.metadata) for protocol in request.protocols or []],
        session_ms=request.session_timeout_ms,
        rebalance_ms=request.rebalance_timeout_ms,
        member_id_required=header.version >= _MEMBER_ID_REQUIRED_FROM,
    )
    try:
        joined = await node.groups.join(join)
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
        error_code=ErrorCode.NONE,
        generation_id=joined.generation,
        protocol_name=joined.protocol,
        leader=joined.leader,
        member_id=joined.member_id,
        members=members,
    )


def _join_refused(version: int, code: ErrorCode, member_id: str) -> Any:
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


async def sync_group(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Receive an assignment; the response follows when the leader has sent all of them."""
    assignment, error = b"", None
    try:
        assignments = {part.member_id: part.assignment for part in request.assignments or []}
        assignment = await node.groups.sync(_key(request), assignments)
    except Refused as refusal:
        error = refusal
    return SyncGroupResponse(version=header.version, error_code=error_fields(error).code, assignment=assignment)


def heartbeat(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Extend a member's session."""
    error: BrokerError | None = None
    try:
        node.groups.heartbeat(_key(request))
    except Refused as refusal:
        error = refusal
    return HeartbeatResponse(version=header.version, error_code=error_fields(error).code)


def leave_group(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Remove one member (versions below 3) or several."""
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
    return LeaveGroupResponse(version=header.version, error_code=ErrorCode.NONE, members=results)


def _leave(node: BrokerNode, group: str, member_id: str, instance_id: str | None) -> ErrorCode:
    try:
        node.groups.leave(group, member_id, instance_id)
    except Refused as refusal:
        return refusal.code
    return ErrorCode.NONE


def list_groups(node: BrokerNode, _: Any, header: RequestHeader) -> Any:
    """Groups with members, and groups that only have committed offsets."""
    groups = {name: group.protocol_type for name, group in node.groups.groups.items() if group.members}
    for name in sorted(node.offsets.groups):
        group = node.groups.groups.get(name)
        groups.setdefault(name, group.protocol_type if group else _CONSUMER)
    rows = [ListGroupsResponse.ListedGroup(group_id=name, protocol_type=kind) for name, kind in groups.items()]
    return ListGroupsResponse(version=header.version, error_code=ErrorCode.NONE, groups=rows)


def describe_groups(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """The members of groups and their assignments. As on Apache Kafka, an unknown group is described as dead."""
    rows = []
    for name in request.groups or []:
        group = node.groups.groups.get(name) or Group(name)
        state: GroupState = group.state
        if not group.members and state == GroupState.EMPTY and name not in node.offsets.groups:
            state = GroupState.DEAD
        rows.append(_described(group, state))
    return DescribeGroupsResponse(version=header.version, groups=rows)


def _described(group: Group, state: GroupState) -> Any:
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
        error_code=ErrorCode.NONE,
        group_id=group.name,
        group_state=state.value,
        protocol_type=group.protocol_type or (_CONSUMER if state == GroupState.EMPTY else ""),
        protocol_data=group.protocol,
        members=members,
    )


async def delete_groups(node: BrokerNode, request: Any, header: RequestHeader) -> Any:
    """Delete groups without members, with their committed offsets."""
    results = []
    for name in request.groups_names or []:
        error: BrokerError | None = None
        try:
            existed = node.groups.delete(name)
            if name in node.offsets.groups:
                await node.offsets.delete_group(name)
            elif not existed:
                raise Refused(ErrorCode.GROUP_ID_NOT_FOUND)
        except BrokerError as refusal:
            error = refusal
        code = error_fields(error).code
        results.append(DeleteGroupsResponse.DeletableGroupResult(group_id=name, error_code=code))
    return DeleteGroupsResponse(version=header.version, results=results)
