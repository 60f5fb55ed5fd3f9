"""One message on notices: decided, folded in, put back with its next deadline. Deterministic, like the other steps."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.message import Message
from bopis.domain.notices.decide import Telling, decide, next_due_ms
from bopis.domain.notices.events import Event, ResendRefused
from bopis.domain.notices.messages import LinesGone, NoticeDue, NoticeMessage, ResendNotice, Tick
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.terms import CustomerRef, Refusal


class Rows(Protocol):
    """Notices of one partition by order."""

    def get(self, key: str) -> OrderNotices | None: ...
    def put(self, key: str, row: OrderNotices) -> None: ...
    def put_timed(self, key: str, row: OrderNotices, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...


class Said(Struct, frozen=True, kw_only=True):
    """What a message says, who said it under which id, and when the log learned it."""

    order: str
    data: NoticeMessage
    cause: str
    message: str
    recorded_at_ms: int


def said(message: Message, data: NoticeMessage, recorded_at_ms: int) -> Said:
    """A message as notices hear it."""
    return Said(
        order=message.subject, data=data, cause=message.cause, message=message.id, recorded_at_ms=recorded_at_ms
    )


def step(rows: Rows, heard: Said) -> Sequence[Event]:
    """Take one message into the notices of its order; what it concludes. A repeat changes and concludes nothing.

    What is said about an order that nobody was ever told of is refused if it is a command, and remembered if it says
    that lines have ended: a late notice about them is then not sent.
    """
    before = rows.get(heard.order)
    data = heard.data
    if before is None:
        if isinstance(data, ResendNotice):
            return [_unknown(heard, data)]
        if not isinstance(data, NoticeDue | LinesGone):
            return []
    elif isinstance(data, Tick) and (not before.due_ms or before.due_ms > heard.recorded_at_ms):
        return []
    customer = data.customer if isinstance(data, NoticeDue) else CustomerRef(id="unknown")
    row = before or OrderNotices(order=heard.order, customer=customer)
    telling = Telling(row, heard.recorded_at_ms, heard.cause, heard.message)
    decide(telling, data)
    if telling.concluded:
        _keep(rows, replace(telling.row, fired=telling.row.fired + isinstance(data, Tick)), before)
    return telling.concluded


def _unknown(heard: Said, command: ResendNotice) -> ResendRefused:
    return ResendRefused(
        at_ms=heard.recorded_at_ms, milestone=command.milestone, reason=Refusal.UNKNOWN_ORDER, message=heard.message
    )


def _keep(rows: Rows, row: OrderNotices, before: OrderNotices | None) -> None:
    row = replace(row, due_ms=next_due_ms(row))
    if row.due_ms:
        rows.put_timed(row.order, row, row.due_ms)
        return
    if before is not None and before.due_ms:
        rows.drop(row.order)  # forgets the deadline with the row, which is put back at once
    rows.put(row.order, row)
