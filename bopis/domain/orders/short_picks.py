"""Rules for units missing on the shelf: routed again, substituted or cancelled by the order's policy."""

from collections.abc import Iterable
from typing import assert_never

from bopis.domain.orders.cancellation import cancel_lines
from bopis.domain.orders.decision import DoubtedUnits, OrderDecision, refusal_for
from bopis.domain.orders.events import LineShort, SubstituteAnswered, SubstituteOffered
from bopis.domain.orders.limits import OFFER_ANSWER_MS, SUBSTITUTE_SEARCH_MS
from bopis.domain.orders.lines import HeldPart, Take
from bopis.domain.orders.messages import AcceptSubstitute, OfferSubstitute, RefuseSubstitute
from bopis.domain.orders.routing import ask_hold, ask_route, give_up
from bopis.domain.orders.state import Line, LineState
from bopis.domain.orders.vocabulary import (
    Consent,
    EndReason,
    Initiator,
    LineSum,
    Milestone,
    Refusal,
    ShortCause,
    ShortPolicy,
    TaskKind,
)

SHORT_STATES = frozenset({LineState.SHORT})
OFFERED_STATES = frozenset({LineState.SUBSTITUTE_OFFERED})


def short(decision: OrderDecision, line: Line, sku: str, missing: int, cause: ShortCause) -> None:
    """Record missing units of a line: they are split off, and the order's policy decides about them.

    The whole line is short for a kit, which is served whole or not at all, and for goods lost in staging.
    """
    is_whole = missing >= line.quantity or len(line.parts) > 1 or cause is ShortCause.STAGING
    into = line.line if is_whole else decision.next_line_number()
    # The books and the shelf disagree: only a count can settle it.
    if cause is ShortCause.PICK:
        sums = (LineSum(line=line.line, sku=sku, quantity=missing),)
        decision.raise_task(TaskKind.COUNT, line.store, line.hold, sums)
    if cause is ShortCause.STAGING:
        # Lost or damaged: nothing goes back to the shelf before it is counted.
        decision.count_doubted([DoubtedUnits(line, tuple(part.quantity * line.quantity for part in line.parts))])
    elif is_whole:
        # Picked components of a kit are of no use without the rest.
        decision.put_back([line])
    event = LineShort(
        stamp=decision.stamp,
        store=line.store,
        line=line.line,
        into=into,
        sku=sku,
        missing=line.quantity if is_whole else missing,
        cause=cause,
        decide_by_ms=decision.now_ms + SUBSTITUTE_SEARCH_MS,
    )
    decision.emit(event)
    after = decision.order.line(into)
    # While the line is leaving its hold, the policy is applied when the inventory has answered (`holding.go_on`).
    if after is not None and not after.leaving:
        apply_short_policy(decision, into)


def lose_units(decision: OrderDecision, line: Line, part: HeldPart, lost: int) -> None:
    """Record held units that a till sold before they were picked, in whole units of the line."""
    per_unit = line.parts[part.component].quantity
    # Rounded up: a kit that lost one component cannot be served.
    units = -(-lost // per_unit)
    if units:
        short(decision, line, part.sku, units, ShortCause.TILL)


def apply_short_policy(decision: OrderDecision, number: int) -> None:
    """Apply the order's policy to a short line."""
    order, line = decision.order, decision.order.line(number)
    if line is None or line.state is not LineState.SHORT:
        return
    match order.allows.on_short:
        case ShortPolicy.RESOURCE:
            ask_route(decision, [number])
        # Nothing to do yet: staff may offer a substitute until `decide_by_ms`.
        case ShortPolicy.SUBSTITUTE:
            if order.allows.substitutes is Consent.NEVER:
                give_up(decision, [number], EndReason.SHORT)
        case ShortPolicy.PARTIAL:
            cancel_lines(decision, [number], Initiator.SYSTEM, EndReason.SHORT)
        case ShortPolicy.CANCEL_LINE:
            cancel_lines(decision, _split_from(order.live, line), Initiator.SYSTEM, EndReason.SHORT)
        case _:
            assert_never(order.allows.on_short)


def offer_substitute(decision: OrderDecision, command: OfferSubstitute) -> None:
    """Offer another SKU for a short line; taken at once when the order allows substitutes without asking."""
    line = _selected(decision, command.line, SHORT_STATES)
    if line is None:
        return
    if decision.order.allows.substitutes is Consent.NEVER or line.leaving:
        decision.refuse(Refusal.NOT_ALLOWED, line.line)
        return
    offered = SubstituteOffered(
        stamp=decision.stamp,
        line=line.line,
        sku=command.sku,
        unit_cents=line.unit_cents if command.unit_cents is None else command.unit_cents,
        answer_by_ms=decision.now_ms + OFFER_ANSWER_MS,
    )
    decision.emit(offered)
    if decision.order.allows.substitutes is Consent.AUTOMATIC:
        _take_substitute(decision, line.line, Initiator.SYSTEM)
    else:
        affected = [it for it in decision.order.lines if it.line == line.line]
        decision.notify(
            Milestone.SUBSTITUTE_OFFERED,
            affected,
            line.store,
            answer_by_ms=offered.answer_by_ms,
            reason=command.sku,
        )


def answer_substitute(decision: OrderDecision, command: AcceptSubstitute | RefuseSubstitute) -> None:
    """Take the offered substitute, or give up on the line."""
    line = _selected(decision, command.line, OFFERED_STATES)
    if line is None:
        return
    if isinstance(command, AcceptSubstitute):
        _take_substitute(decision, line.line, Initiator.CUSTOMER)
    else:
        end_substitute_offer(decision, line.line, Initiator.CUSTOMER)


def end_substitute_offer(decision: OrderDecision, line: int, by: Initiator) -> None:
    """End the offer of a substitute that was refused, or not answered in time."""
    decision.emit(SubstituteAnswered(stamp=decision.stamp, line=line, accepted=False, by=by))
    give_up(decision, [line], EndReason.SHORT)


def substitute_unheld(decision: OrderDecision, line: int) -> None:
    """Give up on a line whose substitute the store cannot hold either."""
    give_up(decision, [line], EndReason.SHORT)


def _take_substitute(decision: OrderDecision, number: int, by: Initiator) -> None:
    decision.emit(SubstituteAnswered(stamp=decision.stamp, line=number, accepted=True, by=by))
    line = decision.order.line(number)
    if line is not None:
        # The substitute is taken from the same store, where staff have it at hand.
        ask_hold(decision, line.store, (Take(line=number, quantity=line.quantity, into=number),), None)


def _split_from(lines: Iterable[Line], line: Line) -> list[int]:
    """Numbers of all lines that were ordered as the same line."""
    ordered = line.parent or line.line
    return [it.line for it in lines if ordered in (it.line, it.parent)]


def _selected(decision: OrderDecision, number: int, states: frozenset[LineState]) -> Line | None:
    line = decision.order.line(number)
    if line is None:
        decision.refuse(Refusal.UNKNOWN_LINE, number)
        return None
    if line.state not in states:
        decision.refuse(refusal_for(line.state, states), number)
        return None
    return line
