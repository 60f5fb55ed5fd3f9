"""At the counter: the customer arrives, shows a code, takes goods, asks for more time, brings goods back."""

from msgspec.structs import replace

from bopis.domain.orders.cover import expected_units
from bopis.domain.orders.events import TaskClosed
from bopis.domain.orders.holding import pickup_window_end
from bopis.domain.orders.limits import (
    ARRIVAL_KEEPS_MS,
    CODE_TRIES_MAX,
    EXTENSION_MS_MAX,
    HOLD_BEYOND_WINDOW_MS,
)
from bopis.domain.orders.messages import (
    ConfirmPutBack,
    CustomerArrived,
    ExtendPickup,
    HandOver,
    ReissueCode,
    ReturnInStore,
)
from bopis.domain.orders.outcomes import (
    ArrivalRecorded,
    CaptureRequested,
    CodeFailed,
    CodeReissued,
    OrderHandedOver,
    OrderReady,
    OrderReturned,
    RefundRequested,
    WindowExtended,
)
from bopis.domain.orders.saga import Saga, why_not
from bopis.domain.orders.state import Line, LineState, StoreWork
from bopis.domain.orders.terms import (
    Amount,
    Document,
    LineSum,
    Milestone,
    PaymentState,
    Proof,
    Refusal,
    TaskKind,
)
from bopis.domain.orders.units import Collected, ReturnedUnits
from bopis.domain.values import epoch_ms

EXPECTED = frozenset(
    {
        LineState.PROMISED,
        LineState.ACCEPTED,
        LineState.PICKING,
        LineState.PICKED,
        LineState.STAGED,
        LineState.READY,
        LineState.ARRIVED,
    }
)
TO_HAND_OVER = frozenset({LineState.STAGED, LineState.READY, LineState.ARRIVED})
KEPT = frozenset({LineState.READY, LineState.ARRIVED})
GIVEN = frozenset({LineState.HANDED_OVER})


def ready(saga: Saga, store: str, lines: tuple[Line, ...]) -> None:
    """Everything a store will hand over is staged: the window begins, and the customer is told."""
    work = saga.order.at(store) or StoreWork(store=store)
    end_ms = pickup_window_end(work, saga.now_ms)
    event = OrderReady(
        stamp=saga.stamp,
        store=store,
        lines=tuple(it.line for it in lines),
        window_end_ms=end_ms,
        hold_until_ms=end_ms + HOLD_BEYOND_WINDOW_MS,
    )
    saga.say(event)
    saga.notice(Milestone.READY, lines, store)


def arrive(saga: Saga, report: CustomerArrived) -> None:
    """The customer is there, ready or not. Goods that are ready are kept while they stand there."""
    lines = saga.select(report.store, (), EXPECTED)
    if not lines:
        return
    work = saga.order.at(report.store) or StoreWork(store=report.store)
    here = tuple(it.line for it in lines if it.state in KEPT)
    end_ms = max(work.window_end_ms, saga.now_ms + ARRIVAL_KEEPS_MS) if here else work.window_end_ms
    event = ArrivalRecorded(
        stamp=saga.stamp,
        store=report.store,
        where=report.where,
        spot=report.spot,
        lines=here,
        window_end_ms=end_ms,
        hold_until_ms=end_ms + HOLD_BEYOND_WINDOW_MS,
    )
    first = work.where is None
    saga.say(event)
    if first:
        saga.notice(Milestone.ARRIVAL, lines, report.store)


def hand_over(saga: Saga, command: HandOver) -> None:
    """Give goods to somebody who proved that they may have them."""
    lines = saga.select(command.store, command.lines, TO_HAND_OVER)
    if not lines or not _proved(saga, command):
        return
    collected, uncovered = _booked_out(saga, lines)
    event = OrderHandedOver(
        stamp=saga.stamp,
        store=command.store,
        lines=tuple(LineSum(line=it.line, sku=it.sku, quantity=it.quantity) for it in lines),
        collected=collected,
        uncovered=uncovered,
        proof=command.proof,
        document=command.document,
        to=command.to,
        signature=command.signature,
    )
    saga.say(event)
    cents = sum(it.unit_cents * it.quantity for it in lines)
    if saga.order.payment is PaymentState.AUTHORISED and cents:
        amount = Amount(cents=cents, currency=saga.order.currency)
        saga.say(CaptureRequested(stamp=saga.stamp, amount=amount))


def extend(saga: Saga, command: ExtendPickup) -> None:
    """Keep ready goods longer, within limits."""
    lines = saga.select(command.store, (), KEPT)
    work = saga.order.at(command.store)
    if not lines or work is None:
        return
    until_ms = epoch_ms(command.until)
    if until_ms <= work.window_end_ms:
        saga.refuse(Refusal.TOO_EARLY)
    elif until_ms > saga.now_ms + EXTENSION_MS_MAX:
        saga.refuse(Refusal.TOO_LATE)
    else:
        hold_until_ms = until_ms + HOLD_BEYOND_WINDOW_MS
        saga.say(
            WindowExtended(stamp=saga.stamp, store=command.store, window_end_ms=until_ms, hold_until_ms=hold_until_ms)
        )


def reissue(saga: Saga, command: ReissueCode) -> None:
    """A new code; the versions count up, so a late one does not undo a newer one."""
    order = saga.order
    if not order.live:
        saga.refuse(why_not(order.state, TO_HAND_OVER))
        return
    if command.version != order.code.version + 1:
        saga.refuse(Refusal.TOO_LATE if command.version <= order.code.version else Refusal.TOO_EARLY)
        return
    saga.say(
        CodeReissued(
            stamp=saga.stamp,
            version=command.version,
            code_hash=command.code_hash,
            token_hash=command.token_hash,
        )
    )
    saga.notice(Milestone.CODE_REISSUED, order.live)


def bring_back(saga: Saga, command: ReturnInStore) -> None:
    """Goods come back, to any store: what was handed over, and not more of it."""
    wanted: dict[int, int] = {}
    for told in command.lines:
        line = saga.order.line(told.line)
        if line is None:
            saga.refuse(Refusal.UNKNOWN_LINE, told.line)
            return
        if line.state not in GIVEN:
            saga.refuse(_not_given(line.state), told.line)
            return
        wanted[told.line] = wanted.get(told.line, 0) + told.quantity
        if wanted[told.line] > line.quantity - line.returned:
            saga.refuse(Refusal.TOO_MANY_UNITS, told.line)
            return
    cents = sum(it.unit_cents * wanted.get(it.line, 0) for it in saga.order.lines)
    units = tuple(ReturnedUnits(line=it.line, quantity=it.quantity, condition=it.condition) for it in command.lines)
    saga.say(OrderReturned(stamp=saga.stamp, store=command.store, units=units))
    if saga.order.methods and cents:
        amount = Amount(cents=cents, currency=saga.order.currency)
        saga.say(RefundRequested(stamp=saga.stamp, amount=amount))
        back = [replace(it, quantity=wanted[it.line]) for it in saga.order.lines if it.line in wanted]
        saga.notice(Milestone.REFUNDED, back, command.store)


def confirm_put_back(saga: Saga, command: ConfirmPutBack) -> None:
    """Goods are on the shelf again."""
    task = next((it for it in saga.order.tasks if it.task == command.task), None)
    if task is None or task.kind is not TaskKind.PUT_BACK:
        saga.refuse(Refusal.UNKNOWN_TASK)
        return
    saga.say(TaskClosed(stamp=saga.stamp, task=task.task, kind=task.kind, store=task.store))


def _proved(saga: Saga, command: HandOver) -> bool:
    """Whether who stands there may have the goods; a wrong code is counted."""
    code = saga.order.code
    if command.proof is Proof.IDENTITY:
        if command.document is Document.NONE:
            saga.refuse(Refusal.NO_DOCUMENT)
        return command.document is not Document.NONE
    if code.tries >= CODE_TRIES_MAX:
        saga.refuse(Refusal.CODE_LOCKED)
        return False
    if code.used:
        saga.refuse(Refusal.CODE_USED)
        return False
    right = code.code_hash if command.proof is Proof.CODE else code.token_hash
    if right and command.presented == right:
        return True
    left = CODE_TRIES_MAX - code.tries - 1
    saga.say(CodeFailed(stamp=saga.stamp, store=command.store, tries_left=left))
    saga.refuse(Refusal.WRONG_CODE)
    return False


def _booked_out(saga: Saga, lines: tuple[Line, ...]) -> tuple[tuple[Collected, ...], tuple[LineSum, ...]]:
    """What leaves by which hold, and what no hold covers: goods in hand count, whatever the books say."""
    numbers: dict[str, list[int]] = {}
    uncovered = []
    for line in lines:
        hold = saga.order.hold(line.hold)
        for component, part in enumerate(line.parts):
            wanted = part.quantity * line.quantity
            held = expected_units(hold, line, component)
            if held.units:
                numbers.setdefault(line.hold, []).append(held.number)
            if wanted > held.units:
                uncovered.append(LineSum(line=line.line, sku=part.sku, quantity=wanted - held.units))
    collected = tuple(Collected(hold=hold, numbers=tuple(found)) for hold, found in numbers.items())
    return collected, tuple(uncovered)


def _not_given(state: LineState) -> Refusal:
    return Refusal.TOO_MANY_UNITS if state is LineState.RETURNED else why_not(state, GIVEN)
