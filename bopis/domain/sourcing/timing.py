"""When a store would be ready: open minutes, the queue before the order, cut-off, slot and capacity."""

from msgspec import Struct

from bopis.domain.calendar.hours import add_open_minutes, closings_after, is_open, open_minutes_between
from bopis.domain.calendar.promises import work_begins
from bopis.domain.sourcing.decision import AssignedLine, Assignment
from bopis.domain.sourcing.facts import StoreFacts
from bopis.domain.sourcing.request import Slot
from bopis.domain.sourcing.rules import RuleSet

MINUTES_PER_HOUR = 60
SECONDS_PER_MINUTE = 60


class Clock(Struct, frozen=True):
    """The moment of a decision and what it is measured by."""

    now_ms: int
    rules: RuleSet


class Timing(Struct, frozen=True, kw_only=True):
    """When a store would begin and be done, and how much picking capacity is left before the promise."""

    begins_ms: int
    ready_by_ms: int
    work_minutes: int
    spare_minutes: int


def work_minutes(lines: int, store: StoreFacts, rules: RuleSet) -> int:
    """Whole minutes to pick and stage so many lines in a store; at least one."""
    line_seconds = rules.line_seconds if store.pick_seconds is None else store.pick_seconds
    seconds = rules.order_seconds + line_seconds * lines
    return max(1, -(-seconds // SECONDS_PER_MINUTE))


def timing(store: StoreFacts, slot: Slot | None, lines: int, clock: Clock, from_ms: int | None = None) -> Timing | None:
    """When the order would be ready, or None when the store is not open early or long enough.

    As soon as possible is promised in the rule set's open minutes, later when the queue takes longer. A slot is
    promised for its begin: the store must be able to finish by then and be open in it. ``from_ms`` is when the
    goods are there.
    """
    work = work_minutes(lines, store, clock.rules)
    begins = work_begins(store.calendar, max(clock.now_ms, from_ms or 0))
    if begins is None:
        return None
    if slot is None:
        queued = open_time(store, store.queue_minutes + work)
        promised = None if queued is None else max(clock.rules.promise_minutes, queued)
        ready = None if promised is None else add_open_minutes(store.calendar, begins, promised)
        if ready is None or promised is None:
            return None
        spare = promised * store.capacity_minutes // MINUTES_PER_HOUR - store.queue_minutes - work
        return Timing(begins_ms=begins, ready_by_ms=ready, work_minutes=work, spare_minutes=spare)
    if not _open_within(store, slot):
        return None
    before = open_minutes_between(store.calendar, begins, slot.from_ms)
    spare = before * store.capacity_minutes // MINUTES_PER_HOUR - due_minutes(store, slot.from_ms) - work
    own = open_time(store, work)
    if own is None or own > before:
        return None
    return Timing(begins_ms=begins, ready_by_ms=slot.from_ms, work_minutes=work, spare_minutes=spare)


def open_time(store: StoreFacts, minutes: int) -> int | None:
    """Open minutes that so many minutes of work take a store; None when it has no capacity at all."""
    if store.capacity_minutes <= 0:
        return None
    return -(-minutes * MINUTES_PER_HOUR // store.capacity_minutes)


def due_minutes(store: StoreFacts, at_ms: int) -> int:
    """Minutes of queued work that is due up to an instant."""
    return sum(it.minutes for it in store.work if it.due_ms <= at_ms)


def assignment(store: StoreFacts, lines: tuple[AssignedLine, ...], told: Timing, clock: Clock) -> Assignment:
    """What a store is asked to do, with its promise and the closings that a pickup window is counted from."""
    accept = _within(store, told, clock.rules.accept_minutes)
    return Assignment(
        store=store.store,
        lines=lines,
        ready_by_ms=told.ready_by_ms,
        accept_by_ms=accept,
        reroute_by_ms=max(accept, _within(store, told, clock.rules.reroute_minutes)),
        work_minutes=told.work_minutes,
        closings=closings_after(store.calendar, told.begins_ms, clock.rules.closings_told),
    )


def _within(store: StoreFacts, told: Timing, minutes: int) -> int:
    """So many open minutes after the work may begin, at the latest when the order is to be ready."""
    at_ms = add_open_minutes(store.calendar, told.begins_ms, minutes)
    return told.ready_by_ms if at_ms is None else min(at_ms, told.ready_by_ms)


def _open_within(store: StoreFacts, slot: Slot) -> bool:
    opened = open_minutes_between(store.calendar, slot.from_ms, slot.to_ms) > 0
    return opened or is_open(store.calendar, slot.from_ms)
