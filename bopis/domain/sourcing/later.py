"""The chosen store with a later promise: stock that is on its way there, or that another store could send."""

from msgspec.structs import replace

from bopis.domain.sourcing.candidates import Candidate, open_stock
from bopis.domain.sourcing.decision import Assignment, Missing, Transfer
from bopis.domain.sourcing.facts import SkuFacts
from bopis.domain.sourcing.request import Request
from bopis.domain.sourcing.stock import all_of
from bopis.domain.sourcing.timing import Clock, assignment, timing
from bopis.domain.values import DAY_MS, HOUR_MS

Given = dict[tuple[str, str], int]  # Units that a (store, SKU) sends already.


def later(request: Request, chosen: Candidate, donors: list[Candidate], clock: Clock) -> Assignment | None:
    """What the chosen store could promise for later, or None when nothing that is known would serve the order.

    For each missing SKU the earlier of two ways counts: receipts and transfers already announced to the store, or
    a transfer from the best ranked store that has all that is missing, when the rules say how long one takes.
    """
    from_ms, transfers = clock.now_ms, []
    known = {it.sku: it for it in chosen.facts.skus}
    given: Given = {}
    for gap in chosen.missing:
        arrival = _arrival(known.get(gap.sku), gap.wanted)
        sent = _sent(request, gap, donors, given) if clock.rules.transfer_hours else None
        sent_ms = clock.now_ms + clock.rules.transfer_hours * HOUR_MS
        if sent is not None and (arrival is None or sent_ms < arrival):
            given[sent.from_store, sent.sku] = given.get((sent.from_store, sent.sku), 0) + sent.quantity
            transfers.append(sent)
            arrival = sent_ms
        if arrival is None:
            return None
        from_ms = max(from_ms, arrival)
    told = timing(chosen.facts, request.slot, len(request.lines), clock, from_ms)
    if told is None or told.spare_minutes < 0:
        return None
    if request.slot is None and told.ready_by_ms - clock.now_ms > clock.rules.later_days_max * DAY_MS:
        return None
    promised = assignment(chosen.facts, all_of(request.lines), told, clock)
    return replace(promised, stock_from_ms=from_ms, transfers=tuple(transfers))


def _arrival(known: SkuFacts | None, wanted: int) -> int | None:
    """When receipts on their way will have brought enough; None when they never do."""
    if known is None:
        return None
    terms = known.terms
    # What is missing on the books is refilled first: a floor of zero would count those units twice. And what comes is
    # for those who waited before.
    units = terms.on_hand - terms.held - terms.in_doubt - terms.withheld - known.awaited
    for it in sorted(known.incoming, key=lambda it: (it.at_ms, it.quantity)):
        units += it.quantity
        if units >= wanted:
            return it.at_ms
    return None


def _sent(request: Request, gap: Missing, donors: list[Candidate], given: Given) -> Transfer | None:
    needed = gap.wanted - gap.available
    for donor in donors:
        spare = open_stock(request, donor.facts).get(gap.sku, 0) - given.get((donor.store, gap.sku), 0)
        if spare >= needed:
            return Transfer(from_store=donor.store, sku=gap.sku, quantity=needed)
    return None
