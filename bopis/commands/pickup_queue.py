"""`bopis pickup queue`: what is to be done in a store, the most urgent first."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.counter import STORE, zone_of_store
from bopis.commands.errors import Usage
from bopis.commands.interrupts import interruptible
from bopis.commands.order_access import open_book
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import Console, RenderableType

    from bopis.services.counter.work import Work

WATCH_SECONDS = 1.0
STYLES = {"red": "bold red", "yellow": "yellow", "green": "green", "grey": "dim"}


def queue(
    context: typer.Context,
    store: STORE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again whenever something changes; Ctrl-C ends.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the work of a store by due time: who waits at the counter first, what is late in red."""
    shell = open_shell(context, as_json)
    if watch and as_json:
        raise Usage(problem="--json prints one document; ask again for another one instead of --watch.")
    with open_book(shell) as (reader, book):
        zone = zone_of_store(reader, store)
        _show(shell, store, _entries(book, store), zone)
        with interruptible():
            while watch:
                time.sleep(WATCH_SECONDS)
                if book.refresh():
                    _show(shell, store, _entries(book, store), zone)


def _entries(book: Any, store: str) -> "list[Work]":
    from bopis.services.counter.work import queue as work_of

    return work_of(book.in_store(store), store, now_ms())


def _show(shell: Shell, store: str, entries: "list[Work]", zone: "tzinfo") -> None:
    def render(out: "Console") -> None:
        if out.is_terminal:
            out.print(f"Store {store} at {datetime.now(zone):%H:%M:%S}", markup=False)
        if entries:
            out.print(grid(entries, zone))
        else:
            shell.say("Nothing is to be done.")

    shell.answer({"store": store, "work": [told(it) for it in entries]}, render)


def grid(entries: "list[Work]", zone: "tzinfo") -> "RenderableType":
    """The queue as a table of at most eighty columns."""
    from bopis.commands.tables import table
    from bopis.domain.orders.numbers import shown

    found = table("order", "next", "due", "lines", "units", "who", "where")
    now = now_ms()
    for it in entries:
        step = it.step.value.upper() if it.waiting_since_ms else it.step.value
        place = " ".join(part for part in (it.where, it.spot) if part) if it.waiting_since_ms else it.location
        cells = (str(it.lines or ""), str(it.units or ""), it.picker, place or it.task)
        found.add_row(shown(it.order), step, due_told(it, zone, now), *cells, style=STYLES[it.colour.value])
    return found


def due_told(entry: "Work", zone: "tzinfo", at_ms: int) -> str:
    """When something is due: the clock for today, the day for later, and how late it is."""
    from bopis.services.counter.work import NEVER_MS

    if entry.due_ms >= NEVER_MS:
        return ""
    due = datetime.fromtimestamp(entry.due_ms / 1000, zone)
    told = due.strftime("%H:%M" if due.date() == datetime.fromtimestamp(at_ms / 1000, zone).date() else "%a %H:%M")
    late_minutes = (at_ms - entry.due_ms) // 60_000
    return f"{told} +{late_minutes} min" if late_minutes > 0 else told


def told(entry: "Work") -> dict[str, Any]:
    """One entry as a document."""
    import msgspec

    from bopis.commands.tables import iso
    from bopis.domain.orders.numbers import shown
    from bopis.services.counter.work import NEVER_MS

    plain: dict[str, Any] = msgspec.to_builtins(entry)
    due_ms, since_ms = plain.pop("due_ms"), plain.pop("waiting_since_ms")
    due = None if due_ms >= NEVER_MS else iso(due_ms)
    return plain | {"shown": shown(entry.order), "due_at": due, "waiting_since": iso(since_ms)}


def now_ms() -> int:
    """This machine's clock, for colours only: what is decided is decided by the log's."""
    return int(datetime.now(UTC).timestamp() * 1000)
