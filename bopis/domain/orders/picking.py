"""Work in the store: accepted, rejected, assigned, picked, staged."""

from bopis.domain.orders.events import (
    OrderStaged,
    PickAccepted,
    PickerAssigned,
    PickingStarted,
    PickRecorded,
)
from bopis.domain.orders.holding import go_on
from bopis.domain.orders.messages import (
    AcceptPick,
    AssignPicker,
    RecordPick,
    RejectPick,
    StageOrder,
    StartPicking,
    WithdrawReady,
)
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.shorts import short
from bopis.domain.orders.state import Line, LineState
from bopis.domain.orders.terms import By, Refusal, ShortCause
from bopis.domain.orders.units import PickedLine, PickedUnits

ACCEPTABLE = frozenset({LineState.PROMISED})
STARTABLE = frozenset({LineState.ACCEPTED})
PICKABLE = frozenset({LineState.ACCEPTED, LineState.PICKING})
OPEN_WORK = frozenset({LineState.PROMISED, LineState.ACCEPTED, LineState.PICKING})
STAGEABLE = frozenset({LineState.PICKED})
ASIDE = frozenset({LineState.PICKED, LineState.STAGED, LineState.READY, LineState.ARRIVED})


def accept(saga: Saga, command: AcceptPick) -> None:
    """The store takes the work on."""
    lines = saga.select(command.store, (), ACCEPTABLE)
    if lines:
        saga.say(PickAccepted(stamp=saga.stamp, store=command.store, lines=_numbers(lines)))


def reject(saga: Saga, command: RejectPick) -> None:
    """The store does not: another one is asked once the hold has been given back."""
    lines = saga.select(command.store, command.lines, OPEN_WORK)
    if lines:
        saga.reject(lines, command.reason, By.STAFF)
        go_on(saga, _numbers(lines))


def assign(saga: Saga, command: AssignPicker) -> None:
    """Somebody is given the work, or it is taken back."""
    if saga.select(command.store, (), OPEN_WORK):
        saga.say(PickerAssigned(stamp=saga.stamp, store=command.store, picker=command.picker))


def start(saga: Saga, command: StartPicking) -> None:
    """Somebody walks off."""
    lines = saga.select(command.store, (), STARTABLE)
    if lines:
        saga.say(PickingStarted(stamp=saga.stamp, store=command.store, lines=_numbers(lines)))


def record(saga: Saga, command: RecordPick) -> None:
    """What was found is set aside, what was not is short."""
    lines = saga.select(command.store, [it.line for it in command.lines], PICKABLE)
    if not lines:
        return
    found: dict[tuple[int, int], PickedUnits] = {}
    for line in lines:
        for told in command.lines:
            if told.line == line.line and not _add(saga, found, line, told):
                return
    walked = tuple(it.line for it in lines if it.state is LineState.ACCEPTED)
    if walked:
        saga.say(PickingStarted(stamp=saga.stamp, store=command.store, lines=walked))
    saga.say(PickRecorded(stamp=saga.stamp, store=command.store, units=tuple(found.values())))
    for units in found.values():
        line_now = saga.order.line(units.line)
        if units.missing and line_now is not None and line_now.state is LineState.PICKING:
            sku = line_now.parts[units.component].sku
            short(saga, line_now, sku, units.missing, ShortCause.PICK)


def stage(saga: Saga, command: StageOrder) -> None:
    """Picked goods are put where the counter finds them."""
    lines = saga.select(command.store, command.lines, STAGEABLE)
    if lines:
        staged = OrderStaged(stamp=saga.stamp, store=command.store, location=command.location, lines=_numbers(lines))
        saga.say(staged)


def withdraw(saga: Saga, command: WithdrawReady) -> None:
    """Staged goods are not fit to be handed over: they are short as a line, and nothing is ready meanwhile."""
    lines = saga.select(command.store, command.lines, ASIDE)
    if not lines:
        return
    if any(it.state in (LineState.READY, LineState.ARRIVED) for it in lines):
        saga.withdraw_ready(command.store)
    for number in _numbers(lines):
        line = saga.order.line(number)
        if line is not None and line.live:
            short(saga, line, line.parts[0].sku, line.quantity, ShortCause.STAGING)


def needed(line: Line) -> tuple[int, ...]:
    """Units of each component that the line still takes from the shelf."""
    picked = line.picked or (0,) * len(line.parts)
    return tuple(part.quantity * line.quantity - done for part, done in zip(line.parts, picked, strict=True))


def _add(saga: Saga, found: dict[tuple[int, int], PickedUnits], line: Line, told: PickedLine) -> bool:
    """Note what was told about a line; whether it fits what the line takes."""
    skus = [part.sku for part in line.parts]
    sku = told.sku if told.sku is not None else skus[0]
    if sku not in skus or (told.sku is None and len(skus) > 1):
        saga.refuse(Refusal.UNKNOWN_LINE, line.line)
        return False
    component = skus.index(sku)
    known = found.get((line.line, component))
    picked = told.picked + (known.picked if known else 0)
    missing = told.missing + (known.missing if known else 0)
    if picked + missing > needed(line)[component]:
        saga.refuse(Refusal.TOO_MANY_UNITS, line.line)
        return False
    if picked + missing:
        found[line.line, component] = PickedUnits(line=line.line, component=component, picked=picked, missing=missing)
    return True


def _numbers(lines: tuple[Line, ...]) -> tuple[int, ...]:
    return tuple(it.line for it in lines)
