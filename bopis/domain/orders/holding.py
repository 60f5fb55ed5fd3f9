"""What the inventory answers: held, refused, ended, lost. An answer about a hold that nothing of the order refers to
any more says nothing."""

from collections.abc import Iterable

from bopis.domain.calendar.promises import window_end
from bopis.domain.inventory import events as inventory
from bopis.domain.inventory.events import HoldEnd
from bopis.domain.inventory.events import Refusal as StockRefusal
from bopis.domain.orders.cover import covered
from bopis.domain.orders.ending import cancel_lines
from bopis.domain.orders.events import (
    CoverLost,
    HoldRefused,
    LinesFreed,
    LinesHeld,
    OrderPromised,
    PickRestated,
    ShortPickConfirmed,
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
        _collected(saga, hold, {it.line: it.quantity for it in answer.lines})
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
        _collected(saga, hold, {})
    elif answer.command == "StockPicked":
        _restate(saga, hold, answer.reason is StockRefusal.HOLD_ENDED)
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


def missing_confirmed(saga: Saga, answer: inventory.ShortPickFound) -> None:
    """The books took out what a pick had not found."""
    if saga.order.hold(answer.hold) is not None:
        units = {"number": answer.line, "units": answer.missing}
        saga.say(ShortPickConfirmed(stamp=saga.stamp, hold=answer.hold, **units))
        _free_uncovered(saga, answer.hold)


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


def _collected(saga: Saga, hold: Hold, booked: dict[int, int]) -> None:
    """The oldest hand-over that waits for its answer is answered: the books follow the goods, where more left than was
    booked out, or less."""
    if not hold.collecting:
        return
    expected = {it.number: it.units for it in hold.expected}
    sums = []
    for it in hold.parts:
        if it.number in hold.collecting[0]:
            unbooked = expected.get(it.number, it.quantity) - booked.get(it.number, 0)
            sums.append(LineSum(line=it.line, sku=it.sku, quantity=unbooked))
    unequal = tuple(it for it in sums if it.quantity)
    if unequal:
        saga.say(BooksCorrected(stamp=saga.stamp, store=hold.store, lines=unequal))
    saga.say(CollectionAnswered(stamp=saga.stamp, hold=hold.hold))


def _restate(saga: Saga, hold: Hold, ended: bool) -> None:
    """A pick reached the books after a till's sale had taken units of the hold: what was missing is covered as before,
    and what the hold still covers is said again: in hand, once, or missing beyond what the till took."""
    again = {it.number: it.units for it in hold.unconfirmed[0]} if hold.unconfirmed else {}
    said = {*hold.released, *(number for numbers in hold.collecting for number in numbers)}
    units = []
    for part in hold.parts if not ended else ():
        line = saga.order.line(part.line)
        if part.number in said or line is None:
            continue
        here = line.hold == hold.hold and line.live
        covers = part.quantity + again.get(part.number, 0)
        wanted = line.parts[part.component].quantity * line.quantity if here else 0
        in_hand = line.picked[part.component] if here and line.picked and not hold.restated else 0
        picked = max(0, min(in_hand, covers))
        missing = max(0, min(again.get(part.number, 0), covers - wanted))
        if picked or missing:
            found = PickedUnits(line=part.line, component=part.component, picked=picked, missing=missing)
            units.append(found)
    if units or again:
        saga.say(PickRestated(stamp=saga.stamp, store=hold.store, hold=hold.hold, units=tuple(units)))
        _free_uncovered(saga, hold.hold)


def _free_uncovered(saga: Saga, name: str) -> None:
    """Lines that only waited to hear what a hold still covers go on when it covers nothing of them."""
    hold = saga.order.hold(name)
    waiting = [it for it in saga.order.lines if it.leaving == name and not _still_covered(saga, name, it.line)]
    if hold is not None and waiting:
        free(saga, hold, waiting)


def _lines_of(saga: Saga, hold: str) -> list[Line]:
    return [it for it in saga.order.lines if it.hold == hold and it.live]


def _still_covered(saga: Saga, hold: str, line: int) -> bool:
    known = saga.order.hold(hold)
    return known is not None and bool(covered(known, line))
