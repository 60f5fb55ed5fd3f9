"""How things are: processors, lag, age of the stores' news, dead letters, disk."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands import status_workers
from bopis.commands.interrupts import interruptible
from bopis.commands.rebuilding import FEEDS
from bopis.commands.running import PROCESSORS
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import RenderableType

WATCH_SECONDS = 2.0
# Where each exact processor reads, and where it says how far it is.
EXACT = {
    "inventory": ("stock", "inventory-levels"),
    "orders": ("orders", "order-state"),
    "notices": ("notices", "notice-state"),
}
QUANTILES = ((0.5, "p50_ms"), (0.95, "p95_ms"))


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, metavar="SECONDS", help="With --watch: how often.")] = WATCH_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Show what runs, who owns which partition, how far behind it is, how old the stores' news is, and what is wrong.

    With --watch and --json, one JSON document per line.
    """
    shell = open_shell(context, as_json)
    if not watch:
        found = gathered(shell)
        shell.answer(found, lambda out: out.print(_view(found)))
        return
    with interruptible():
        _watch(shell, every, lines=as_json or not shell.out.is_terminal)


def _watch(shell: Shell, every: float, *, lines: bool) -> None:
    """Show it until interrupted: one after the other, or anew on the same screen."""
    from rich.live import Live

    while lines:
        found = gathered(shell)
        shell.answer(found, lambda out: out.print(_view(found)))  # noqa: B023  (called at once)
        shell.out.file.flush()
        time.sleep(every)
    with Live(_view(gathered(shell)), console=shell.out, auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every)
            live.update(_view(gathered(shell)), refresh=True)


def gathered(shell: Shell) -> dict[str, Any]:
    """Everything that `status` tells, as one document. Raises when the log cannot be reached."""
    from bopis.adapters.supervision import supervisor_of
    from bopis.commands.dead_letters import open_letters

    settings = shell.settings
    supervisor = supervisor_of(settings.data_dir)
    children = {it.name: it for it in supervisor.children} if supervisor else {}
    workers = status_workers.gathered(shell)
    lags = status_workers.lags(workers) | _lags(shell)
    with shell.admin() as admin:
        groups = admin.groups(list(PROCESSORS))
    processors = []
    for name in PROCESSORS:
        child = children.get(name)
        processors.append(
            {
                "name": name,
                "state": child.state if child else ("running" if groups[name].members else "not running"),
                "pid": child.pid if child else None,
                "restarts": child.restarts if child else None,
                "cause": child.cause if child else "",
                "last_error": child.last_error if child else "",
                "members": groups[name].members,
                "lag": lags.get(name),
            }
        )
    return {
        "at": datetime.now(UTC),
        "log": {"address": shell.bootstrap, "embedded": settings.embedded},
        "supervisor_pid": supervisor.pid if supervisor else None,
        "processors": processors,
        "workers": workers,
        "data_age": _ages(shell),
        "dead_letters_open": len(open_letters(shell)),
        "disk": _disk(shell),
    }


def _lags(shell: Shell) -> dict[str, int | None]:
    """Records that each processor has not taken yet; None where that cannot be known."""
    from bopis.commands.errors import CommandError
    from bopis.readside import queries
    from bopis.services.progress import decided_positions, lag

    with shell.reader() as reader:
        found: dict[str, int | None] = {
            name: lag(reader, source, decided_positions(reader, changelog))
            for name, (source, changelog) in EXACT.items()
        }
        try:
            with shell.engine() as engine:
                positions = queries.positions(engine)
        except CommandError:
            return found | {"projection": None}
        behind = 0
        for topic in FEEDS:
            behind += lag(reader, topic, {it.partition: it.position for it in positions if it.topic == topic})
        return found | {"projection": behind}


def _ages(shell: Shell) -> dict[str, Any]:
    """How old the news of the stores is: median, 95th percentile, and who has been silent the longest."""
    from bopis.commands.errors import CommandError
    from bopis.readside import queries

    try:
        with shell.engine() as engine:
            stores = queries.all_stores(engine)
    except CommandError:
        return {"stores": None, "heard": None}
    now = datetime.now(UTC)
    ages = sorted((max(0, int((now - it.heard_at).total_seconds() * 1000)), it.store) for it in stores if it.heard_at)
    found: dict[str, Any] = {"stores": len(stores), "heard": len(ages)}
    if ages:
        found |= {name: ages[min(len(ages) - 1, int(share * len(ages)))][0] for share, name in QUANTILES}
        found |= {"worst_ms": ages[-1][0], "worst_store": ages[-1][1]}
    return found


def _disk(shell: Shell) -> dict[str, int | None]:
    from bopis.commands.readside_access import sqlite_file

    folder = shell.settings.data_dir
    here = folder if folder.exists() else folder.absolute().parent
    database = sqlite_file(shell.settings)
    return {
        "free_bytes": shutil.disk_usage(here).free if here.exists() else None,
        "log_bytes": _bytes_of(folder / "log.sqlite3"),
        "database_bytes": None if database is None else _bytes_of(database),
    }


def _bytes_of(database: Path) -> int | None:
    """Size of an SQLite database with what is not yet folded into its file."""
    parts = [database.with_name(database.name + ending) for ending in ("", "-wal")]
    return sum(it.stat().st_size for it in parts if it.exists()) if database.exists() else None


def _view(found: dict[str, Any]) -> "RenderableType":
    from rich.console import Group

    from bopis.commands.tables import duration, plain, size, table

    kind = "embedded log" if found["log"]["embedded"] else "Apache Kafka"
    lines: list[Any] = [plain(f"{kind} at {found['log']['address']}, {found['at']:%Y-%m-%d %H:%M:%SZ}")]
    grid = table("processor", "state", "pid", "restarts", "members", "lag")
    for it in found["processors"]:
        cells = [it["state"], *(it[name] for name in ("pid", "restarts", "members", "lag"))]
        grid.add_row(it["name"], *("-" if cell is None else str(cell) for cell in cells))
    lines.append(grid)
    if found["workers"]:
        lines.append(status_workers.grid(found["workers"]))
    lines += [plain(f"trouble       {it}") for it in status_workers.troubles(found)]
    ages = found["data_age"]
    if not ages["stores"]:
        lines.append(plain("stores        none yet; import some with `bopis stores import FILE`"))
    elif not ages["heard"]:
        lines.append(plain(f"stores        {ages['stores']}, no till has spoken yet"))
    else:
        lines.append(
            plain(
                f"news          {ages['heard']} of {ages['stores']} stores: p50 {duration(ages['p50_ms'])}, "
                f"p95 {duration(ages['p95_ms'])}, worst {duration(ages['worst_ms'])} ({ages['worst_store']})"
            )
        )
    letters = found["dead_letters_open"]
    lines.append(plain(f"dead letters  {letters} open" + ("; `bopis dead-letters list`" if letters else "")))
    disk = found["disk"]
    told = [f"{size(disk[name])} {words}" for name, words in _DISK_WORDS if disk[name] is not None]
    lines.append(plain(f"disk          {', '.join(told)}"))
    return Group(*lines)


_DISK_WORDS = (("free_bytes", "free"), ("log_bytes", "log"), ("database_bytes", "read side"))


def register(root: typer.Typer) -> None:
    root.command()(status)
