"""When a store would be ready, from its open minutes, queue, cut-off, slot and capacity."""

from msgspec import Struct

from bopis.domain.calendar.hours import (
    add_open_minutes,
    closings_after,
    days_between,
    is_open,
    open_minutes_between,
)
from bopis.domain.calendar.pickup_window import work_begins
from bopis.domain.sourcing.decision import AssignedLine, Assignment, Schedule
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Slot
from bopis.domain.sourcing.rules import RuleSet

MINUTES_PER_HOUR = 60
SECONDS_PER_MINUTE = 60


class DecisionContext(Struct, frozen=True):
    """Time of a decision, and the rule set in force."""

    now_ms: int
    rules: RuleSet


class Timing(Struct, frozen=True, kw_only=True):
    """When a store would begin and be ready, and the picking minutes left before the promise.

    ``work_minutes`` are minutes of picking; ``own_minutes`` the open minutes in which the store does them.
    """

    begins_ms: int
    ready_by_ms: int
    work_minutes: int
    own_minutes: int
    spare_minutes: int


def work_minutes(lines: int, store: StoreFacts, rules: RuleSet) -> int:
    """Whole minutes to pick and stage a number of lines in a store; at least one."""
    line_seconds = rules.line_seconds if store.pick_seconds is None else store.pick_seconds
    seconds = rules.order_seconds + line_seconds * lines
    return max(1, -(-seconds // SECONDS_PER_MINUTE))


def timing(
    store: StoreFacts, slot: Slot | None, lines: int, context: DecisionContext, from_ms: int | None = None
) -> Timing | None:
    """When the order would be ready; None when the store is not open early or long enough.

    Without a slot the promise is the rule set's open minutes, or longer when the queue takes longer. A slot is promised
    for its begin: the store must be able to finish by then and be open in the slot. ``from_ms`` is when the goods are
    there.
    """
    work = work_minutes(lines, store, context.rules)
    own = open_time(store, work)
    begins = work_begins(store.calendar, max(context.now_ms, from_ms or 0))
    if begins is None or own is None:
        return None
    if slot is None:
        queued = open_time(store, store.queue_minutes + work)
        # The promise in open minutes is a minimum: a full queue makes it later, an empty one not earlier.
        promised = None if queued is None else max(context.rules.promise_minutes, queued)
        ready = None if promised is None else add_open_minutes(store.calendar, begins, promised)
        if ready is None or promised is None:
            return None
        spare = promised * store.capacity_minutes // MINUTES_PER_HOUR - store.queue_minutes - work
        return Timing(begins_ms=begins, ready_by_ms=ready, work_minutes=work, own_minutes=own, spare_minutes=spare)
    if not _open_within(store, slot):
        return None
    before = open_minutes_between(store.calendar, begins, slot.from_ms)
    spare = before * store.capacity_minutes // MINUTES_PER_HOUR - due_minutes(store, slot.from_ms) - work
    # The work of this order alone must fit between its begin and the slot, however short the queue is.
    if own > before:
        return None
    return Timing(begins_ms=begins, ready_by_ms=slot.from_ms, work_minutes=work, own_minutes=own, spare_minutes=spare)


def open_time(store: StoreFacts, minutes: int) -> int | None:
    """Open minutes that a store needs for minutes of work; None when it has no capacity."""
    if store.capacity_minutes <= 0:
        return None
    return -(-minutes * MINUTES_PER_HOUR // store.capacity_minutes)


def due_minutes(store: StoreFacts, at_ms: int) -> int:
    """Minutes of queued work due up to an instant."""
    return sum(it.minutes for it in store.work if it.due_ms <= at_ms)


def assignment(
    store: StoreFacts, lines: tuple[AssignedLine, ...], when: Timing, context: DecisionContext
) -> Assignment:
    """Assignment of lines to a store: its promise, the closings that count its pickup window, and its schedule."""
    closings = closings_after(store.calendar, when.begins_ms, context.rules.closings_told)
    accept = _within(store, when, context.rules.accept_minutes)
    return Assignment(
        store=store.store,
        lines=lines,
        ready_by_ms=when.ready_by_ms,
        accept_by_ms=accept,
        # The order is not routed elsewhere before the store's time to accept has passed.
        reroute_by_ms=max(accept, _within(store, when, context.rules.reroute_minutes)),
        work_minutes=when.work_minutes,
        closings=closings,
        schedule=Schedule(
            begins_ms=when.begins_ms,
            own_minutes=when.own_minutes,
            calendar=days_between(store.calendar, when.begins_ms, max(closings, default=when.ready_by_ms)),
        ),
    )


def _within(store: StoreFacts, when: Timing, minutes: int) -> int:
    """Instant a number of open minutes after the start of the work, at the latest the promise."""
    at_ms = add_open_minutes(store.calendar, when.begins_ms, minutes)
    return when.ready_by_ms if at_ms is None else min(at_ms, when.ready_by_ms)


def _open_within(store: StoreFacts, slot: Slot) -> bool:
    opened = open_minutes_between(store.calendar, slot.from_ms, slot.to_ms) > 0
    return opened or is_open(store.calendar, slot.from_ms)
