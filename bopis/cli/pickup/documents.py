"""`bopis pickup print`: pick list, packing slip and pickup receipt, as a page or for a receipt printer."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from msgspec.structs import replace

from bopis.adapters.documents.html import as_html
from bopis.adapters.documents.papers import Paper, PaperKind, PaperLine
from bopis.adapters.documents.text import as_text
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Conflict, InvalidInput
from bopis.cli.order.lookup import OrderNumber
from bopis.cli.order.session import (
    AtStore,
    OrderSession,
    Presentation,
    customer_fields,
    order_session,
    presentation_of,
    store_of,
    zone_of_store,
)
from bopis.domain.orders.amounts import to_pay
from bopis.domain.orders.events import OrderHandedOver
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import SET_ASIDE, Line, Order, StoreWork
from bopis.domain.orders.store_queue import locations_text
from bopis.domain.orders.vocabulary import LineSum
from bopis.domain.payments.money import plain_amount
from bopis.domain.quantities import EACH
from bopis.services.catalogue import Catalogue
from bopis.services.counter.order_history import read_order_history
from bopis.services.counter.pick_walk import PICKABLE_SOON, needs
from bopis.services.store_directory import read_directory

AsHtml = Annotated[bool, typer.Option("--html/--text", help="A page to print, or 42 columns for a receipt printer.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to standard output.")
]


class PaperTarget(NamedTuple):
    """The format of a paper, and its file; None is standard output."""

    html: bool
    file: Path | None


class OrderAtStore(NamedTuple):
    """An order in a store, and how to present it."""

    session: OrderSession
    order: Order
    store: str
    presentation: Presentation


class PaperContent(NamedTuple):
    """The content of a paper: facts as label and value, lines, a note, the store where it is not the one asked for,
    and the sum of the lines' prices."""

    facts: tuple[tuple[str, str], ...]
    lines: list[PaperLine]
    note: str = ""
    store: str = ""
    total: str = ""


def pick_list(
    context: typer.Context,
    order: OrderNumber,
    html: AsHtml = False,
    output: Output = None,
    store: AtStore = None,
    as_json: AsJson = False,
) -> None:
    """Print the lines to pick for an order, without the customer's name.

    Examples:
        bopis pickup print pick-list N6PV
        bopis pickup print pick-list N6PV --html -o list.html
    """
    _print(open_context(context, as_json), PaperKind.PICK_LIST, order, store, PaperTarget(html, output))


def packing_slip(
    context: typer.Context,
    order: OrderNumber,
    html: AsHtml = False,
    output: Output = None,
    store: AtStore = None,
    as_json: AsJson = False,
) -> None:
    """Print the slip for the bag: order number, customer's name, location, lines. It has no pickup code.

    Examples:
        bopis pickup print packing-slip N6PV
        bopis pickup print packing-slip N6PV --html -o slip.html
    """
    _print(open_context(context, as_json), PaperKind.PACKING_SLIP, order, store, PaperTarget(html, output))


def receipt(
    context: typer.Context,
    order: OrderNumber,
    html: AsHtml = False,
    output: Output = None,
    store: AtStore = None,
    as_json: AsJson = False,
) -> None:
    """Print the receipt of a pickup: lines, time, staff, the check of code or document, a place to sign.

    Examples:
        bopis pickup print receipt N6PV
        bopis pickup print receipt N6PV --html -o receipt.html
    """
    _print(open_context(context, as_json), PaperKind.RECEIPT, order, store, PaperTarget(html, output))


def _print(ctx: CommandContext, kind: PaperKind, text: str, named: str | None, target: PaperTarget) -> None:
    """Print one paper of the order of a number, in the store that was named or has it."""
    with order_session(ctx) as session:
        order = session.order(text)
        store = store_of(order, named)
        place = OrderAtStore(session, order, store, presentation_of(session.reader, store))
        paper = _paper(place, kind, CONTENT[kind](place))
    printed = as_html([paper]) if target.html else as_text(paper)
    if target.file is not None:
        try:
            target.file.write_text(printed, encoding="utf-8")
        except OSError as error:
            raise InvalidInput(problem=f"{target.file}: {error.strerror}. Choose another file.") from error
    document = {
        "order": paper.code,
        "paper": paper.kind.value,
        "format": "html" if target.html else "text",
        "file": None if target.file is None else str(target.file),
        "content": printed if target.file is None else None,
    }
    text = f"{paper.title} of {paper.number} in {target.file}\n" if target.file is not None else printed
    # Not by the console: it would break lines at the width of the terminal.
    ctx.print_result(document, lambda out: print(text, end="", file=out.file))


def _pick_list(place: OrderAtStore) -> PaperContent:
    lines = _lines_to_pick(place)
    if not lines:
        raise Conflict(cause=f"order {shown(place.order.order)} has nothing to pick in store {place.store}")
    work, words = place.order.at(place.store), place.presentation.words
    facts = (
        ("Ready by", words.instant(work.ready_by_ms if work else 0, place.store)),
        ("Picker", work.picker if work else ""),
        ("Customer is here", _arrival(work)),
    )
    return PaperContent(facts, lines, _fields(place).get("note", "") if place.order.note else "")


def _packing_slip(place: OrderAtStore) -> PaperContent:
    staged = [line for line in place.order.in_store(place.store) if line.state in SET_ASIDE]
    lines = [
        _line(place.presentation.catalogue, line.sku, line.quantity, instead_of=line.ordered_sku) for line in staged
    ]
    if not lines:
        raise Conflict(cause=f"nothing of order {shown(place.order.order)} is picked in store {place.store}")
    work, due = place.order.at(place.store), to_pay(place.order, place.store)
    times = place.presentation.times
    window_end = times.until(work.window_end_ms, place.store) if work and work.window_end_ms else ""
    facts = (
        ("Customer", _fields(place).get("name", "")),
        ("Location", locations_text(place.order.in_store(place.store), work.location if work else "")),
        ("Kept until", window_end),
        ("To pay", plain_amount(due.cents, due.currency) if due is not None else ""),
    )
    return PaperContent(facts, _priced(place, lines, staged), total=_total(place, staged))


def _receipt(place: OrderAtStore) -> PaperContent:
    past = read_order_history(place.session.reader, place.order, place.session.known)
    handovers = [event.data for event in past.events if isinstance(event.data, OrderHandedOver)]
    if not handovers:
        raise Conflict(cause=f"nothing of order {shown(place.order.order)} was handed over yet")
    last = handovers[-1]
    facts = (
        ("Handed over", place.presentation.words.instant(last.stamp.at_ms, last.store)),
        ("By", last.stamp.actor),
        ("Received by", _recipient(place, last.to)),
        ("Checked by", f"{last.proof.value}, {last.document.value.replace('_', ' ')}".removesuffix(", none")),
    )
    ordered = {line.line: line.ordered_sku for line in place.order.lines}
    catalogue = place.presentation.catalogue
    lines = [_line(catalogue, it.sku, it.quantity, instead_of=ordered.get(it.line) or "") for it in last.lines]
    return PaperContent(facts, _priced(place, lines, last.lines), store=last.store, total=_total(place, last.lines))


CONTENT: dict[PaperKind, Callable[[OrderAtStore], PaperContent]] = {
    PaperKind.PICK_LIST: _pick_list,
    PaperKind.PACKING_SLIP: _packing_slip,
    PaperKind.RECEIPT: _receipt,
}


def _paper(place: OrderAtStore, kind: PaperKind, content: PaperContent) -> Paper:
    store = content.store or place.store
    record = read_directory(place.session.reader).get(store)
    printed = datetime.now(zone_of_store(place.session.reader, store) if record else UTC)
    filled = tuple((label, value) for label, value in content.facts if value and value != "-")
    return Paper(
        kind=kind,
        number=shown(place.order.order),
        code=place.order.order,
        store=f"{store}  {record.name}" if record is not None and record.name != store else store,
        facts=(*filled, ("Printed", printed.strftime("%a %d %b %H:%M"))),
        lines=tuple(content.lines),
        note=content.note,
        total=content.total,
        signs=kind is PaperKind.RECEIPT,
    )


def _line(catalogue: Catalogue, sku: str, units: int, *, part_of: str = "", instead_of: str = "") -> PaperLine:
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


def _cents(place: OrderAtStore, line: Line | LineSum) -> int:
    """The price of a line's units; a hand-over has units of lines without their price."""
    ordered = place.order.line(line.line)
    return ordered.unit_cents * line.quantity if ordered is not None else 0


def _priced(place: OrderAtStore, lines: list[PaperLine], sold: Sequence[Line | LineSum]) -> list[PaperLine]:
    """The lines with the prices of what was sold, in the same order; unchanged for an order without prices."""
    amounts = [_amount(place, _cents(place, line)) for line in sold]
    return [replace(line, amount=amount) for line, amount in zip(lines, amounts, strict=True)]


def _total(place: OrderAtStore, sold: Sequence[Line | LineSum]) -> str:
    return _amount(place, sum(_cents(place, line) for line in sold))


def _amount(place: OrderAtStore, cents: int) -> str:
    return plain_amount(cents, place.order.currency) if cents else ""


def _lines_to_pick(place: OrderAtStore) -> list[PaperLine]:
    lines = []
    for need in needs(place.order, place.store, PICKABLE_SOON):
        ordered = place.order.line(need.line)
        kit = ordered.sku if ordered is not None and ordered.components else ""
        lines.append(_line(place.presentation.catalogue, need.sku, need.units, part_of=kit))
    return lines


def _arrival(work: StoreWork | None) -> str:
    return "" if work is None or work.where is None else f"{work.where.value} {work.spot}".strip()


def _fields(place: OrderAtStore) -> dict[str, str]:
    """The customer's name, contact and note; empty after erasure."""
    return customer_fields(place.session.ctx, place.order, in_full=True) or {}


def _recipient(place: OrderAtStore, to: str) -> str:
    """Name of the proxy who received the goods, else of the customer; empty after the customer was erased."""
    if not to:
        return _fields(place).get("name", "")
    with place.session.ctx.vault() as vault:
        return (vault.open(place.order.customer.id, to) or {}).get("proxy", "")
