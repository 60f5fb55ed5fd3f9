"""Exact step of notices: decide one message, fold its events, put the row back with its next deadline.

Deterministic: the same rows and the same message give the same rows and events.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.message import Message
from bopis.domain.notices.decide import NoticeDecision, decide, next_due_ms
from bopis.domain.notices.events import Event, ResendRefused
from bopis.domain.notices.messages import LinesEnded, NoticeMessage, NoticeRequest, NoticeTick, ResendNotice
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.vocabulary import CustomerRef, ResendRefusal


class NoticeRows(Protocol):
    """Notices of one partition by order; a timed row is due at its deadline."""

    def get(self, key: str) -> OrderNotices | None: ...
    def put(self, key: str, row: OrderNotices) -> None: ...
    def put_timed(self, key: str, row: OrderNotices, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...


class NoticeInput(Struct, frozen=True, kw_only=True):
    """One message about an order's notices: body, cause, id, and append time in the log."""

    order: str
    data: NoticeMessage
    cause: str
    message_id: str
    recorded_at_ms: int


def notice_input(message: Message, data: NoticeMessage, recorded_at_ms: int) -> NoticeInput:
    """The input of a message whose body means ``data`` to notices (`bopis.wire.notices.notice_message`)."""
    return NoticeInput(
        order=message.subject,
        data=data,
        cause=message.cause,
        message_id=message.id,
        recorded_at_ms=recorded_at_ms,
    )


def step(rows: NoticeRows, message: NoticeInput) -> Sequence[Event]:
    """Decide one message and return its events. A repeat changes nothing and emits nothing.

    For an order without notices a command is refused. That lines have ended is remembered, so that a late notice about
    them is not sent.
    """
    before = rows.get(message.order)
    data = message.data
    if before is None:
        if isinstance(data, ResendNotice):
            return [_unknown_order(message, data)]
        if not isinstance(data, NoticeRequest | LinesEnded):
            return []
    elif isinstance(data, NoticeTick) and (not before.due_ms or before.due_ms > message.recorded_at_ms):
        return []
    customer = data.customer if isinstance(data, NoticeRequest) else CustomerRef(id="unknown")
    row = before or OrderNotices(order=message.order, customer=customer)
    decision = NoticeDecision(row, message.recorded_at_ms, message.cause, message.message_id)
    decide(decision, data)
    if decision.events:
        _keep(rows, replace(decision.row, fired=decision.row.fired + isinstance(data, NoticeTick)), before)
    return decision.events


def _unknown_order(message: NoticeInput, command: ResendNotice) -> ResendRefused:
    return ResendRefused(
        at_ms=message.recorded_at_ms,
        milestone=command.milestone,
        reason=ResendRefusal.UNKNOWN_ORDER,
        message=message.message_id,
    )


def _keep(rows: NoticeRows, row: OrderNotices, before: OrderNotices | None) -> None:
    row = replace(row, due_ms=next_due_ms(row))
    if row.due_ms:
        rows.put_timed(row.order, row, row.due_ms)
        return
    if before is not None and before.due_ms:
        rows.drop(row.order)  # `put` keeps an old deadline, `drop` forgets it; the row is put back at once
    rows.put(row.order, row)
