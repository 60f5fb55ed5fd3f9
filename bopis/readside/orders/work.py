"""What a store has to do next for an order, and by when. Pure.

The words and due times are those of the queue at the counter (`bopis.services.counter.work`), which is made from the
order itself; how urgent something is follows from its due time and the moment of asking, so it is no column.
"""

from enum import StrEnum

from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.values import MINUTE_MS

WAITS_MS_MAX = 5 * MINUTE_MS


class Step(StrEnum):
    """What comes next for an order in a store."""

    ACCEPT = "accept"
    PICK = "pick"
    SUBSTITUTE = "substitute"
    ASK_CUSTOMER = "ask_customer"
    STAGE = "stage"
    HAND_OVER = "hand_over"
    AWAIT_CUSTOMER = "await_customer"
    WAIT = "wait"


# What stands first here is the next thing to do, whatever the other lines of the order wait for.
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
_PREPARING = frozenset({Step.PICK, Step.SUBSTITUTE, Step.ASK_CUSTOMER, Step.STAGE, Step.WAIT})

WorkRow = tuple[str, str, str, int, int, str, str, str, str, int, int, int, int, int]


def work_rows(order: Order) -> list[WorkRow]:
    """One row for each store that has something to do for the order or waits for its customer."""
    rows = []
    for store in dict.fromkeys(it.store for it in order.live if it.store):
        lines = [it for it in order.in_store(store) if it.live]
        states = {it.state for it in lines}
        step = next((step for step, wanted in STEPS if wanted & states), None)
        if step is not None:
            rows.append(_row(order.order, order.at(store) or StoreWork(store=store), step, lines))
    return rows


def _row(order: str, work: StoreWork, step: Step, lines: list[Line]) -> WorkRow:
    is_here = work.where is not None and step is not Step.AWAIT_CUSTOMER
    return (
        order,
        work.store,
        step.value,
        _due_ms(step, work, is_here),
        work.ready_by_ms,
        work.picker,
        work.location,
        work.where.value if work.where is not None else "",
        work.spot,
        work.arrived_ms if is_here else 0,
        work.window_end_ms,
        work.escalations,
        len(lines),
        sum(it.quantity for it in lines),
    )


def _due_ms(step: Step, work: StoreWork, is_here: bool) -> int:
    """When the step is to be done by; who stands at the counter waits for every step that is left."""
    if step is Step.ACCEPT:
        return work.accept_by_ms or work.ready_by_ms
    if step is Step.AWAIT_CUSTOMER:
        return work.window_end_ms
    if step is Step.HAND_OVER:
        return work.arrived_ms + WAITS_MS_MAX
    if is_here and step in _PREPARING:
        return min(work.ready_by_ms or work.arrived_ms + WAITS_MS_MAX, work.arrived_ms + WAITS_MS_MAX)
    return work.ready_by_ms
