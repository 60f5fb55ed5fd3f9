"""`bopis payments reconcile`: our ledger against each gateway's own list."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.adapters.gateways.installed import installed_gateways
from bopis.adapters.gateways.registry import IN_STORE, Gateways
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Conflict, Unavailable
from bopis.cli.app.interrupts import interruptible
from bopis.cli.app.parse_time import read_time
from bopis.cli.app.render import counted, iso, print_line, table
from bopis.cli.payments.session import note_skipped
from bopis.domain.orders.numbers import shown
from bopis.domain.payments.reconcile import Comparison
from bopis.domain.values import epoch_ms
from bopis.errors import FAILED
from bopis.names import PAYMENT_STATE_TOPIC
from bopis.services.payments.book import PaymentBook
from bopis.services.payments.event_text import spaced
from bopis.services.payments.reconciliation import GatewayList, difference_text, mending_command
from bopis.services.payments.reconciliation import reconcile as compared


def reconcile(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Authorisations since then: 24h (ago), or 2026-12-01T00:00.")
    ] = "24h",
    gateway: Annotated[str, typer.Option(metavar="NAME", help="Only this gateway; by default all of them.")] = "",
    every: Annotated[
        int, typer.Option(min=0, max=1_440, metavar="MIN", help="Compare again every so many minutes, until Ctrl-C.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare our payments with the gateways' own lists, line by line, and name each difference and what mends it.

    What is in flight is not counted. No money moves: the commands are proposed, and people run them. The exit code is 1
    when there are differences. With --every, --json prints one document per line.

    Examples:
        bopis payments reconcile
        bopis payments reconcile --since 7d --gateway stripe --json
        bopis payments reconcile --every 60
    """
    ctx = open_context(context, as_json)
    while True:
        is_equal = _once(ctx, since, gateway)
        if not every:
            break
        sys.stdout.flush()
        with interruptible():
            time.sleep(every * 60)
    if not is_equal:
        raise typer.Exit(FAILED)


def _once(ctx: CommandContext, since: str, only: str) -> bool:
    now = datetime.now(UTC)
    since_ms = epoch_ms(read_time(since, UTC, now).at.astimezone(UTC))
    with ctx.reader() as reader:
        ctx.require_topics(reader, PAYMENT_STATE_TOPIC)
        book = PaymentBook(reader)
        results = asyncio.run(_compare(ctx, book, only, since_ms, epoch_ms(now)))
        note_skipped(ctx, book)
    rows = {name: _rows(name, result) for name, result in results.items()}
    document = {
        "since": iso(since_ms),
        "gateways": {
            name: {"agreed": result.agreed, "in_flight": result.in_flight, "differences": rows[name]}
            for name, result in results.items()
        },
        "differences": sum(len(it.differences) for it in results.values()),
    }

    def render(out: Console) -> None:
        for name, result in results.items():
            head = f"{counted(result.agreed, 'authorisation')} agree, {result.in_flight} in flight (not compared)"
            print_line(out, f"{name}: {head}, {counted(len(result.differences), 'difference')}")
            if not rows[name]:
                continue
            grid = table("order", "attempt", "difference", "reference", "mend it with")
            for row in rows[name]:
                cells = (row["shown"], str(row["attempt"] or ""), row["said"], row["reference"], row["command"])
                grid.add_row(*cells)
            out.print(grid)

    ctx.print_result(document, render)
    return not document["differences"]


async def _compare(
    ctx: CommandContext, book: PaymentBook, only: str, since_ms: int, now_ms: int
) -> dict[str, Comparison]:
    gateways = installed_gateways(ctx.settings)
    try:
        lists = _lists(gateways, only)
        return {it.name: await compared(book, it, since_ms, now_ms) for it in lists}
    finally:
        await gateways.close()


def _lists(gateways: Gateways, only: str) -> list[GatewayList]:
    """The gateways that have a list. Raises `GatewayUnknown`, `Conflict`, or `Unavailable` when there is none."""
    names = [only] if only else [name for name in gateways.names if name != IN_STORE]
    if not names:
        raise Unavailable(what="A gateway", next="Set payment_gateway and its address; see `bopis config show`.")
    default = gateways.names[0]
    found = []
    for name in names:
        gateway = gateways.named(name)
        if not gateway.capabilities.listing:
            raise Conflict(cause=f"gateway {name} has no list to compare with")
        meant = frozenset({name, ""} if name == default else {name})
        found.append(GatewayList(name, meant, gateway))
    return found


def _rows(name: str, result: Comparison) -> list[dict[str, Any]]:
    return [
        {
            **msgspec.to_builtins(it),
            "shown": shown(it.order) if it.order else "",
            "kind": it.kind.value,
            "said": f"{spaced(it.kind)}: {difference_text(it)}",
            "command": mending_command(it, name),
        }
        for it in result.differences
    ]
