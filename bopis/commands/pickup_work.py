"""Work in the store: accept, reject, assign, start, pick, short, substitute, stage, ready."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import ORDER, AtStore, Door, Id, answer, door, next_told, say, store_of
from bopis.commands.errors import Conflict, Usage
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from bopis.domain.orders.messages import RecordPick
    from bopis.domain.orders.state import Order

LINES = Annotated[list[int] | None, typer.Argument(metavar="[LINE]...", help="Only these lines.")]
FOUND = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SKU=NUMBER]...", help="By SKU or GTIN; left out, everything that is needed."),
]


class RejectReasonName(StrEnum):
    """Why a store does not prepare an order; the core's own list without what only the system says."""

    NOT_FOUND = "not_found"
    DAMAGED = "damaged"
    TOO_BUSY = "too_busy"
    CLOSING = "closing"
    OTHER = "other"


def accept(
    context: typer.Context, order: ORDER, store: AtStore = None, message_id: Id = None, as_json: AsJson = False
) -> None:
    """Take on the work of an order that is promised in this store."""
    from bopis.domain.orders.messages import AcceptPick

    shell = open_shell(context, as_json)
    say(shell, order, lambda it, _: AcceptPick(store=store_of(it, store)), message_id)


def reject(
    context: typer.Context,
    order: ORDER,
    lines: LINES = None,
    reason: Annotated[RejectReasonName, typer.Option(help="Why.")] = RejectReasonName.OTHER,
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Do not prepare an order, or lines of it, here: the hold is given back and another store is asked."""
    from bopis.domain.orders.messages import RejectPick
    from bopis.domain.orders.terms import RejectReason

    def body(it: "Order", _: Door) -> RejectPick:
        return RejectPick(store=store_of(it, store), reason=RejectReason(reason.value), lines=tuple(lines or ()))

    say(open_shell(context, as_json), order, body, message_id)


def assign(
    context: typer.Context,
    order: ORDER,
    picker: Annotated[str, typer.Argument(help="Who picks it; an empty name takes it back.")],
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Say who picks an order; nothing keeps somebody else from helping."""
    from bopis.domain.orders.messages import AssignPicker

    shell = open_shell(context, as_json)
    say(shell, order, lambda it, _: AssignPicker(store=store_of(it, store), picker=picker), message_id)


def start(
    context: typer.Context, order: ORDER, store: AtStore = None, message_id: Id = None, as_json: AsJson = False
) -> None:
    """Say that somebody walks off to pick an order."""
    from bopis.domain.orders.messages import StartPicking

    shell = open_shell(context, as_json)
    say(shell, order, lambda it, _: StartPicking(store=store_of(it, store)), message_id)


def pick(
    context: typer.Context,
    order: ORDER,
    found: FOUND = None,
    rest_missing: Annotated[
        bool, typer.Option("--rest-missing", help="What was not named or found is not on the shelf.")
    ] = False,
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Say what was found on the shelf for an order: all of it, or the units of single SKUs."""
    shell = open_shell(context, as_json)
    say(shell, order, lambda it, way: _picked(way, it, store_of(it, store), (found, None, rest_missing)), message_id)


def short(
    context: typer.Context,
    order: ORDER,
    missing: Annotated[list[str], typer.Argument(metavar="SKU=NUMBER...", help="What is not there, by SKU or GTIN.")],
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Say what is missing on the shelf: it is looked for elsewhere, replaced or left out, as the order allows."""
    shell = open_shell(context, as_json)
    say(shell, order, lambda it, way: _picked(way, it, store_of(it, store), ([], missing, False)), message_id)


def substitute(
    context: typer.Context,
    order: ORDER,
    line: Annotated[int, typer.Argument(min=1, help="The line that is short.")],
    sku: Annotated[str | None, typer.Argument(help="What is offered instead, by SKU or GTIN.")] = None,
    take: Annotated[bool, typer.Option("--accept", help="The customer takes what was offered.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="The customer does not take it.")] = False,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Offer another SKU for a line that is short, or say what the customer answered.

    Without a SKU and an answer, the first substitute of the catalogue is offered.
    """
    from bopis.domain.orders.messages import AcceptSubstitute, OfferSubstitute, RefuseSubstitute

    if take + refuse + (sku is not None) > 1:
        raise Usage(problem="Give one of: a SKU to offer, --accept, --refuse.")

    def body(it: "Order", way: Door) -> AcceptSubstitute | OfferSubstitute | RefuseSubstitute:
        if take:
            return AcceptSubstitute(line=line)
        return RefuseSubstitute(line=line) if refuse else OfferSubstitute(line=line, sku=_instead(way, it, line, sku))

    say(open_shell(context, as_json), order, body, message_id)


def stage(
    context: typer.Context,
    order: ORDER,
    location: Annotated[str, typer.Argument(help="Where the counter finds it, for example A3.")],
    lines: LINES = None,
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Say where picked goods stand; once everything is staged the order is ready and the customer is told."""
    from bopis.domain.orders.messages import StageOrder

    def body(it: "Order", _: Door) -> StageOrder:
        return StageOrder(store=store_of(it, store), location=location, lines=tuple(lines or ()))

    say(open_shell(context, as_json), order, body, message_id)


def ready(
    context: typer.Context,
    order: ORDER,
    withdraw: Annotated[
        list[int] | None, typer.Option("--withdraw", metavar="LINE", help="This line is not fit to be handed over.")
    ] = None,
    reason: Annotated[str, typer.Option(help="With --withdraw: why, in a few words.")] = "",
    store: AtStore = None,
    message_id: Id = None,
    as_json: AsJson = False,
) -> None:
    """Ask whether an order is ready, or with --withdraw say that staged goods are not: lost or damaged in staging.

    An order is ready by itself when everything is staged; without --withdraw nothing is changed, and the exit code is
    4 while something is left to be done.
    """
    from bopis.domain.orders.messages import WithdrawReady
    from bopis.domain.orders.numbers import shown
    from bopis.domain.orders.state import LineState

    shell = open_shell(context, as_json)
    with door(shell) as way:
        it = way.order(order)
        where = store_of(it, store)
        if withdraw:
            answer(
                way,
                way.desk.say(it.order, WithdrawReady(store=where, lines=tuple(withdraw), reason=reason), message_id),
            )
            return
        states = {line.state for line in it.in_store(where) if line.live}
        if not states or not states <= {LineState.READY, LineState.ARRIVED}:
            left = "; ".join(next_told(it, _names(way))) or f"it is {it.state.value.replace('_', ' ')}"
            raise Conflict(cause=f"order {shown(it.order)} is not ready in store {where}: {left}")
    work = it.at(where)
    document = {"order": it.order, "shown": shown(it.order), "store": where, "location": work.location if work else ""}
    told = f"{document['shown']}  ready at {document['location']}"
    shell.answer(document, lambda out: out.print(told, markup=False, soft_wrap=True))


def _picked(
    way: Door, order: "Order", store: str, told: tuple[list[str] | None, list[str] | None, bool]
) -> "RecordPick":
    """What was found and what is missing, line by line; with nothing said, all that is needed was found."""
    from bopis.domain.orders.messages import RecordPick
    from bopis.services.counter.walking import PICKABLE_SOON, needs, share_out

    found, missing, rest = told
    needed = needs(order, store, PICKABLE_SOON)
    wanted: dict[str, int] = {}
    for it in needed:
        wanted[it.sku] = wanted.get(it.sku, 0) + it.units
    picked = by_sku(way, found or []) if found is not None else ({} if rest else wanted)
    lacking = by_sku(way, missing or [])
    if rest:
        lacking = {sku: units - picked.get(sku, 0) for sku, units in wanted.items()}
    lines = share_out(needed, picked, lacking).get(order.order, ())
    if not lines and needed:
        raise Usage(problem="Nothing was found and nothing is missing; say SKU=NUMBER, or give --rest-missing.")
    if not lines:  # nothing left to pick: the order itself says why
        lines = tuple(_whole(order, store))
    return RecordPick(store=store, lines=lines)


def _whole(order: "Order", store: str) -> list[Any]:
    from bopis.domain.orders.units import PickedLine

    lines = order.in_store(store) or order.lines
    return [PickedLine(line=it.line, picked=it.quantity) for it in lines]


def by_sku(way: Door, words: list[str]) -> dict[str, int]:
    """Units by SKU in ``SKU=NUMBER`` words; a GTIN is the article that it stands on, a bare code is one unit."""
    from bopis.adapters.barcodes import gtin14
    from bopis.commands.lines import read_lines

    catalogue = _names(way)
    units: dict[str, int] = {}
    for it in read_lines((word if "=" in word else f"{word}=1" for word in words), least=0):
        sku = catalogue.resolve(it.sku, gtin14) or it.sku
        units[sku] = units.get(sku, 0) + it.units
    return units


def _names(way: Door) -> Any:
    from bopis.services.catalogue import read_catalogue

    return read_catalogue(way.reader)


def _instead(way: Door, order: "Order", number: int, code: str | None) -> str:
    from bopis.adapters.barcodes import gtin14

    catalogue = _names(way)
    if code is not None:
        return str(catalogue.sku_of(code, gtin14))
    line = order.line(number)
    article = catalogue.get(line.sku) if line is not None else None
    if article is None or not article.substitutes:
        raise Usage(problem="The catalogue names no substitute for it; say which SKU to offer.")
    return str(article.substitutes[0])
