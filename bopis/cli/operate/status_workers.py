"""The workers in `bopis status`: their partitions, lag, standby tables, and problems."""

import time
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from rich.table import Table

from bopis.cli.app.context import CommandContext
from bopis.cli.app.render import duration, table
from bopis.services.worker_reports import newest_reports

RUNNING, SILENT = "running", "silent"
NOT_RUNNING = "not running"
OWNER = "owner"
# A worker that was not restarted for a day was stopped on purpose.
FORGOTTEN_AFTER_MS = 86_400_000
# A process that was started again and runs since then is no problem any more.
PASSED_AFTER_MS = 3_600_000
UNWELL = ("gave up", "failing", "backing off")


def gathered(ctx: CommandContext) -> list[dict[str, Any]]:
    """The last report of every worker, by processor and name."""
    now_ms = int(time.time() * 1000)
    with ctx.reader() as reader:
        rows = (_row(report, now_ms) for report in newest_reports(reader))
        return [row for row in rows if row["heard_ms_ago"] < FORGOTTEN_AFTER_MS]


def lags(workers: list[dict[str, Any]]) -> dict[str, int | None]:
    """Records not processed yet, by processor, as its workers report them; partitions without a report count 0."""
    found: dict[str, int | None] = {}
    for worker in workers:
        if worker["state"] == RUNNING:
            owned = [partition["lag"] or 0 for partition in worker["partitions"] if partition["role"] == OWNER]
            found[worker["processor"]] = (found.get(worker["processor"]) or 0) + sum(owned)
    return found


def _row(received: Any, now_ms: int) -> dict[str, Any]:
    report: dict[str, Any] = msgspec.to_builtins(received.report)
    for partition in report["partitions"]:
        partition["topic"] = partition["topic"].rsplit(".", 1)[-1]
    state = SILENT if received.silent(now_ms) else report["state"]
    return report | {"state": state, "heard_ms_ago": max(0, now_ms - received.received_at_ms)}


def grid(workers: list[dict[str, Any]]) -> Table:
    """A row for each range of partitions of a worker that are alike; a worker without partitions has one row."""
    rows = table("worker", "host", "pid", "state", "partition", "role", "epoch", "lag", "age")
    for worker in workers:
        name, state = worker["instance"], worker["state"]
        if not name.startswith(worker["processor"]):
            name = f"{worker['processor']}/{name}"
        if state != RUNNING:
            state = f"{state}, last report {duration(worker['heard_ms_ago'])} ago"
        head = (name, worker["host"], str(worker["pid"]), state)
        for cells in _ranges(worker["partitions"]) or [("-",) * 5]:
            rows.add_row(*head, *cells)
            head = ("", "", "", "")
    return rows


def _ranges(partitions: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of partitions in a row with the same role, state and epoch: their lag in all, the greatest age."""
    found: list[tuple[str, ...]] = []
    for (topic, role, state, epoch), group in groupby(partitions, itemgetter("topic", "role", "state", "epoch")):
        alike = list(group)
        first, last = alike[0]["partition"], alike[-1]["partition"]
        lags = [it["lag"] for it in alike if it["lag"] is not None]
        ages = [it["age_ms"] for it in alike if it["age_ms"] is not None]
        found.append(
            (
                f"{topic}/{first}" if first == last else f"{topic}/{first}-{last}",
                role if state == "ready" else f"{role}, {state}",
                "-" if epoch is None else str(epoch),
                str(sum(lags)) if lags else "-",
                duration(max(ages, default=None)),
            )
        )
    return found


def problems(document: dict[str, Any]) -> list[str]:
    """Problems that need a person, one line each: reported by workers, workers without a report, ended processes."""
    lines = []
    for worker in document["workers"]:
        name = f"{worker['processor']}/{worker['instance']}"
        if worker["state"] == SILENT:
            seconds = worker["heard_ms_ago"] // 1000
            lines.append(f"{name}: no report for {seconds} s; is process {worker['pid']} alive?")
        lines += [f"{name}: {trouble['name']}: {trouble['words']}" for trouble in worker["trouble"]]
    now_ms = int(document["at"].timestamp() * 1000)
    for process in (*document["processors"], document["log"]):
        lines += _fall(process, now_ms)
    if document["web"]["state"] != NOT_RUNNING:
        lines += _fall(document["web"], now_ms)
    return lines


def _fall(process: dict[str, Any], now_ms: int) -> list[str]:
    """The end of a process that needs a person, or happened in the last hour."""
    name, state = process["name"], process["state"]
    cause = ": ".join(part for part in (process["cause"], process["last_error"]) if part)
    if state == NOT_RUNNING:
        return [f"{name} does not run"]
    if state in UNWELL:
        return [f"{name} {state}: {cause}" if cause else f"{name}: {state}"]
    since_ms = process.get("since_ms")
    if process["restarts"] and since_ms is not None and now_ms - since_ms < PASSED_AFTER_MS:
        ago = duration(max(0, now_ms - since_ms))
        return [f"{name} was started again {ago} ago" + (f": {cause}" if cause else "")]
    return []


def short_grid(workers: list[dict[str, Any]]) -> Table:
    """One row for each worker, within 80 columns."""
    rows = table("worker", "state", "owned", "warm", "lag")
    for worker in workers:
        owned = [it for it in worker["partitions"] if it["role"] == OWNER]
        warm = len(worker["partitions"]) - len(owned)
        lag = sum(it["lag"] or 0 for it in owned)
        rows.add_row(worker["instance"], worker["state"], str(len(owned)), str(warm), str(lag))
    return rows
