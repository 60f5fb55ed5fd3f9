"""The notices of one order, told message by message: time is what the test says it is."""

from datetime import UTC, datetime
from typing import Any

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue, Event
from bopis.domain.notices.messages import (
    DeliveryAnswered,
    LinesEnded,
    NoticeLine,
    NoticeRequest,
    NoticeTick,
    ResendNotice,
)
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.step import NoticeInput, step
from bopis.domain.notices.vocabulary import Channel, CustomerRef, DeliveryState, Milestone, SendOutcome
from bopis.domain.values import HOUR_MS

ORDER = "4K7P92QX"
START_MS = 1_795_300_000_000
CUSTOMER = CustomerRef(id="c1", language="de", channels=(Channel.EMAIL,), sealed="s1.x")


class Table:
    """Rows without a partition."""

    def __init__(self) -> None:
        self.rows: dict[str, OrderNotices] = {}
        self.deadlines: dict[str, int] = {}

    def get(self, key: str) -> OrderNotices | None:
        return self.rows.get(key)

    def put(self, key: str, row: OrderNotices) -> None:
        self.rows[key] = row

    def put_timed(self, key: str, row: OrderNotices, deadline_ms: int) -> None:
        self.rows[key] = row
        self.deadlines[key] = deadline_ms

    def drop(self, key: str) -> None:
        self.rows.pop(key, None)
        self.deadlines.pop(key, None)


class Book:
    """Messages to the notices of one order, and their conclusions."""

    def __init__(self) -> None:
        self.table = Table()
        self.now_ms = START_MS
        self.number = 0
        self.said: list[NoticeInput] = []

    def say(self, data: Any, told_as: str = "") -> list[Event]:
        self.number += 1
        heard = NoticeInput(
            order=ORDER,
            data=data,
            cause=told_as or f"m/{self.number}",
            message_id=told_as or str(self.number),
            recorded_at_ms=self.now_ms,
        )
        self.said.append(heard)
        return list(step(self.table, heard))

    def due(self, milestone: Milestone, version: int = 1, **facts: Any) -> list[Event]:
        return self.say(notice(milestone, version, **facts))

    def answer(self, asked: DeliveryDue, outcome: SendOutcome, **facts: Any) -> list[Event]:
        return self.say(DeliveryAnswered(delivery=asked.delivery, attempt=asked.attempt, outcome=outcome, **facts))

    def tick(self) -> list[Event]:
        return self.say(NoticeTick(at=datetime.fromtimestamp(self.now_ms / 1000, UTC)))

    def gone(self, *lines: int) -> list[Event]:
        return self.say(LinesEnded(lines=lines))

    def resend(self, milestone: Milestone, told_as: str = "", **facts: Any) -> list[Event]:
        return self.say(ResendNotice(milestone=milestone, **facts), told_as)

    @property
    def row(self) -> OrderNotices:
        return self.table.rows[ORDER]

    def states(self) -> dict[str, DeliveryState]:
        return {it.ref(d.channel).key("O"): d.state for it in self.row.notices for d in it.deliveries}


def notice(milestone: Milestone, version: int = 1, **facts: Any) -> NoticeRequest:
    told = {
        "customer": CUSTOMER,
        "store": "S1",
        "lines": (NoticeLine(line=1, sku="A", quantity=2),),
        "window_end_ms": START_MS + 72 * HOUR_MS,
        "code_version": 1,
    }
    return NoticeRequest(milestone=milestone, version=version, **(told | facts))


def asked(events: list[Event]) -> list[DeliveryDue]:
    return [it for it in events if isinstance(it, DeliveryDue)]


def one(events: list[Event]) -> DeliveryDue:
    [due] = asked(events)
    return due


def changes(events: list[Event]) -> list[tuple[str, DeliveryState]]:
    return [(it.delivery.milestone.value, it.state) for it in events if isinstance(it, DeliveryChanged)]
