"""Durable timers: an order knows its next deadline, and what is due fires once, on the log's clock, however late."""

from collections.abc import Iterator

from bopis.domain.orders.ending import cancel_lines, expire
from bopis.domain.orders.events import AcceptOverdue
from bopis.domain.orders.holding import go_on
from bopis.domain.orders.limits import (
    ESCALATE_AGAIN_MS,
    ESCALATIONS_MAX,
    FIRST_REMINDER_MS,
    LAST_REMINDER_MS,
)
from bopis.domain.orders.routes import give_up, offer_lapsed
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.shorts import substitute_lapsed
from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.orders.terms import By, Consent, EndReason, Milestone, RejectReason

KEPT = frozenset({LineState.READY, LineState.ARRIVED})
DECIDED_BY_TIME = frozenset({LineState.WAITING, LineState.SHORT, LineState.SUBSTITUTE_OFFERED})


def next_due_ms(order: Order) -> int:
    """The order's next deadline, 0 if it has none."""
    return min(_deadlines(order), default=0)


def fire(saga: Saga) -> None:
    """Do what is due by the log's clock. Of reminders that were slept over only the last is sent, and none once the
    window is over."""
    for offer in saga.order.offers:
        if offer.answer_by_ms <= saga.now_ms:
            offer_lapsed(saga, offer.attempt, By.SYSTEM)
    for line in saga.order.lines:
        _decide_by_time(saga, line.line)
    for store in [it.store for it in saga.order.work]:
        _accept_overdue(saga, store)
        _window(saga, store)


def _deadlines(order: Order) -> Iterator[int]:
    for offer in order.offers:
        yield offer.answer_by_ms
    for line in order.lines:
        if line.state in DECIDED_BY_TIME and line.decide_by_ms:
            yield line.decide_by_ms
    for work in order.work:
        states = {it.state for it in order.in_store(work.store)}
        if LineState.PROMISED in states and work.accept_by_ms:
            yield work.accept_by_ms
        if states & KEPT and work.window_end_ms:
            yield work.window_end_ms
            if work.reminded < 2:
                yield work.window_end_ms - (LAST_REMINDER_MS if work.reminded else FIRST_REMINDER_MS)


def _decide_by_time(saga: Saga, number: int) -> None:
    line = saga.order.line(number)
    if line is None or not line.decide_by_ms or line.decide_by_ms > saga.now_ms:
        return
    if line.state is LineState.WAITING:
        give_up(saga, [number], EndReason.WAITED_TOO_LONG)
    elif line.state is LineState.SUBSTITUTE_OFFERED:
        substitute_lapsed(saga, number, By.SYSTEM)
    elif line.state is LineState.SHORT:
        give_up(saga, [number], EndReason.SHORT)


def _accept_overdue(saga: Saga, store: str) -> None:
    """Nobody accepted: say it again; after that another store is asked, or the order ends if none may be."""
    work = saga.order.at(store)
    lines = [it for it in saga.order.in_store(store) if it.state is LineState.PROMISED]
    if work is None or not lines or not work.accept_by_ms or work.accept_by_ms > saga.now_ms:
        return
    elsewhere = saga.order.allows.alternatives is not Consent.NEVER
    if work.escalations == 0 or (not elsewhere and work.escalations < ESCALATIONS_MAX):
        _escalate(saga, work, lines)
    elif elsewhere:
        numbers = [it.line for it in lines]
        saga.reject(lines, RejectReason.NOT_ACCEPTED, By.SYSTEM)
        go_on(saga, numbers)
    else:
        cancel_lines(saga, [it.line for it in lines], By.SYSTEM, EndReason.NOT_ACCEPTED)


def _escalate(saga: Saga, work: StoreWork, lines: list[Line]) -> None:
    event = AcceptOverdue(
        stamp=saga.stamp,
        store=work.store,
        lines=tuple(it.line for it in lines),
        escalation=work.escalations + 1,
        # The store's own minutes, so that nobody is asked elsewhere because a store was closed; after that the clock's.
        again_at_ms=work.reroute_by_ms if work.reroute_by_ms > saga.now_ms else saga.now_ms + ESCALATE_AGAIN_MS,
    )
    saga.say(event)


def _window(saga: Saga, store: str) -> None:
    work = saga.order.at(store)
    lines = [it for it in saga.order.in_store(store) if it.state in KEPT]
    if work is None or not lines or not work.window_end_ms:
        return
    left_ms = work.window_end_ms - saga.now_ms
    if left_ms <= 0:
        expire(saga, store)
    elif (left_ms <= LAST_REMINDER_MS and work.reminded < 2) or (left_ms <= FIRST_REMINDER_MS and work.reminded < 1):
        saga.notice(Milestone.REMINDER, lines, store)
