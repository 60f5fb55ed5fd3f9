"""`bopis pickup print`: pick list, packing slip and hand-over receipt, as a page or for a receipt printer."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bopis.commands.counter import ORDER, AtStore, Door, door, store_of, vault_of, zone_of_store
from bopis.commands.errors import Conflict, InvalidInput
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from bopis.adapters.documents.papers import Paper, PaperLine
    from bopis.domain.orders.state import Order
    from bopis.services.catalogue import Catalogue
    from bopis.services.counter.words import Words

app = typer.Typer(help="Print pick lists, packing slips and hand-over receipts.", no_args_is_help=True)


class Form(StrEnum):
    """What it is printed on."""

    TEXT = "text"
    HTML = "html"


AsHtml = Annotated[bool, typer.Option("--html/--text", help="A page to print, or 42 columns for a receipt printer.")]
Into = Annotated[Path | None, typer.Option("--output", "-o", help="Into this file; left out, to standard output.")]


class Place(NamedTuple):
    """An order in a store, and what is needed to put it into words."""

    way: Door
    order: "Order"
    store: str
    words: "Words"
    catalogue: "Catalogue"


class Told(NamedTuple):
    """What a paper says: facts by their label, lines, a note; and the store, if it is another one than was asked."""

    facts: tuple[tuple[str, str], ...]
    lines: "list[PaperLine]"
    note: str = ""
    store: str = ""


def _pick_list(at: Place) -> Told:
    """Print what is to be picked for an order, without the customer's name."""
    from bopis.services.counter.walking import PICKABLE_SOON

    lines = _to_pick(at.order, at.store, at.catalogue, PICKABLE_SOON)
    if not lines:
        raise Conflict(cause=f"nothing of order {at.order.order} is to be picked in store {at.store}")
    work = at.order.at(at.store)
    facts = (
        ("Ready by", at.words.at(work.ready_by_ms if work else 0)),
        ("Picker", work.picker if work else ""),
        ("Customer is here", _here(work)),
    )
    return Told(facts, lines, _note(at.way.shell, at.order))


def _packing_slip(at: Place) -> Told:
    """Print what goes with the goods: order number, customer's name, staging location, lines. No pickup code."""
    from bopis.commands.orders import opened
    from bopis.domain.orders.state import SET_ASIDE

    lines = _goods(at.order, at.store, at.catalogue, SET_ASIDE)
    if not lines:
        raise Conflict(cause=f"nothing of order {at.order.order} is picked in store {at.store}")
    work = at.order.at(at.store)
    facts = (
        ("Customer", (opened(at.way.shell, at.order, in_full=True) or {}).get("name", "")),
        ("Location", work.location if work else ""),
        ("Kept until", at.words.at(work.window_end_ms) if work and work.window_end_ms else ""),
    )
    return Told(facts, lines)


def _receipt(at: Place) -> Told:
    """Print the proof of a hand-over: what, when, by whom, how it was checked, and a place to sign."""
    from bopis.domain.orders.outcomes import OrderHandedOver
    from bopis.services.counter.past import read_past

    past = read_past(at.way.reader, at.order, at.way.known)
    given = [it.data for it in past.events if isinstance(it.data, OrderHandedOver)]
    if not given:
        raise Conflict(cause=f"nothing of order {at.order.order} was handed over yet")
    last = given[-1]
    facts = (
        ("Handed over", at.words.at(last.stamp.at_ms)),
        ("By", last.stamp.actor),
        ("Received by", _receiver(at.way.shell, at.order, last.to)),
        ("Checked by", f"{last.proof.value}, {last.document.value.replace('_', ' ')}".removesuffix(", none")),
    )
    return Told(facts, _given(at.order, last.lines, at.catalogue), store=last.store)


def _register(kind: str, tell: Callable[[Place], Told]) -> None:
    """Make a command of a paper; its help is what `tell` says of itself."""

    @app.command(kind, help=tell.__doc__)
    def command(
        context: typer.Context,
        order: ORDER,
        html: AsHtml = False,
        output: Into = None,
        store: AtStore = None,
        as_json: AsJson = False,
    ) -> None:
        shell = open_shell(context, as_json)
        with door(shell) as way:
            place = _place(way, order, store)
            _print(shell, _paper(place, kind, tell(place)), html, output)


for _kind, _tell in (("pick-list", _pick_list), ("packing-slip", _packing_slip), ("receipt", _receipt)):
    _register(_kind, _tell)


def _place(way: Door, text: str, told: str | None) -> Place:
    from bopis.services.catalogue import read_catalogue
    from bopis.services.counter.words import Words

    found = way.order(text)
    where = store_of(found, told)
    return Place(way, found, where, Words(zone_of_store(way.reader, where)), read_catalogue(way.reader))


def _paper(at: Place, kind: str, told: Told) -> "Paper":
    from bopis.adapters.documents.papers import Kind, Paper
    from bopis.domain.orders.numbers import shown
    from bopis.services.directory import read_directory

    store = told.store or at.store
    record = read_directory(at.way.reader).get(store)
    printed = datetime.now(zone_of_store(at.way.reader, store) if record else UTC)
    filled = tuple((label, value) for label, value in told.facts if value and value != "-")
    return Paper(
        kind=Kind(kind),
        number=shown(at.order.order),
        code=at.order.order,
        store=f"{store}  {record.name}" if record is not None and record.name != store else store,
        facts=(*filled, ("Printed", printed.strftime("%a %d %b %H:%M"))),
        lines=tuple(told.lines),
        note=told.note,
        signs=kind == "receipt",
    )


def _line(catalogue: "Catalogue", sku: str, units: int, **more: str) -> "PaperLine":
    from bopis.adapters.documents.papers import EACH, PaperLine

    article = catalogue.get(sku)
    return PaperLine(
        sku=sku,
        name=catalogue.name(sku),
        units=units,
        unit=article.unit if article is not None else EACH,
        gtin=article.gtins[0] if article is not None and article.gtins else "",
        **more,
    )


def _to_pick(order: "Order", store: str, catalogue: "Catalogue", states: Any) -> "list[PaperLine]":
    from bopis.services.counter.walking import needs

    found = []
    for need in needs(order, store, states):
        line = order.line(need.line)
        kit = catalogue.name(line.sku) if line is not None and line.components else ""
        found.append(_line(catalogue, need.sku, need.units, part_of=kit))
    return found


def _goods(order: "Order", store: str, catalogue: "Catalogue", states: Any) -> "list[PaperLine]":
    return [
        _line(catalogue, it.sku, it.quantity, instead_of=catalogue.name(it.ordered_sku) if it.ordered_sku else "")
        for it in order.in_store(store)
        if it.state in states
    ]


def _given(order: "Order", sums: Any, catalogue: "Catalogue") -> "list[PaperLine]":
    ordered = {it.line: it.ordered_sku for it in order.lines}
    return [
        _line(catalogue, it.sku, it.quantity, instead_of=catalogue.name(name) if (name := ordered.get(it.line)) else "")
        for it in sums
    ]


def _here(work: Any) -> str:
    return "" if work is None or work.where is None else f"{work.where.value} {work.spot}".strip()


def _note(shell: Shell, order: "Order") -> str:
    from bopis.commands.orders import opened

    return (opened(shell, order, in_full=True) or {}).get("note", "") if order.note else ""


def _receiver(shell: Shell, order: "Order", to: str) -> str:
    """Who took the goods: the proxy by name, else the customer; nobody any more once the customer was erased."""
    from bopis.commands.orders import opened

    if not to:
        return (opened(shell, order, in_full=True) or {}).get("name", "")
    vault = vault_of(shell)
    try:
        return (vault.open(order.customer.id, to) or {}).get("proxy", "")
    finally:
        vault.close()


def _print(shell: Shell, paper: "Paper", html: bool, output: Path | None) -> None:
    from bopis.adapters.documents.text import as_text

    if html:
        from bopis.adapters.documents.html import as_html

        made = as_html([paper])
    else:
        made = as_text(paper)
    if output is not None:
        try:
            output.write_text(made, encoding="utf-8")
        except OSError as error:
            raise InvalidInput(problem=f"{output}: {error.strerror}. Name a file that may be written.") from error
    document = {
        "order": paper.code,
        "paper": paper.kind.value,
        "format": (Form.HTML if html else Form.TEXT).value,
        "file": None if output is None else str(output),
        "content": made if output is None else None,
    }
    told = f"{paper.title} of {paper.number} in {output}\n" if output is not None else made
    # Not by the console: it would break lines where the window ends.
    shell.answer(document, lambda out: print(told, end="", file=out.file))
