"""What queries about pickup orders answer: frozen values, ready to be written as JSON."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.terms import PaymentState, TaskKind
from bopis.domain.sourcing.decision import Answer
from bopis.domain.sourcing.request import Request
from bopis.readside.orders.work import Step


class OrderFilter(Struct, frozen=True, kw_only=True):
    """Which orders are asked for; what is None does not matter. ``store`` is any store that a line is or was in."""

    store: str | None = None
    state: LineState | None = None
    customer: str | None = None
    live: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


class OrderBrief(Struct, frozen=True, kw_only=True):
    """An order in a list. ``store`` is the one that the customer chose."""

    order: str
    state: LineState
    live: bool
    store: str
    customer: str
    payment: PaymentState
    placed_at: datetime
    lines: int
    units: int
    ready_by: datetime | None
    window_end: datetime | None


class OrderPage(Struct, frozen=True, kw_only=True):
    orders: tuple[OrderBrief, ...]
    next: str | None


class EventAnswer(Struct, frozen=True, kw_only=True):
    """One conclusion about an order. ``caused_by`` is the message that it follows from, as ``device/id``."""

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
    """What routing answered to an attempt; ``taken`` tells the one that was acted on. The facts that it was made from
    stand in the log at ``partition`` and ``offset`` of the orders topic."""

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


class OrderStory(Struct, frozen=True, kw_only=True):
    """An order as it stands, everything that happened to it in the order of the log, and how stores were chosen."""

    order: Order
    state: LineState
    timeline: tuple[EventAnswer, ...]
    decisions: tuple[DecisionAnswer, ...]


class WorkAnswer(Struct, frozen=True, kw_only=True):
    """What a store has to do next for an order. ``due_ms`` is 0 when no time was set."""

    order: str
    store: str
    step: Step
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


class TaskAnswer(Struct, frozen=True, kw_only=True):
    """Work that an order left behind in a store: goods back to the shelf, or a SKU to count."""

    task: str
    order: str
    kind: TaskKind
    store: str
    sku: str
    hold: str
    units: int
    raised_at: datetime | None


class NoticeAnswer(Struct, frozen=True, kw_only=True):
    """One notice over one channel: how its delivery stands. ``cause`` says why it did not leave."""

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
