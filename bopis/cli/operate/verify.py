"""`bopis verify`: compare stock, conclusions and the read side with every message in the log."""

import time
from typing import Any, NamedTuple

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import ReadSideMissing
from bopis.cli.app.progress import bar
from bopis.cli.app.render import counted, print_line
from bopis.names import LEVELS_TOPIC
from bopis.readside import queries
from bopis.readside.queries.consistency import Verified
from bopis.services.progress import decided_positions
from bopis.verification.audit import Violation
from bopis.verification.verify import Verdict, differing_cells, judge, read_rows, spans_of

TRIES_MAX = 3
FINDINGS_SHOWN_MAX = 50
MISPLACED_ADVICE = (
    "its record key must be the store, and its partitioner murmur2 (librdkafka: partitioner=murmur2_random)"
)

NOUNS = (("messages", "message"), ("events", "conclusion"), ("cells", "cell"))


class ReadSide(NamedTuple):
    """How far the read side has read the inventory's changelog, its on hand by (store, SKU), and its own comparison."""

    read: dict[int, int]
    on_hand: list[tuple[tuple[str, str], int]]
    verified: Verified


class Check(NamedTuple):
    """The audit's verdict, all violated invariants, and the read side's own comparison (None without a read side)."""

    verdict: Verdict
    violations: list[Violation]
    readside: Verified | None

    @property
    def findings(self) -> list[str]:
        """One sentence for each difference; none when everything agrees."""
        found = [f"invariant {it.invariant}: {it.where}: {it.finding}" for it in self.violations]
        found += [
            f"the books of store {store} are split: {counted(rows, 'row')} in a partition that it does not belong in"
            for store, rows in self.verdict.split.items()
        ]
        if self.readside is not None:
            found += [
                f"read side: {it.where}: {it.figure} is {it.found}, should be {it.expected}"
                for it in self.readside.differences
            ]
        return found


def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Verify stock against the log: process every message again with an independent model.

    On hand, holds and their ends are compared with the inventory's rows and with the read side, each at the same
    position of the log, so tills may sell meanwhile. Exit code 1 when anything differs.

    Examples:
        bopis verify
        bopis verify --json
    """
    ctx = open_context(context, as_json)
    began = time.monotonic()
    check = checked(ctx)
    verdict, violations, readside = check
    document = {
        "clean": not check.findings,
        "messages": verdict.messages,
        "events": verdict.events,
        "cells": verdict.cells,
        "rows": verdict.rows,
        "undecodable": verdict.unread,
        "misplaced": sum(verdict.misplaced.values()),
        "misplaced_by_source": verdict.misplaced,
        "other_keys_by_source": verdict.other_keys,
        "split": verdict.split,
        "skipped": verdict.skipped,
        "readside": readside and {"partitions": readside.partitions, "differences": list(readside.differences)},
        "violations": violations,
        "seconds": round(time.monotonic() - began, 1),
    }
    ctx.print_result(document, lambda out: _render(ctx, out, document, check.findings))
    if check.findings:
        raise typer.Exit(1)


def checked(ctx: CommandContext) -> Check:
    """Check the log and the read side, again while the log moves on under the check."""
    for _ in range(TRIES_MAX):
        check = _judged(ctx)
        if not check.findings or not _moved_on(ctx, check.verdict.reached):
            break
        # A reader may be within a commit while tills sell; a real difference is still there the next time.
        ctx.note("New messages arrived meanwhile, verifying again ...")
    return check


def _judged(ctx: CommandContext) -> Check:
    read_side = _read_side(ctx)
    with ctx.reader() as reader:
        spans = spans_of(reader, None if read_side is None else read_side.read)
        with bar(ctx, "verifying", spans.records) as advance:
            rows = read_rows(reader, spans, advance)
            verdict = judge(reader, spans, rows, advance)
    violations = list(verdict.violations)
    if read_side is None:
        return Check(verdict, violations, None)
    return Check(verdict, violations + differing_cells(rows, read_side.on_hand), read_side.verified)


def _moved_on(ctx: CommandContext, reached: dict[int, int]) -> bool:
    with ctx.reader() as reader:
        return decided_positions(reader) != reached


def _read_side(ctx: CommandContext) -> ReadSide | None:
    """The read side at one moment; None when there is none: stock is then verified without it."""
    try:
        with ctx.snapshot() as snapshot:
            read = {it.partition: it.position + 1 for it in queries.positions(snapshot) if it.topic == LEVELS_TOPIC}
            return ReadSide(read, list(queries.on_hand(snapshot).items()), queries.verify(snapshot))
    except ReadSideMissing as error:
        ctx.note(f"Read side not verified: {error}")
        return None


def _render(ctx: CommandContext, out: Console, document: dict[str, Any], findings: list[str]) -> None:
    scope = ", ".join(counted(document[name], noun) for name, noun in NOUNS)
    _note_records(ctx, document)
    for finding in findings[:FINDINGS_SHOWN_MAX]:
        print_line(out, finding)
    if len(findings) > FINDINGS_SHOWN_MAX:
        ctx.note(f"... and {len(findings) - FINDINGS_SHOWN_MAX} more; --json lists all.")
    if document["clean"]:
        print_line(out, f"Clean: {scope} agree ({document['seconds']} s)")
    else:
        print_line(out, f"NOT clean: {counted(len(findings), 'difference')} in {scope} ({document['seconds']} s)")
        for store in document["split"]:
            ctx.note(f"Mend the books of store {store} first: bopis stock mend-split {store}")
        ctx.note("Keep the data directory as it is, then rebuild the read side (`bopis readside rebuild`) and repeat.")


def _note_records(ctx: CommandContext, document: dict[str, Any]) -> None:
    """Name the records that were left out, and the sources that place them wrongly."""
    for source, number in document["misplaced_by_source"].items():
        ctx.note(
            f"{counted(number, 'message')} of {source} in a wrong partition, parked: {MISPLACED_ADVICE}; then retry "
            "them (`bopis dead-letters list`)."
        )
    for source, number in document["other_keys_by_source"].items():
        ctx.note(f"{counted(number, 'message')} of {source} under another key than their store; set the key.")
    for name in document["skipped"][:FINDINGS_SHOWN_MAX]:
        ctx.note(f"Skipped, not one of our records: {name}")
