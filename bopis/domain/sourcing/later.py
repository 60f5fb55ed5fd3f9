"""Later promise of the chosen store: from stock on its way there, or from a transfer."""

from msgspec.structs import replace

from bopis.domain.sourcing.candidates import Candidate, open_stock
from bopis.domain.sourcing.decision import Assignment, Missing, PlannedTransfer
from bopis.domain.sourcing.facts import SkuFacts
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.stock import all_of
from bopis.domain.sourcing.timing import DecisionContext, assignment, timing
from bopis.domain.values import DAY_MS, HOUR_MS

Sending = dict[tuple[str, str], int]  # units to be sent, by store and SKU


def later(request: Request, chosen: Candidate, donors: list[Candidate], context: DecisionContext) -> Assignment | None:
    """Assignment of the chosen store with a later promise; None when no known supply would serve the order.

    For each missing SKU the earlier supply counts: receipts and transfers already announced to the store, or a transfer
    from the best ranked store that has all missing units, if the rules set how long one takes.
    """
    from_ms, transfers = context.now_ms, []
    known = {it.sku: it for it in chosen.facts.skus}
    sending: Sending = {}
    for gap in chosen.missing:
        arrival = _arrival(known.get(gap.sku), gap.wanted)
        sent = _transfer(request, gap, donors, sending) if context.rules.transfer_hours else None
        sent_ms = context.now_ms + context.rules.transfer_hours * HOUR_MS
        # A transfer only when it is earlier than what is announced anyway.
        if sent is not None and (arrival is None or sent_ms < arrival):
            sending[sent.from_store, sent.sku] = sending.get((sent.from_store, sent.sku), 0) + sent.quantity
            transfers.append(sent)
            arrival = sent_ms
        if arrival is None:
            return None
        # All of the order is ready when its last SKU has arrived.
        from_ms = max(from_ms, arrival)
    when = timing(chosen.facts, request.slot, len(request.lines), context, from_ms)
    if when is None or when.spare_minutes < 0:
        return None
    if request.slot is None and when.ready_by_ms - context.now_ms > context.rules.later_days_max * DAY_MS:
        return None
    promised = assignment(chosen.facts, all_of(request.lines), when, context)
    return replace(promised, stock_from_ms=from_ms, transfers=tuple(transfers))


def _arrival(known: SkuFacts | None, wanted: int) -> int | None:
    """When announced receipts will have brought enough; None when they never do."""
    if known is None:
        return None
    terms = known.terms
    # Incoming units refill negative stock first, so nothing is floored at zero here; and earlier orders come first.
    units = terms.on_hand - terms.held - terms.in_doubt - terms.withheld - known.awaited
    for it in sorted(known.incoming, key=lambda it: (it.at_ms, it.quantity)):
        units += it.quantity
        if units >= wanted:
            return it.at_ms
    return None


def _transfer(request: Request, gap: Missing, donors: list[Candidate], sending: Sending) -> PlannedTransfer | None:
    needed = gap.wanted - gap.available
    for donor in donors:
        spare = open_stock(request, donor.facts).get(gap.sku, 0) - sending.get((donor.store, gap.sku), 0)
        if spare >= needed:
            return PlannedTransfer(from_store=donor.store, sku=gap.sku, quantity=needed)
    return None
