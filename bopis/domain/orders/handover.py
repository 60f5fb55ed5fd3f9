"""Rules for the counter: ready, arrival, hand-over, extension, new code, return, put-back."""

from typing import NamedTuple

from msgspec.structs import replace

from bopis.domain.orders.amounts import open_total
from bopis.domain.orders.decision import OrderDecision, refusal_for
from bopis.domain.orders.events import (
    ArrivalRecorded,
    CaptureRequested,
    CodeFailed,
    CodeReissued,
    OrderHandedOver,
    OrderReady,
    OrderReturned,
    RefundRequested,
    TaskClosed,
    WindowExtended,
)
from bopis.domain.orders.hold_coverage import expected_units
from bopis.domain.orders.holding import pickup_window_end
from bopis.domain.orders.limits import (
    ARRIVAL_KEEPS_MS,
    CODE_TRIES_MAX,
    EXTENSION_MS_MAX,
    HOLD_BEYOND_WINDOW_MS,
)
from bopis.domain.orders.lines import Collected, ReturnedUnits
from bopis.domain.orders.messages import (
    ConfirmPutBack,
    CustomerArrived,
    ExtendPickup,
    HandOver,
    ReissueCode,
    ReturnInStore,
)
from bopis.domain.orders.paying import is_paid
from bopis.domain.orders.state import READY_STATES, STAGED_STATES, Line, LineState, StoreWork
from bopis.domain.orders.vocabulary import (
    Amount,
    Document,
    LineSum,
    Milestone,
    Proof,
    Refusal,
    TaskKind,
)
from bopis.domain.values import epoch_ms

EXPECTED = STAGED_STATES | {LineState.PROMISED, LineState.ACCEPTED, LineState.PICKING, LineState.PICKED}
HANDED_OVER = frozenset({LineState.HANDED_OVER})


class BookedOut(NamedTuple):
    """Units that leave the store with a hand-over: by hold, and those that no hold covers."""

    collected: tuple[Collected, ...]
    uncovered: tuple[LineSum, ...]


def ready(decision: OrderDecision, store: str, lines: tuple[Line, ...]) -> None:
    """Start the pickup window when everything that a store will hand over is staged, and notify the customer."""
    work = decision.order.at(store) or StoreWork(store=store)
    end_ms = pickup_window_end(work, decision.now_ms)
    event = OrderReady(
        stamp=decision.stamp,
        store=store,
        lines=tuple(line.line for line in lines),
        window_end_ms=end_ms,
        hold_until_ms=end_ms + HOLD_BEYOND_WINDOW_MS,
    )
    decision.emit(event)
    decision.notify(Milestone.READY, lines, store)


def arrive(decision: OrderDecision, report: CustomerArrived) -> None:
    """Record the customer's arrival, whether or not goods are ready.

    Ready goods are kept for at least ARRIVAL_KEEPS_MS, so that the window does not end while the customer waits.
    """
    lines = decision.select(report.store, (), EXPECTED)
    if not lines:
        return
    work = decision.order.at(report.store) or StoreWork(store=report.store)
    is_first = work.where is None
    kept = tuple(line.line for line in lines if line.state in READY_STATES)
    end_ms = max(work.window_end_ms, decision.now_ms + ARRIVAL_KEEPS_MS) if kept else work.window_end_ms
    event = ArrivalRecorded(
        stamp=decision.stamp,
        store=report.store,
        where=report.where,
        spot=report.spot,
        lines=kept,
        window_end_ms=end_ms,
        hold_until_ms=end_ms + HOLD_BEYOND_WINDOW_MS,
    )
    decision.emit(event)
    if is_first:
        decision.notify(Milestone.ARRIVAL, lines, report.store)


def hand_over(decision: OrderDecision, command: HandOver) -> None:
    """Hand goods over to a person with a valid proof, confirm it to the customer, and request capture of the price."""
    named = (*command.lines, *(part.line for part in command.parts))
    lines = decision.select(command.store, named, STAGED_STATES)
    # The lines first: a wrong code is counted only when there is something to hand over.
    if not lines or not decision.fits(command.parts) or not _is_proved(decision, command):
        return
    parts = {part.line: part.quantity for part in command.parts}
    price = sum(line.unit_cents * parts.get(line.line, line.quantity) for line in lines)
    if not is_paid(decision.order, price, decision.now_ms):
        decision.refuse(Refusal.UNPAID)
        return
    record_hand_over(decision, command, decision.split_off(lines, command.parts))


def record_hand_over(decision: OrderDecision, command: HandOver, lines: tuple[Line, ...]) -> None:
    """Record that lines left a store: book them out, confirm it to the customer, request capture of their price."""
    price = sum(line.unit_cents * line.quantity for line in lines)
    booked_out = _booked_out(decision, lines)
    event = OrderHandedOver(
        stamp=decision.stamp,
        store=command.store,
        lines=tuple(LineSum(line=line.line, sku=line.sku, quantity=line.quantity) for line in lines),
        collected=booked_out.collected,
        uncovered=booked_out.uncovered,
        proof=command.proof,
        document=command.document,
        to=command.to,
        signature=command.signature,
    )
    decision.emit(event)
    decision.notify(Milestone.COLLECTED, lines, command.store)
    # Capture what left the store, and nothing else; an order without methods is paid at the till.
    if decision.order.methods and price:
        amount = Amount(cents=price, currency=decision.order.currency)
        captured = CaptureRequested(stamp=decision.stamp, amount=amount, open_cents=open_total(decision.order))
        decision.emit(captured)


def extend(decision: OrderDecision, command: ExtendPickup) -> None:
    """Extend the pickup window of ready goods, by at most EXTENSION_MS_MAX from now."""
    lines = decision.select(command.store, (), READY_STATES)
    work = decision.order.at(command.store)
    if not lines or work is None:
        return
    until_ms = epoch_ms(command.until)
    # A window is never shortened: the customer relies on its end.
    if until_ms <= work.window_end_ms:
        decision.refuse(Refusal.TOO_EARLY)
    elif until_ms > decision.now_ms + EXTENSION_MS_MAX:
        decision.refuse(Refusal.TOO_LATE)
    else:
        extended = WindowExtended(
            stamp=decision.stamp,
            store=command.store,
            window_end_ms=until_ms,
            hold_until_ms=until_ms + HOLD_BEYOND_WINDOW_MS,
        )
        decision.emit(extended)


def reissue(decision: OrderDecision, command: ReissueCode) -> None:
    """Replace the pickup code. Versions count up by one, so that a late command cannot undo a newer code."""
    order = decision.order
    if not order.live:
        decision.refuse(refusal_for(order.state, STAGED_STATES))
        return
    if command.version != order.code.version + 1:
        decision.refuse(Refusal.TOO_LATE if command.version <= order.code.version else Refusal.TOO_EARLY)
        return
    reissued = CodeReissued(
        stamp=decision.stamp,
        version=command.version,
        code_hash=command.code_hash,
        token_hash=command.token_hash,
    )
    decision.emit(reissued)
    decision.notify(Milestone.CODE_REISSUED, order.live)


def take_back(decision: OrderDecision, command: ReturnInStore) -> None:
    """Take returned goods back, in any store: at most the units handed over. Requests the refund of paid orders."""
    wanted: dict[int, int] = {}
    for returned in command.lines:
        line = decision.order.line(returned.line)
        if line is None:
            decision.refuse(Refusal.UNKNOWN_LINE, returned.line)
            return
        if line.state not in HANDED_OVER:
            decision.refuse(_refusal_of_return(line.state), returned.line)
            return
        # Units of one line may come back in several conditions: together they must fit.
        wanted[returned.line] = wanted.get(returned.line, 0) + returned.quantity
        if wanted[returned.line] > line.quantity - line.returned:
            decision.refuse(Refusal.TOO_MANY_UNITS, returned.line)
            return
    cents = sum(line.unit_cents * wanted.get(line.line, 0) for line in decision.order.lines)
    units = tuple(
        ReturnedUnits(line=line.line, quantity=line.quantity, condition=line.condition) for line in command.lines
    )
    decision.emit(OrderReturned(stamp=decision.stamp, store=command.store, units=units))
    # An order paid in the store is refunded at the till.
    if decision.order.methods and cents:
        amount = Amount(cents=cents, currency=decision.order.currency)
        decision.emit(RefundRequested(stamp=decision.stamp, amount=amount))
        back = [replace(line, quantity=wanted[line.line]) for line in decision.order.lines if line.line in wanted]
        decision.notify(Milestone.REFUNDED, back, command.store)


def confirm_put_back(decision: OrderDecision, command: ConfirmPutBack) -> None:
    """Close a put-back task: the goods are on the shelf again."""
    task = next((it for it in decision.order.tasks if it.task == command.task), None)
    if task is None or task.kind is not TaskKind.PUT_BACK:
        decision.refuse(Refusal.UNKNOWN_TASK)
        return
    decision.emit(TaskClosed(stamp=decision.stamp, task=task.task, kind=task.kind, store=task.store))


def _is_proved(decision: OrderDecision, command: HandOver) -> bool:
    """Whether the proof entitles to the goods; False when the command was refused. A wrong code counts as a try."""
    code = decision.order.code
    # An identity document is accepted even when the code is locked or used up.
    if command.proof is Proof.IDENTITY:
        if command.document is Document.NONE:
            decision.refuse(Refusal.NO_DOCUMENT)
        return command.document is not Document.NONE
    if code.tries >= CODE_TRIES_MAX:
        decision.refuse(Refusal.CODE_LOCKED)
        return False
    if code.used:
        decision.refuse(Refusal.CODE_USED)
        return False
    right = code.code_hash if command.proof is Proof.CODE else code.token_hash
    if right and command.presented == right:
        return True
    left = CODE_TRIES_MAX - code.tries - 1
    decision.emit(CodeFailed(stamp=decision.stamp, store=command.store, tries_left=left))
    decision.refuse(Refusal.WRONG_CODE)
    return False


def _booked_out(decision: OrderDecision, lines: tuple[Line, ...]) -> BookedOut:
    """Goods in hand are handed over whatever the books say: units that no hold covers are corrected in the books."""
    numbers: dict[str, list[int]] = {}
    uncovered = []
    for line in lines:
        hold = decision.order.hold(line.hold)
        for component, part in enumerate(line.parts):
            wanted = part.quantity * line.quantity
            held = expected_units(hold, line, component)
            if held.units:
                numbers.setdefault(line.hold, []).append(held.number)
            if wanted > held.units:
                uncovered.append(LineSum(line=line.line, sku=part.sku, quantity=wanted - held.units))
    collected = tuple(Collected(hold=hold, numbers=tuple(found)) for hold, found in numbers.items())
    return BookedOut(collected, tuple(uncovered))


def _refusal_of_return(state: LineState) -> Refusal:
    return Refusal.TOO_MANY_UNITS if state is LineState.RETURNED else refusal_for(state, HANDED_OVER)
