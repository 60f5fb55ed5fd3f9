"""What the inventory answers: held, refused, ended, lost. An answer about a hold that nothing of the order refers to
any more says nothing."""

from collections.abc import Iterable

from bopis.domain.calendar.promises import window_end
from bopis.domain.inventory import events as inventory
from bopis.domain.inventory.events import HoldEnd
from bopis.domain.inventory.events import Refusal as StockRefusal
from bopis.domain.orders.ending import cancel_lines
from bopis.domain.orders.events import (
    CoverLost,
    HoldRefused,
    LinesFreed,
    LinesHeld,
    OrderPromised,
    PickRestated,
    TaskClosed,
)
from bopis.domain.orders.limits import HOLD_BEYOND_WINDOW_MS, PICKUP_WINDOW_HOURS
from bopis.domain.orders.outcomes import BooksCorrected, CollectionAnswered
from bopis.domain.orders.routes import ask_route, unfillable
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.shorts import lose_units, short_policy, substitute_unheld
from bopis.domain.orders.state import SET_ASIDE, Hold, Line, LineState, StoreWork
from bopis.domain.orders.terms import By, EndReason, LineSum, Milestone, PaymentState, TaskKind
from bopis.domain.orders.units import PickedUnits
from bopis.domain.values import HOUR_MS

PAID_FOR = frozenset({PaymentState.PAY_IN_STORE, PaymentState.AUTHORISED})
UNPROMISED = frozenset({LineState.WAITING, LineState.OFFERED, LineState.PLACED, LineState.REJECTED, LineState.REROUTED})


def reserved(saga: Saga, answer: inventory.StockReserved) -> None:
    """A store holds: what is held for all that may not be parted, and paid for, is promised."""
    lines = _lines_of(saga, answer.hold)
    hold = saga.order.hold(answer.hold)
    if hold is None or hold.granted or not lines:
        return
    sums = tuple(LineSum(line=it.line, sku=it.sku, quantity=it.quantity) for it in lines)
    saga.say(LinesHeld(stamp=saga.stamp, hold=answer.hold, store=hold.store, lines=sums))
    promise(saga)


def promise(saga: Saga) -> None:
    """Promise held lines, store by store, once they are paid for or will be in the store."""
    order = saga.order
    held = [it for it in order.lines if it.state is LineState.HELD]
    if not held or order.payment not in PAID_FOR:
        return
    if not order.allows.partial and any(it.state in UNPROMISED for it in order.lines):
        return
    for store in dict.fromkeys(it.store for it in held):
        _promise_at(saga, store, [it for it in held if it.store == store])


def pickup_window_end(work: StoreWork, ready_ms: int) -> int:
    """When the pickup window of goods that became ready ends: at a closing of the store, in its own days."""
    end_ms = window_end(work.closings, ready_ms, PICKUP_WINDOW_HOURS)
    return ready_ms + PICKUP_WINDOW_HOURS * HOUR_MS if end_ms is None else end_ms


def refused(saga: Saga, answer: inventory.ReservationRefused) -> None:
    """A store cannot hold: the next attempt leaves it out for what it lacks."""
    hold = saga.order.hold(answer.hold)
    lines = _lines_of(saga, answer.hold)
    if hold is None or hold.granted:
        return
    skus = tuple(it.sku for it in answer.shortages)
    event = HoldRefused(
        stamp=saga.stamp,
        hold=answer.hold,
        store=hold.store,
        skus=skus,
        lines=tuple(it.line for it in lines),
        excluded=answer.reason is not StockRefusal.DEADLINE_PASSED,
    )
    saga.say(event)
    for line in lines:
        if line.state is LineState.SUBSTITUTED:
            substitute_unheld(saga, line.line)
    ask_route(saga, [it.line for it in lines if it.state is not LineState.SUBSTITUTED])


def hold_changed(saga: Saga, answer: inventory.HoldChanged) -> None:
    """Lines of a hold ended in the books."""
    hold = saga.order.hold(answer.hold)
    if hold is None:
        return
    if answer.end is HoldEnd.COLLECTED:
        _collected(saga, hold, {it.line for it in answer.lines})
        return
    ended = {it.line for it in answer.lines}
    numbers = {it.line for it in hold.parts if it.number in ended}
    free(saga, hold, [it for it in saga.order.lines if it.line in numbers or it.leaving == hold.hold])


def hold_refused(saga: Saga, answer: inventory.HoldCommandRefused) -> None:
    """The inventory could not do what it was asked about a hold."""
    hold = saga.order.hold(answer.hold)
    if hold is None:
        return
    if answer.command == "CollectStock":
        _collected(saga, hold, set())
    elif answer.command == "StockPicked":
        _restate(saga, hold)
    elif answer.command == "ExtendHold":
        free(saga, hold, _lines_of(saga, hold.hold))
    else:
        free(saga, hold, [it for it in saga.order.lines if it.leaving == hold.hold])


def shortfall(saga: Saga, answer: inventory.ShortfallFound) -> None:
    """A till sold what was held: the units are lost, unless they are in the picker's hands already."""
    for hit in answer.hits:
        hold = saga.order.hold(hit.hold)
        part = next((it for it in hold.parts if it.number == hit.line), None) if hold is not None else None
        if hold is None or part is None:
            continue
        lost = CoverLost(stamp=saga.stamp, hold=hold.hold, number=part.number, units=hit.lost)
        saga.say(lost)
        line = saga.order.line(part.line)
        if line is None:
            continue
        if line.leaving == hold.hold and not _still_covered(saga, hold.hold, line.line):
            free(saga, hold, [line])
        elif line.hold == hold.hold and line.state not in SET_ASIDE:
            lose_units(saga, line, part, hit.lost)


def doubt_settled(saga: Saga, answer: inventory.DoubtSettled) -> None:
    """A count told what a short pick left open: its task is done."""
    for task in saga.order.tasks:
        if task.kind is TaskKind.COUNT and (task.hold, task.sku) == (answer.hold, answer.sku):
            done = TaskClosed(
                stamp=saga.stamp, task=task.task, kind=task.kind, store=task.store, counted=answer.on_hand
            )
            saga.say(done)


def free(saga: Saga, hold: Hold, lines: Iterable[Line]) -> None:
    """A hold ended for lines: what was being given back goes on; what counted on it is held anew, or ends if it was
    never paid for; what is set aside already stays set aside and is booked out when it is handed over."""
    freed = [it for it in lines if it.live and hold.hold in (it.hold, it.leaving)]
    unpaid = [it.line for it in freed if it.state is LineState.HELD and saga.order.payment not in PAID_FOR]
    kept = tuple(it.line for it in freed if it.state in SET_ASIDE and it.hold == hold.hold)
    gone = tuple(it.line for it in freed if it.line not in kept)
    saga.put_back([it for it in freed if it.line in gone and it.hold == hold.hold])
    for numbers in (kept, gone):
        if numbers:
            saga.say(LinesFreed(stamp=saga.stamp, hold=hold.hold, lines=numbers, kept=numbers == kept))
    if unpaid:
        cancel_lines(saga, unpaid, By.SYSTEM, EndReason.PAYMENT_LATE)
    go_on(saga, gone)


def go_on(saga: Saga, lines: Iterable[int]) -> None:
    """Lines whose hold has been given back ask for the next one."""
    wanted = set(lines)
    free_lines = [it for it in saga.order.live if it.line in wanted and not it.leaving]
    rejected = tuple(it.line for it in free_lines if it.state is LineState.REJECTED)
    waits = not saga.order.allows.partial and any(it.state is LineState.WAITING for it in saga.order.lines)
    if rejected and waits:
        unfillable(saga, rejected, EndReason.NO_STORE)
    else:
        ask_route(saga, rejected)
    for line in free_lines:
        if line.state is LineState.SHORT:
            short_policy(saga, line.line)


def _promise_at(saga: Saga, store: str, lines: list[Line]) -> None:
    order, numbers = saga.order, tuple(it.line for it in lines)
    work = order.at(store) or StoreWork(store=store)
    told = Milestone.PLACED.value in order.told
    before_ms = work.ready_by_ms if work.promised else None
    hold = order.hold(lines[0].hold)
    ready_by_ms = max(work.ready_by_ms, hold.promised_for_ms if hold is not None else 0)
    promised = OrderPromised(
        stamp=saga.stamp,
        store=store,
        lines=numbers,
        ready_by_ms=ready_by_ms,
        promised_before_ms=before_ms,
        hold_until_ms=pickup_window_end(work, max(ready_by_ms, saga.now_ms)) + HOLD_BEYOND_WINDOW_MS,
    )
    saga.say(promised)
    if told and (before_ms is None or ready_by_ms > before_ms):
        saga.notice(Milestone.PROMISE_CHANGED, [it for it in saga.order.lines if it.line in numbers], store)


def _collected(saga: Saga, hold: Hold, booked: set[int]) -> None:
    """The oldest hand-over that waits for its answer is answered: what was not booked out is corrected."""
    if not hold.collecting:
        return
    unbooked = [it for it in hold.parts if it.number in set(hold.collecting[0]) - booked and it.quantity]
    sums = tuple(LineSum(line=it.line, sku=it.sku, quantity=it.quantity) for it in unbooked)
    if sums:
        saga.say(BooksCorrected(stamp=saga.stamp, store=hold.store, lines=sums))
    saga.say(CollectionAnswered(stamp=saga.stamp, hold=hold.hold))


def _restate(saga: Saga, hold: Hold) -> None:
    """A pick reached the books after a till's sale had taken units of the hold: say what is still covered, once."""
    units = []
    for line in _lines_of(saga, hold.hold):
        for component, picked in enumerate(line.picked):
            part = next((it for it in hold.parts if (it.line, it.component) == (line.line, component)), None)
            covered = min(picked, part.quantity) if part is not None else 0
            if covered > 0:
                units.append(PickedUnits(line=line.line, component=component, picked=covered, missing=0))
    if units and not hold.restated:
        saga.say(PickRestated(stamp=saga.stamp, store=hold.store, hold=hold.hold, units=tuple(units)))


def _lines_of(saga: Saga, hold: str) -> list[Line]:
    return [it for it in saga.order.lines if it.hold == hold and it.live]


def _still_covered(saga: Saga, hold: str, line: int) -> bool:
    known = saga.order.hold(hold)
    return known is not None and any(it.line == line and it.quantity > 0 for it in known.parts)
