"""Telling the books what happened in a store."""

import uuid
from enum import StrEnum
from typing import Annotated

import typer

from bopis.commands.errors import Usage
from bopis.commands.saying import At, Id, Manner, NewStore, NoWait, answer, say
from bopis.commands.shell import AsJson, open_shell
from bopis.commands.stock_incoming import ahead_in

STORE = Annotated[str, typer.Argument(help="Id of the store.")]
LINES = Annotated[
    list[str], typer.Argument(metavar="SKU=NUMBER...", help="Lines, for example 852159=24; or one SKU and its number.")
]


class ReasonName(StrEnum):
    """Why books are adjusted by hand; the core's own list, which a test compares with this one."""

    DAMAGE = "damage"
    THEFT = "theft"
    FOUND = "found"
    SPOILED = "spoiled"
    OWN_USE = "own_use"
    CORRECTION = "correction"
    QUARANTINE_RELEASED = "quarantine_released"
    QUARANTINE_SCRAPPED = "quarantine_scrapped"


def receive(
    context: typer.Context,
    store: STORE,
    lines: LINES,
    document: Annotated[
        str | None, typer.Option(help="Delivery note or order number; default: the message's id.")
    ] = None,
    at: At = None,
    message_id: Id = None,
    new_store: NewStore = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Book goods that arrived from a supplier or a distribution centre."""
    from bopis.commands.lines import as_told, read_lines
    from bopis.domain.inventory.messages import StockLine, StockReceived

    shell = open_shell(context, as_json)
    read = read_lines(lines, least=1)
    message_id = message_id or str(uuid.uuid4())
    body = StockReceived(
        document=document or message_id, lines=tuple(StockLine(sku=it.sku, quantity=it.units) for it in read)
    )
    told = say(shell, store, body, [it.sku for it in read], Manner(at, message_id, no_wait, new_store))
    answer(shell, f"Received in {store}: {as_told(read)}", told)


def count(
    context: typer.Context,
    store: STORE,
    lines: LINES,
    staged_counted: Annotated[bool, typer.Option("--staged-counted", help="Staged goods were counted, too.")] = False,
    closes_gaps: Annotated[
        bool, typer.Option("--closes-gaps", help="The count covers all that missing till messages could have moved.")
    ] = False,
    at: At = None,
    message_id: Id = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Set the books to what was found on the shelf; movements after the count's own time stand."""
    from bopis.commands.lines import as_told, read_lines
    from bopis.domain.inventory.messages import CountLine, StockCounted

    shell = open_shell(context, as_json)
    read = read_lines(lines, least=0)
    body = StockCounted(
        lines=tuple(CountLine(sku=it.sku, counted=it.units) for it in read),
        staged_counted=staged_counted,
        closes_gaps=closes_gaps,
    )
    told = say(shell, store, body, [it.sku for it in read], Manner(at, message_id, no_wait))
    answer(shell, f"Counted in {store}: {as_told(read)}", told)


def adjust(
    context: typer.Context,
    store: STORE,
    lines: Annotated[list[str], typer.Argument(metavar="SKU=CHANGE...", help="Lines, for example 852159=-2.")],
    reason: Annotated[ReasonName, typer.Option(help="Why.")],
    note: Annotated[str, typer.Option(help="A few words for whoever looks at the history.")] = "",
    at: At = None,
    message_id: Id = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Correct the books by hand, up or down, for a reason."""
    from bopis.commands.lines import as_told, read_lines
    from bopis.domain.inventory.messages import ChangeLine, Reason, StockAdjusted
    from bopis.domain.values import QUANTITY_MAX

    shell = open_shell(context, as_json)
    read = read_lines(lines, least=-QUANTITY_MAX)
    if any(it.units == 0 for it in read):
        raise Usage(problem="An adjustment by 0 changes nothing; leave the line out.")
    body = StockAdjusted(
        reason=Reason(reason.value),
        lines=tuple(ChangeLine(sku=it.sku, change=it.units) for it in read),
        note=note,
    )
    told = say(shell, store, body, [it.sku for it in read], Manner(at, message_id, no_wait))
    answer(shell, f"Adjusted in {store} for {reason.value}: {as_told(read)}", told)


def transfer(
    context: typer.Context,
    from_store: Annotated[str, typer.Argument(help="Store that sends.")],
    to_store: Annotated[str, typer.Argument(help="Store that receives.")],
    lines: LINES,
    transfer_id: Annotated[
        str | None, typer.Option("--transfer", help="Id of the transfer; made up if not given.")
    ] = None,
    arrived: Annotated[bool, typer.Option("--arrived", help="The goods came in; give --transfer as shipped.")] = False,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="When the goods will be there, if known.")] = None,
    partly: Annotated[bool, typer.Option("--partly", help="With --arrived: more of this transfer is to come.")] = False,
    at: At = None,
    message_id: Id = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Ship goods to another store, or with --arrived take them in there; in between they are in no store's books."""
    from bopis.commands.lines import as_told, read_lines
    from bopis.domain.inventory.messages import StockLine, TransferReceived, TransferShipped

    shell = open_shell(context, as_json)
    read = read_lines(lines, least=1)
    if from_store == to_store:
        raise Usage(problem="A transfer goes from one store to another one.")
    if arrived and transfer_id is None:
        raise Usage(problem="Name the transfer that arrived with --transfer ID, as it was shipped.")
    if partly and not arrived:
        raise Usage(problem="--partly says that more is to come, so it goes with --arrived.")
    if on is not None and arrived:
        raise Usage(problem="--on says when goods will be there, so it goes without --arrived.")
    units = tuple(StockLine(sku=it.sku, quantity=it.units) for it in read)
    named = transfer_id or f"T-{uuid.uuid4().hex[:8]}"
    manner, skus = Manner(at, message_id, no_wait), [it.sku for it in read]
    if arrived:
        body = TransferReceived(transfer=named, from_store=from_store, lines=units, complete=not partly)
        told = say(shell, to_store, body, skus, manner)
        answer(shell, f"Transfer {named} came in at {to_store}: {as_told(read)}", told)
        return
    expected_at = None if on is None else ahead_in(shell, to_store, on)
    shipped = TransferShipped(transfer=named, to_store=to_store, lines=units, expected_at=expected_at)
    told = say(shell, from_store, shipped, skus, manner)
    answer(shell, f"Transfer {named} left {from_store} for {to_store}: {as_told(read)}", told)
    shell.say(
        f"When it arrives: bopis stock transfer {from_store} {to_store} {' '.join(lines)} --transfer {named} --arrived"
    )
