"""Times of a promise: those of routing, moved in the store's open time when the promise comes late.

Routing counts its times from the begin of the work. The store is given the work only with the promise, which waits for
the hold and the payment: seconds, or hours.
"""

from collections.abc import Iterable

from msgspec import Struct

from bopis.domain.calendar.hours import add_open_ms, open_ms_between
from bopis.domain.calendar.pickup_window import work_begins
from bopis.domain.orders.limits import LATE_PROMISE_MS
from bopis.domain.orders.state import OrderHold, StoreWork
from bopis.domain.sourcing.decision import Schedule
from bopis.domain.values import MINUTE_MS


class PromiseTimes(Struct, frozen=True, kw_only=True):
    """When goods are ready, by when the store accepts them, and when they are routed again; None: as routed."""

    ready_by_ms: int
    accept_by_ms: int | None = None
    reroute_by_ms: int | None = None


def promise_times(work: StoreWork, holds: Iterable[OrderHold], slot_from_ms: int | None, now_ms: int) -> PromiseTimes:
    """Times of the promise of held goods of one store, in epoch milliseconds.

    A late promise counts the open minutes of routing from the begin that the work has now: time in which the store was
    closed moves nothing, and after the cut-off the work begins on a later day. A slot stays where it is while the work
    still fits before it. The times of routing stay within a minute of it, and without a schedule (work that an earlier
    version routed): nothing says when its times began.
    """
    routed_for_ms = max((hold.promised_for_ms for hold in holds), default=0)
    # The later promise of the store and the holds counts: one pickup serves both.
    ready_by_ms = max(work.ready_by_ms, routed_for_ms)
    schedule = work.schedule
    begins_ms = None if schedule is None else _late_begin(schedule, now_ms)
    if schedule is None or begins_ms is None:
        return PromiseTimes(ready_by_ms=ready_by_ms)
    # A promise that the customer has already moves no further: only what joins it is late.
    late_ms = routed_for_ms if work.promised else ready_by_ms
    ready_by_ms = max(
        ready_by_ms,
        _open_later(schedule, begins_ms, schedule.own_minutes * MINUTE_MS),
        late_ms if late_ms == slot_from_ms else _moved(schedule, late_ms, begins_ms),
    )
    # Accepted work has no deadline to accept, and a store that was reminded keeps the one that it was told.
    if work.accepted_ms or work.escalations or not work.accept_by_ms:
        return PromiseTimes(ready_by_ms=ready_by_ms)
    accept_by_ms = min(_moved(schedule, work.accept_by_ms, begins_ms), ready_by_ms)
    reroute_by_ms = min(_moved(schedule, work.reroute_by_ms, begins_ms), ready_by_ms)
    return PromiseTimes(
        ready_by_ms=ready_by_ms, accept_by_ms=accept_by_ms, reroute_by_ms=max(accept_by_ms, reroute_by_ms)
    )


def _late_begin(schedule: Schedule, now_ms: int) -> int | None:
    """Begin of work that the store is given now; None when it is not late."""
    # By the clock first: a cut-off that passes within the minute must not cost a day.
    if now_ms - schedule.begins_ms <= LATE_PROMISE_MS:
        return None
    begins_ms = work_begins(schedule.calendar, now_ms)
    if begins_ms is None:
        return now_ms
    is_late = open_ms_between(schedule.calendar, schedule.begins_ms, begins_ms) > LATE_PROMISE_MS
    return begins_ms if is_late else None


def _moved(schedule: Schedule, at_ms: int, begins_ms: int) -> int:
    """Instant as many open milliseconds after a new begin as ``at_ms`` is after the begin of the schedule."""
    return _open_later(schedule, begins_ms, open_ms_between(schedule.calendar, schedule.begins_ms, at_ms))


def _open_later(schedule: Schedule, at_ms: int, open_ms: int) -> int:
    """Instant by which open time has passed; counted in clock time when the calendar ends before."""
    found = add_open_ms(schedule.calendar, at_ms, open_ms)
    return at_ms + open_ms if found is None else found
