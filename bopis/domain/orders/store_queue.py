"""A store's work queue: the next step of each order there, its due time and its colour.

One definition for the command line, the read side and the web: `work_items` gives the entries of an order, `queue`
those of a store in working order with colours. The steps and due times of an order follow from its state alone, so that
the read side can store them; a colour depends on the clock as well.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.orders.amounts import to_pay
from bopis.domain.orders.state import STAGED_STATES, Line, LineState, Order, StoreWork
from bopis.domain.orders.vocabulary import LineSum, TaskKind
from bopis.domain.values import HOUR_MS, MINUTE_MS

SOON_MS = 30 * MINUTE_MS
CUSTOMER_WAITS_MS_MAX = 5 * MINUTE_MS
WINDOW_SOON_MS = 2 * HOUR_MS
NEVER_MS = 1 << 60  # due time of entries without one: they sort last


class WorkStep(StrEnum):
    """Next step for an order in a store, or a task that an order raised there."""

    ACCEPT = "accept"
    PICK = "pick"
    STAGE = "stage"
    SUBSTITUTE = "substitute"
    ASK_CUSTOMER = "ask_customer"
    HAND_OVER = "hand_over"
    AWAIT_CUSTOMER = "await_customer"
    WAIT = "wait"
    PUT_BACK = "put_back"
    COUNT = "count"

    @property
    def text(self) -> str:
        """The step in words, for people."""
        return self.value.replace("_", " ")


class Colour(StrEnum):
    """Urgency: late, soon, in time, or without a due time."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    GREY = "grey"


class WorkItem(Struct, frozen=True, kw_only=True):
    """One entry of a store's queue: an order's next step, or with ``task`` and ``sku`` one of its tasks.

    ``due_ms`` is NEVER_MS without a due time. ``waiting_since_ms`` is when the customer arrived, 0 if they have not or
    need not wait for the store. ``location`` is where the goods are staged, ``to_pay_cents`` what the customer still
    pays in the store, None when it is not known or nothing.
    """

    order: str
    store: str
    step: WorkStep
    colour: Colour = Colour.GREY
    due_ms: int
    lines: int
    units: int
    picker: str = ""
    location: str = ""
    where: str = ""
    spot: str = ""
    waiting_since_ms: int = 0
    escalations: int = 0
    task: str = ""
    sku: str = ""
    to_pay_cents: int | None = None
    currency: str = ""
    goods: tuple[LineSum, ...] = ()


# In the order of urgency: the first step that any line calls for is the next one, whatever the other lines wait for.
STEPS: tuple[tuple[WorkStep, frozenset[LineState]], ...] = (
    (WorkStep.ACCEPT, frozenset({LineState.PROMISED})),
    (WorkStep.PICK, frozenset({LineState.ACCEPTED, LineState.PICKING})),
    (WorkStep.SUBSTITUTE, frozenset({LineState.SHORT})),
    (WorkStep.ASK_CUSTOMER, frozenset({LineState.SUBSTITUTE_OFFERED})),
    (WorkStep.STAGE, frozenset({LineState.PICKED})),
    (WorkStep.HAND_OVER, frozenset({LineState.ARRIVED})),
    (WorkStep.AWAIT_CUSTOMER, frozenset({LineState.READY})),
    (WorkStep.WAIT, frozenset({LineState.STAGED})),
)
TASK_STEPS = {TaskKind.PUT_BACK: WorkStep.PUT_BACK, TaskKind.COUNT: WorkStep.COUNT}
PREPARING = frozenset({WorkStep.PICK, WorkStep.SUBSTITUTE, WorkStep.ASK_CUSTOMER, WorkStep.STAGE, WorkStep.WAIT})


def queue(orders: Iterable[Order], store: str, now_ms: int) -> list[WorkItem]:
    """Entries of a store with colours: arrived customers first, then by due time; tasks last."""
    found = [
        replace(item, colour=colour_of(item.step, item.due_ms, now_ms))
        for order in orders
        for item in work_items(order)
        if item.store == store
    ]
    return sorted(found, key=lambda item: (not item.waiting_since_ms, item.due_ms, item.order, item.task))


def work_items(order: Order) -> list[WorkItem]:
    """Entries of an order in every store: its next step where it has open lines, and its open tasks."""
    found = []
    for store in dict.fromkeys(line.store for line in order.live if line.store):
        lines = [line for line in order.in_store(store) if line.live]
        step = step_of(lines)
        if step is not None:
            found.append(_item(order, order.at(store) or StoreWork(store=store), step, lines))
    found += [
        WorkItem(
            order=order.order,
            store=task.store,
            step=TASK_STEPS[task.kind],
            due_ms=NEVER_MS,
            lines=0,
            units=0,
            task=task.task,
            sku=task.sku,
        )
        for task in order.tasks
    ]
    return found


def locations_text(lines: Iterable[Line], newest: str = "") -> str:
    """Where the staged goods of lines are: ``A1``, or ``A1, A2 (line 3)`` for goods in two places.

    Lines staged before each line kept its place are at the ``newest`` place of their store.
    """
    staged = [line for line in lines if line.state in STAGED_STATES]
    places: dict[str, list[int]] = {}
    for line in staged:
        if line.location:
            places.setdefault(line.location, []).append(line.line)
    if not places:
        return newest if staged else ""
    # Most of the goods are at the first place; only what is elsewhere names its lines.
    first, *others = sorted(places, key=lambda place: -len(places[place]))
    words = [f"{place} ({numbers_text(places[place])})" for place in others]
    return ", ".join([first, *words])


def numbers_text(lines: Iterable[int]) -> str:
    """Line numbers with their noun: ``line 1``, ``lines 1, 3``."""
    numbers = [str(number) for number in lines]
    return f"line{'s' * (len(numbers) != 1)} {', '.join(numbers)}"


def step_of(lines: Iterable[Line]) -> WorkStep | None:
    """Next step for an order's lines in one store; None when the store has nothing to do for them yet."""
    states = {line.state for line in lines}
    return next((step for step, wanted in STEPS if states & wanted), None)


def is_customer_waiting(work: StoreWork, step: WorkStep) -> bool:
    """Whether the customer is at the store and waits for a step of its staff."""
    return work.where is not None and step is not WorkStep.AWAIT_CUSTOMER


def due_of(work: StoreWork, step: WorkStep) -> int:
    """When a step is due in epoch milliseconds; NEVER_MS without a due time."""
    if step is WorkStep.ACCEPT:
        return work.accept_by_ms or work.ready_by_ms or NEVER_MS
    if step is WorkStep.AWAIT_CUSTOMER:
        return work.window_end_ms or NEVER_MS
    if step is WorkStep.HAND_OVER:
        return work.arrived_ms + CUSTOMER_WAITS_MS_MAX
    due_ms = work.ready_by_ms or NEVER_MS
    # A customer at the counter waits for every step that is left.
    if step in PREPARING and is_customer_waiting(work, step):
        return min(due_ms, work.arrived_ms + CUSTOMER_WAITS_MS_MAX)
    return due_ms


def colour_of(step: WorkStep, due_ms: int, now_ms: int) -> Colour:
    """Urgency of a step at an instant."""
    if not due_ms or due_ms >= NEVER_MS:
        return Colour.GREY
    if due_ms <= now_ms:
        return Colour.RED
    soon_ms = WINDOW_SOON_MS if step is WorkStep.AWAIT_CUSTOMER else SOON_MS
    return Colour.YELLOW if due_ms - now_ms <= soon_ms or step is WorkStep.HAND_OVER else Colour.GREEN


def _item(order: Order, work: StoreWork, step: WorkStep, lines: list[Line]) -> WorkItem:
    due = to_pay(order, work.store)
    return WorkItem(
        order=order.order,
        store=work.store,
        step=step,
        due_ms=due_of(work, step),
        lines=len(lines),
        units=sum(line.quantity for line in lines),
        goods=tuple(LineSum(line=line.line, sku=line.sku, quantity=line.quantity) for line in lines),
        picker=work.picker,
        location=locations_text(lines, work.location),
        where=work.where.value if work.where is not None else "",
        spot=work.spot,
        waiting_since_ms=work.arrived_ms if is_customer_waiting(work, step) else 0,
        escalations=work.escalations,
        to_pay_cents=due.cents if due is not None else None,
        currency=due.currency if due is not None else "",
    )
