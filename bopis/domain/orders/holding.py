"""Rules for the inventory's answers about holds: granted, refused, ended, short.

An answer about a hold that the order no longer refers to emits nothing.
"""

from collections.abc import Iterable

from bopis.domain.calendar.pickup_window import window_end
from bopis.domain.inventory import events as inventory
from bopis.domain.inventory.events import HoldEnd, StockRefusal
from bopis.domain.orders.cancellation import cancel_lines
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import (
    BooksCorrected,
    CollectionAnswered,
    CoverLost,
    HoldRefused,
    LinesFreed,
    LinesHeld,
    OrderMoved,
    OrderPromised,
    PickRestated,
    ShortPickConfirmed,
    TaskClosed,
)
from bopis.domain.orders.hold_coverage import covered_numbers
from bopis.domain.orders.limits import HOLD_BEYOND_WINDOW_MS, PICKUP_WINDOW_HOURS
from bopis.domain.orders.lines import PickedUnits
from bopis.domain.orders.promise_times import promise_times
from bopis.domain.orders.routing import ask_route, end_move, unfillable
from bopis.domain.orders.short_picks import apply_short_policy, lose_units, substitute_unheld
from bopis.domain.orders.state import SET_ASIDE, Line, LineState, Move, OrderHold, StoreWork
from bopis.domain.orders.vocabulary import EndReason, Initiator, LineSum, Milestone, MoveEnd, PaymentState, TaskKind
from bopis.domain.values import HOUR_MS

PAID_FOR = frozenset({PaymentState.PAY_IN_STORE, PaymentState.AUTHORISED})
UNPROMISED = frozenset({LineState.WAITING, LineState.OFFERED, LineState.PLACED, LineState.REJECTED, LineState.REROUTED})


def reserved(decision: OrderDecision, answer: inventory.StockReserved) -> None:
    """Record a granted hold, and promise held lines as far as the order is paid for."""
    pending = decision.order.pending_move
    if pending is not None and pending.hold == answer.hold:
        _move(decision, pending)
        return
    lines = _lines_of(decision, answer.hold)
    hold = decision.order.hold(answer.hold)
    # A repeat of the answer, or an answer about lines that have ended meanwhile.
    if hold is None or hold.granted or not lines:
        return
    sums = tuple(LineSum(line=line.line, sku=line.sku, quantity=line.quantity) for line in lines)
    decision.emit(LinesHeld(stamp=decision.stamp, hold=answer.hold, store=hold.store, lines=sums))
    promise(decision)


def promise(decision: OrderDecision) -> None:
    """Promise held lines, store by store, once they are paid for or will be paid in the store.

    An order that allows no partial fulfilment is promised only when every line is held.
    """
    order = decision.order
    held = [line for line in order.lines if line.state is LineState.HELD]
    if not held or order.payment not in PAID_FOR:
        return
    if not order.allows.partial and any(line.state in UNPROMISED for line in order.lines):
        return
    # One promise per store: its lines are prepared together and have one pickup window.
    for store in dict.fromkeys(line.store for line in held):
        _promise_at(decision, store, [line for line in held if line.store == store])


def pickup_window_end(work: StoreWork, ready_ms: int) -> int:
    """End of the pickup window of goods that became ready at ``ready_ms``: a closing of the store, in store days.

    When routing named too few closings, the window is counted in clock hours.
    """
    end_ms = window_end(work.closings, ready_ms, PICKUP_WINDOW_HOURS)
    return ready_ms + PICKUP_WINDOW_HOURS * HOUR_MS if end_ms is None else end_ms


def refused(decision: OrderDecision, answer: inventory.ReservationRefused) -> None:
    """Route refused lines again; the next attempt excludes the store for the SKUs that it lacks."""
    pending = decision.order.pending_move
    if pending is not None and pending.hold == answer.hold:
        is_off = answer.reason is StockRefusal.PICKUP_OFF
        end_move(decision, MoveEnd.STORE_UNAVAILABLE if is_off else MoveEnd.NO_STOCK)
        return
    hold = decision.order.hold(answer.hold)
    lines = _lines_of(decision, answer.hold)
    if hold is None or hold.granted:
        return
    event = HoldRefused(
        stamp=decision.stamp,
        hold=answer.hold,
        store=hold.store,
        skus=tuple(shortage.sku for shortage in answer.shortages),
        lines=tuple(line.line for line in lines),
        # A deadline that passed on the way says nothing about the store.
        excluded=answer.reason is not StockRefusal.DEADLINE_PASSED,
    )
    decision.emit(event)
    for line in lines:
        # A substitute is wanted from this store only: the customer agreed to it here.
        if line.state is LineState.SUBSTITUTED:
            substitute_unheld(decision, line.line)
    ask_route(decision, [line.line for line in lines if line.state is not LineState.SUBSTITUTED])


def hold_changed(decision: OrderDecision, answer: inventory.HoldChanged) -> None:
    """Record that lines of a hold ended in the inventory."""
    hold = decision.order.hold(answer.hold)
    if hold is None:
        return
    if answer.end is HoldEnd.COLLECTED:
        _record_collection(decision, hold, {line.line: line.quantity for line in answer.lines})
        return
    ended = {line.line for line in answer.lines}
    numbers = {part.line for part in hold.parts if part.number in ended}
    free(decision, hold, [line for line in decision.order.lines if line.line in numbers or line.leaving == hold.hold])


def hold_refused(decision: OrderDecision, answer: inventory.HoldCommandRefused) -> None:
    """Record that the inventory refused a command or report about a hold."""
    hold = decision.order.hold(answer.hold)
    if hold is None:
        return
    if answer.command == "CollectStock":
        # Nothing was booked out, so all units handed over are corrected in the books.
        _record_collection(decision, hold, {})
    elif answer.command == "StockPicked":
        _restate_pick(decision, hold, answer.reason is StockRefusal.HOLD_ENDED)
    elif answer.command == "ExtendHold":
        # The hold ended before it could be extended: its lines need another one.
        free(decision, hold, _lines_of(decision, hold.hold))
    elif answer.command != "SplitHold":
        # A refused release: nothing was left to release, which is all that leaving lines wait for.
        free(decision, hold, [line for line in decision.order.lines if line.leaving == hold.hold])


def shortfall(decision: OrderDecision, answer: inventory.ShortfallFound) -> None:
    """Lose held units to a till sale, unless the picker has set them aside already."""
    for hit in answer.hits:
        hold = decision.order.hold(hit.hold)
        part = next((it for it in hold.parts if it.number == hit.line), None) if hold is not None else None
        if hold is None or part is None:
            continue
        decision.emit(CoverLost(stamp=decision.stamp, hold=hold.hold, number=part.number, units=hit.lost))
        line = decision.order.line(part.line)
        if line is None:
            continue
        # The till took the units that were about to be released: no answer to the release will come.
        if line.leaving == hold.hold and not _is_covered(decision, hold.hold, line.line):
            free(decision, hold, [line])
        elif line.hold == hold.hold and line.state not in SET_ASIDE:
            lose_units(decision, line, part, hit.lost)


def short_pick_confirmed(decision: OrderDecision, answer: inventory.ShortPickFound) -> None:
    """Record that the inventory took units out of a hold that a pick had reported missing."""
    if decision.order.hold(answer.hold) is not None:
        event = ShortPickConfirmed(stamp=decision.stamp, hold=answer.hold, number=answer.line, units=answer.missing)
        decision.emit(event)
        _free_uncovered(decision, answer.hold)


def doubt_settled(decision: OrderDecision, answer: inventory.DoubtSettled) -> None:
    """Close the count task of a short pick: a count settled the units in doubt."""
    for task in decision.order.tasks:
        if task.kind is TaskKind.COUNT and (task.hold, task.sku) == (answer.hold, answer.sku):
            closed = TaskClosed(
                stamp=decision.stamp, task=task.task, kind=task.kind, store=task.store, counted=answer.on_hand
            )
            decision.emit(closed)


def free(decision: OrderDecision, hold: OrderHold, lines: Iterable[Line]) -> None:
    """End a hold for lines.

    Lines set aside stay so, and are booked out at hand-over without a hold. The others are routed again, except held
    lines that were never paid for: those are cancelled.
    """
    freed = [line for line in lines if line.live and hold.hold in (line.hold, line.leaving)]
    # A held line without payment has used up its checkout time; holding it again would block stock for nothing.
    unpaid = [line.line for line in freed if line.state is LineState.HELD and decision.order.payment not in PAID_FOR]
    kept = tuple(line.line for line in freed if line.state in SET_ASIDE and line.hold == hold.hold)
    gone = tuple(line.line for line in freed if line.line not in kept)
    # Before the fold, which forgets the picked units.
    decision.put_back([line for line in freed if line.line in gone and line.hold == hold.hold])
    # Kept lines first: their event leaves the goods where they are.
    for numbers in (kept, gone):
        if numbers:
            decision.emit(LinesFreed(stamp=decision.stamp, hold=hold.hold, lines=numbers, kept=numbers == kept))
    if unpaid:
        cancel_lines(decision, unpaid, Initiator.SYSTEM, EndReason.PAYMENT_LATE)
    go_on(decision, gone)


def go_on(decision: OrderDecision, lines: Iterable[int]) -> None:
    """Route rejected lines, and apply the short policy to short ones, whose hold has been released."""
    wanted = set(lines)
    released = [line for line in decision.order.live if line.line in wanted and not line.leaving]
    rejected = tuple(line.line for line in released if line.state is LineState.REJECTED)
    # An order that is fulfilled whole or not at all waits as a whole.
    waits = not decision.order.allows.partial and any(line.state is LineState.WAITING for line in decision.order.lines)
    if rejected and waits:
        unfillable(decision, rejected, EndReason.NO_STORE)
    else:
        ask_route(decision, rejected)
    for line in released:
        if line.state is LineState.SHORT:
            apply_short_policy(decision, line.line)


def _move(decision: OrderDecision, pending: Move) -> None:
    """Change the store of the lines that the new store holds, release the old holds, and promise them there."""
    numbers = {line.line for line in pending.lines}
    stores = (line.store for line in decision.order.live if line.line in numbers and line.store)
    moved = OrderMoved(
        stamp=decision.stamp,
        store=pending.store,
        left=tuple(store for store in dict.fromkeys(stores) if store != pending.store),
        hold=pending.hold,
        lines=pending.lines,
        by=pending.by,
    )
    decision.emit(moved)
    promise(decision)


def _promise_at(decision: OrderDecision, store: str, lines: list[Line]) -> None:
    order, numbers = decision.order, tuple(line.line for line in lines)
    work = order.at(store) or StoreWork(store=store)
    is_confirmed = Milestone.PLACED.value in order.notice_versions
    before_ms = work.ready_by_ms if work.promised else None
    holds = [hold for hold in order.holds if any(line.hold == hold.hold for line in lines)]
    times = promise_times(work, holds, order.slot_from_ms, decision.now_ms)
    promised = OrderPromised(
        stamp=decision.stamp,
        store=store,
        lines=numbers,
        ready_by_ms=times.ready_by_ms,
        promised_before_ms=before_ms,
        hold_until_ms=pickup_window_end(work, max(times.ready_by_ms, decision.now_ms)) + HOLD_BEYOND_WINDOW_MS,
        accept_by_ms=times.accept_by_ms,
        reroute_by_ms=times.reroute_by_ms,
    )
    decision.emit(promised)
    # The order confirmation names the first promise; only a later one, or a new store, is a change to the customer.
    if is_confirmed and (before_ms is None or times.ready_by_ms > before_ms):
        changed = [line for line in decision.order.lines if line.line in numbers]
        decision.notify(Milestone.PROMISE_CHANGED, changed, store)


def _record_collection(decision: OrderDecision, hold: OrderHold, booked: dict[int, int]) -> None:
    """Answer the oldest pending hand-over of a hold, and correct the books where other units left than were booked."""
    if not hold.collecting:
        return
    expected = {units.number: units.units for units in hold.expected}
    sums = []
    for part in hold.parts:
        if part.number in hold.collecting[0]:
            # Negative when more was booked out than left the store; the correction is signed.
            unbooked = expected.get(part.number, part.quantity) - booked.get(part.number, 0)
            sums.append(LineSum(line=part.line, sku=part.sku, quantity=unbooked))
    unequal = tuple(it for it in sums if it.quantity)
    if unequal:
        decision.emit(BooksCorrected(stamp=decision.stamp, store=hold.store, lines=unequal))
    decision.emit(CollectionAnswered(stamp=decision.stamp, hold=hold.hold))


def _restate_pick(decision: OrderDecision, hold: OrderHold, is_ended: bool) -> None:
    """Report a refused pick again, as far as the hold still covers it.

    The inventory refuses a pick when a till sale has taken units of the hold meanwhile. The missing units are covered
    as before; units in hand are reported once more, and missing units only beyond those that the till took.
    """
    unconfirmed = {units.number: units.units for units in hold.unconfirmed[0]} if hold.unconfirmed else {}
    # Numbers released or collected have left the hold: a report about them would be refused again.
    settled = {*hold.released, *(number for numbers in hold.collecting for number in numbers)}
    restated = []
    for part in hold.parts if not is_ended else ():
        line = decision.order.line(part.line)
        if part.number in settled or line is None:
            continue
        is_here = line.hold == hold.hold and line.live
        # The refused pick took nothing out, so its missing units are still in the hold.
        covers = part.quantity + unconfirmed.get(part.number, 0)
        wanted = line.parts[part.component].quantity * line.quantity if is_here else 0
        in_hand = line.picked[part.component] if is_here and line.picked and not hold.restated else 0
        picked = max(0, min(in_hand, covers))
        missing = max(0, min(unconfirmed.get(part.number, 0), covers - wanted))
        if picked or missing:
            restated.append(PickedUnits(line=part.line, component=part.component, picked=picked, missing=missing))
    if restated or unconfirmed:
        decision.emit(PickRestated(stamp=decision.stamp, store=hold.store, hold=hold.hold, units=tuple(restated)))
        _free_uncovered(decision, hold.hold)


def _free_uncovered(decision: OrderDecision, name: str) -> None:
    """Free lines that waited for an answer about a hold's coverage, and that it no longer covers."""
    hold = decision.order.hold(name)
    waiting = [
        line for line in decision.order.lines if line.leaving == name and not _is_covered(decision, name, line.line)
    ]
    if hold is not None and waiting:
        free(decision, hold, waiting)


def _lines_of(decision: OrderDecision, hold: str) -> list[Line]:
    return [line for line in decision.order.lines if line.hold == hold and line.live]


def _is_covered(decision: OrderDecision, name: str, line: int) -> bool:
    hold = decision.order.hold(name)
    return hold is not None and bool(covered_numbers(hold, line))
