"""The part of `status` that tells of workers: who owns what, how far, how warm the copies are, and what is wrong."""

import time
from typing import TYPE_CHECKING, Any

from bopis.commands.shell import Shell

if TYPE_CHECKING:
    from rich.table import Table

RUNNING, SILENT = "running", "silent"
OWNER = "owner"
# A worker that nobody started again for so long is no trouble any more.
FORGOTTEN_AFTER_MS = 86_400_000


def gathered(shell: Shell) -> list[dict[str, Any]]:
    """Every worker as it last told about itself, by processor and name."""
    from bopis.services.workers import heard

    now_ms = int(time.time() * 1000)
    with shell.reader() as reader:
        told = (_told(it, now_ms) for it in heard(reader))
        return [it for it in told if it["heard_ms_ago"] < FORGOTTEN_AFTER_MS]


def lags(workers: list[dict[str, Any]]) -> dict[str, int | None]:
    """Records that each processor's workers say they have not taken yet; partitions that nobody speaks of count 0."""
    found: dict[str, int | None] = {}
    for worker in workers:
        if worker["state"] == RUNNING:
            owned = [it["lag"] or 0 for it in worker["partitions"] if it["role"] == OWNER]
            found[worker["processor"]] = (found.get(worker["processor"]) or 0) + sum(owned)
    return found


def _told(heard: Any, now_ms: int) -> dict[str, Any]:
    import msgspec

    report: dict[str, Any] = msgspec.to_builtins(heard.report)
    for partition in report["partitions"]:
        partition["topic"] = partition["topic"].rsplit(".", 1)[-1]
    state = SILENT if heard.silent(now_ms) else report["state"]
    return report | {"state": state, "heard_ms_ago": max(0, now_ms - heard.heard_at_ms)}


def grid(workers: list[dict[str, Any]]) -> "Table":
    """One line for each partition of each worker; a worker without any has a line of its own."""
    from bopis.commands.tables import duration, table

    grid = table("worker", "host", "pid", "state", "partition", "role", "epoch", "lag", "age")
    for it in workers:
        name, heard = f"{it['processor']}/{it['instance']}", it["heard_ms_ago"]
        state = it["state"] if it["state"] == "running" else f"{it['state']}, heard {duration(heard)} ago"
        head = (name, it["host"], str(it["pid"]), state)
        for partition in it["partitions"] or [None]:
            grid.add_row(*head, *_cells(partition))
            head = ("", "", "", "")
    return grid


def _cells(partition: dict[str, Any] | None) -> tuple[str, ...]:
    from bopis.commands.tables import duration

    if partition is None:
        return ("-",) * 5
    role = partition["role"] if partition["state"] == "ready" else f"{partition['role']}, {partition['state']}"
    age = duration(partition["age_ms"])
    numbers = ("-" if partition[name] is None else str(partition[name]) for name in ("epoch", "lag"))
    return (f"{partition['topic']}/{partition['partition']}", role, *numbers, age)


def troubles(found: dict[str, Any]) -> list[str]:
    """What needs a person, one line each: what workers say, who is silent, and why processes ended."""
    lines = []
    for it in found["workers"]:
        name = f"{it['processor']}/{it['instance']}"
        if it["state"] == SILENT:
            lines.append(f"{name}: not heard from for {it['heard_ms_ago'] // 1000} s; is process {it['pid']} alive?")
        lines += [f"{name}: {trouble['name']}: {trouble['words']}" for trouble in it["trouble"]]
    for it in found["processors"]:
        if it["restarts"] or it["state"] in ("gave up", "failing"):
            told = ": ".join(part for part in (it["cause"], it["last_error"]) if part)
            if told:
                lines.append(f"{it['name']} ended: {told}")
    return lines
