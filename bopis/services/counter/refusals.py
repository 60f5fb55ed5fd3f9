"""Refusals as sentences: why something was not done, and what to do instead."""

from bopis.domain.orders.events import CommandRefused
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.terms import Refusal

TOO_EARLY = {
    "HandOver": "nothing is staged yet: pick and stage it first (`bopis pickup pick`, `bopis pickup stage`)",
    "StageOrder": "nothing is picked yet: `bopis pickup pick` says what was found",
    "RecordPick": "the store has not accepted it yet: `bopis pickup accept` takes the work on",
    "StartPicking": "the store has not accepted it yet: `bopis pickup accept` takes the work on",
    "AcceptPick": "it is not promised yet: wait until it is in `bopis pickup queue`",
    "ExtendPickup": "it is not ready yet, or is kept longer already: give a later time",
    "OfferSubstitute": "the line is not short: `bopis pickup short` says what is missing first",
    "AcceptSubstitute": "no substitute is offered for it: `bopis pickup substitute` offers one",
    "RefuseSubstitute": "no substitute is offered for it: `bopis pickup substitute` offers one",
    "ReissueCode": "the code was renewed meanwhile: try again",
    "ReturnInStore": "it was not handed over, so nothing of it can come back: cancel it instead",
    "WithdrawReady": "nothing of it is set aside yet",
    "CustomerArrived": "it is not promised to a store yet: look with `bopis order show`",
}
TOO_LATE = {
    "AcceptPick": "it was accepted before",
    "RejectPick": "it is picked already; to give it up, `bopis order cancel` it",
    "AssignPicker": "it is picked already",
    "StartPicking": "it is being picked, or was",
    "RecordPick": "it is picked already; what is not fit to hand over is told with `bopis pickup ready --withdraw`",
    "StageOrder": "it is staged already",
    "OfferSubstitute": "it is no longer short",
    "AcceptSubstitute": "the offer was answered, or its time ran out",
    "RefuseSubstitute": "the offer was answered, or its time ran out",
    "ExtendPickup": "goods are kept two weeks from now at most: give an earlier time",
    "ReissueCode": "the code was renewed meanwhile: try again",
}
WHY = {
    Refusal.UNKNOWN_ORDER: "no such order is known; check the number",
    Refusal.NUMBER_TAKEN: "the number belongs to another order; place it again",
    Refusal.REPEATED_LINE: "two lines have the same number; give each its own",
    Refusal.TOO_MANY_PARTS: "it takes too many different things from the shelf; split it into two orders",
    Refusal.UNKNOWN_LINE: "it has no such line; `bopis order show` names them",
    Refusal.UNKNOWN_STORE: "this store has nothing of it; `bopis order show` says which one does",
    Refusal.UNKNOWN_OFFER: "that was not offered, or the offer is over; `bopis order show` says what is",
    Refusal.UNKNOWN_TASK: "it has no such task, or somebody did it; `bopis pickup not-collected` names the open ones",
    Refusal.CANCELLED: "it was cancelled: do not hand it over; what was picked goes back to the shelf",
    Refusal.EXPIRED: "its pickup window is over and the goods went back; offer to place it again",
    Refusal.HANDED_OVER: "it was handed over before; what comes back is a return (`bopis pickup return`)",
    Refusal.MOVED: "another store has it now; `bopis order show` says which one",
    Refusal.NOT_ALLOWED: "the order does not allow it; ask the customer, or cancel the line",
    Refusal.TOO_MANY_UNITS: "those are more units than it has",
    Refusal.CODE_LOCKED: "too many wrong codes were shown; look at an identity document and say --document KIND",
    Refusal.CODE_USED: "its code was used already; look at an identity document and say --document KIND",
    Refusal.WRONG_CODE: "the code is wrong; ask for it again, or look at an identity document (--document KIND)",
    Refusal.NO_DOCUMENT: "say which kind of identity document was shown (--document KIND); never its number",
}


def why(order: str, refused: CommandRefused, tries_left: int | None = None) -> str:
    """One refusal as a sentence that says what to do."""
    match refused.reason:
        case Refusal.TOO_EARLY:
            because = TOO_EARLY.get(refused.command, "it is not that far yet; `bopis order show` says where it is")
        case Refusal.TOO_LATE:
            because = TOO_LATE.get(refused.command, "it is further on already; `bopis order show` says where it is")
        case _:
            because = WHY[refused.reason]
    line = f", line {refused.line}" if refused.line is not None else ""
    left = "" if tries_left is None else f" ({tries_left} tries left)"
    return f"Order {shown(order)}{line}: {because}{left}. [{refused.reason.value}]"
