"""Report what happened to stock in a store: receipts, counts, adjustments, transfers."""

import uuid
from collections.abc import Iterable
from typing import Annotated

import typer

from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, MessageId, NoWait, Yes, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.app.parse_lines import TypedLine, line_text
from bopis.cli.app.typed_articles import received_lines, stock_lines
from bopis.cli.stock.doubts import confirm_arrival, confirm_below_zero, confirm_document, taken_before
from bopis.cli.stock.incoming import future_time_in
from bopis.cli.stock.send import At, NewStore, SendOptions, print_sent, send
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    CountLine,
    StockAdjusted,
    StockCounted,
    StockLine,
    StockReceived,
    TransferDiverted,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.values import QUANTITY_MAX, ChangeLine

# Reasons that move units between shelves that are not in the books.
OUTSIDE_BOOKS = frozenset({AdjustmentReason.QUARANTINE_RELEASED, AdjustmentReason.QUARANTINE_SCRAPPED})
Lines = Annotated[
    list[str],
    typer.Argument(metavar="SKU=NUMBER", help="Lines, for example 852159=24; or one SKU and its number."),
]


def receive(
    context: typer.Context,
    store: StoreId,
    lines: Lines,
    document: Annotated[
        str | None,
        typer.Option(metavar="DOCUMENT", help="Number of the delivery note or order; default: the message id."),
    ] = None,
    at: At = None,
    message_id: MessageId = None,
    new_store: NewStore = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Record goods received from a supplier or a distribution centre.

    Examples:
        bopis stock receive 319 4011=24 852159=6
        bopis stock receive 319 4011=24 --document PO-7 --time "yesterday 14:00"
    """
    ctx = open_context(context, as_json)
    read = received_lines(ctx, lines)
    if document is not None and taken_before(ctx, store, message_id) is None:
        confirm_document(ctx, store, document, yes)
    message_id = message_id or str(uuid.uuid4())
    body = StockReceived(document=document or message_id, lines=_stock_lines(read))
    result = send(ctx, store, body, _skus(read), SendOptions(at, message_id, no_wait, new_store))
    print_sent(ctx, f"Received in {store}: {line_text(read)}", result)


def count(
    context: typer.Context,
    store: StoreId,
    lines: Lines,
    staged_counted: Annotated[
        bool, typer.Option("--staged-counted", help="The count includes goods staged for pickup.")
    ] = False,
    closes_gaps: Annotated[
        bool, typer.Option("--closes-gaps", help="The count settles all missing till messages of these SKUs.")
    ] = False,
    at: At = None,
    message_id: MessageId = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Set on hand to the units counted on the shelf; movements after the time of the count are added.

    Examples:
        bopis stock count 319 4011=20
        bopis stock count 319 4011=20 852159=0 --time 30m
    """
    ctx = open_context(context, as_json)
    read = stock_lines(ctx, lines, least=0)
    body = StockCounted(
        lines=tuple(CountLine(sku=line.sku, counted=line.units) for line in read),
        staged_counted=staged_counted,
        closes_gaps=closes_gaps,
    )
    result = send(ctx, store, body, _skus(read), SendOptions(at, message_id, no_wait))
    print_sent(ctx, f"Counted in {store}: {line_text(read)}", result)


def adjust(
    context: typer.Context,
    store: StoreId,
    lines: Annotated[list[str], typer.Argument(metavar="SKU=CHANGE", help="Lines, for example 852159=-2.")],
    reason: Annotated[AdjustmentReason, typer.Option(help="Why.")],
    note: Annotated[str, typer.Option(help="A few words for the history.")] = "",
    at: At = None,
    message_id: MessageId = None,
    yes: Yes = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Correct on hand by a change, up or down, with a reason; a change to below zero is asked about.

    Examples:
        bopis stock adjust 319 852159=-2 --reason damage
        bopis stock adjust 319 852159 -2 --reason theft --note "till 4"
    """
    ctx = open_context(context, as_json)
    read = stock_lines(ctx, lines, least=-QUANTITY_MAX)
    if any(line.units == 0 for line in read):
        raise Usage(problem="An adjustment by 0 changes nothing; leave the line out.")
    if reason not in OUTSIDE_BOOKS and taken_before(ctx, store, message_id) is None:
        confirm_below_zero(ctx, store, read, yes)
    changes = tuple(ChangeLine(sku=line.sku, change=line.units) for line in read)
    body = StockAdjusted(reason=reason, lines=changes, note=note)
    result = send(ctx, store, body, _skus(read), SendOptions(at, message_id, no_wait))
    print_sent(ctx, f"Adjusted in {store} for {reason.value}: {line_text(read)}", result)


def transfer(
    context: typer.Context,
    from_store: Annotated[str, typer.Argument(help="Store that sends.")],
    to_store: Annotated[str, typer.Argument(help="Store that receives.")],
    lines: Lines,
    transfer_id: Annotated[
        str | None, typer.Option("--transfer", metavar="ID", help="Id of the transfer; generated by default.")
    ] = None,
    arrived: Annotated[
        bool, typer.Option("--arrived", help="The goods have arrived; give --transfer as it was shipped.")
    ] = False,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="When the goods will arrive, if known.")
    ] = None,
    partly: Annotated[
        bool, typer.Option("--partly", help="With --arrived: more goods of this transfer will follow.")
    ] = False,
    at: At = None,
    message_id: MessageId = None,
    yes: Yes = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Ship goods to another store, or with --arrived receive them there; in transit they count in neither store.

    Examples:
        bopis stock transfer 319 367 4011=5 --on 2026-12-01
        bopis stock transfer 319 367 4011=5 --transfer T-1 --arrived
    """
    ctx = open_context(context, as_json)
    read = stock_lines(ctx, lines, least=1)
    if from_store == to_store:
        raise Usage(problem="A transfer goes from one store to another one.")
    if arrived and transfer_id is None:
        raise Usage(problem="Name the transfer that arrived: --transfer ID, as it was shipped.")
    if partly and not arrived:
        raise Usage(problem="--partly goes with --arrived: more goods will follow.")
    if on is not None and arrived:
        raise Usage(problem="--on is the date of a future arrival and goes without --arrived.")
    name = transfer_id or f"T-{uuid.uuid4().hex[:8]}"
    options = SendOptions(at, message_id, no_wait)
    if arrived:
        repeated = taken_before(ctx, to_store, message_id) is not None
        elsewhere = None if repeated else confirm_arrival(ctx, to_store, name, yes)
        body = TransferReceived(transfer=name, from_store=from_store, lines=_stock_lines(read), complete=not partly)
        result = send(ctx, to_store, body, _skus(read), options)
        if elsewhere is not None:
            diverted = TransferDiverted(transfer=name, from_store=elsewhere.from_store, arrived_in=to_store)
            send(ctx, elsewhere.to_store, diverted, [], SendOptions(at, None, no_wait))
        print_sent(ctx, f"Transfer {name} arrived in {to_store}: {line_text(read)}", result)
        return
    if taken_before(ctx, from_store, message_id) is None:
        confirm_below_zero(ctx, from_store, [TypedLine(it.sku, -it.units) for it in read], yes)
    expected_at = None if on is None else future_time_in(ctx, to_store, on)
    shipped = TransferShipped(transfer=name, to_store=to_store, lines=_stock_lines(read), expected_at=expected_at)
    result = send(ctx, from_store, shipped, _skus(read), options)
    print_sent(ctx, f"Transfer {name} left {from_store} for {to_store}: {line_text(read)}", result)
    ctx.note(
        f"When it arrives: bopis stock transfer {from_store} {to_store} {' '.join(lines)} --transfer {name} --arrived"
    )


def _stock_lines(lines: Iterable[TypedLine]) -> tuple[StockLine, ...]:
    return tuple(StockLine(sku=line.sku, quantity=line.units) for line in lines)


def _skus(lines: Iterable[TypedLine]) -> list[str]:
    return [line.sku for line in lines]
