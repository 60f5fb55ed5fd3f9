"""Where lines are served: asking routing, taking its answer, offering other stores, waiting for stock."""

from collections.abc import Iterable

from bopis.domain.orders.ending import cancel_lines
from bopis.domain.orders.events import (
    AlternativeAnswered,
    AlternativeOffered,
    HoldRequested,
    LinesWaiting,
    RouteTaken,
    RoutingRequested,
)
from bopis.domain.orders.limits import ATTEMPTS_MAX, CHECKOUT_HOLD_MS, INCOMING_GRACE_MS, OFFER_ANSWER_MS
from bopis.domain.orders.messages import (
    AcceptAlternative,
    OrderRouted,
    RefuseAlternative,
    RoutingFailed,
    StockAppeared,
)
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.state import Line, LineState, Order
from bopis.domain.orders.terms import By, Consent, EndReason, Milestone, Refusal
from bopis.domain.orders.units import HeldPart, Take
from bopis.domain.sourcing.decision import AssignedLine, Assignment
from bopis.domain.sourcing.request import Allowances, Exclusion, Place, Request, RequestLine, Slot
from bopis.domain.values import HOUR_MS

Units = dict[int, int]


def ask_route(saga: Saga, lines: Iterable[int]) -> None:
    """Ask for a store for lines; after so many attempts there is none."""
    order, numbers = saga.order, tuple(lines)
    if not numbers:
        return
    if order.attempt >= ATTEMPTS_MAX:
        cancel_lines(saga, numbers, By.SYSTEM, EndReason.NO_STORE)
        return
    request = next_request(order, numbers)
    saga.say(RoutingRequested(stamp=saga.stamp, attempt=request.attempt, request=request))


def next_request(order: Order, numbers: Iterable[int]) -> Request:
    """What the order's next attempt asks of routing for lines."""
    wanted = frozenset(numbers)
    return Request(
        order=order.order,
        attempt=order.attempt + 1,
        lines=tuple(_wanted(line) for line in order.lines if line.line in wanted),
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


def take_route(saga: Saga, answer: OrderRouted | RoutingFailed) -> None:
    """Take the first answer to an attempt: hold, offer, wait or refuse. A later one says nothing."""
    asked = next((it for it in saga.order.asked if it.attempt == answer.attempt), None)
    if asked is None:
        return
    found = answer.decision.answer
    taken = RouteTaken(
        stamp=saga.stamp,
        attempt=answer.attempt,
        outcome=found.outcome,
        digest=answer.decision.digest,
        assignments=found.assignments,
        offers=found.offers,
    )
    saga.say(taken)
    left = _units(saga.order, asked.lines)
    later: dict[int, int] = {}
    for assignment in found.assignments:
        if assignment.stock_from_ms is not None and assignment.stock_from_ms > saga.now_ms:
            later |= {it.line: assignment.stock_from_ms for it in assignment.lines if it.line in left}
        else:
            request_hold(saga, assignment, left)
    incoming = tuple(number for number in later if left.get(number))
    if incoming:
        wait(saga, incoming, max(later[it] for it in incoming) + INCOMING_GRACE_MS)
    rest = tuple(number for number, units in left.items() if units and number not in later)
    offers = tuple(it for it in found.offers if any(left.get(line.line) for line in it.lines))
    if rest and offers and saga.order.allows.alternatives is not Consent.NEVER:
        _offer(saga, answer.attempt, rest, offers)
    elif rest:
        unfillable(saga, rest, EndReason.NO_STORE)


def unfillable(saga: Saga, lines: Iterable[int], reason: EndReason) -> None:
    """No store can serve lines: they wait for stock if the order allows it, else they end; others with them if the
    customer wants all or nothing."""
    order, numbers = saga.order, tuple(lines)
    if order.allows.wait_hours:
        wait(saga, numbers, saga.now_ms + order.allows.wait_hours * HOUR_MS)
    else:
        give_up(saga, numbers, reason)


def give_up(saga: Saga, lines: Iterable[int], reason: EndReason) -> None:
    """End lines that cannot be served; all that was not handed over if the order does not allow a part of it."""
    numbers = tuple(lines) if saga.order.allows.partial else tuple(it.line for it in saga.order.live)
    cancel_lines(saga, numbers, By.SYSTEM, reason)


def wait(saga: Saga, lines: tuple[int, ...], until_ms: int) -> None:
    """Lines wait for stock until an instant."""
    waiting = [it for it in saga.order.lines if it.line in lines]
    skus = tuple(dict.fromkeys(part.sku for line in waiting for part in line.parts))
    saga.say(LinesWaiting(stamp=saga.stamp, lines=lines, skus=skus, wait_until_ms=until_ms))


def wake(saga: Saga, appeared: StockAppeared) -> None:
    """Stock appeared that waiting lines asked for: they try again."""
    skus = set(appeared.skus)
    woken = [it.line for it in saga.order.lines if it.state is LineState.WAITING and _takes_any(it, skus)]
    ask_route(saga, woken)


def answer_offer(saga: Saga, answer: AcceptAlternative | RefuseAlternative) -> None:
    """The customer chose one of the offered stores, or none."""
    offer = next((it for it in saga.order.offers if it.attempt == answer.attempt), None)
    if offer is None:
        saga.refuse(Refusal.UNKNOWN_OFFER)
        return
    if isinstance(answer, RefuseAlternative):
        offer_lapsed(saga, answer.attempt, By.CUSTOMER)
        return
    chosen = next((it for it in offer.offers if it.store == answer.store), None)
    if chosen is None:
        saga.refuse(Refusal.UNKNOWN_STORE)
        return
    saga.say(AlternativeAnswered(stamp=saga.stamp, attempt=answer.attempt, store=answer.store, by=By.CUSTOMER))
    left = _units(saga.order, offer.lines)
    request_hold(saga, chosen, left)
    rest = tuple(number for number, units in left.items() if units)
    if rest:
        ask_route(saga, rest)


def offer_lapsed(saga: Saga, attempt: int, by: By) -> None:
    """None of the offered stores is taken: refused by the customer, or not answered in time."""
    offer = next((it for it in saga.order.offers if it.attempt == attempt), None)
    if offer is None:
        return  # two offers were due at once, and the other one ended all of an order that wants all or nothing
    saga.say(AlternativeAnswered(stamp=saga.stamp, attempt=attempt, store=None, by=by))
    give_up(saga, offer.lines, EndReason.OFFER_REFUSED if by is By.CUSTOMER else EndReason.OFFER_UNANSWERED)


def request_hold(saga: Saga, assignment: Assignment, left: Units) -> None:
    """Ask the assigned store to hold what it takes over of what is left; what is asked for is left no longer."""
    takes: list[Take] = []
    into = saga.next_line()
    for wanted in assignment.lines:
        units = min(wanted.quantity, left.get(wanted.line, 0))
        if units <= 0:
            continue
        left[wanted.line] -= units
        line = saga.order.line(wanted.line)
        if line is not None and units == line.quantity - _taken(takes, wanted.line):
            takes.append(Take(line=wanted.line, quantity=units, into=wanted.line))
        else:
            takes.append(Take(line=wanted.line, quantity=units, into=into))
            into += 1
    if takes:
        ask_hold(saga, assignment.store, tuple(takes), assignment)


def ask_hold(saga: Saga, store: str, takes: tuple[Take, ...], assignment: Assignment | None) -> None:
    """Ask a store for a hold on lines, under the next name of this order's holds."""
    order = saga.order
    parts: list[HeldPart] = []
    for take in takes:
        line = order.line(take.line)
        for component, part in enumerate(line.parts if line is not None else ()):
            units = part.quantity * take.quantity
            number = len(parts) + 1
            parts.append(HeldPart(number=number, line=take.into, component=component, sku=part.sku, quantity=units))
    work = order.at(store)
    promised_for_ms = assignment.ready_by_ms if assignment is not None else (work.ready_by_ms if work else 0)
    requested = HoldRequested(
        stamp=saga.stamp,
        hold=f"{order.order}/{order.hold_count + 1}",
        store=store,
        takes=takes,
        parts=tuple(parts),
        hold_until_ms=saga.now_ms + CHECKOUT_HOLD_MS,
        promised_for_ms=promised_for_ms,
        assignment=assignment,
    )
    saga.say(requested)


def assigned(lines: Iterable[Line]) -> tuple[AssignedLine, ...]:
    """Lines in full, as routing names them."""
    return tuple(AssignedLine(line=it.line, quantity=it.quantity) for it in lines)


def _offer(saga: Saga, attempt: int, lines: tuple[int, ...], offers: tuple[Assignment, ...]) -> None:
    by_ms = saga.now_ms + OFFER_ANSWER_MS
    offered = AlternativeOffered(stamp=saga.stamp, attempt=attempt, lines=lines, offers=offers, answer_by_ms=by_ms)
    saga.say(offered)
    told = [it for it in saga.order.lines if it.line in lines]
    saga.notice(Milestone.ALTERNATIVE_OFFERED, told, offers[0].store, answer_by_ms=by_ms)


def _units(order: Order, numbers: Iterable[int]) -> Units:
    found = (order.line(number) for number in numbers)
    return {line.line: line.quantity for line in found if line is not None and line.live}


def _taken(takes: list[Take], line: int) -> int:
    return sum(it.quantity for it in takes if it.line == line)


def _takes_any(line: Line, skus: set[str]) -> bool:
    return not skus or any(part.sku in skus for part in line.parts)


def _wanted(line: Line) -> RequestLine:
    return RequestLine(line=line.line, sku=line.sku, quantity=line.quantity, components=line.components)


def _slot(order: Order) -> Slot | None:
    if order.slot_from_ms is None or order.slot_to_ms is None:
        return None
    return Slot(from_ms=order.slot_from_ms, to_ms=order.slot_to_ms)


def _place(order: Order) -> Place | None:
    if order.place_latitude_e6 is None or order.place_longitude_e6 is None:
        return None
    return Place(latitude_e6=order.place_latitude_e6, longitude_e6=order.place_longitude_e6)


def _exclusions(order: Order) -> tuple[Exclusion, ...]:
    """Per store the SKUs it lacked, or none of them when it takes nothing at all."""
    skus: dict[str, list[str]] = {}
    for it in order.excluded:
        skus.setdefault(it.store, []).append(it.sku)
    return tuple(
        Exclusion(store=store, skus=() if "" in named else tuple(sorted(named))) for store, named in skus.items()
    )
