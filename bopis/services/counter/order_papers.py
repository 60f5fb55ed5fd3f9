"""Papers of an order in a store: what is on the pick list and on the packing slip. Pure.

A pick list has no customer's name, and no paper has a contact or a pickup code.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.orders.amounts import to_pay
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import SET_ASIDE, Line, Order, StoreWork
from bopis.domain.orders.store_queue import locations_text
from bopis.domain.orders.vocabulary import LineSum
from bopis.domain.papers import Paper, PaperKind, PaperLine
from bopis.domain.payments.money import plain_amount
from bopis.domain.quantities import EACH
from bopis.services.catalogue import Catalogue
from bopis.services.counter.errors import NotDone
from bopis.services.counter.pick_walk import PICKABLE_SOON, needs
from bopis.services.counter.store_times import DAY, StoreTimes


class PaperSubject(Struct, frozen=True, kw_only=True):
    """An order in a store, its clocks and names, and the customer's name and note; empty after an erasure."""

    order: Order
    store: str
    times: StoreTimes
    catalogue: Catalogue
    fields: Mapping[str, str]


class PaperContent(Struct, frozen=True, kw_only=True):
    """The content of a paper: facts as label and value, lines, a note, the store where it is not the one asked for,
    and the sum of the lines' prices."""

    facts: tuple[tuple[str, str], ...]
    lines: Sequence[PaperLine]
    note: str = ""
    store: str = ""
    total: str = ""


def pick_list(subject: PaperSubject) -> PaperContent:
    """The lines to pick, without the customer's name. Raises `NotDone` when there are none."""
    lines = _lines_to_pick(subject)
    if not lines:
        raise NotDone(why=f"Order {shown(subject.order.order)} has nothing to pick in store {subject.store}.")
    work = subject.order.at(subject.store)
    facts = (
        ("Ready by", subject.times.instant(work.ready_by_ms if work else 0, subject.store)),
        ("Picker", work.picker if work else ""),
        ("Customer is here", _arrival(work)),
    )
    return PaperContent(facts=facts, lines=lines, note=subject.fields.get("note", "") if subject.order.note else "")


def packing_slip(subject: PaperSubject) -> PaperContent:
    """The slip for the bag. Raises `NotDone` when nothing is picked."""
    staged = [line for line in subject.order.in_store(subject.store) if line.state in SET_ASIDE]
    lines = [paper_line(subject.catalogue, it.sku, it.quantity, instead_of=it.ordered_sku) for it in staged]
    if not lines:
        raise NotDone(why=f"Nothing of order {shown(subject.order.order)} is picked in store {subject.store}.")
    work, due = subject.order.at(subject.store), to_pay(subject.order, subject.store)
    window_end = subject.times.until(work.window_end_ms, subject.store) if work and work.window_end_ms else ""
    facts = (
        ("Customer", subject.fields.get("name", "")),
        ("Location", locations_text(subject.order.in_store(subject.store), work.location if work else "")),
        ("Kept until", window_end),
        ("To pay", plain_amount(due.cents, due.currency) if due is not None else ""),
    )
    return PaperContent(facts=facts, lines=priced(subject.order, lines, staged), total=total(subject.order, staged))


def paper_of(subject: PaperSubject, kind: PaperKind, content: PaperContent, store_name: str, now_ms: int) -> Paper:
    """A paper with its content; `store_name` is that of the store that the paper is about."""
    store = content.store or subject.store
    filled = tuple((label, value) for label, value in content.facts if value and value != "-")
    printed = subject.times.at(now_ms, store).strftime(f"{DAY} %H:%M")
    return Paper(
        kind=kind,
        number=shown(subject.order.order),
        code=subject.order.order,
        store=f"{store}  {store_name}" if store_name not in ("", store) else store,
        facts=(*filled, ("Printed", printed)),
        lines=tuple(content.lines),
        note=content.note,
        total=content.total,
        signs=kind is PaperKind.RECEIPT,
    )


def paper_line(catalogue: Catalogue, sku: str, units: int, *, part_of: str = "", instead_of: str = "") -> PaperLine:
    """A line of a paper with the article's name; `part_of` is a kit's SKU, `instead_of` the SKU that was ordered."""
    article = catalogue.get(sku)
    return PaperLine(
        sku=sku,
        name=catalogue.name(sku),
        units=units,
        unit=article.unit if article is not None else EACH,
        gtin=article.gtins[0] if article is not None and article.gtins else "",
        part_of=catalogue.name(part_of) if part_of else "",
        instead_of=catalogue.name(instead_of) if instead_of else "",
    )


def priced(order: Order, lines: list[PaperLine], sold: Sequence[Line | LineSum]) -> list[PaperLine]:
    """The lines with the prices of what was sold, in the same order; unchanged for an order without prices."""
    return [replace(line, amount=total(order, [it])) for line, it in zip(lines, sold, strict=True)]


def total(order: Order, sold: Sequence[Line | LineSum]) -> str:
    """The price of what was sold; empty for an order without prices. A hand-over has units of lines without price."""
    ordered = [(order.line(it.line), it.quantity) for it in sold]
    cents = sum(line.unit_cents * quantity for line, quantity in ordered if line is not None)
    return plain_amount(cents, order.currency) if cents else ""


def _lines_to_pick(subject: PaperSubject) -> list[PaperLine]:
    lines = []
    for need in needs(subject.order, subject.store, PICKABLE_SOON):
        ordered = subject.order.line(need.line)
        kit = ordered.sku if ordered is not None and ordered.components else ""
        lines.append(paper_line(subject.catalogue, need.sku, need.units, part_of=kit))
    return lines


def _arrival(work: StoreWork | None) -> str:
    return "" if work is None or work.where is None else f"{work.where.value} {work.spot}".strip()
