"""Reconciliation of our payments with a gateway's own list: it is read, compared, and told with what mends it.

Nothing here moves money or changes a book: each difference comes with the command that a person may run.
"""

from typing import NamedTuple

from bopis.domain.orders.numbers import shown
from bopis.domain.payments.gateway import GatewayEntry
from bopis.domain.payments.money import plain_amount
from bopis.domain.payments.reconcile import ComparedSide, Comparison, Difference, DifferenceKind, Mend, compare
from bopis.ports import Gateway
from bopis.services.payments.book import PaymentBook

PAGES_MAX = 100_000
KINDS = {
    DifferenceKind.MISSING_THERE: "not in the gateway's list; we have {ours}",
    DifferenceKind.MISSING_HERE: "not in our books; the gateway has {theirs}",
    DifferenceKind.ANSWERED_THERE: "its answer never reached us; the gateway has {theirs}",
    DifferenceKind.CURRENCY: "another currency: {ours} here, {theirs} there",
    DifferenceKind.AMOUNT: "authorised: {ours} here, {theirs} there",
    DifferenceKind.CAPTURED: "captured: {ours} here, {theirs} there",
    DifferenceKind.REFUNDED: "refunded: {ours} here, {theirs} there",
    DifferenceKind.OPEN_THERE: "still open there for {theirs}, not here",
    DifferenceKind.RELEASED_THERE: "open here for {ours}, no longer there",
}
BY_HAND = "look at both: bopis payments show {order}, and the gateway's own desk"
ELSEWHERE = "it names no order of ours: look at the gateway's own desk"


class GatewayList(NamedTuple):
    """A gateway with the names under which payment methods mean it."""

    name: str
    names: frozenset[str]
    gateway: Gateway


async def read_entries(gateway: Gateway, since_ms: int) -> list[GatewayEntry]:
    """The whole list of a gateway since an instant. Raises `GatewayUnavailable`."""
    entries: list[GatewayEntry] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await gateway.entries(since_ms, cursor)
        entries += page.entries
        cursor = page.cursor
        if cursor is None:
            break
    return entries


async def reconcile(book: PaymentBook, listed: GatewayList, since_ms: int, now_ms: int) -> Comparison:
    """Compare the book with a gateway's list. Payments that change meanwhile count as in flight.

    Raises `GatewayUnavailable`.
    """
    book.refresh()
    entries = await read_entries(listed.gateway, since_ms)
    moving = frozenset(book.refresh())
    side = ComparedSide(gateways=listed.names, since_ms=since_ms, now_ms=now_ms, moving=moving)
    return compare(book.all(), entries, side)


def difference_text(it: Difference) -> str:
    """A difference as a sentence, without the order."""
    ours, theirs = plain_amount(it.ours, it.currency), plain_amount(it.theirs, it.their_currency or it.currency)
    return KINDS[it.kind].format(ours=ours, theirs=theirs)


def mending_command(it: Difference, gateway: str) -> str:
    """The command that mends a difference, or where to look when none does."""
    number = shown(it.order) if it.order else ""
    match it.mend:
        case Mend.RETRY:
            return f'bopis payments retry {number} --reason "reconciliation"'
        case Mend.SETTLE_UNKNOWN:
            return f'bopis payments settle-unknown {number} --attempt {it.attempt} --reason "reconciliation"'
        case Mend.ADOPT:
            where = f"--reference {it.reference} --gateway {gateway}"
            return f'bopis payments adopt {number} {where} --reason "reconciliation"'
        case None:
            return BY_HAND.format(order=number) if number else ELSEWHERE
