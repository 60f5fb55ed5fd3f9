"""At the counter: arrival, hand-over, a longer pickup window, returns, new codes, orders not collected, put-backs."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.app.choices import choice_option
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, MessageId, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.app.parse_lines import read_lines
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.render import iso, print_line
from bopis.cli.order.lookup import OrderNumber, open_book
from bopis.cli.order.session import (
    AtStore,
    OrderLines,
    OrderSession,
    order_session,
    print_reply,
    read_selection,
    require_store,
    send_command,
    store_of,
    store_times,
    zone_of_store,
)
from bopis.cli.pickup.at_agent import shop_agent
from bopis.domain.inventory.messages import Condition
from bopis.domain.orders.amounts import to_pay
from bopis.domain.orders.lines import ReturnedLine
from bopis.domain.orders.messages import (
    ConfirmPutBack,
    CustomerArrived,
    ExtendPickup,
    ReissueCode,
    ReturnInStore,
)
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Order
from bopis.domain.orders.store_queue import Colour, WorkStep
from bopis.domain.orders.store_queue import queue as work_of
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX, Arrival, Document, TaskKind
from bopis.domain.payments.money import plain_amount
from bopis.services.catalogue import Catalogue, read_catalogue
from bopis.services.counter.code_check import Presented
from bopis.services.counter.code_check import hand_over as proved_hand_over
from bopis.services.counter.refusal_text import payment_text, take_text

DOCUMENTS = tuple(document for document in Document if document is not Document.NONE)


def arrive(
    context: typer.Context,
    order: OrderNumber,
    where: Annotated[Arrival, typer.Option(help="Where the customer waits.")] = Arrival.COUNTER,
    spot: Annotated[str, typer.Option(help="Number of the bay or locker.")] = "",
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record that the customer has arrived, ready or not: the order moves to the top of the queue.

    Examples:
        bopis pickup arrive N6PV
        bopis pickup arrive N6PV --where bay --spot 7
    """

    def body(found: Order, _: OrderSession) -> CustomerArrived:
        return CustomerArrived(store=store_of(found, store), where=where, spot=spot)

    send_command(open_context(context, as_json), order, body, message_id)


def hand_over(
    context: typer.Context,
    order: OrderNumber,
    lines: OrderLines = None,
    code: Annotated[
        str | None, typer.Option(help="The six digits, or the content of the QR code; asked for by default.")
    ] = None,
    document: Annotated[
        Document | None, choice_option(DOCUMENTS, "Kind of identity document that was checked; its number is not kept.")
    ] = None,
    proxy: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the person who collects for the customer; stored encrypted.")
    ] = "",
    signature: Annotated[str, typer.Option(help="Where the image of the signature is kept.")] = "",
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Hand goods over, all of them, lines or units of a line: the customer shows the code or an identity document.

    Five wrong codes lock the code; then only an identity document is accepted. A text that is no code costs no try.

    Examples:
        bopis pickup hand-over N6PV --code 274051
        bopis pickup hand-over N6PV 1=1 --code 274051
        bopis pickup hand-over N6PV --document passport --proxy "Ben Example"
    """
    ctx, chosen = open_context(context, as_json), read_selection(lines)
    if code is not None and document is not None:
        raise Usage(problem="Give either --code or --document.")
    if (agent := shop_agent(ctx)) is not None:
        if chosen.parts or proxy or signature:
            raise Usage(problem="Parts of a line, --proxy and --signature need the centre, which is away.")
        proof = {"document": document.value} if document is not None else {"code": code or _ask_code(ctx)}
        agent.act(order, "hand-over", message_id, lines=list(chosen.lines), **proof)
        return
    with order_session(ctx) as session:
        found = session.order(order)
        units = {line.line: line.quantity for line in found.lines if line.line in chosen.lines}
        units |= {part.line: part.quantity for part in chosen.parts}
        due = to_pay(found, store_of(found, store), units or None)
        if due is not None and found.methods:
            ctx.note(f"Before the goods are handed over, {take_text(found, due.cents)}.")
        elif due is not None:
            ctx.note(f"Take {plain_amount(due.cents, due.currency)} before the goods are handed over.")
        elif found.methods:
            ctx.note(f"Payment: {payment_text(found, store_times(session.reader, found.store))}.")
        given = code if code is not None or document is not None else _ask_code(ctx)
        presented = Presented(code=given, document=document, proxy=proxy, signature=signature)
        # The message has the code as a keyed hash: no code is in the log.
        with ctx.vault() as vault:
            body = proved_hand_over(vault, found, store_of(found, store), presented, chosen)
        print_reply(session, session.desk.command(found.order, body, message_id))


def extend(
    context: typer.Context,
    order: OrderNumber,
    until: Annotated[str, typer.Argument(help="In the store's time zone: 2026-03-05, or 2026-03-05T18:00.")],
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Keep a ready order longer, until two weeks from now at most.

    Examples:
        bopis pickup extend N6PV 2026-12-05
        bopis pickup extend N6PV 2026-12-05T18:00
    """

    def body(found: Order, session: OrderSession) -> ExtendPickup:
        named = store_of(found, store)
        # A day without a time is kept to its end.
        end = f"{until}T23:59" if len(until) == len("2026-03-05") else until
        return ExtendPickup(store=named, until=read_time(end, zone_of_store(session.reader, named)).at)

    send_command(open_context(context, as_json), order, body, message_id)


def return_(
    context: typer.Context,
    order: OrderNumber,
    lines: Annotated[list[str], typer.Argument(metavar="LINE=NUMBER", help="Units returned, for example 1=2.")],
    condition: Annotated[Condition, typer.Option(help="Whether they can be sold again.")] = Condition.SELLABLE,
    store: AtStore = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Take back goods that were handed over, in any store: to sell again, damaged, or into quarantine.

    Examples:
        bopis pickup return N6PV 1=2
        bopis pickup return N6PV 1=1 --condition damaged --store 367
    """
    read = read_lines(lines, least=1, most=ORDER_LINES_MAX)
    if any(not it.sku.isdigit() or int(it.sku) < 1 for it in read):
        raise Usage(
            problem="Write LINE=NUMBER, for example 1=2: two units of line 1. `bopis order show` lists the lines."
        )
    returned = tuple(ReturnedLine(line=int(it.sku), quantity=it.units, condition=condition) for it in read)

    def body(found: Order, _: OrderSession) -> ReturnInStore:
        return ReturnInStore(store=store_of(found, store), lines=returned)

    send_command(open_context(context, as_json), order, body, message_id)


def new_code(context: typer.Context, order: OrderNumber, message_id: MessageId = None, as_json: AsJson = False) -> None:
    """Give an order a new pickup code: the old one is void, the customer gets the new one and five new tries.

    Examples:
        bopis pickup new-code N6PV
        bopis pickup new-code N6PV --json
    """
    ctx = open_context(context, as_json)
    with ctx.vault() as vault:

        def body(found: Order, _: OrderSession) -> ReissueCode:
            version = found.code.version + 1
            code_hash, token_hash = vault.codes.hashes(found.order, version)
            return ReissueCode(version=version, code_hash=code_hash, token_hash=token_hash)

        send_command(ctx, order, body, message_id)


def not_collected(context: typer.Context, store: StoreId, as_json: AsJson = False) -> None:
    """List orders whose pickup window is nearly over, and goods to put back on the shelf.

    Examples:
        bopis pickup not-collected 319
        bopis pickup not-collected 319 --json
    """
    ctx = open_context(context, as_json)
    with open_book(ctx) as (reader, book):
        require_store(ctx, reader, store)
        orders, times, catalogue = book.in_store(store), store_times(reader, store), read_catalogue(reader)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    waiting = [
        {
            "order": it.order,
            "shown": shown(it.order),
            "kept_until": iso(it.due_ms),
            "kept_until_text": times.until(it.due_ms, store),
            "location": it.location,
        }
        for it in work_of(orders, store, now_ms)
        if it.step is WorkStep.AWAIT_CUSTOMER and it.colour in (Colour.YELLOW, Colour.RED)
    ]
    tasks = _put_backs(orders, store, catalogue)

    def render(out: Console) -> None:
        for kept in waiting:
            window = f"{kept['shown']}  at {kept['location']}, kept until {kept['kept_until_text']}"
            print_line(out, f"{window}; to keep it longer: bopis pickup extend {kept['shown']} DATE")
        for task in tasks:
            state = task["state"].replace("_", " ")
            command = f"bopis pickup put-back {task['shown']} {task['task']}"
            print_line(out, f"{task['shown']}  {state}: put {task['name']} back on the shelf, then {command}")
        if not waiting and not tasks:
            ctx.note("Nothing to put back.")

    ctx.print_result({"store": store, "waiting": waiting, "put_back": tasks}, render)


def put_back(
    context: typer.Context,
    order: OrderNumber,
    task: Annotated[str | None, typer.Argument(help="Id of the task; by default every open one of the order.")] = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record that goods of an order are back on the shelf.

    Examples:
        bopis pickup put-back N6PV
        bopis pickup put-back N6PV N6PV7K3M-1
    """
    ctx = open_context(context, as_json)
    with order_session(ctx) as session:
        found = session.order(order)
        tasks = [task] if task else [it.task for it in found.tasks if it.kind is TaskKind.PUT_BACK]
        if not tasks:
            raise Usage(problem="This order has no goods to put back.")
        # Each of several messages has an id of its own; the first one has that of the command.
        ids = [message_id, *(f"{message_id}/{it}" if message_id else None for it in tasks[1:])]
        replies = [
            session.desk.command(found.order, ConfirmPutBack(task=it), named)
            for it, named in zip(tasks, ids, strict=True)
        ]
        print_reply(session, *replies)


def _put_backs(orders: Iterable[Order], store: str, catalogue: Catalogue) -> list[dict[str, str]]:
    """Open put-back tasks of a store, with the article of each."""
    return [
        {
            "order": it.order,
            "shown": shown(it.order),
            "task": task.task,
            "state": it.state.value,
            "sku": task.sku,
            "name": catalogue.name(task.sku),
        }
        for it in orders
        for task in it.tasks
        if task.store == store and task.kind is TaskKind.PUT_BACK
    ]


def _ask_code(ctx: CommandContext) -> str:
    if ctx.no_input or not sys.stdin.isatty():
        raise Usage(problem="Give the pickup code with --code, or the kind of identity document with --document.")
    return str(typer.prompt("Pickup code", err=True))
