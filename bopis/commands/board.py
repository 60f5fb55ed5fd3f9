"""`bopis board`: the work of a store on a full screen, for a monitor on the wall."""

import sys
import time
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import STORE, zone_of_store
from bopis.commands.interrupts import interruptible
from bopis.commands.pickup_queue import STYLES, due_told, now_ms, told
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bopis.services.counter.orderbook import OrderBook
    from bopis.services.counter.work import Work

REFRESH_SECONDS = 0.5
FRAME_LINES = 6  # head, counts, the table's own head and rule, what is left out, trouble
ROWS_MIN = 3
COLUMNS_MAX = 120


def board(
    context: typer.Context,
    store: STORE,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end, as when this is no terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a store's work on the whole screen, live: who waits first, late in red, soon in yellow. Ctrl-C ends it."""
    from bopis.services.counter.orderbook import OrderBook

    shell = open_shell(context, as_json)
    with shell.reader() as reader:
        book = OrderBook(reader)
        book.refresh()
        zone = zone_of_store(reader, store)
        if once or as_json or not sys.stdout.isatty():
            entries = _entries(book, store)
            size = (shell.out.width, len(entries) + FRAME_LINES + ROWS_MIN)
            document = {"store": store, "counts": counts(entries), "work": [told(it) for it in entries]}
            shell.answer(document, lambda out: out.print(screen(entries, store, zone, size)))
            return
        _live(shell, book, store, zone)


def _live(shell: Shell, book: "OrderBook", store: str, zone: tzinfo) -> None:
    """Draw anew only what changed, until interrupted; a log that is away is told on the screen and waited for."""
    from rich.live import Live

    from bopis.adapters.errors import AdapterError

    shown: Any = None
    trouble = ""
    live_screen = Live(console=shell.out, screen=True, auto_refresh=False)
    with live_screen as live, suppress(KeyboardInterrupt), interruptible():
        while True:
            try:
                book.refresh()
                trouble = ""
            except AdapterError as error:
                trouble = str(error)
            entries = _entries(book, store)
            size = (shell.out.width, shell.out.height)
            state = (entries, size, trouble, now_ms() // 60_000)
            if state != shown:
                live.update(screen(entries, store, zone, size, trouble), refresh=True)
                shown = state
            time.sleep(REFRESH_SECONDS)
        # An interrupt is how a board is left.


def screen(
    entries: "list[Work]", store: str, zone: tzinfo, size: tuple[int, int], trouble: str = ""
) -> "RenderableType":
    """The board as it fits into so many columns and lines; what does not fit is counted."""
    from rich.console import Group
    from rich.text import Text

    width, height = min(size[0], COLUMNS_MAX), size[1]
    rows = max(ROWS_MIN, height - FRAME_LINES)
    at = datetime.fromtimestamp(now_ms() / 1000, zone)
    clock = at.strftime("%a %H:%M")
    head = Text(f"Store {store}"[: width - len(clock) - 1].ljust(width - len(clock)) + clock, style="bold reverse")
    numbers = Text("   ".join(f"{number} {name}" for name, number in counts(entries).items() if number) or "All done.")
    numbers.truncate(width, overflow="ellipsis")
    parts: list[RenderableType] = [head, numbers, _grid(entries[:rows], zone, width)]
    if len(entries) > rows:
        parts.append(Text(f"... and {len(entries) - rows} more", style="dim"))
    if trouble:
        warning = Text(trouble, style="bold red")
        warning.truncate(width, overflow="ellipsis")
        parts.append(warning)
    return Group(*parts)


def counts(entries: "list[Work]") -> dict[str, int]:
    """How many wait at the counter, how many are late, and how many stand at each step."""
    found = {
        "waiting": sum(bool(it.waiting_since_ms) for it in entries),
        "late": sum(it.colour.value == "red" for it in entries),
    }
    for it in entries:
        found[it.step.value] = found.get(it.step.value, 0) + 1
    return found


def _grid(entries: "list[Work]", zone: tzinfo, width: int) -> "RenderableType":
    from rich import box
    from rich.table import Table

    from bopis.domain.orders.numbers import shown

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, width=width)
    for name, share in (("order", 0), ("next", 0), ("due", 0), ("units", 0), ("who", 1), ("where", 2)):
        right = "right" if name == "units" else "left"
        grid.add_column(name, justify=right, no_wrap=True, overflow="ellipsis", ratio=share or None)  # type: ignore[arg-type]  # rich names its own literals
    at_ms = now_ms()
    for it in entries:
        place = " ".join(part for part in (it.where, it.spot) if part) if it.waiting_since_ms else it.location
        step = it.step.value.upper() if it.waiting_since_ms else it.step.value
        cells = (str(it.units or ""), it.picker, place or it.task)
        grid.add_row(shown(it.order), step, due_told(it, zone, at_ms), *cells, style=STYLES[it.colour.value])
    return grid


def _entries(book: "OrderBook", store: str) -> "list[Work]":
    from bopis.services.counter.work import queue

    return queue(book.in_store(store), store, now_ms())


def register(root: typer.Typer) -> None:
    root.command()(board)
