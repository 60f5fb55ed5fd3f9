"""Rules for routing an order's lines: requests, answers, offers of other stores, waiting for stock."""

from collections.abc import Iterable

from msgspec.structs import replace

from bopis.domain.orders.cancellation import cancel_lines
from bopis.domain.orders.decision import OrderDecision, refusal_for
from bopis.domain.orders.events import (
    AlternativeAnswered,
    AlternativeOffered,
    HoldRequested,
    LinesWaiting,
    MoveEnded,
    MoveHoldRequested,
    MoveRequested,
    RouteTaken,
    RoutingRequested,
)
from bopis.domain.orders.hold_coverage import held_parts
from bopis.domain.orders.limits import (
    ATTEMPTS_MAX,
    INCOMING_GRACE_MS,
    MOVE_ATTEMPTS_MAX,
    OFFER_ANSWER_MS,
)
from bopis.domain.orders.lines import Take
from bopis.domain.orders.messages import (
    AcceptAlternative,
    MoveOrder,
    OrderRouted,
    RefuseAlternative,
    RoutingFailed,
    StockAppeared,
)
from bopis.domain.orders.state import PROGRESS, Line, LineState, Move, Order
from bopis.domain.orders.vocabulary import (
    Consent,
    EndReason,
    Initiator,
    LineSum,
    Milestone,
    MoveEnd,
    PaymentState,
    Refusal,
)
from bopis.domain.sourcing.decision import Assignment, Decision, EliminationReason
from bopis.domain.sourcing.request import Allowances, Exclusion, GeoPoint, Request, RequestLine, Slot
from bopis.domain.sourcing.unserved import unserved
from bopis.domain.values import HOUR_MS

# A store is changed as long as nothing was taken from a shelf, and no hold or release is under way.
MOVABLE_STATES = frozenset(
    {LineState.WAITING, LineState.OFFERED, LineState.HELD, LineState.PROMISED, LineState.ACCEPTED}
)
UNROUTED_STATES = frozenset({LineState.PLACED, LineState.REJECTED, LineState.REROUTED})
# With a lapsed payment the new store would not promise the goods, and the order would lose them.
MOVED_WHEN = frozenset(PaymentState) - {PaymentState.LAPSED, PaymentState.EXHAUSTED}
UnitsLeft = dict[int, int]  # units of each line that no store takes yet


def ask_route(decision: OrderDecision, lines: Iterable[int]) -> None:
    """Request routing for lines; after ATTEMPTS_MAX attempts they are cancelled."""
    order, numbers = decision.order, tuple(lines)
    if not numbers:
        return
    if order.attempt >= ATTEMPTS_MAX:
        cancel_lines(decision, numbers, Initiator.SYSTEM, EndReason.NO_STORE)
        return
    request = next_request(order, numbers)
    decision.emit(RoutingRequested(stamp=decision.stamp, attempt=request.attempt, request=request))


def next_request(order: Order, numbers: Iterable[int]) -> Request:
    """Routing request of the order's next attempt, for lines."""
    wanted = frozenset(numbers)
    return Request(
        order=order.order,
        attempt=order.attempt + 1,
        lines=tuple(_request_line(line) for line in order.lines if line.line in wanted),
        store=order.store,
        slot=_slot(order),
        place=_place(order),
        allows=Allowances(
            later=order.allows.later,
            alternatives=order.allows.alternatives is Consent.AUTOMATIC,
            offers=order.allows.alternatives is not Consent.NEVER,
            split=order.allows.split,
            wait=order.allows.wait_hours > 0,
        ),
        excluded=_exclusions(order),
    )


def take_route(decision: OrderDecision, answer: OrderRouted | RoutingFailed) -> None:
    """Act on the first answer to an attempt: request holds, offer other stores, wait, or give up.

    Later answers to the same attempt change nothing.
    """
    moving = decision.order.pending_move
    if moving is not None and moving.attempt == answer.attempt and not moving.hold:
        decision.emit(_taken_route(decision, answer))
        _take_move_route(decision, moving, answer.decision)
        return
    pending = next((it for it in decision.order.pending_routes if it.attempt == answer.attempt), None)
    # Answers come at least once; only the first one to an attempt counts.
    if pending is None:
        return
    found = answer.decision.answer
    decision.emit(_taken_route(decision, answer))
    left = _open_units(decision.order, pending.lines)
    # Stock that is still on its way cannot be held: those lines wait for it, and a while longer if it is late.
    later: dict[int, int] = {}
    for assignment in found.assignments:
        if assignment.stock_from_ms is not None and assignment.stock_from_ms > decision.now_ms:
            later |= {line.line: assignment.stock_from_ms for line in assignment.lines if line.line in left}
        else:
            request_hold(decision, assignment, left)
    incoming = tuple(number for number in later if left.get(number))
    if incoming:
        wait(decision, incoming, max(later[number] for number in incoming) + INCOMING_GRACE_MS)
    rest = tuple(number for number, units in left.items() if units and number not in later)
    offers = tuple(offer for offer in found.offers if any(left.get(line.line) for line in offer.lines))
    if rest and offers and decision.order.allows.alternatives is not Consent.NEVER:
        _offer(decision, answer.attempt, rest, offers)
    elif rest:
        unfillable(decision, rest, EndReason.NO_STORE)


def _taken_route(decision: OrderDecision, answer: OrderRouted | RoutingFailed) -> RouteTaken:
    found = answer.decision.answer
    return RouteTaken(
        stamp=decision.stamp,
        attempt=answer.attempt,
        outcome=found.outcome,
        digest=answer.decision.digest,
        assignments=found.assignments,
        offers=found.offers,
        unserved=None if found.assignments or found.offers else unserved(answer.decision),
    )


def unfillable(decision: OrderDecision, lines: Iterable[int], reason: EndReason) -> None:
    """Let lines that no store can serve wait for stock if the order allows it, else give up on them."""
    order, numbers = decision.order, tuple(lines)
    if order.allows.wait_hours:
        wait(decision, numbers, decision.now_ms + order.allows.wait_hours * HOUR_MS)
    else:
        give_up(decision, numbers, reason)


def give_up(decision: OrderDecision, lines: Iterable[int], reason: EndReason) -> None:
    """Cancel lines that cannot be served; every open line when the order does not allow partial fulfilment."""
    # All or nothing: with one line unfillable the others are of no use to the customer.
    numbers = tuple(lines) if decision.order.allows.partial else tuple(line.line for line in decision.order.live)
    cancel_lines(decision, numbers, Initiator.SYSTEM, reason)


def wait(decision: OrderDecision, lines: tuple[int, ...], until_ms: int) -> None:
    """Let lines wait for stock until an instant."""
    waiting = [line for line in decision.order.lines if line.line in lines]
    skus = tuple(dict.fromkeys(part.sku for line in waiting for part in line.parts))
    decision.emit(LinesWaiting(stamp=decision.stamp, lines=lines, skus=skus, wait_until_ms=until_ms))


def wake(decision: OrderDecision, appeared: StockAppeared) -> None:
    """Route waiting lines again when stock of theirs appears; no SKU named means any."""
    skus = set(appeared.skus)
    woken = [
        line.line
        for line in decision.order.lines
        if line.state is LineState.WAITING and (not skus or any(part.sku in skus for part in line.parts))
    ]
    ask_route(decision, woken)


def answer_offer(decision: OrderDecision, answer: AcceptAlternative | RefuseAlternative) -> None:
    """Take the offered store that the customer chose, or none."""
    offer = next((it for it in decision.order.offers if it.attempt == answer.attempt), None)
    if offer is None:
        decision.refuse(Refusal.UNKNOWN_OFFER)
        return
    if isinstance(answer, RefuseAlternative):
        end_offer(decision, answer.attempt, Initiator.CUSTOMER)
        return
    chosen = next((it for it in offer.offers if it.store == answer.store), None)
    if chosen is None:
        decision.refuse(Refusal.UNKNOWN_STORE)
        return
    decision.emit(
        AlternativeAnswered(stamp=decision.stamp, attempt=answer.attempt, store=answer.store, by=Initiator.CUSTOMER)
    )
    # The chosen store may not take every line: the rest is routed again.
    left = _open_units(decision.order, offer.lines)
    request_hold(decision, chosen, left)
    rest = tuple(number for number, units in left.items() if units)
    if rest:
        ask_route(decision, rest)


def end_offer(decision: OrderDecision, attempt: int, by: Initiator) -> None:
    """End an offer without a store: the customer refused it, or did not answer in time."""
    offer = next((it for it in decision.order.offers if it.attempt == attempt), None)
    if offer is None:
        return  # two offers were due at once, and ending the other one cancelled the whole order
    decision.emit(AlternativeAnswered(stamp=decision.stamp, attempt=attempt, store=None, by=by))
    give_up(
        decision,
        offer.lines,
        EndReason.OFFER_REFUSED if by is Initiator.CUSTOMER else EndReason.OFFER_UNANSWERED,
    )


def request_hold(decision: OrderDecision, assignment: Assignment, left: UnitsLeft) -> None:
    """Request a hold from the assigned store, for at most the units left; they are taken off ``left``."""
    takes: list[Take] = []
    into = decision.next_line_number()
    for wanted in assignment.lines:
        # Lines may have ended, or been taken by another store, since routing was asked.
        units = min(wanted.quantity, left.get(wanted.line, 0))
        if units <= 0:
            continue
        left[wanted.line] -= units
        line = decision.order.line(wanted.line)
        # The store takes all that is left of the line: it keeps its number. A part gets a number of its own.
        if line is not None and units == line.quantity - _taken(takes, wanted.line):
            takes.append(Take(line=wanted.line, quantity=units, into=wanted.line))
        else:
            takes.append(Take(line=wanted.line, quantity=units, into=into))
            into += 1
    if takes:
        ask_hold(decision, assignment.store, tuple(takes), assignment)


def ask_hold(decision: OrderDecision, store: str, takes: tuple[Take, ...], assignment: Assignment | None) -> None:
    """Request a hold from a store. Its id is the order's number and a count, so that a repeat names the same hold."""
    order = decision.order
    work = order.at(store)
    # A substitute has no assignment of its own: it is wanted by the promise of the store.
    promised_for_ms = assignment.ready_by_ms if assignment is not None else (work.ready_by_ms if work else 0)
    requested = HoldRequested(
        stamp=decision.stamp,
        hold=decision.next_hold(),
        store=store,
        takes=takes,
        parts=held_parts(order, takes),
        hold_until_ms=decision.unpromised_until_ms(),
        promised_for_ms=promised_for_ms,
        assignment=assignment,
    )
    decision.emit(requested)


def move(decision: OrderDecision, command: MoveOrder) -> None:
    """Ask routing whether another store can have all open lines. The order keeps what it has meanwhile.

    A change that is under way to another store ends.
    """
    order = decision.order
    if (refusal := _move_refusal(order, command)) is not None:
        decision.refuse(*refusal)
        return
    end_move(decision, MoveEnd.REPLACED)
    request = move_request(order, command.store)
    requested = MoveRequested(
        stamp=decision.stamp,
        store=command.store,
        attempt=request.attempt,
        lines=tuple(LineSum(line=line.line, sku=line.sku, quantity=line.quantity) for line in order.live),
        by=command.by,
        reason=command.reason,
    )
    decision.emit(requested)
    decision.emit(RoutingRequested(stamp=decision.stamp, attempt=request.attempt, request=request))


def move_request(order: Order, store: str) -> Request:
    """Routing request for all open lines in one store, as it is, and nowhere else."""
    request = next_request(order, [line.line for line in order.live])
    return replace(request, store=store, allows=Allowances(offers=False))


def is_movable(order: Order) -> bool:
    """Whether the open lines can change their store: none is being picked, or waits for the answer of a store."""
    return bool(order.live) and order.payment in MOVED_WHEN and all(it.state in MOVABLE_STATES for it in order.live)


def end_move(decision: OrderDecision, reason: MoveEnd, answer: Decision | None = None) -> None:
    """End a change of store that is under way, without a change; ``answer`` is routing's that refused it."""
    pending = decision.order.pending_move
    if pending is None:
        return
    eliminated = answer.answer.eliminated if answer is not None else ()
    ended = MoveEnded(
        stamp=decision.stamp,
        store=pending.store,
        hold=pending.hold,
        reason=reason,
        elimination=next((it.reason for it in eliminated if it.store == pending.store), None),
        unserved=unserved(answer) if answer is not None and reason is MoveEnd.NO_STOCK else None,
    )
    decision.emit(ended)


def settle_move(decision: OrderDecision) -> None:
    """End a change of store when its lines are no longer those that it was requested for."""
    order, pending = decision.order, decision.order.pending_move
    if pending is None:
        return
    now = tuple(LineSum(line=line.line, sku=line.sku, quantity=line.quantity) for line in order.live)
    if now == pending.lines and is_movable(order):
        return
    is_picked = any(PROGRESS[line.state] > PROGRESS[LineState.ACCEPTED] for line in order.live)
    end_move(decision, MoveEnd.TOO_LATE if is_picked else MoveEnd.ORDER_CHANGED)


def _take_move_route(decision: OrderDecision, pending: Move, answer: Decision) -> None:
    """Request the hold that the change of store waits for, or end it."""
    assigned = next((it for it in answer.answer.assignments if it.store == pending.store), None)
    wanted = [(it.line, it.quantity) for it in pending.lines]
    # Stock that is still on its way cannot be held.
    is_here = assigned is not None and (assigned.stock_from_ms or 0) <= decision.now_ms
    if assigned is None or not is_here or [(it.line, it.quantity) for it in assigned.lines] != wanted:
        reasons = {it.reason for it in answer.answer.eliminated if it.store == pending.store}
        is_short = not reasons or EliminationReason.NOT_ENOUGH_STOCK in reasons
        end_move(decision, MoveEnd.NO_STOCK if is_short else MoveEnd.STORE_UNAVAILABLE, answer)
        return
    takes = tuple(Take(line=it.line, quantity=it.quantity, into=it.line) for it in pending.lines)
    requested = MoveHoldRequested(
        stamp=decision.stamp,
        hold=decision.next_hold(),
        store=assigned.store,
        parts=held_parts(decision.order, takes),
        hold_until_ms=decision.unpromised_until_ms(),
        promised_for_ms=assigned.ready_by_ms,
        assignment=assigned,
    )
    decision.emit(requested)


def _move_refusal(order: Order, command: MoveOrder) -> tuple[Refusal, int | None] | None:
    live = order.live
    if not live:
        return refusal_for(order.state, MOVABLE_STATES), None
    late = next((it for it in live if it.state not in MOVABLE_STATES), None)
    if late is not None:
        return (Refusal.TOO_EARLY if late.state in UNROUTED_STATES else Refusal.TOO_LATE), late.line
    if order.payment not in MOVED_WHEN:
        return Refusal.UNPAID, None
    is_there = all(it.store == command.store for it in live)
    if is_there or (order.pending_move is not None and order.pending_move.store == command.store):
        return Refusal.SAME_STORE, None
    if order.attempt >= MOVE_ATTEMPTS_MAX:
        return Refusal.TOO_MANY_MOVES, None
    return None


def _offer(decision: OrderDecision, attempt: int, lines: tuple[int, ...], offers: tuple[Assignment, ...]) -> None:
    by_ms = decision.now_ms + OFFER_ANSWER_MS
    offered = AlternativeOffered(stamp=decision.stamp, attempt=attempt, lines=lines, offers=offers, answer_by_ms=by_ms)
    decision.emit(offered)
    affected = [line for line in decision.order.lines if line.line in lines]
    decision.notify(Milestone.ALTERNATIVE_OFFERED, affected, offers[0].store, answer_by_ms=by_ms)


def _open_units(order: Order, numbers: Iterable[int]) -> UnitsLeft:
    found = (order.line(number) for number in numbers)
    return {line.line: line.quantity for line in found if line is not None and line.live}


def _taken(takes: list[Take], line: int) -> int:
    return sum(take.quantity for take in takes if take.line == line)


def _request_line(line: Line) -> RequestLine:
    return RequestLine(line=line.line, sku=line.sku, quantity=line.quantity, components=line.components)


def _slot(order: Order) -> Slot | None:
    if order.slot_from_ms is None or order.slot_to_ms is None:
        return None
    return Slot(from_ms=order.slot_from_ms, to_ms=order.slot_to_ms)


def _place(order: Order) -> GeoPoint | None:
    if order.place_latitude_e6 is None or order.place_longitude_e6 is None:
        return None
    return GeoPoint(latitude_e6=order.place_latitude_e6, longitude_e6=order.place_longitude_e6)


def _exclusions(order: Order) -> tuple[Exclusion, ...]:
    """Excluded SKUs per store; none named when the whole store is excluded."""
    skus: dict[str, list[str]] = {}
    for excluded in order.excluded:
        skus.setdefault(excluded.store, []).append(excluded.sku)
    return tuple(
        # An empty SKU excludes the whole store, whatever else it lacks.
        Exclusion(store=store, skus=() if "" in named else tuple(sorted(named)))
        for store, named in skus.items()
    )
