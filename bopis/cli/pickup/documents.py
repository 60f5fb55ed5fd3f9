"""`bopis pickup print`: pick list, packing slip and pickup receipt, as a page or for a receipt printer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from bopis.adapters.documents.html import as_html
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
)
from bopis.domain.orders.events import OrderHandedOver
from bopis.domain.orders.numbers import shown
from bopis.domain.papers import Paper, PaperKind
from bopis.domain.values import epoch_ms
from bopis.services.counter import order_papers
from bopis.services.counter.order_history import read_order_history
from bopis.services.counter.order_papers import PaperContent, PaperSubject, paper_line, paper_of, priced, total
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
    """An order in a store, what its papers are made of, and how to present it."""

    session: OrderSession
    presentation: Presentation
    subject: PaperSubject


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
        presentation = presentation_of(session.reader, store)
        subject = PaperSubject(
            order=order,
            store=store,
            times=presentation.times,
            catalogue=presentation.catalogue,
            fields=customer_fields(ctx, order, in_full=True) or {},
        )
        paper = _paper(OrderAtStore(session, presentation, subject), kind)
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


def _content(place: OrderAtStore, kind: PaperKind) -> PaperContent:
    match kind:
        case PaperKind.PICK_LIST:
            return order_papers.pick_list(place.subject)
        case PaperKind.PACKING_SLIP:
            return order_papers.packing_slip(place.subject)
        case PaperKind.RECEIPT:
            return _receipt(place)


def _receipt(place: OrderAtStore) -> PaperContent:
    order = place.subject.order
    past = read_order_history(place.session.reader, order, place.session.known)
    handovers = [event.data for event in past.events if isinstance(event.data, OrderHandedOver)]
    if not handovers:
        raise Conflict(cause=f"nothing of order {shown(order.order)} was handed over yet")
    last = handovers[-1]
    facts = (
        ("Handed over", place.presentation.words.instant(last.stamp.at_ms, last.store)),
        ("By", last.stamp.actor),
        ("Received by", _recipient(place, last.to)),
        ("Checked by", f"{last.proof.value}, {last.document.value.replace('_', ' ')}".removesuffix(", none")),
    )
    ordered = {line.line: line.ordered_sku for line in order.lines}
    catalogue = place.subject.catalogue
    lines = [paper_line(catalogue, it.sku, it.quantity, instead_of=ordered.get(it.line) or "") for it in last.lines]
    return PaperContent(
        facts=facts, lines=priced(order, lines, last.lines), store=last.store, total=total(order, last.lines)
    )


def _paper(place: OrderAtStore, kind: PaperKind) -> Paper:
    content = _content(place, kind)
    record = read_directory(place.session.reader).get(content.store or place.subject.store)
    now_ms = epoch_ms(datetime.now(UTC))
    return paper_of(place.subject, kind, content, record.name if record is not None else "", now_ms)


def _recipient(place: OrderAtStore, to: str) -> str:
    """Name of the proxy who received the goods, else of the customer; empty after the customer was erased."""
    if not to:
        return place.subject.fields.get("name", "")
    with place.session.ctx.vault() as vault:
        return (vault.open(place.subject.order.customer.id, to) or {}).get("proxy", "")
