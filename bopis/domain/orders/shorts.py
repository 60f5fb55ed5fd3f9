"""Units that are missing on the shelf: found short, and what becomes of them by the order's policy."""

from bopis.domain.orders.ending import cancel_lines
from bopis.domain.orders.events import LineShort, SubstituteAnswered, SubstituteOffered
from bopis.domain.orders.limits import OFFER_ANSWER_MS, SUBSTITUTE_SEARCH_MS
from bopis.domain.orders.messages import AcceptSubstitute, OfferSubstitute, RefuseSubstitute
from bopis.domain.orders.routes import ask_hold, ask_route, give_up
from bopis.domain.orders.saga import Saga, why_not
from bopis.domain.orders.state import Line, LineState
from bopis.domain.orders.terms import (
    By,
    Consent,
    EndReason,
    LineSum,
    Milestone,
    Refusal,
    ShortCause,
    ShortPolicy,
    TaskKind,
)
from bopis.domain.orders.units import HeldPart, Take

SHORT_STATES = frozenset({LineState.SHORT})
OFFERED_STATES = frozenset({LineState.SUBSTITUTE_OFFERED})


def short(saga: Saga, line: Line, sku: str, missing: int, cause: ShortCause) -> None:
    """Units of a line are missing: they part from what was found and go on by the order's policy.

    A kit is whole or not at all, and goods that were lost in staging are gone as a line: then all of it is short.
    """
    whole = missing >= line.quantity or len(line.parts) > 1 or cause is ShortCause.STAGING
    into = line.line if whole else saga.next_line()
    if cause is ShortCause.PICK:
        sums = (LineSum(line=line.line, sku=sku, quantity=missing),)
        saga.raise_task(TaskKind.COUNT, line.store, line.hold, sums)
    if whole:
        saga.put_back([line])
    event = LineShort(
        stamp=saga.stamp,
        store=line.store,
        line=line.line,
        into=into,
        sku=sku,
        missing=line.quantity if whole else missing,
        cause=cause,
        decide_by_ms=saga.now_ms + SUBSTITUTE_SEARCH_MS,
    )
    saga.say(event)
    after = saga.order.line(into)
    if after is not None and not after.leaving:
        short_policy(saga, into)


def lose_units(saga: Saga, line: Line, part: HeldPart, lost: int) -> None:
    """Held units were sold at a till before they were picked."""
    per_unit = line.parts[part.component].quantity
    units = -(-lost // per_unit)
    if units:
        short(saga, line, part.sku, units, ShortCause.TILL)


def short_policy(saga: Saga, number: int) -> None:
    """What becomes of a line that is short."""
    order, line = saga.order, saga.order.line(number)
    if line is None or line.state is not LineState.SHORT:
        return
    match order.allows.on_short:
        case ShortPolicy.RESOURCE:
            ask_route(saga, [number])
        case ShortPolicy.SUBSTITUTE:
            if order.allows.substitutes is Consent.NEVER:
                give_up(saga, [number], EndReason.SHORT)
        case ShortPolicy.PARTIAL:
            cancel_lines(saga, [number], By.SYSTEM, EndReason.SHORT)
        case ShortPolicy.CANCEL_LINE:
            ordered = line.parent or line.line
            family = [it.line for it in order.live if ordered in (it.line, it.parent)]
            cancel_lines(saga, family, By.SYSTEM, EndReason.SHORT)


def offer_substitute(saga: Saga, command: OfferSubstitute) -> None:
    """Offer another SKU for a short line; it is taken at once where the order allows that without asking."""
    line = _selected(saga, command.line, SHORT_STATES)
    if line is None:
        return
    if saga.order.allows.substitutes is Consent.NEVER or line.leaving:
        saga.refuse(Refusal.NOT_ALLOWED, line.line)
        return
    cents = line.unit_cents if command.unit_cents is None else command.unit_cents
    by_ms = saga.now_ms + OFFER_ANSWER_MS
    saga.say(SubstituteOffered(stamp=saga.stamp, line=line.line, sku=command.sku, unit_cents=cents, answer_by_ms=by_ms))
    if saga.order.allows.substitutes is Consent.AUTOMATIC:
        _take_substitute(saga, line.line, By.SYSTEM)
    else:
        told = [it for it in saga.order.lines if it.line == line.line]
        saga.notice(Milestone.SUBSTITUTE_OFFERED, told, line.store, answer_by_ms=by_ms, reason=command.sku)


def answer_substitute(saga: Saga, command: AcceptSubstitute | RefuseSubstitute) -> None:
    """The customer takes the substitute, or does not: then the line goes on without."""
    line = _selected(saga, command.line, OFFERED_STATES)
    if line is None:
        return
    if isinstance(command, AcceptSubstitute):
        _take_substitute(saga, line.line, By.CUSTOMER)
    else:
        substitute_lapsed(saga, line.line, By.CUSTOMER)


def substitute_lapsed(saga: Saga, line: int, by: By) -> None:
    """A substitute was refused, or not answered in time."""
    saga.say(SubstituteAnswered(stamp=saga.stamp, line=line, accepted=False, by=by))
    give_up(saga, [line], EndReason.SHORT)


def substitute_unheld(saga: Saga, line: int) -> None:
    """The substitute is not there either: the line goes on without."""
    give_up(saga, [line], EndReason.SHORT)


def _take_substitute(saga: Saga, number: int, by: By) -> None:
    saga.say(SubstituteAnswered(stamp=saga.stamp, line=number, accepted=True, by=by))
    line = saga.order.line(number)
    if line is not None:
        ask_hold(saga, line.store, (Take(line=number, quantity=line.quantity, into=number),), None)


def _selected(saga: Saga, number: int, states: frozenset[LineState]) -> Line | None:
    line = saga.order.line(number)
    if line is None:
        saga.refuse(Refusal.UNKNOWN_LINE, number)
        return None
    if line.state not in states:
        saga.refuse(why_not(line.state, states), number)
        return None
    return line
