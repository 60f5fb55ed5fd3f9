"""The queue of a store: what is to be done for each order there, until when, and how urgent it is. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.orders.terms import TaskKind
from bopis.domain.values import HOUR_MS, MINUTE_MS

SOON_MS = 30 * MINUTE_MS
WAITS_MS_MAX = 5 * MINUTE_MS
WINDOW_SOON_MS = 2 * HOUR_MS
NEVER_MS = 1 << 60


class Step(StrEnum):
    """What comes next for an order in a store."""

    ACCEPT = "accept"
    PICK = "pick"
    STAGE = "stage"
    SUBSTITUTE = "substitute"
    ASK_CUSTOMER = "ask customer"
    HAND_OVER = "hand over"
    AWAIT_CUSTOMER = "await customer"
    WAIT = "wait"
    PUT_BACK = "put back"
    COUNT = "count"


class Colour(StrEnum):
    """How urgent it is: late, soon, in time, or no matter when."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    GREY = "grey"


class Work(Struct, frozen=True, kw_only=True):
    """One entry of a store's queue. ``waiting_since_ms`` is when the customer came to the counter, 0 before."""

    order: str
    store: str
    step: Step
    colour: Colour
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


STEPS: tuple[tuple[Step, frozenset[LineState]], ...] = (
    (Step.ACCEPT, frozenset({LineState.PROMISED})),
    (Step.PICK, frozenset({LineState.ACCEPTED, LineState.PICKING})),
    (Step.SUBSTITUTE, frozenset({LineState.SHORT})),
    (Step.ASK_CUSTOMER, frozenset({LineState.SUBSTITUTE_OFFERED})),
    (Step.STAGE, frozenset({LineState.PICKED})),
    (Step.HAND_OVER, frozenset({LineState.ARRIVED})),
    (Step.AWAIT_CUSTOMER, frozenset({LineState.READY})),
    (Step.WAIT, frozenset({LineState.STAGED})),
)
TASK_STEPS = {TaskKind.PUT_BACK: Step.PUT_BACK, TaskKind.COUNT: Step.COUNT}
PREPARING = frozenset({Step.PICK, Step.SUBSTITUTE, Step.ASK_CUSTOMER, Step.STAGE, Step.WAIT})


def queue(orders: Iterable[Order], store: str, now_ms: int) -> list[Work]:
    """Everything to be done in a store: who waits at the counter first, then by due time; tasks last."""
    found = [entry for order in orders for entry in work_in(order, store, now_ms)]
    return sorted(found, key=lambda it: (not it.waiting_since_ms, it.due_ms, it.order, it.task))


def work_in(order: Order, store: str, now_ms: int) -> list[Work]:
    """What is to be done for one order in a store."""
    found = []
    lines = [it for it in order.in_store(store) if it.live]
    step = step_of(lines)
    if step is not None:
        found.append(_entry(order, order.at(store) or StoreWork(store=store), step, lines, now_ms))
    for task in order.tasks:
        if task.store == store:
            found.append(
                Work(
                    order=order.order,
                    store=store,
                    step=TASK_STEPS[task.kind],
                    colour=Colour.GREY,
                    due_ms=NEVER_MS,
                    lines=0,
                    units=0,
                    task=task.task,
                    sku=task.sku,
                )
            )
    return found


def step_of(lines: Iterable[Line]) -> Step | None:
    """The first thing to be done for lines in one store; None when the store has nothing to do with them yet."""
    states = {it.state for it in lines}
    return next((step for step, those in STEPS if states & those), None)


def due_of(work: StoreWork, step: Step) -> int:
    """Until when a step is to be done."""
    if step is Step.ACCEPT:
        return work.accept_by_ms or work.ready_by_ms
    if step is Step.HAND_OVER:
        return work.arrived_ms + WAITS_MS_MAX
    if step is Step.AWAIT_CUSTOMER:
        return work.window_end_ms
    return work.ready_by_ms


def colour_of(step: Step, due_ms: int, now_ms: int) -> Colour:
    """How urgent a step is at an instant."""
    if not due_ms:
        return Colour.GREY
    if due_ms <= now_ms:
        return Colour.RED
    soon_ms = WINDOW_SOON_MS if step is Step.AWAIT_CUSTOMER else SOON_MS
    return Colour.YELLOW if due_ms - now_ms <= soon_ms or step is Step.HAND_OVER else Colour.GREEN


def _entry(order: Order, work: StoreWork, step: Step, lines: list[Line], now_ms: int) -> Work:
    due_ms = due_of(work, step)
    # Whoever stands at the counter waits for every step that is left.
    waits = work.arrived_ms if work.where is not None and step is not Step.AWAIT_CUSTOMER else 0
    if waits and step in PREPARING:
        due_ms = min(due_ms or NEVER_MS, waits + WAITS_MS_MAX)
    return Work(
        order=order.order,
        store=work.store,
        step=step,
        colour=colour_of(step, due_ms, now_ms),
        due_ms=due_ms or NEVER_MS,
        lines=len(lines),
        units=sum(it.quantity for it in lines),
        picker=work.picker,
        location=work.location,
        where=work.where.value if work.where is not None else "",
        spot=work.spot,
        waiting_since_ms=waits,
        escalations=work.escalations,
    )
