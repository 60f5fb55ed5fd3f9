"""Rules for lines that end without a hand-over: cancelled, or not collected in time."""

from collections.abc import Iterable

from bopis.domain.orders.decision import UNSERVED_REASONS, OrderDecision, refusal_for
from bopis.domain.orders.events import OrderCancelled, OrderExpired
from bopis.domain.orders.messages import CancelOrder
from bopis.domain.orders.state import ENDED, LineState
from bopis.domain.orders.vocabulary import EndReason, Initiator, Milestone, Refusal

NOT_ENDED = frozenset(LineState) - ENDED


def cancel(decision: OrderDecision, command: CancelOrder) -> None:
    """Cancel the named lines or parts of lines, or all open ones; refused when a named line has ended already."""
    order = decision.order
    numbers = tuple(dict.fromkeys((*command.lines, *(part.line for part in command.parts))))
    # Checked before any change: a command is carried out for all named lines or for none.
    for number in numbers:
        line = order.line(number)
        if line is None:
            decision.refuse(Refusal.UNKNOWN_LINE, number)
            return
        if not line.live:
            decision.refuse(refusal_for(line.state, NOT_ENDED), number)
            return
    if not numbers and not order.live:
        decision.refuse(refusal_for(order.state, NOT_ENDED))
        return
    if not decision.fits(command.parts):
        return
    lines = [line for line in order.live if not numbers or line.line in numbers]
    ending = decision.split_off(lines, command.parts)
    cancel_lines(decision, [line.line for line in ending], command.by, command.reason)


def cancel_lines(decision: OrderDecision, lines: Iterable[int], by: Initiator, reason: EndReason) -> None:
    """Cancel lines: release their holds, put back what was set aside, notify the customer."""
    wanted = set(lines)
    ending = [line for line in decision.order.live if line.line in wanted]
    if not ending:
        return
    decision.put_back(ending)
    numbers = tuple(line.line for line in ending)
    # After the put-back tasks, which need the picked units that the fold forgets.
    unserved = decision.order.unserved if reason in UNSERVED_REASONS else None
    decision.emit(OrderCancelled(stamp=decision.stamp, lines=numbers, by=by, reason=reason, unserved=unserved))
    decision.notify(Milestone.CANCELLED, ending, reason=reason.value)


def expire(decision: OrderDecision, store: str) -> None:
    """End ready lines whose pickup window is over: release their holds, put the goods back, notify the customer."""
    ending = decision.ready_lines(store)
    decision.put_back(ending)
    decision.emit(OrderExpired(stamp=decision.stamp, store=store, lines=tuple(line.line for line in ending)))
    decision.notify(Milestone.EXPIRED, ending, store)
