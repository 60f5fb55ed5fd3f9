"""Answers about pickup orders: frozen values, ready to be written as JSON."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from bopis.domain.orders.store_queue import WorkStep
from bopis.domain.orders.vocabulary import TaskKind
from bopis.domain.sourcing.decision import Answer
from bopis.domain.sourcing.request import Request


class EventAnswer(Struct, frozen=True, kw_only=True):
    """One event of an order. `caused_by` is the message behind it, as ``device/id``."""

    id: str
    type: str
    store: str | None
    occurred_at: datetime
    recorded_at: datetime
    device: str
    actor: str | None
    caused_by: str
    data: dict[str, Any]


class DecisionAnswer(Struct, frozen=True, kw_only=True):
    """Routing's answer to one attempt; `taken` marks the one that was acted on. The facts behind it are in the log, at
    `partition` and `offset` of the orders topic."""

    attempt: int
    digest: str
    taken: bool
    rules: str
    decided_at: datetime
    recorded_at: datetime
    request: Request
    answer: Answer
    partition: int
    offset: int


class OrderHistory(Struct, frozen=True, kw_only=True):
    """The events of an order in the order of the log, and how its stores were chosen."""

    timeline: tuple[EventAnswer, ...]
    decisions: tuple[DecisionAnswer, ...]


class WorkAnswer(Struct, frozen=True, kw_only=True):
    """One entry of a store's work queue: an order's next step, or with `task` and `sku` one of its tasks.

    `due_ms` is `store_queue.NEVER_MS` without a due time.
    """

    order: str
    store: str
    step: WorkStep
    due_ms: int
    ready_by_ms: int
    picker: str
    location: str
    arrival: str
    spot: str
    arrived_ms: int
    window_end_ms: int
    escalations: int
    lines: int
    units: int
    task: str = ""
    sku: str = ""


class TaskAnswer(Struct, frozen=True, kw_only=True):
    """An open task that an order left in a store: goods to put back, or a SKU to count."""

    task: str
    order: str
    kind: TaskKind
    store: str
    sku: str
    hold: str
    units: int
    raised_at: datetime | None


class NoticeAnswer(Struct, frozen=True, kw_only=True):
    """The delivery of one notice over one channel. `cause` is why it was not sent."""

    order: str
    milestone: str
    version: int
    copy: int
    channel: str
    store: str
    state: str
    attempt: int
    failures: int
    opened_at: datetime
    changed_at: datetime | None
    due_at: datetime | None
    cause: str
    provider_id: str
