"""Work in the store: accept, reject, assign, start, pick, short, substitute, stage, ready."""

from collections import Counter
from typing import Annotated, Any, NamedTuple

import typer

from bopis.adapters.barcodes import gtin14
from bopis.cli.app.choices import choice_option
from bopis.cli.app.context import AsJson, MessageId, open_context
from bopis.cli.app.errors import Conflict, Usage
from bopis.cli.app.parse_lines import read_lines
from bopis.cli.app.render import print_line
from bopis.cli.app.typed_articles import unit_in
from bopis.cli.order.lookup import OrderNumber
from bopis.cli.order.session import (
    AtStore,
    OrderLines,
    OrderSession,
    order_session,
    print_reply,
    read_selection,
    send_and_route,
    send_command,
    store_of,
)
from bopis.cli.pickup.at_agent import shop_agent
from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import (
    AcceptPick,
    AcceptSubstitute,
    AssignPicker,
    OfferSubstitute,
    RecordPick,
    RefuseSubstitute,
    RejectPick,
    StageOrder,
    StartPicking,
    WithdrawReady,
)
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.store_queue import locations_text
from bopis.domain.orders.vocabulary import RejectReason
from bopis.services.catalogue import Catalogue, read_catalogue
from bopis.services.counter.guidance import guidance
from bopis.services.counter.pick_walk import PICKABLE_SOON, needs, share_out

SYSTEM_REASONS = frozenset({RejectReason.NOT_ACCEPTED, RejectReason.STORE_WITHDRAWN})
STAFF_REASONS = tuple(reason for reason in RejectReason if reason not in SYSTEM_REASONS)

FoundUnits = Annotated[
    list[str] | None,
    typer.Argument(metavar="SKU=NUMBER", help="Units found, by SKU or GTIN; by default everything that is needed."),
]


class TypedPick(NamedTuple):
    """The result of a pick as it is typed: ``SKU=NUMBER`` words found (None: all of it) and missing. With
    `rest_missing` everything else is not on the shelf."""

    found: list[str] | None
    missing: list[str] | None
    rest_missing: bool = False


def accept(
    context: typer.Context,
    order: OrderNumber,
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Accept the work of an order that is promised in this store.

    Examples:
        bopis pickup accept N6PV
        bopis pickup accept N6PV --store 319
    """
    ctx = open_context(context, as_json)
    if (agent := shop_agent(ctx)) is not None:
        agent.act(order, "accept", message_id)
        return
    send_command(ctx, order, lambda found, _: AcceptPick(store=store_of(found, store)), message_id)


def reject(
    context: typer.Context,
    order: OrderNumber,
    lines: OrderLines = None,
    reason: Annotated[RejectReason, choice_option(STAFF_REASONS, "Why.")] = RejectReason.OTHER,
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Reject an order, lines of it or units of a line: the hold is released and another store is looked for.

    Units that were not found or are damaged are not promised again until a count, for which a task is raised.

    Examples:
        bopis pickup reject N6PV --reason too_busy
        bopis pickup reject N6PV 2 1=1 --reason not_found
    """
    chosen = read_selection(lines)

    def body(found: Order, _: OrderSession) -> RejectPick:
        named = store_of(found, store)
        return RejectPick(store=named, reason=reason, lines=chosen.lines, parts=chosen.parts)

    send_and_route(open_context(context, as_json), order, body, message_id)


def assign(
    context: typer.Context,
    order: OrderNumber,
    picker: Annotated[str, typer.Argument(help='Name of the picker; "" removes the name.')],
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Assign a picker to an order; others may still pick it.

    Examples:
        bopis pickup assign N6PV kim
        bopis pickup assign N6PV ""
    """
    ctx = open_context(context, as_json)
    send_command(ctx, order, lambda found, _: AssignPicker(store=store_of(found, store), picker=picker), message_id)


def start(
    context: typer.Context,
    order: OrderNumber,
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record that picking has started.

    Examples:
        bopis pickup start N6PV
        bopis pickup start N6PV --store 319
    """
    ctx = open_context(context, as_json)
    if (agent := shop_agent(ctx)) is not None:
        agent.act(order, "start", message_id)
        return
    send_command(ctx, order, lambda found, _: StartPicking(store=store_of(found, store)), message_id)


def pick(
    context: typer.Context,
    order: OrderNumber,
    found: FoundUnits = None,
    rest_missing: Annotated[
        bool, typer.Option("--rest-missing", help="Units that are not named are not on the shelf.")
    ] = False,
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record units picked for an order: all of them, or those of single SKUs.

    Examples:
        bopis pickup pick N6PV
        bopis pickup pick N6PV 4011=2 --rest-missing
    """
    typed, ctx = TypedPick(found, None, rest_missing), open_context(context, as_json)
    if (agent := shop_agent(ctx)) is not None:
        if rest_missing:
            raise Usage(problem="While the centre is away, name missing units: bopis pickup short ORDER SKU=NUMBER.")
        agent.act(order, "pick", message_id, **({"found": typed_units(found)} if found else {}))
        return

    def body(order: Order, session: OrderSession) -> RecordPick:
        return _recorded_pick(session, order, store_of(order, store), typed)

    send_command(ctx, order, body, message_id)


def short(
    context: typer.Context,
    order: OrderNumber,
    missing: Annotated[list[str], typer.Argument(metavar="SKU=NUMBER", help="Units missing, by SKU or GTIN.")],
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record units missing on the shelf: another store or a substitute is found, or they are left out, as the order
    allows.

    Examples:
        bopis pickup short N6PV 4011=1
        bopis pickup short N6PV 4006381333931=1 852159=2
    """
    typed, ctx = TypedPick([], missing), open_context(context, as_json)
    if (agent := shop_agent(ctx)) is not None:
        agent.act(order, "pick", message_id, found={}, missing=typed_units(missing))
        return

    def body(order: Order, session: OrderSession) -> RecordPick:
        return _recorded_pick(session, order, store_of(order, store), typed)

    send_and_route(ctx, order, body, message_id)


def substitute(
    context: typer.Context,
    order: OrderNumber,
    line: Annotated[int, typer.Argument(min=1, help="The line that is short.")],
    sku: Annotated[str | None, typer.Argument(help="SKU or GTIN offered instead.")] = None,
    take: Annotated[bool, typer.Option("--accept", help="The customer accepts the substitute.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="The customer refuses the substitute.")] = False,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Offer another SKU for a line that is short, or record the customer's answer.

    Without a SKU and an answer, the first substitute of the catalogue is offered.

    Examples:
        bopis pickup substitute N6PV 1 4099
        bopis pickup substitute N6PV 1 --accept
    """
    if take + refuse + (sku is not None) > 1:
        raise Usage(problem="Give one of: a SKU to offer, --accept, --refuse.")

    def body(found: Order, session: OrderSession) -> AcceptSubstitute | OfferSubstitute | RefuseSubstitute:
        if take:
            return AcceptSubstitute(line=line)
        if refuse:
            return RefuseSubstitute(line=line)
        return OfferSubstitute(line=line, sku=_substitute_sku(session, found, line, sku))

    send_command(open_context(context, as_json), order, body, message_id)


def stage(
    context: typer.Context,
    order: OrderNumber,
    location: Annotated[str, typer.Argument(help="Place on the pickup shelf, for example A3.")],
    lines: Annotated[list[int] | None, typer.Argument(metavar="LINE", help="Only these lines.")] = None,
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record where picked goods are staged. Once all are staged, the order is ready and the customer is notified.

    Examples:
        bopis pickup stage N6PV A3
        bopis pickup stage N6PV FREEZER 2
    """
    ctx = open_context(context, as_json)
    if (agent := shop_agent(ctx)) is not None:
        agent.act(order, "stage", message_id, location=location, lines=lines or [])
        return

    def body(found: Order, _: OrderSession) -> StageOrder:
        return StageOrder(store=store_of(found, store), location=location, lines=tuple(lines or ()))

    send_command(ctx, order, body, message_id)


def ready(
    context: typer.Context,
    order: OrderNumber,
    withdraw: Annotated[
        list[str] | None,
        typer.Option(
            "--withdraw", metavar="LINE", help="A line that cannot be handed over, or units of it, for example 2=1."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="With --withdraw: why, in a few words.")] = "",
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Check whether an order is ready, or with --withdraw record that staged goods were lost or damaged.

    An order is ready by itself once everything is staged. Without --withdraw nothing is changed, and the exit code is
    4 while something is left to do.

    Examples:
        bopis pickup ready N6PV
        bopis pickup ready N6PV --withdraw 2 --reason "bottle broken"
    """
    ctx = open_context(context, as_json)
    with order_session(ctx) as session:
        found = session.order(order)
        named = store_of(found, store)
        if withdraw:
            chosen = read_selection(withdraw)
            body = WithdrawReady(store=named, lines=chosen.lines, reason=reason, parts=chosen.parts)
            print_reply(session, session.desk.command(found.order, body, message_id))
            return
        _require_ready(session, found, named)
    work = found.at(named)
    document = {
        "order": found.order,
        "shown": shown(found.order),
        "store": named,
        "location": locations_text(found.in_store(named), work.location if work else ""),
    }
    ctx.print_result(document, lambda out: print_line(out, f"{document['shown']}  ready at {document['location']}"))


def _require_ready(session: OrderSession, order: Order, store: str) -> None:
    """Raise `Conflict`, with what is left to do, for an order that is not ready in a store."""
    states = {line.state for line in order.in_store(store) if line.live}
    if states and states <= {LineState.READY, LineState.ARRIVED}:
        return
    steps = "; ".join(guidance(order, read_catalogue(session.reader)))
    state = f"its state is {order.state.value.replace('_', ' ')}"
    raise Conflict(cause=f"order {shown(order.order)} is not ready in store {store}: {steps or state}")


def _recorded_pick(session: OrderSession, order: Order, store: str, typed: TypedPick) -> RecordPick:
    """Units found and missing, line by line; where nothing was typed, everything needed was found."""
    needed, catalogue = needs(order, store, PICKABLE_SOON), read_catalogue(session.reader)
    wanted: Counter[str] = Counter()
    for need in needed:
        wanted[need.sku] += need.units
    if typed.found is not None:
        picked = units_by_sku(catalogue, typed.found)
    else:
        picked = {} if typed.rest_missing else dict(wanted)
    missing = units_by_sku(catalogue, typed.missing or [])
    if typed.rest_missing:
        missing = {sku: units - picked.get(sku, 0) for sku, units in wanted.items()}
    lines = share_out(needed, picked, missing, catalogue).get(order.order, ())
    if not lines and needed:
        raise Usage(problem="No unit was found and none is missing; give SKU=NUMBER or --rest-missing.")
    # With nothing left to pick, the order refuses the message and says why.
    return RecordPick(store=store, lines=lines or _all_lines(order, store))


def _all_lines(order: Order, store: str) -> tuple[PickedLine, ...]:
    lines = order.in_store(store) or order.lines
    return tuple(PickedLine(line=it.line, picked=it.quantity) for it in lines)


def units_by_sku(catalogue: Catalogue, words: list[str]) -> dict[str, int]:
    """Units by SKU in ``SKU=NUMBER`` words. A GTIN means its article, a code without a number one unit."""
    units: dict[str, int] = {}
    numbered = (word if "=" in word else f"{word}=1" for word in words)
    for line in read_lines(numbered, least=0, unit_of=lambda code: unit_in(catalogue, code)):
        sku = catalogue.resolve(line.sku, gtin14) or line.sku
        units[sku] = units.get(sku, 0) + line.units
    return units


def typed_units(words: list[str]) -> dict[str, int]:
    """Units by code in ``SKU=NUMBER`` words, as the agent resolves them."""
    units: dict[str, int] = {}
    for line in read_lines((word if "=" in word else f"{word}=1" for word in words), least=0):
        units[line.sku] = units.get(line.sku, 0) + line.units
    return units


def _substitute_sku(session: OrderSession, order: Order, number: int, code: str | None) -> str:
    """The SKU to offer for a line: the one that was typed, else the catalogue's first substitute."""
    catalogue = read_catalogue(session.reader)
    if code is not None:
        return str(catalogue.sku_of(code, gtin14))
    line = order.line(number)
    article: Any = catalogue.get(line.sku) if line is not None else None
    if article is None or not article.substitutes:
        raise Usage(problem="The catalogue has no substitute for this line; name a SKU to offer.")
    return str(article.substitutes[0])
