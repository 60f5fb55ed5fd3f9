"""Merge of goods that a store handed over without the centre: a fact, which is never refused.

The units leave the books of the store once, whatever became of the order meanwhile; each difference is a conflict with
a name (`HandoverConflict`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from bopis.domain.orders.amounts import open_total
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import HandoverConflictFound, PaymentAmountChanged, TaskClosed
from bopis.domain.orders.handover import record_hand_over
from bopis.domain.orders.lines import LinePart
from bopis.domain.orders.messages import GoodsHandedOver, HandedLine, HandOver
from bopis.domain.orders.paying import is_paid
from bopis.domain.orders.state import STAGED_STATES, Line, LineState, Order
from bopis.domain.orders.vocabulary import Amount, HandoverConflict, LineSum, Proof, TaskKind

OUT = frozenset({LineState.HANDED_OVER, LineState.RETURNED})
# Lines with these conflicts left the shop before: nothing of them is handed over once more.
GONE = frozenset({HandoverConflict.RECORDED_TWICE, HandoverConflict.HANDED_OVER_ELSEWHERE})
# Lines with these conflicts are not in the store's work: they are taken back first.
RECALLED = frozenset({HandoverConflict.MOVED, HandoverConflict.CANCELLED, HandoverConflict.EXPIRED})
# From the line that was most likely meant to the least likely one: as it should be, then in the order of the conflicts.
_RANK: dict[HandoverConflict | None, int] = {
    it: rank
    for rank, it in enumerate(
        (
            None,
            HandoverConflict.NOT_STAGED,
            HandoverConflict.MOVED,
            HandoverConflict.CANCELLED,
            HandoverConflict.EXPIRED,
            HandoverConflict.RECORDED_TWICE,
            HandoverConflict.HANDED_OVER_ELSEWHERE,
        )
    )
}


class Allotted(NamedTuple):
    """Units of one line that are among the goods, and the conflict of that line."""

    line: Line
    units: int
    conflict: HandoverConflict | None


class Allotment(NamedTuple):
    """The lines that the goods are, and units of goods that the order never had in that number."""

    lines: tuple[Allotted, ...]
    unknown: tuple[LineSum, ...]


def record_goods(decision: OrderDecision, report: GoodsHandedOver) -> None:
    """Record goods that left a store, name each conflict, and let staff find it."""
    found = allot(decision.order, report)
    leaving = tuple(it for it in found.lines if it.conflict not in GONE)
    _name_conflicts(decision, report, found)
    chosen = [it.line.line for it in leaving]
    parts = [LinePart(line=it.line.line, quantity=it.units) for it in leaving]
    lines = decision.split_off([line for line in decision.order.lines if line.line in chosen], parts)
    if not lines:
        return
    _name_conflicts_of_order(decision, report, lines)
    _reopen_payment(decision)
    command = HandOver(store=report.store, proof=report.proof, document=report.document)
    record_hand_over(decision, command, lines)
    _close_put_backs(decision, report.store, lines)


def conflict_of(line: Line, store: str) -> HandoverConflict | None:
    """The conflict of one line whose goods a store handed over; None for a line that is staged there."""
    if line.state in OUT:
        # The goods of a line are set aside in one store: the same store handed the same goods over.
        is_same = line.store == store
        return HandoverConflict.RECORDED_TWICE if is_same else HandoverConflict.HANDED_OVER_ELSEWHERE
    if line.state is LineState.CANCELLED:
        return HandoverConflict.CANCELLED
    if line.state is LineState.EXPIRED:
        return HandoverConflict.EXPIRED
    if line.store != store:
        return HandoverConflict.MOVED
    return None if line.state in STAGED_STATES else HandoverConflict.NOT_STAGED


def allot(order: Order, report: GoodsHandedOver) -> Allotment:
    """Find the lines that the goods are: the named ones, and those that were split off them since."""
    left = {line.line: line.quantity for line in order.lines}
    lines: list[Allotted] = []
    unknown: list[LineSum] = []
    for goods in report.lines:
        rest = goods.quantity
        for line in _family(order, goods, report.store):
            conflict = conflict_of(line, report.store)
            units = min(rest, left[line.line])
            # Part of a line that is not in the store's work cannot be split off; its goods are corrected in the books.
            if not units or (conflict in RECALLED and units < line.quantity):
                continue
            left[line.line] -= units
            rest -= units
            lines.append(Allotted(line, units, conflict))
        if rest:
            unknown += _units(order.line(goods.line), goods.line, goods.sku, rest)
    return Allotment(_summed(lines), tuple(unknown))


def _family(order: Order, goods: HandedLine, store: str) -> list[Line]:
    named = order.line(goods.line)
    if named is None:
        return []
    root = named.parent or named.line
    related = [it for it in order.lines if root in (it.line, it.parent) and it.sku == goods.sku]
    # The named line first: units that were split off it since are newer lines.
    return sorted(related, key=lambda it: (it.line != goods.line, _RANK[conflict_of(it, store)], -it.line))


def _summed(lines: Iterable[Allotted]) -> tuple[Allotted, ...]:
    """Each line once: two named lines may have gone to parts of one."""
    units: dict[int, Allotted] = {}
    for it in lines:
        known = units.get(it.line.line)
        units[it.line.line] = it if known is None else it._replace(units=it.units + known.units)
    return tuple(units.values())


def _name_conflicts(decision: OrderDecision, report: GoodsHandedOver, found: Allotment) -> None:
    """Emit the conflicts of lines, in the order of the checks. Lines that are not in the store's work are recalled."""
    for conflict in HandoverConflict:
        lines = [it for it in found.lines if it.conflict is conflict]
        uncovered: tuple[LineSum, ...] = ()
        if conflict is HandoverConflict.HANDED_OVER_ELSEWHERE:
            # Other goods left the other store: those of this one are out as well.
            sums = (_units(it.line, it.line.line, it.line.sku, it.units) for it in lines)
            uncovered = tuple(part for parts in sums for part in parts)
        elif conflict is HandoverConflict.UNKNOWN_GOODS:
            uncovered = found.unknown
        if lines or uncovered:
            recalled = tuple(it.line.line for it in lines) if conflict in RECALLED else ()
            _emit(decision, report.store, conflict, recalled, uncovered)


def _name_conflicts_of_order(decision: OrderDecision, report: GoodsHandedOver, lines: tuple[Line, ...]) -> None:
    order = decision.order
    price = sum(line.unit_cents * line.quantity for line in lines)
    if not is_paid(order, price, decision.now_ms) or (order.methods and order.voided):
        _emit(decision, report.store, HandoverConflict.UNPAID)
    if report.proof is not Proof.IDENTITY and report.code_version != order.code.version:
        _emit(decision, report.store, HandoverConflict.CODE_REPLACED)


def _reopen_payment(decision: OrderDecision) -> None:
    """Tell the payment that lines which had ended are to be paid for after all; one that has ended finds them owed."""
    order = decision.order
    cents = open_total(order)
    if order.methods and not order.voided and cents != order.open_cents:
        amount = Amount(cents=cents, currency=order.currency)
        decision.emit(PaymentAmountChanged(stamp=decision.stamp, amount=amount))


def _close_put_backs(decision: OrderDecision, store: str, lines: tuple[Line, ...]) -> None:
    """Close the tasks to put back goods that have left: nothing of them is in the store any more."""
    skus = {part.sku for line in lines for part in line.parts}
    for task in decision.order.tasks:
        if task.kind is TaskKind.PUT_BACK and task.store == store and task.sku in skus:
            decision.emit(TaskClosed(stamp=decision.stamp, task=task.task, kind=task.kind, store=store))


def _emit(
    decision: OrderDecision,
    store: str,
    conflict: HandoverConflict,
    recalled: tuple[int, ...] = (),
    uncovered: tuple[LineSum, ...] = (),
) -> None:
    found = HandoverConflictFound(stamp=decision.stamp, store=store, conflict=conflict)
    decision.emit(replace(found, recalled=recalled, uncovered=uncovered))


def _units(line: Line | None, number: int, sku: str, quantity: int) -> list[LineSum]:
    """Units that left the shelf: those of the components of a kit."""
    if line is None or line.sku != sku:
        return [LineSum(line=number, sku=sku, quantity=quantity)]
    return [LineSum(line=number, sku=part.sku, quantity=part.quantity * quantity) for part in line.parts]
