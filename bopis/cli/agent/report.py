"""Reports typed or scanned in the shop, into the agent's journal: they need no connection."""

import sys
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer

from bopis.cli.agent.directory import opened_journal
from bopis.cli.app.context import AsJson, CommandContext, MessageId, open_context
from bopis.cli.app.errors import Conflict, InvalidInput, Usage
from bopis.cli.app.parse_lines import TypedLine, line_text, read_lines
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.render import print_line
from bopis.domain.inventory.messages import (
    CountLine,
    Report,
    StockCounted,
    StockLine,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.outcomes import Outcome
from bopis.domain.values import LINES_MAX
from bopis.journal.entries import Basket, fingerprint_of

SOURCE = "staff"
Lines = Annotated[list[str], typer.Argument(metavar="SKU=NUMBER", help="Lines, for example 852159=24.")]
At = Annotated[
    str | None, typer.Option("--time", metavar="TIME", help="When it happened, on this machine's clock; default now.")
]
Transfer = Annotated[str, typer.Option("--transfer", metavar="ID", help="Id of the transfer, on its papers.")]


def count(
    context: typer.Context,
    lines: Lines,
    at: At = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record units counted on the shelf. It works without a connection; later movements are added by their time.

    Examples:
        bopis agent count 4011=20 852159=0
        bopis agent count 4011=20 --time 30m --id count-7
    """
    ctx = open_context(context, as_json)
    read = read_lines(lines, 0)
    body = StockCounted(lines=tuple(CountLine(sku=it.sku, counted=it.units) for it in read))
    _report(ctx, body, f"Counted: {line_text(read)}", at, message_id)


def scan(context: typer.Context, at: At = None, message_id: MessageId = None, as_json: AsJson = False) -> None:
    """Count by scanner: one code per line on standard input, each a unit; the end of input records the count.

    Examples:
        bopis agent scan
        bopis agent scan --id shelf-12 < codes.txt
    """
    ctx = open_context(context, as_json)
    codes = Counter(code for line in sys.stdin if (code := line.strip()))
    if not 0 < len(codes) <= LINES_MAX:
        raise InvalidInput(problem=f"Scan 1 to {LINES_MAX} different codes; these were {len(codes)}.")
    read = [line for code, units in codes.items() for line in read_lines([f"{code}={units}"], 0)]
    body = StockCounted(lines=tuple(CountLine(sku=it.sku, counted=it.units) for it in read))
    _report(ctx, body, f"Counted: {line_text(read)}", at, message_id)


def receive(
    context: typer.Context,
    lines: Lines,
    document: Annotated[str, typer.Option(metavar="DOCUMENT", help="Number of the delivery note or order.")],
    at: At = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record goods received from a supplier or a distribution centre. It works without a connection.

    Examples:
        bopis agent receive 4011=24 852159=6 --document PO-7
        bopis agent receive 4011=24 --document PO-7 --time "yesterday 14:00"
    """
    ctx = open_context(context, as_json)
    read = read_lines(lines, 1)
    _report(
        ctx, StockReceived(document=document, lines=_stock_lines(read)), f"Received: {line_text(read)}", at, message_id
    )


def ship(
    context: typer.Context,
    to_store: Annotated[str, typer.Argument(help="Store that receives.")],
    lines: Lines,
    transfer: Transfer,
    at: At = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record goods that left for another store. It works without a connection.

    Examples:
        bopis agent ship 367 4011=5 --transfer T-1
        bopis agent ship 367 4011=5 852159=2 --transfer T-2 --time 1h
    """
    ctx = open_context(context, as_json)
    read = read_lines(lines, 1)
    body = TransferShipped(transfer=transfer, to_store=to_store, lines=_stock_lines(read))
    _report(ctx, body, f"Transfer {transfer} left for {to_store}: {line_text(read)}", at, message_id)


def arrive(
    context: typer.Context,
    from_store: Annotated[str, typer.Argument(help="Store that sent.")],
    lines: Lines,
    transfer: Transfer,
    partly: Annotated[bool, typer.Option("--partly", help="More goods of this transfer will follow.")] = False,
    at: At = None,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Record goods that arrived from another store. It works without a connection.

    Examples:
        bopis agent arrive 319 4011=5 --transfer T-1
        bopis agent arrive 319 4011=3 --transfer T-1 --partly
    """
    ctx = open_context(context, as_json)
    read = read_lines(lines, 1)
    body = TransferReceived(transfer=transfer, from_store=from_store, lines=_stock_lines(read), complete=not partly)
    _report(ctx, body, f"Transfer {transfer} arrived from {from_store}: {line_text(read)}", at, message_id)


def _report(ctx: CommandContext, body: Report, summary: str, at: str | None, message_id: str | None) -> None:
    """Store a report in the journal, and print its position."""
    happened = datetime.now(UTC) if at is None else read_time(at, datetime.now().astimezone().tzinfo or UTC).at
    key = message_id or str(uuid.uuid4())
    basket = Basket(
        key=key,
        # An id that is given makes it the same report, also when it is repeated later.
        fingerprint=fingerprint_of(body, happened if at is not None else datetime.fromtimestamp(0, UTC)),
        bodies=(body,),
        time=happened,
        place=SOURCE,
        actor=ctx.actor,
    )
    with opened_journal(ctx) as journal:
        if isinstance(body, TransferShipped) and body.to_store == journal.store:
            raise Usage(problem="A transfer goes from one store to another one.")
        [taken] = journal.take(SOURCE, [basket])
        store = journal.store
    match taken.outcome:
        case Outcome.REJECTED:
            raise InvalidInput(problem=f"It cannot be recorded: {taken.cause}.")
        case Outcome.CHANGED | Outcome.WAITING:
            raise Conflict(cause=f"id {key} was recorded before with other content. `bopis agent rejects` lists both")
        case Outcome.DUPLICATE:
            text = f"Already recorded under id {key}; nothing was recorded again."
        case _:
            text = f"{summary} (store {store}, journal {taken.position})"
    document = {"store": store, "id": key, "outcome": taken.outcome, "position": taken.position, "time": happened}
    ctx.print_result(document, lambda out: print_line(out, text))


def _stock_lines(lines: list[TypedLine]) -> tuple[StockLine, ...]:
    return tuple(StockLine(sku=line.sku, quantity=line.units) for line in lines)
