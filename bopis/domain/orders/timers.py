"""Durable timers: the order's next deadline, and the rule that fires what is due.

Deadlines are compared with the log's clock. Each fires once, however late the tick arrives.
"""

from collections.abc import Iterator

from bopis.domain.orders.cancellation import cancel_lines, expire
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import AcceptOverdue
from bopis.domain.orders.holding import go_on
from bopis.domain.orders.limits import (
    ESCALATE_AGAIN_MS,
    ESCALATIONS_MAX,
    FIRST_REMINDER_MS,
    LAST_REMINDER_MS,
)
from bopis.domain.orders.messages import OrderTick
from bopis.domain.orders.routing import end_offer, give_up
from bopis.domain.orders.short_picks import end_substitute_offer
from bopis.domain.orders.state import READY_STATES, Line, LineState, Order, StoreWork
from bopis.domain.orders.vocabulary import Consent, EndReason, Initiator, Milestone, RejectReason

DECIDED_BY_TIME = frozenset({LineState.WAITING, LineState.SHORT, LineState.SUBSTITUTE_OFFERED})


def next_due_ms(order: Order) -> int:
    """The order's next deadline in epoch milliseconds; 0 if it has none."""
    return min(_deadlines(order), default=0)


def fire(decision: OrderDecision, _tick: OrderTick) -> None:
    """Decide everything that is due.

    The append time of the tick decides, not the instant it names. Of several reminders missed while the processor
    was down only the last is sent, and none once the pickup window is over.
    """
    for offer in decision.order.offers:
        if offer.answer_by_ms <= decision.now_ms:
            end_offer(decision, offer.attempt, Initiator.SYSTEM)
    for line in decision.order.lines:
        _decide_line(decision, line.line)
    # A copy: expiry and rejection change the work of stores.
    for store in [work.store for work in decision.order.work]:
        _escalate_or_reroute(decision, store)
        _end_window(decision, store)


def _deadlines(order: Order) -> Iterator[int]:
    for offer in order.offers:
        yield offer.answer_by_ms
    for line in order.lines:
        if line.state in DECIDED_BY_TIME and line.decide_by_ms:
            yield line.decide_by_ms
    for work in order.work:
        states = {line.state for line in order.in_store(work.store)}
        if LineState.PROMISED in states and work.accept_by_ms:
            yield work.accept_by_ms
        if states & READY_STATES and work.window_end_ms:
            yield work.window_end_ms
            if work.reminded < 2:
                yield work.window_end_ms - (LAST_REMINDER_MS if work.reminded else FIRST_REMINDER_MS)


def _decide_line(decision: OrderDecision, number: int) -> None:
    line = decision.order.line(number)
    if line is None or not line.decide_by_ms or line.decide_by_ms > decision.now_ms:
        return
    if line.state is LineState.WAITING:
        give_up(decision, [number], EndReason.WAITED_TOO_LONG)
    elif line.state is LineState.SUBSTITUTE_OFFERED:
        end_substitute_offer(decision, number, Initiator.SYSTEM)
    elif line.state is LineState.SHORT:
        give_up(decision, [number], EndReason.SHORT)


def _escalate_or_reroute(decision: OrderDecision, store: str) -> None:
    """Escalate work that is not accepted in time; after that route it elsewhere, or cancel it if it may not move."""
    work = decision.order.at(store)
    lines = [line for line in decision.order.in_store(store) if line.state is LineState.PROMISED]
    if work is None or not lines or not work.accept_by_ms or work.accept_by_ms > decision.now_ms:
        return
    may_move = decision.order.allows.alternatives is not Consent.NEVER
    # The first time the store is reminded in any case; then the order moves, if it may.
    if work.escalations == 0 or (not may_move and work.escalations < ESCALATIONS_MAX):
        _escalate(decision, work, lines)
    elif may_move:
        numbers = [line.line for line in lines]
        decision.reject(lines, RejectReason.NOT_ACCEPTED, Initiator.SYSTEM)
        go_on(decision, numbers)
    else:
        cancel_lines(decision, [line.line for line in lines], Initiator.SYSTEM, EndReason.NOT_ACCEPTED)


def _escalate(decision: OrderDecision, work: StoreWork, lines: list[Line]) -> None:
    event = AcceptOverdue(
        stamp=decision.stamp,
        store=work.store,
        lines=tuple(line.line for line in lines),
        escalation=work.escalations + 1,
        # `reroute_by_ms` counts the store's open minutes, so that an order is not rerouted because a store was closed.
        again_at_ms=(
            work.reroute_by_ms if work.reroute_by_ms > decision.now_ms else decision.now_ms + ESCALATE_AGAIN_MS
        ),
    )
    decision.emit(event)


def _end_window(decision: OrderDecision, store: str) -> None:
    """Expire ready goods at the end of the pickup window, and remind the customer before."""
    work = decision.order.at(store)
    lines = decision.ready_lines(store)
    if work is None or not lines or not work.window_end_ms:
        return
    left_ms = work.window_end_ms - decision.now_ms
    if left_ms <= 0:
        expire(decision, store)
    elif (left_ms <= LAST_REMINDER_MS and work.reminded < 2) or (left_ms <= FIRST_REMINDER_MS and work.reminded < 1):
        decision.notify(Milestone.REMINDER, lines, store)
