"""Goods on their way: announce what a document will bring, look at what is expected, and at transfers."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.dates import ahead
from bopis.commands.errors import Usage
from bopis.commands.saying import At, Id, Manner, NewStore, NoWait, answer, say
from bopis.commands.shell import AsJson, open_shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from bopis.commands.shell import Shell
    from bopis.readside.queries.answers import IncomingAnswer, TransferAnswer

STORE = Annotated[str, typer.Argument(help="Id of the store.")]
STORE_OR_ALL = Annotated[str | None, typer.Argument(help="Id of the store; without, all.")]


def expect(
    context: typer.Context,
    store: STORE,
    document: Annotated[str, typer.Argument(help="Order or delivery note that the goods will come with.")],
    lines: Annotated[
        list[str] | None, typer.Argument(metavar="[SKU=NUMBER]...", help="All that it will bring, for example 4011=24.")
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="When it will be there, in the store's zone.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="It is expected no longer.")] = False,
    at: At = None,
    message_id: Id = None,
    new_store: NewStore = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Announce what a document will bring and when; said again, it stands anew. A receipt of the document ends it."""
    from bopis.commands.lines import as_told, read_lines
    from bopis.domain.inventory.messages import ExpectationWithdrawn, StockExpected, StockLine

    shell = open_shell(context, as_json)
    manner = Manner(at, message_id, no_wait, new_store)
    if withdraw:
        if lines or on:
            raise Usage(problem="--withdraw goes without lines and without --on.")
        told = say(shell, store, ExpectationWithdrawn(document=document), [], manner)
        answer(shell, f"{document} is expected no longer in {store}", told)
        return
    if not lines or on is None:
        raise Usage(problem=f"Say what {document} will bring and when: SKU=NUMBER and --on DATE; or --withdraw.")
    read = read_lines(lines, least=1)
    instant = ahead_in(shell, store, on)
    units = tuple(StockLine(sku=it.sku, quantity=it.units) for it in read)
    body = StockExpected(document=document, lines=units, expected_at=instant)
    told = say(shell, store, body, [it.sku for it in read], manner)
    answer(
        shell, f"{document} is expected in {store} at {instant.isoformat(timespec='minutes')}: {as_told(read)}", told
    )


def expected(context: typer.Context, store: STORE_OR_ALL = None, as_json: AsJson = False) -> None:
    """List what documents and dated transfers will bring, the earliest first; overdue goods count for no promise."""
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        _check_store(engine, store)
        found = queries.expected(engine, store, now=datetime.now(UTC))

    def render(out: "Console") -> None:
        if not found:
            shell.say("Nothing is expected. Announce goods with: bopis stock expect STORE DOCUMENT SKU=N --on DATE")
            return
        out.print(_expected_table(found))

    shell.note_if_idle()
    shell.answer({"store": store, "expected": found}, render)


def transfers(context: typer.Context, store: STORE_OR_ALL = None, as_json: AsJson = False) -> None:
    """List transfers to and from a store: what was announced, is on the way, was received, and came short."""
    from bopis.readside import queries

    shell = open_shell(context, as_json)
    with shell.engine() as engine:
        _check_store(engine, store)
        found = queries.transfers(engine, store)

    def render(out: "Console") -> None:
        if not found:
            shell.say("No transfer is remembered. Ship goods with: bopis stock transfer FROM TO SKU=N")
            return
        out.print(_transfer_table(found))

    shell.note_if_idle()
    shell.answer({"store": store, "transfers": found}, render)


def ahead_in(shell: "Shell", store: str, text: str) -> datetime:
    """An instant that lies ahead, in the zone of a store where none is said."""
    from bopis.commands.errors import ReadSideMissing, StoreUnknown
    from bopis.commands.stock_read import known_or_stocked, zone_of

    try:
        with shell.engine() as engine:
            zone = zone_of(known_or_stocked(engine, store))
    except (ReadSideMissing, StoreUnknown):
        zone = UTC  # Whoever books on a store that is not known says so; here only its zone is asked for.
    return ahead(shell, text, zone)


def _expected_table(found: "list[IncomingAnswer]") -> Any:
    from bopis.commands.levels import at_instant
    from bopis.commands.tables import plain, table

    grid = table("store", "SKU", "units", "expected", "by", "state")
    for it in found:
        by = f"transfer {it.transfer}" if it.transfer else str(it.document)
        state = "overdue" if it.overdue else "on the way"
        cells = (plain(it.store), plain(it.sku), str(it.quantity), at_instant(it.expected_at, UTC), plain(by), state)
        grid.add_row(*cells)
    return grid


def _transfer_table(found: "list[TransferAnswer]") -> Any:
    from bopis.commands.levels import at_instant
    from bopis.commands.tables import plain, table

    grid = table(
        "transfer", "from", "to store", "SKU", "announced", "on the way", "received", "short", "state", "expected"
    )
    for it in found:
        places = (plain(it.transfer), plain(it.from_store), plain(it.to_store))
        for line in it.lines:
            units = (line.announced, line.on_the_way, line.received, line.short)
            told = (str(number) for number in units)
            grid.add_row(*places, plain(line.sku), *told, it.state, at_instant(it.expected_at, UTC))
    return grid


def _check_store(engine: "Engine", store: str | None) -> None:
    if store is not None:
        from bopis.commands.stock_read import known_or_stocked

        known_or_stocked(engine, store)
