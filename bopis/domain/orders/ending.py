"""How lines end without being handed over: cancelled by somebody, not collected, withdrawn with their store."""

from collections.abc import Iterable

from bopis.domain.orders.messages import CancelOrder, StoreWithdrawn
from bopis.domain.orders.outcomes import OrderCancelled, OrderExpired
from bopis.domain.orders.saga import Saga, why_not
from bopis.domain.orders.state import ENDED, LineState
from bopis.domain.orders.terms import By, EndReason, Milestone, Refusal, RejectReason

NOT_ENDED = frozenset(LineState) - ENDED
MOVABLE = frozenset({LineState.HELD, LineState.PROMISED, LineState.ACCEPTED, LineState.PICKING, LineState.PICKED})
STAGED = frozenset({LineState.STAGED, LineState.READY})


def cancel(saga: Saga, command: CancelOrder) -> None:
    """End the named lines, or all that have not ended; a line that has ended stays as it ended."""
    order = saga.order
    numbers = tuple(dict.fromkeys(command.lines))
    for number in numbers:
        line = order.line(number)
        if line is None:
            saga.refuse(Refusal.UNKNOWN_LINE, number)
            return
        if not line.live:
            saga.refuse(why_not(line.state, NOT_ENDED), number)
            return
    if not numbers and not order.live:
        saga.refuse(why_not(order.state, NOT_ENDED))
        return
    cancel_lines(saga, numbers or tuple(it.line for it in order.live), command.by, command.reason)


def cancel_lines(saga: Saga, lines: Iterable[int], by: By, reason: EndReason) -> None:
    """End lines: their holds are given back, what was set aside goes back to the shelf, the customer hears it."""
    wanted = set(lines)
    ending = [it for it in saga.order.live if it.line in wanted]
    if not ending:
        return
    saga.put_back(ending)
    numbers = tuple(it.line for it in ending)
    saga.say(OrderCancelled(stamp=saga.stamp, lines=numbers, by=by, reason=reason))
    saga.notice(Milestone.CANCELLED, ending, reason=reason.value)


def expire(saga: Saga, store: str) -> None:
    """The pickup window is over: what is ready and was not collected goes back."""
    ending = [it for it in saga.order.in_store(store) if it.state in (LineState.READY, LineState.ARRIVED)]
    saga.put_back(ending)
    saga.say(OrderExpired(stamp=saga.stamp, store=store, lines=tuple(it.line for it in ending)))
    saga.notice(Milestone.EXPIRED, ending, store)


def store_withdrawn(saga: Saga, report: StoreWithdrawn) -> None:
    """What a store has not staged is asked for elsewhere; staged goods stay there until collected, unless the store
    closes for good. Who stands at the counter is served."""
    states = MOVABLE | STAGED if report.closing else MOVABLE
    leaving = [it for it in saga.order.in_store(report.store) if it.state in states]
    saga.reject(leaving, RejectReason.STORE_WITHDRAWN, By.SYSTEM)
