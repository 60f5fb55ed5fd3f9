"""`bopis verify`: the books, the conclusions and the read side against every message in the log."""

import time
from typing import TYPE_CHECKING, Any

import typer

from bopis.commands.errors import ReadSideMissing
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

TRIES_MAX = 3
TOLD_MAX = 50
Snapshot = tuple[dict[int, int], list[tuple[tuple[str, str], int]], Any]


def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Check the books against the log: every message again, through an independent model.

    Compares on hand, holds and their ends with the inventory's rows and with the read side, each at the same position
    of the log, so it may run while tills sell. Exit code 1 when anything differs.
    """
    shell = open_shell(context, as_json)
    began = time.monotonic()
    for _ in range(TRIES_MAX):
        verdict, violations, readside = _judged(shell)
        differences = [] if readside is None else list(readside.differences)
        clean = not violations and not differences
        if clean or not _moved_on(shell, verdict.reached):
            break
        # A reader may stand within a commit while tills sell; what is truly wrong is still wrong the next time.
        shell.say("The log moved on meanwhile, looking again ...")
    document = {
        "clean": clean,
        "messages": verdict.messages,
        "events": verdict.events,
        "cells": verdict.cells,
        "rows": verdict.rows,
        "undecodable": verdict.unread,
        "readside": None if readside is None else {"partitions": readside.partitions, "differences": differences},
        "violations": violations,
        "seconds": round(time.monotonic() - began, 1),
    }
    shell.answer(document, lambda out: _render(shell, out, document))
    if not clean:
        raise typer.Exit(1)


def _judged(shell: Shell) -> tuple[Any, list[Any], Any]:
    """The verdict, everything that breaks an invariant, and what the read side thinks of itself."""
    from bopis.commands.progress import bar
    from bopis.services.verification import differing_cells, judge, read_rows, spans_of

    snapshot = _snapshot(shell)
    with shell.reader() as reader:
        spans = spans_of(reader, None if snapshot is None else snapshot[0])
        with bar(shell, "verifying", spans.records) as advance:
            rows = read_rows(reader, spans, advance)
            verdict = judge(reader, spans, rows, advance)
    violations = list(verdict.violations)
    if snapshot is None:
        return verdict, violations, None
    return verdict, violations + differing_cells(rows, snapshot[1]), snapshot[2]


def _moved_on(shell: Shell, reached: dict[int, int]) -> bool:
    from bopis.services.progress import decided_positions

    with shell.reader() as reader:
        return decided_positions(reader) != reached


def _snapshot(shell: Shell) -> Snapshot | None:
    """How far the read side has read the changelog, what it shows there, and what it thinks of itself.

    None when there is no read side: the books are then checked without it.
    """
    try:
        with shell.engine() as engine:
            for _ in range(TRIES_MAX):
                before = _read_until(engine)
                shown = _shown(engine)
                if _read_until(engine) == before:
                    break
            return before, shown, _compared(engine)
    except ReadSideMissing as error:
        shell.say(f"Without the read side: {error}")
        return None


def _read_until(engine: "Engine") -> dict[int, int]:
    from bopis.readside import queries

    return {it.partition: it.position + 1 for it in queries.positions(engine) if it.topic == "inventory-levels"}


def _shown(engine: "Engine") -> list[tuple[tuple[str, str], int]]:
    from sqlalchemy import select

    from bopis.readside.engine import reading
    from bopis.readside.schema import levels

    query = select(levels.c.store, levels.c.sku, levels.c.on_hand)
    with reading(engine) as connection:
        return [((store, sku), on_hand) for store, sku, on_hand in connection.execute(query)]


def _compared(engine: "Engine") -> Any:
    from bopis.readside import queries

    return queries.verify(engine)


def _render(shell: Shell, out: "Console", document: dict[str, Any]) -> None:
    told = f"{document['messages']} messages, {document['events']} conclusions, {document['cells']} cells"
    findings = [f"invariant {it.invariant}: {it.where}: {it.said}" for it in document["violations"]]
    readside = document["readside"]
    if readside is not None:
        findings += [
            f"read side: {it.where}: {it.figure} is {it.found}, must be {it.expected}" for it in readside["differences"]
        ]
    for it in findings[:TOLD_MAX]:
        out.print(it, markup=False, soft_wrap=True)
    if len(findings) > TOLD_MAX:
        shell.say(f"... and {len(findings) - TOLD_MAX} more; --json lists all.")
    if document["clean"]:
        out.print(f"Clean: {told} agree ({document['seconds']} s)", soft_wrap=True)
    else:
        out.print(f"NOT clean: {len(findings)} differences in {told} ({document['seconds']} s)", soft_wrap=True)
        shell.say("Keep the data directory as it is, then rebuild the read side (`bopis readside rebuild`) and repeat.")


def register(root: typer.Typer) -> None:
    root.command()(verify)
