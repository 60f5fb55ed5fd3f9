"""Refusals as sentences: why a command was refused, and what to do instead."""

from bopis.domain.orders.amounts import open_total
from bopis.domain.orders.decision import UNSERVED_REASONS
from bopis.domain.orders.events import CommandRefused, MoveEnded
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Line, LineState, Order
from bopis.domain.orders.store_queue import numbers_text
from bopis.domain.orders.vocabulary import HandoverConflict, MoveEnd, PaymentState, Refusal
from bopis.domain.payments.money import plain_amount
from bopis.domain.sourcing.decision import Missing
from bopis.domain.sourcing.unserved import Unserved, UnservedSku
from bopis.services.catalogue import NO_CATALOGUE, Catalogue
from bopis.services.counter.store_times import StoreTimes

TOO_EARLY = {
    "HandOver": "nothing is staged yet: pick and stage it first (`bopis pickup pick`, `bopis pickup stage`)",
    "StageOrder": "nothing is picked yet: record it with `bopis pickup pick`",
    "RecordPick": "the store has not accepted it yet: accept the work with `bopis pickup accept`",
    "StartPicking": "the store has not accepted it yet: accept the work with `bopis pickup accept`",
    "AcceptPick": "it is not promised yet: wait until it is in `bopis pickup queue`",
    "ExtendPickup": "it is not ready yet, or is kept longer already: give a later time",
    "OfferSubstitute": "the line is not short: record the missing units with `bopis pickup short` first",
    "AcceptSubstitute": "no substitute is offered for it: offer one with `bopis pickup substitute`",
    "RefuseSubstitute": "no substitute is offered for it: offer one with `bopis pickup substitute`",
    "ReissueCode": "the code was renewed meanwhile: try again",
    "ReturnInStore": "it was not handed over, so nothing can be returned: cancel it instead",
    "WithdrawReady": "nothing of it is set aside yet",
    "MoveOrder": "a hold is being requested or released: try again in a moment",
    "CustomerArrived": "it is not promised to a store yet: look with `bopis order show`",
}
TOO_LATE = {
    "MoveOrder": "picking has begun, so its store can no longer change; `bopis order cancel` what is not wanted",
    "AcceptPick": "it was accepted before",
    "RejectPick": "it is picked already; to give it up, `bopis order cancel` it",
    "AssignPicker": "it is picked already",
    "StartPicking": "it is being picked, or was",
    "RecordPick": "it is picked already; goods that cannot be handed over: `bopis pickup ready --withdraw`",
    "StageOrder": "it is staged already",
    "OfferSubstitute": "it is no longer short",
    "AcceptSubstitute": "the offer was answered, or its time ran out",
    "RefuseSubstitute": "the offer was answered, or its time ran out",
    "ExtendPickup": "goods are kept two weeks from now at most: give an earlier time",
    "ReissueCode": "the code was renewed meanwhile: try again",
}
AFTER_END = {
    Refusal.CANCELLED: "do not hand it over, and put what was picked back on the shelf",
    Refusal.EXPIRED: "the goods went back; offer to place it again",
}
PAID_BY = {
    PaymentState.AUTHORISING: "being authorised",
    PaymentState.DECLINED: "being authorised: the next method is asked",
    PaymentState.AUTHORISED: "authorised",
    PaymentState.LAPSED: "authorisation lapsed: another one is asked for",
    PaymentState.EXHAUSTED: "no method paid",
}
WHY = {
    Refusal.UNKNOWN_ORDER: "no such order is known; check the number",
    Refusal.NUMBER_TAKEN: "the number belongs to another order; place it again",
    Refusal.REPEATED_LINE: "two lines have the same number; give each its own",
    Refusal.TOO_MANY_PARTS: "it takes too many different things from the shelf; split it into two orders",
    Refusal.UNKNOWN_LINE: "it has no such line; `bopis order show` names them",
    Refusal.UNKNOWN_STORE: "this store has nothing of it; `bopis order show` names the store that does",
    Refusal.UNKNOWN_OFFER: "that was not offered, or the offer has ended; `bopis order show` lists open offers",
    Refusal.UNKNOWN_TASK: "it has no such open task; `bopis pickup not-collected` lists open ones",
    Refusal.CANCELLED: "it was cancelled: do not hand it over; what was picked goes back to the shelf",
    Refusal.EXPIRED: "its pickup window is over and the goods went back; offer to place it again",
    Refusal.HANDED_OVER: "it was handed over before; what comes back is a return (`bopis pickup return`)",
    Refusal.MOVED: "another store has it now; `bopis order show` names it",
    Refusal.UNASSIGNED: "no store has it now; `bopis order show` says whether it is offered, waits or is routed again",
    Refusal.NOT_ALLOWED: "the order does not allow it; ask the customer, or cancel the line",
    Refusal.TOO_MANY_UNITS: "those are more units than it has",
    Refusal.CODE_LOCKED: "too many wrong codes were shown; check an identity document and give --document KIND",
    Refusal.CODE_USED: "its code was used already; check an identity document and give --document KIND",
    Refusal.WRONG_CODE: "the code is wrong; ask for it again, or check an identity document (--document KIND)",
    Refusal.UNPAID: "it is not paid yet; `bopis payments show` says why. Take the money at the till, record it with "
    "`bopis payments paid-in-store`, then hand it over",
    Refusal.SAME_STORE: "that store has it already, or is being asked for it; `bopis order show` names it",
    Refusal.TOO_MANY_MOVES: "its store was changed too often; cancel it, and place it again for the other store",
    Refusal.NO_DOCUMENT: "name the kind of identity document shown (--document KIND), never its number",
}


# How a hand-over without the centre does not fit the order, and what staff do about it.
CONFLICT_TEXTS = {
    HandoverConflict.RECORDED_TWICE: "and it was recorded at the centre as well: counted once, nothing to do",
    HandoverConflict.HANDED_OVER_ELSEWHERE: "and another store handed over goods of it, too: ask the customer for one "
    "of them, or take the money",
    HandoverConflict.MOVED: "when another store had it: that store's goods are released, nothing to hand over there",
    HandoverConflict.CANCELLED: "when it had been cancelled: the goods are booked out; see that they are paid",
    HandoverConflict.EXPIRED: "when its pickup window was over: the goods are booked out; see that they are paid",
    HandoverConflict.NOT_STAGED: "when its goods were not set aside: check what was picked, and count it",
    HandoverConflict.UNPAID: "and it is not paid: `bopis payments owed` lists it until it is",
    HandoverConflict.CODE_REPLACED: "against a code that had been replaced: ask the customer whether the goods arrived",
    HandoverConflict.UNKNOWN_GOODS: "with goods that it does not have: the books are corrected; count them",
}


def why(order: str, refused: CommandRefused, tries_left: int | None = None, ended: str = "") -> str:
    """One refusal as a sentence with the next action; ``tries_left`` after a wrong code, ``ended`` how it
    ended or what is not paid."""
    match refused.reason:
        case Refusal.TOO_EARLY:
            because = TOO_EARLY.get(refused.command, "it is not that far yet; see its state with `bopis order show`")
        case Refusal.TOO_LATE:
            because = TOO_LATE.get(refused.command, "it is further on already; see its state with `bopis order show`")
        case Refusal.CANCELLED | Refusal.EXPIRED if ended:
            because = f"{ended}; {AFTER_END[refused.reason]}"
        case Refusal.UNPAID if ended:
            because = ended
        case _:
            because = WHY[refused.reason]
    line = f", line {refused.line}" if refused.line is not None else ""
    left = "" if tries_left is None else f" ({tries_text(tries_left)})"
    return f"Order {shown(order)}{line}: {because}{left}. [{refused.reason.value}]"


def ended_text(order: Order, times: StoreTimes, catalogue: Catalogue = NO_CATALOGUE) -> str:
    """How the lines of an order ended that were not handed over, with the reason: ``cancelled by system at 10:06 ...``.

    Empty when no line ended so.
    """
    ends: dict[str, list[Line]] = {}
    for line in order.lines:
        if line.state in (LineState.CANCELLED, LineState.EXPIRED):
            ends.setdefault(_end(line, times), []).append(line)
    found = []
    for how, lines in ends.items():
        is_all = len(lines) == len(order.lines)
        which = "" if is_all else f" ({numbers_text(line.line for line in lines)})"
        is_unserved = lines[0].end_reason in UNSERVED_REASONS and order.unserved is not None
        reason = f": {unserved_text(order.unserved, catalogue)}" if is_unserved and order.unserved else ""
        found.append(f"{how}{which}{reason}")
    return "; ".join(found)


def payment_text(order: Order, times: StoreTimes) -> str:
    """How an order is paid: ``authorised``, ``being authorised``, ``to pay in the store: 12.50 EUR``."""
    total = open_total(order)
    if order.payment is PaymentState.PAY_IN_STORE and order.methods and not order.at_counter_cents:
        return "paid in the store"
    if order.payment is PaymentState.PAY_IN_STORE:
        cents = order.at_counter_cents if order.methods else total
        return "to pay in the store" + (f": {plain_amount(cents, order.currency)}" if cents else "")
    if order.payment is PaymentState.AUTHORISED and order.covered_until_ms:
        return f"authorised until {times.instant(order.covered_until_ms)}"
    return PAID_BY[order.payment]


def unpaid_text(order: Order) -> str:
    """What of an order is paid for, what is missing, and how it can be handed over all the same; empty when nothing is
    to be handed over, or it is paid at the till as a whole."""
    left = open_total(order)
    if not order.methods or not left:
        return ""
    covered = max(0, (order.covered_cents or 0) - order.captured_cents)
    if order.payment is PaymentState.LAPSED or covered >= left:
        # What would cover it has ended, or is about to be replaced.
        covered = 0
    missing, number = left - covered, shown(order.order)
    paid_for = f"{plain_amount(covered, order.currency)} of {plain_amount(left, order.currency)} are paid for"
    if order.payment in (PaymentState.AUTHORISING, PaymentState.DECLINED):
        return f"its payment is not decided yet: {paid_for}. Wait a moment; bopis payments show {number} says why"
    lacks = f"{plain_amount(missing, order.currency)} are missing"
    return f"{paid_for}, {lacks}: {take_text(order, missing)}, then hand it over"


def take_text(order: Order, cents: int) -> str:
    """What an associate does to take a sum at the till: ``take 12.50 EUR at the till and record it (bopis ...)``."""
    amount = plain_amount(cents, order.currency)
    command = f"bopis payments paid-in-store {shown(order.order)} --amount {amount.split()[0]} --receipt NUMBER"
    return f"take {amount} at the till and record it ({command})"


def unserved_text(unserved: Unserved, catalogue: Catalogue = NO_CATALOGUE) -> str:
    """Which stock was missing where: ``319 has 24 of 9999 Bananas; no store within 50 km has more``."""
    limit = unserved.distance_metres_max
    within = f" within {_km(limit)}" if limit else ""
    found = [_missing(it, unserved.store or "no store", limit, catalogue) for it in unserved.skus]
    if found:
        elsewhere = "" if any(it.other for it in unserved.skus) else f"; no store{within} has more"
        return ", ".join(found) + elsewhere
    reason = unserved.reason.value.replace("_", " ") if unserved.reason is not None else "no store can serve it"
    return f"{unserved.store}: {reason}; no other store{within}" if unserved.store else f"{reason}{within}"


def missing_text(it: UnservedSku | Missing, catalogue: Catalogue = NO_CATALOGUE) -> str:
    """The units that a store has of those wanted: ``has 5700 g of 7000 g Ham (HAM)``."""
    name = catalogue.known_name(it.sku)
    has, wanted = catalogue.quantity(it.available, it.sku), catalogue.quantity(it.wanted, it.sku)
    return f"has {has} of {wanted} {f'{name} ({it.sku})' if name else it.sku}"


MOVE_ENDS = {
    MoveEnd.NO_STOCK: "the stock is not there",
    MoveEnd.STORE_UNAVAILABLE: "the store cannot have it ready",
    MoveEnd.ORDER_CHANGED: "the order changed meanwhile",
    MoveEnd.TOO_LATE: "picking has begun",
    MoveEnd.REPLACED: "another store was chosen",
}


def move_end_text(ended: MoveEnded, catalogue: Catalogue = NO_CATALOGUE) -> str:
    """Why an order kept its store: ``the stock is not there (S2 has 1 of 2 Milk (A))``."""
    found = [] if ended.unserved is None else [missing_text(it, catalogue) for it in ended.unserved.skus]
    if found:
        return f"{MOVE_ENDS[ended.reason]} ({ended.store} {', '.join(found)})"
    if ended.reason is MoveEnd.STORE_UNAVAILABLE and ended.elimination is not None:
        return f"{MOVE_ENDS[ended.reason]} ({ended.elimination.value.replace('_', ' ')})"
    return MOVE_ENDS[ended.reason]


def tries_text(left: int) -> str:
    """How many wrong codes are still allowed: ``4 tries left``, ``locked now``."""
    if not left:
        return "locked now"
    return f"{left} {'try' if left == 1 else 'tries'} left"


def _end(line: Line, times: StoreTimes) -> str:
    at = f" {times.instant(line.ended_ms, line.store)}" if line.ended_ms else ""
    if line.state is LineState.EXPIRED:
        return f"not collected in time,{at}" if at else "not collected in time"
    by = f" by {line.ended_by.value}" if line.ended_by is not None else ""
    why = f" ({line.end_reason.value.replace('_', ' ')})" if line.end_reason is not None else ""
    return f"cancelled{by}{at}{why}"


def _missing(it: UnservedSku, store: str, limit: int, catalogue: Catalogue) -> str:
    text = f"{store} {missing_text(it, catalogue)}"
    if not it.other:
        return text
    far = f", {_km(it.other_distance_m)}" if it.other_distance_m is not None else ""
    is_too_far = it.other_distance_m is not None and 0 < limit < it.other_distance_m
    there = catalogue.quantity(it.other_available, it.sku)
    return f"{text}; {it.other} has {there}{far}{': too far' if is_too_far else ''}"


def _km(metres: int) -> str:
    return f"{metres / 1000:.0f} km" if metres >= 10_000 else f"{metres / 1000:.1f} km"
