"""`bopis board`: the work of a store on a full screen, for a monitor on the wall."""

import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bopis.adapters.errors import AdapterError
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.interrupts import interruptible
from bopis.cli.app.render import plain
from bopis.cli.order.session import require_store, zone_of_store
from bopis.cli.pickup.queue import (
    STYLES,
    QueueScreen,
    customer_text,
    due_text,
    entries_of,
    entry_row,
    goods_text,
    now_ms,
    pay_text,
    step_text,
)
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.store_queue import WorkItem
from bopis.services.catalogue import read_catalogue
from bopis.services.counter.order_lookup import OrderBook

REFRESH_SECONDS = 0.5
FRAME_LINES = 6  # head, counts, the table's own head and rule, the count of what is left out, the error
ROWS_MIN = 3
COLUMNS_MAX = 120


def board(
    context: typer.Context,
    store: StoreId,
    once: Annotated[bool, typer.Option("--once", help="Print it once, as when output is not a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a store's work on the whole screen until Ctrl-C: customers at the counter first, late work in red.

    Examples:
        bopis board 319
        bopis board 319 --once
    """
    ctx = open_context(context, as_json)
    with ctx.reader() as reader:
        book = OrderBook(reader)
        book.refresh()
        require_store(ctx, reader, store)
        shop = QueueScreen(store, zone_of_store(reader, store), read_catalogue(reader))
        if once or as_json or not sys.stdout.isatty():
            entries = entries_of(book, store)
            size = (ctx.out.width, len(entries) + FRAME_LINES + ROWS_MIN)
            document = {"store": store, "counts": counts(entries), "work": [entry_row(entry) for entry in entries]}
            ctx.print_result(document, lambda out: out.print(screen(entries, shop, size)))
            return
        _live(ctx, book, shop)


def _live(ctx: CommandContext, book: OrderBook, shop: QueueScreen) -> None:
    """Redraw on every change until interrupted. While the log is away, the screen shows the error and retries go on."""
    drawn: Any = None
    trouble = ""
    live_screen = Live(console=ctx.out, screen=True, auto_refresh=False)
    # An interrupt is how a board is left.
    with live_screen as live, suppress(KeyboardInterrupt), interruptible():
        while True:
            try:
                book.refresh()
                trouble = ""
            except AdapterError as error:
                trouble = str(error)
            entries = entries_of(book, shop.store)
            size = (ctx.out.width, ctx.out.height)
            state = (entries, size, trouble, now_ms() // 60_000)
            if state != drawn:
                live.update(screen(entries, shop, size, trouble), refresh=True)
                drawn = state
            time.sleep(REFRESH_SECONDS)


def screen(entries: list[WorkItem], shop: QueueScreen, size: tuple[int, int], trouble: str = "") -> RenderableType:
    """The board for a screen of `size` columns and lines; entries that do not fit are counted."""
    width, height = min(size[0], COLUMNS_MAX), size[1]
    rows = max(ROWS_MIN, height - FRAME_LINES)
    at = datetime.fromtimestamp(now_ms() / 1000, shop.zone)
    clock = at.strftime("%a %H:%M")
    head = Text(f"Store {shop.store}"[: width - len(clock) - 1].ljust(width - len(clock)) + clock, style="bold reverse")
    figures = "   ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts(entries).items() if number)
    numbers = Text(figures or "Nothing to do.")
    numbers.truncate(width, overflow="ellipsis")
    parts: list[RenderableType] = [head, numbers, _grid(entries[:rows], shop, width)]
    if len(entries) > rows:
        parts.append(Text(f"... and {len(entries) - rows} more", style="dim"))
    if trouble:
        warning = Text(trouble, style="bold red")
        warning.truncate(width, overflow="ellipsis")
        parts.append(warning)
    return Group(*parts)


def counts(entries: list[WorkItem]) -> dict[str, int]:
    """Customers waiting at the counter, late entries, and entries of each step."""
    found = {
        "waiting": sum(bool(entry.waiting_since_ms) for entry in entries),
        "late": sum(entry.colour.value == "red" for entry in entries),
    }
    for entry in entries:
        found[entry.step.value] = found.get(entry.step.value, 0) + 1
    return found


def _grid(entries: list[WorkItem], shop: QueueScreen, width: int) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, width=width)
    for name, share in (
        ("order", 0),
        ("next", 0),
        ("due", 0),
        ("units", 0),
        ("to pay", 0),
        ("who", 1),
        ("goods", 2),
        ("customer", 1),
    ):
        right = "right" if name in ("units", "to pay") else "left"
        grid.add_column(name, justify=right, no_wrap=True, overflow="ellipsis", ratio=share or None)  # type: ignore[arg-type]  # rich names its own literals
    at_ms = now_ms()
    for entry in entries:
        cells = (
            shop.catalogue.total(entry.goods),
            pay_text(entry),
            plain(entry.picker),
            plain(goods_text(entry, shop.catalogue)),
        )
        grid.add_row(
            shown(entry.order),
            step_text(entry),
            due_text(entry, shop.zone, at_ms),
            *cells,
            plain(customer_text(entry)),
            style=STYLES[entry.colour.value],
        )
    return grid
