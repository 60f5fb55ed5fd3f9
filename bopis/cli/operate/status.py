"""`bopis status`: processors, workers, lag, age of till data, dead letters, disk."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.live import Live

from bopis.adapters.supervision import ChildStatus, supervisor_of
from bopis.adapters.web_process import WebHealth, web_health, web_process
from bopis.broker.files import LOG_FILE
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import CommandError
from bopis.cli.app.interrupts import interruptible
from bopis.cli.app.readside import sqlite_file
from bopis.cli.app.render import counted, duration, plain, print_line, size, table
from bopis.cli.operate import status_workers
from bopis.cli.operate.dead_letters import open_letters
from bopis.cli.operate.verify import MISPLACED_ADVICE
from bopis.cli.stock.level_text import till_age
from bopis.cli.stock.unknown import unknown_counts, unknown_text
from bopis.errors import FAILED
from bopis.names import PROCESSORS, READ_SIDE_TOPICS
from bopis.readside import queries
from bopis.readside.queries.ledger import store_agents
from bopis.services.dead_letters import misplaced_by_source
from bopis.services.progress import exact_lags, lag

WATCH_SECONDS = 2.0
# The name of the embedded log among the processes of `bopis up`.
LOG_PROCESS = "broker"
WEB_PROCESS = "web"
DISK_LABELS = (("free_bytes", "free"), ("log_bytes", "log"), ("database_bytes", "read side"))
QUANTILES = ((0.5, "p50_ms"), (0.95, "p95_ms"))


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Repeat until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option(min=0.2, metavar="SECONDS", help="With --watch: the interval.")
    ] = WATCH_SECONDS,
    partitions: Annotated[
        bool, typer.Option("--partitions", help="Show the owner, epoch and lag of every partition.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="For monitors: print the first line only; exit code 1 if it is not well.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show whether all is well, the processors, lag, the age of till data, and problems of the last hour.

    With --watch and --json, one JSON document per line.

    Examples:
        bopis status
        bopis status --check
    """
    ctx = open_context(context, as_json)
    if check:
        _check(ctx)
        return
    if not watch:
        document = gathered(ctx)
        ctx.print_result(document, lambda out: out.print(_view(document, partitions)))
        return
    with interruptible():
        _watch(ctx, every, partitions, lines=as_json or not ctx.out.is_terminal)


def _check(ctx: CommandContext) -> None:
    document = gathered(ctx)
    ctx.print_result(document, lambda out: print_line(out, judgement(document)))
    if document["to_look_at"]:
        raise typer.Exit(FAILED)


def _watch(ctx: CommandContext, every: float, partitions: bool, *, lines: bool) -> None:
    """Print the status until interrupted: one after the other, or redrawn on the same screen."""
    while lines:
        document = gathered(ctx)
        ctx.print_result(document, lambda out: out.print(_view(document, partitions)))  # noqa: B023  (called at once)
        ctx.out.file.flush()
        time.sleep(every)
    with Live(_view(gathered(ctx), partitions), console=ctx.out, auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every)
            live.update(_view(gathered(ctx), partitions), refresh=True)


def gathered(ctx: CommandContext) -> dict[str, Any]:
    """The whole status as one document. Raises when the log cannot be reached."""
    settings = ctx.settings
    supervisor = supervisor_of(settings.data_dir)
    children = {child.name: child for child in supervisor.children} if supervisor else {}
    workers = status_workers.gathered(ctx)
    lags = status_workers.lags(workers) | _lags(ctx)
    with ctx.admin() as admin:
        groups = admin.groups(list(PROCESSORS))
    processors = []
    for name in PROCESSORS:
        child = children.get(name)
        processors.append(
            {
                "name": name,
                "state": child.state if child else ("running" if groups[name].members else status_workers.NOT_RUNNING),
                "pid": child.pid if child else None,
                "restarts": child.restarts if child else None,
                "cause": child.cause if child else "",
                "last_error": child.last_error if child else "",
                "since_ms": child.since_ms if child else None,
                "members": groups[name].members,
                "lag": lags.get(name),
            }
        )
    document = {
        "at": datetime.now(UTC),
        "log": {"address": ctx.bootstrap, "embedded": settings.embedded} | _process("log", children.get(LOG_PROCESS)),
        "web": _web(ctx, children.get(WEB_PROCESS)),
        "supervisor_pid": supervisor.pid if supervisor else None,
        "processors": processors,
        "workers": workers,
        "data_age": _ages(ctx),
        **_dead_letters(ctx),
        "unknown": unknown_counts(ctx),
        "agents": _agents(ctx),
        "disk": _disk(ctx),
    }
    return document | {"to_look_at": to_look_at(document)}


def _dead_letters(ctx: CommandContext) -> dict[str, Any]:
    letters = open_letters(ctx)
    return {"dead_letters_open": len(letters), "misplaced_by_source": misplaced_by_source(letters)}


def _process(name: str, child: ChildStatus | None) -> dict[str, Any]:
    """A process that is no processor, as its supervisor knows it; all None without one."""
    names = ("state", "restarts", "cause", "last_error", "since_ms")
    return {"name": name} | {it: getattr(child, it) if child else None for it in names}


def _web(ctx: CommandContext, child: ChildStatus | None) -> dict[str, Any]:
    """The web process of this data directory, and its own answer about its health."""
    found = web_process(ctx.settings.data_dir)
    health = web_health(found) if found is not None else WebHealth(alive=False)
    own = {"url": found and found.url, "pid": found and found.pid, **msgspec.to_builtins(health)}
    state = {} if child or found else {"state": status_workers.NOT_RUNNING}
    return {**_process(WEB_PROCESS, child), **own, **state}


def to_look_at(document: dict[str, Any]) -> list[str]:
    """What an operator should look at, one sentence each; what has passed for an hour is forgotten."""
    found = status_workers.problems(document) + _web_problems(document)
    found += [
        f"{source}: {counted(number, 'message')} in a wrong partition, parked; {MISPLACED_ADVICE}"
        for source, number in document["misplaced_by_source"].items()
    ]
    found += [
        f"store {it['store']}: {counted(it['drift'], 'difference')} between its journal and the books: "
        f"`bopis stock drift {it['store']}`"
        for it in document["agents"] or ()
        if it["drift"]
    ]
    other = document["dead_letters_open"] - sum(document["misplaced_by_source"].values())
    if other:
        found.append(f"{counted(other, 'open dead letter')}: `bopis dead-letters list`")
    return found


def _web_problems(document: dict[str, Any]) -> list[str]:
    """The web process that runs and is not ready; that none runs is a choice, unless a supervisor should keep one."""
    web = document["web"]
    if web["pid"] is None or web["state"] in status_workers.UNWELL or web["ready"]:
        return []
    return [f"web at {web['url']} is not ready: {web['detail']}"]


def judgement(document: dict[str, Any]) -> str:
    """The first line: whether all is well."""
    if found := len(document["to_look_at"]):
        return counted(found, "thing") + " to look at"
    lag = sum(it["lag"] or 0 for it in document["processors"])
    return f"All well: {counted(len(document['processors']), 'processor')}, lag {lag}, 0 dead letters"


def _lags(ctx: CommandContext) -> dict[str, int | None]:
    """Records that each processor has not processed yet; None where the read side does not answer."""
    with ctx.reader() as reader:
        found: dict[str, int | None] = dict(exact_lags(reader))
        try:
            with ctx.engine() as engine:
                positions = queries.positions(engine)
        except CommandError:
            return found | {"projection": None}
        behind = 0
        for topic in READ_SIDE_TOPICS:
            behind += lag(reader, topic, {row.partition: row.position for row in positions if row.topic == topic})
        return found | {"projection": behind}


def _ages(ctx: CommandContext) -> dict[str, Any]:
    """The age of the stores' last till messages: median, 95th percentile, and the oldest."""
    try:
        with ctx.engine() as engine:
            stores = queries.all_stores(engine)
    except CommandError:
        return {"stores": None, "heard": None}
    now = datetime.now(UTC)
    ages = sorted((_age_ms(now, store.heard_at), store.store) for store in stores if store.heard_at)
    found: dict[str, Any] = {"stores": len(stores), "heard": len(ages)}
    if ages:
        found |= {name: ages[min(len(ages) - 1, int(share * len(ages)))][0] for share, name in QUANTILES}
        found |= {"worst_ms": ages[-1][0], "worst_store": ages[-1][1]}
    return found


def _agents(ctx: CommandContext) -> list[dict[str, Any]] | None:
    """The store agents by their newest heartbeats; None where the read side does not answer."""
    try:
        with ctx.engine() as engine:
            found = store_agents(engine)
    except CommandError:
        return None
    names = ("store", "version", "clock_ahead_ms", "depth", "rejects", "changed", "drift", "reported_at")
    return [{name: getattr(it, name) for name in names} for it in found]


def _age_ms(now: datetime, at: datetime) -> int:
    return max(0, int((now - at).total_seconds() * 1000))


def _disk(ctx: CommandContext) -> dict[str, int | None]:
    folder = ctx.settings.data_dir
    here = folder if folder.exists() else folder.absolute().parent
    database = sqlite_file(ctx.settings)
    return {
        "free_bytes": shutil.disk_usage(here).free if here.exists() else None,
        "log_bytes": _bytes_of(folder / LOG_FILE),
        "database_bytes": None if database is None else _bytes_of(database),
    }


def _bytes_of(database: Path) -> int | None:
    """Size of an SQLite database with its write-ahead log."""
    parts = [database.with_name(database.name + ending) for ending in ("", "-wal")]
    return sum(part.stat().st_size for part in parts if part.exists()) if database.exists() else None


def _view(document: dict[str, Any], partitions: bool = False) -> RenderableType:
    kind = "embedded log" if document["log"]["embedded"] else "Apache Kafka"
    lines: list[Any] = [plain(judgement(document))]
    lines += [plain(f"- {problem}") for problem in document["to_look_at"]]
    lines += [plain(f"{kind} at {document['log']['address']}, {document['at']:%Y-%m-%d %H:%M:%SZ}")]
    grid = table("processor", "state", "pid", "restarts", "members", "lag")
    for row in document["processors"]:
        cells = [row["state"], *(row[name] for name in ("pid", "restarts", "members", "lag"))]
        grid.add_row(row["name"], *("-" if cell is None else str(cell) for cell in cells))
    lines.append(grid)
    if partitions and document["workers"]:
        lines.append(status_workers.grid(document["workers"]))
    elif len(document["workers"]) > len(document["processors"]):
        lines.append(status_workers.short_grid(document["workers"]))
    lines.append(plain(f"web           {_web_text(document['web'])}"))
    lines.append(plain(f"till data     {_till_data_text(document['data_age'])}"))
    lines.append(plain(f"dead letters  {document['dead_letters_open']} open"))
    if document["agents"]:
        lines.append(plain(f"agents        {_agents_text(document)}"))
    if unknown := unknown_text(document["unknown"]):
        lines.append(plain(f"unknown       {unknown}"))
    disk = document["disk"]
    sizes = [f"{size(disk[name])} {label}" for name, label in DISK_LABELS if disk[name] is not None]
    lines.append(plain(f"disk          {', '.join(sizes)}"))
    return Group(*lines)


def _web_text(web: dict[str, Any]) -> str:
    if web["pid"] is None:
        return "does not run here; `bopis up` or `bopis web serve` starts it"
    if web["ready"]:
        return f"{web['url']}, ready, its data are {duration(web['age_ms'])} old"
    return f"{web['url']}, {'alive' if web['alive'] else 'not alive'}, not ready: {web['detail']}"


def _agents_text(document: dict[str, Any]) -> str:
    agents = document["agents"]
    oldest = max(_age_ms(document["at"], it["reported_at"]) for it in agents)
    waiting = {"drift": "with drift", "rejects": "with rejects", "changed": "with changed baskets"}
    counts = {text: sum(bool(it[name]) for it in agents) for name, text in waiting.items()}
    parts = [f"{count} {text}" for text, count in counts.items() if count]
    return ", ".join([counted(len(agents), "store"), *parts, f"oldest report {duration(oldest)} ago"])


def _till_data_text(ages: dict[str, Any]) -> str:
    if not ages["stores"]:
        return "no stores yet; import some with `bopis stores import FILE`"
    if not ages["heard"]:
        return f"{counted(ages['stores'], 'store')}, {till_age(None)}"
    figures = ", ".join(f"{label} {duration(ages[name])}" for label, name in (("p50", "p50_ms"), ("p95", "p95_ms")))
    oldest = f"oldest {duration(ages['worst_ms'])} ({ages['worst_store']})"
    return f"last message of {ages['heard']} of {ages['stores']} stores: {figures}, {oldest} ago"
