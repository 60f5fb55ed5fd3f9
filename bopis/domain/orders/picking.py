"""Rules for work in the store: accepted, rejected, assigned, picked, staged, withdrawn."""

from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import OrderStaged, PickAccepted, PickerAssigned, PickingStarted, PickRecorded
from bopis.domain.orders.holding import go_on
from bopis.domain.orders.lines import PickedLine, PickedUnits
from bopis.domain.orders.messages import (
    AcceptPick,
    AssignPicker,
    RecordPick,
    RejectPick,
    StageOrder,
    StartPicking,
    StoreWithdrawn,
    WithdrawReady,
)
from bopis.domain.orders.routing import end_move
from bopis.domain.orders.short_picks import short
from bopis.domain.orders.state import READY_STATES, SET_ASIDE, Line, LineState
from bopis.domain.orders.vocabulary import Initiator, MoveEnd, Refusal, RejectReason, ShortCause

ACCEPTABLE = frozenset({LineState.PROMISED})
STARTABLE = frozenset({LineState.ACCEPTED})
PICKABLE = frozenset({LineState.ACCEPTED, LineState.PICKING})
OPEN_WORK = frozenset({LineState.PROMISED, LineState.ACCEPTED, LineState.PICKING})
STAGEABLE = frozenset({LineState.PICKED})
# Lines that leave a store with it. An arrived customer is still served.
# Placed: its hold is requested; the release follows the request, whether or not that is granted meanwhile.
MOVABLE = frozenset(
    {
        LineState.PLACED,
        LineState.HELD,
        LineState.PROMISED,
        LineState.ACCEPTED,
        LineState.PICKING,
        LineState.PICKED,
    }
)
MOVABLE_WHEN_CLOSING = MOVABLE | {LineState.STAGED, LineState.READY}

Found = dict[tuple[int, int], PickedUnits]  # by line and component


def accept(decision: OrderDecision, command: AcceptPick) -> None:
    """Accept the lines that are promised in the store."""
    lines = decision.select(command.store, (), ACCEPTABLE)
    if lines:
        decision.emit(PickAccepted(stamp=decision.stamp, store=command.store, lines=_numbers(lines)))


def reject(decision: OrderDecision, command: RejectPick) -> None:
    """Reject lines; they are routed again once their hold is released."""
    named = (*command.lines, *(part.line for part in command.parts))
    lines = decision.select(command.store, named, OPEN_WORK)
    if lines and decision.fits(command.parts):
        lines = decision.split_off(lines, command.parts)
        decision.reject(lines, command.reason, Initiator.STAFF)
        go_on(decision, _numbers(lines))


def withdraw_store(decision: OrderDecision, report: StoreWithdrawn) -> None:
    """Route again what a withdrawn store has not staged. Staged goods stay for collection unless the store closes."""
    pending = decision.order.pending_move
    if pending is not None and pending.store == report.store:
        end_move(decision, MoveEnd.STORE_UNAVAILABLE)
    states = MOVABLE_WHEN_CLOSING if report.closing else MOVABLE
    leaving = [line for line in decision.order.in_store(report.store) if line.state in states]
    decision.reject(leaving, RejectReason.STORE_WITHDRAWN, Initiator.SYSTEM)
    go_on(decision, [line.line for line in decision.order.lines])


def assign(decision: OrderDecision, command: AssignPicker) -> None:
    """Assign a picker to the store's work; an empty name unassigns."""
    if decision.select(command.store, (), OPEN_WORK):
        decision.emit(PickerAssigned(stamp=decision.stamp, store=command.store, picker=command.picker))


def start(decision: OrderDecision, command: StartPicking) -> None:
    """Record that picking has started."""
    lines = decision.select(command.store, (), STARTABLE)
    if lines:
        decision.emit(PickingStarted(stamp=decision.stamp, store=command.store, lines=_numbers(lines)))


def record(decision: OrderDecision, command: RecordPick) -> None:
    """Record a pick: found units are set aside, missing units are short."""
    lines = decision.select(command.store, [line.line for line in command.lines], PICKABLE)
    if not lines:
        return
    found: Found = {}
    for line in lines:
        for picked in command.lines:
            if picked.line == line.line and not _add(decision, found, line, picked):
                return
    started = tuple(line.line for line in lines if line.state is LineState.ACCEPTED)
    # A pick of accepted work shows that picking has started, whether or not it was reported.
    if started:
        decision.emit(PickingStarted(stamp=decision.stamp, store=command.store, lines=started))
    decision.emit(PickRecorded(stamp=decision.stamp, store=command.store, units=tuple(found.values())))
    for units in found.values():
        line_now = decision.order.line(units.line)
        # A kit that is short of one component is short as a whole: its other missing components change nothing more.
        if units.missing and line_now is not None and line_now.state is LineState.PICKING:
            sku = line_now.parts[units.component].sku
            short(decision, line_now, sku, units.missing, ShortCause.PICK)


def stage(decision: OrderDecision, command: StageOrder) -> None:
    """Stage picked goods at a location of the pickup shelf."""
    lines = decision.select(command.store, command.lines, STAGEABLE)
    if lines:
        staged = OrderStaged(
            stamp=decision.stamp, store=command.store, location=command.location, lines=_numbers(lines)
        )
        decision.emit(staged)


def withdraw(decision: OrderDecision, command: WithdrawReady) -> None:
    """Withdraw goods set aside that cannot be handed over: their lines are short, and the store is not ready."""
    named = (*command.lines, *(part.line for part in command.parts))
    # Loss is said of what was looked at: no line named does not mean all of them.
    if not named:
        decision.refuse(Refusal.UNKNOWN_LINE)
        return
    lines = decision.select(command.store, named, SET_ASIDE)
    if not lines or not decision.fits(command.parts):
        return
    lines = decision.split_off(lines, command.parts)
    if any(line.state in READY_STATES for line in lines):
        decision.withdraw_ready(command.store)
    for number in _numbers(lines):
        line = decision.order.line(number)
        # Ending one line may have ended the others by the order's policy.
        if line is not None and line.live:
            short(decision, line, line.parts[0].sku, line.quantity, ShortCause.STAGING)


def needed(line: Line) -> tuple[int, ...]:
    """Units of each component still to be taken from the shelf."""
    return line.unpicked


def _add(decision: OrderDecision, found: Found, line: Line, picked_line: PickedLine) -> bool:
    """Add the units found for a line; False when the command was refused because they do not fit the line."""
    skus = [part.sku for part in line.parts]
    sku = picked_line.sku if picked_line.sku is not None else skus[0]
    # A kit has several components, so a pick of it has to name one.
    if sku not in skus or (picked_line.sku is None and len(skus) > 1):
        decision.refuse(Refusal.UNKNOWN_LINE, line.line)
        return False
    component = skus.index(sku)
    # One line may be reported in several parts: together they must fit.
    known = found.get((line.line, component))
    picked = picked_line.picked + (known.picked if known else 0)
    missing = picked_line.missing + (known.missing if known else 0)
    if picked + missing > needed(line)[component]:
        decision.refuse(Refusal.TOO_MANY_UNITS, line.line)
        return False
    if picked + missing:
        found[line.line, component] = PickedUnits(line=line.line, component=component, picked=picked, missing=missing)
    return True


def _numbers(lines: tuple[Line, ...]) -> tuple[int, ...]:
    return tuple(line.line for line in lines)
