"""`bopis stock drift`: where the books of the centre and the journal of a shop differ, and how it is closed."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

from bopis.cli.agent.directory import agent_directory, journal_limits
from bopis.cli.app.completion import StoreId
from bopis.cli.app.context import AsJson, CommandContext, Yes, open_context
from bopis.cli.app.errors import NotFound, ReadSideMissing, Usage
from bopis.cli.app.render import counted, duration, instant, iso, print_line, signed, table
from bopis.cli.stock.send import SendOptions, send
from bopis.domain.inventory.ledger import (
    DriftKind,
    LedgerComparison,
    LedgerDifference,
    units_by_sku,
)
from bopis.domain.inventory.messages import AdjustmentReason, StockAdjusted
from bopis.errors import FAILED
from bopis.journal.database import JOURNAL_FILE
from bopis.journal.journal import Journal, system_ms
from bopis.journal.ledger import compare
from bopis.journal.status import status_of
from bopis.readside.queries.ledger import BooksLedger, open_differences, store_agents

KINDS = {
    DriftKind.MISSING_AT_CENTRE: "in the shop's journal, not in the books",
    DriftKind.MISSING_IN_SHOP: "in the books, not in the shop's journal",
    DriftKind.DIFFERENT: "not alike",
}
NO_COMPARISON = (
    "a comparison of store {store}: its agent has not compared its journal with the books yet. It does so over HTTPS "
    "(agent_url) every agent_ledger_minutes"
)


class Drift(NamedTuple):
    """A comparison, the named differences of it that are open, and whether it was made just now."""

    comparison: LedgerComparison
    open: tuple[LedgerDifference, ...]
    is_fresh: bool

    @property
    def found(self) -> int:
        """How many located differences are open, also those without a name here."""
        return self.comparison.still_open(self.open)

    @property
    def is_clean(self) -> bool:
        return not self.found and not self.comparison.more


class Closed(NamedTuple):
    """Names of the messages whose differences were closed, and how many messages will be sent again."""

    adjusted: tuple[str, ...] = ()
    sent_again: int = 0
    left: tuple[LedgerDifference, ...] = ()


def drift(
    context: typer.Context,
    store: StoreId,
    close: Annotated[bool, typer.Option("--close", help="Close the differences; give --reason.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="With --close: why, for the history.")] = "",
    adjust: Annotated[
        bool,
        typer.Option(
            "--adjust",
            help="With --close: book what the books lack by adjustments, and send nothing again.",
        ),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show where the journal of a shop and the books of the centre differ: messages and units, and since when.

    The shop's agent compares them at intervals. On a machine with the journal and the read side they are compared now.
    --close sends messages that the books lack again, if the journal is on this machine, and books other differences as
    adjustments with the reason drift, each with the message that it is about. Where the inventory parks a message each
    time, --adjust books its units instead. The exit code is 1 while there are differences.

    Examples:
        bopis stock drift 319
        bopis stock drift 319 --close --reason "disk of the agent replaced"
    """
    ctx = open_context(context, as_json)
    if close and not reason.strip():
        raise Usage(problem="Give the reason with --reason: it stays in the history.")
    if (reason or adjust) and not close:
        raise Usage(problem="--reason and --adjust go with --close.")
    found = _found(ctx, store)
    closed = Closed(left=found.open)
    if close and found.open:
        ctx.confirm(f"close {counted(len(found.open), 'difference')} of store {store}", "not closed", yes)
        closed = _close(ctx, store, found.open, reason, adjust)
    ctx.print_result(_document(store, found, closed), lambda out: _print(ctx, out, store, found, closed))
    if closed.left or (not close and not found.is_clean):
        raise typer.Exit(FAILED)


def _found(ctx: CommandContext, store: str) -> Drift:
    """The newest comparison that can be had here. Raises `NotFound`."""
    directory = agent_directory(ctx.settings)
    if _has_journal_of(ctx, directory, store):
        with Journal(directory, store, journal_limits(ctx.settings), create=False) as journal:
            kept = status_of(journal).comparison
            try:
                with ctx.snapshot() as snapshot:
                    fresh = compare(journal, BooksLedger(snapshot, store))
                    known = fresh or kept
                    if known is not None:
                        return Drift(known, open_differences(snapshot, store, known), fresh is not None)
            except ReadSideMissing:
                if kept is not None:
                    return Drift(kept, kept.differences, False)
        raise NotFound(what=NO_COMPARISON.format(store=store))
    with ctx.snapshot() as snapshot:
        for agent in store_agents(snapshot, store):
            if agent.comparison is not None:
                return Drift(agent.comparison, agent.open_differences, False)
    raise NotFound(what=NO_COMPARISON.format(store=store))


def _has_journal_of(ctx: CommandContext, directory: Path, store: str) -> bool:
    if not (directory / JOURNAL_FILE).exists():
        return False
    with Journal(directory, "", journal_limits(ctx.settings), create=False) as journal:
        return journal.store == store


def _close(
    ctx: CommandContext, store: str, differences: tuple[LedgerDifference, ...], reason: str, adjust: bool
) -> Closed:
    """Close differences: send again what the books lack, adjust them for the rest."""
    missing = [it for it in differences if it.kind is DriftKind.MISSING_AT_CENTRE and not (adjust and it.lines)]
    adjusted = []
    for it in differences:
        if it not in missing:
            _adjust(ctx, store, it, reason)
            adjusted.append(it.name)
    directory, sent_again = agent_directory(ctx.settings), 0
    if missing and _has_journal_of(ctx, directory, store):
        with Journal(directory, store, journal_limits(ctx.settings), create=False) as journal:
            sent_again = journal.send_again(min(it.position for it in missing))
        missing = []
    return Closed(tuple(adjusted), sent_again, tuple(missing))


def _adjust(ctx: CommandContext, store: str, difference: LedgerDifference, reason: str) -> None:
    """Book the units that the books lack because of a difference, at the time of its message."""
    body = StockAdjusted(reason=AdjustmentReason.DRIFT, lines=difference.lines, note=reason)
    # A count that was made after the message has seen its goods, so the time matters.
    at = iso(difference.at_ms) if 0 < difference.at_ms < system_ms() else None
    send(ctx, store, body, [it.sku for it in difference.lines], SendOptions(at=at, about=difference.name))


def _document(store: str, found: Drift, closed: Closed) -> dict[str, Any]:
    comparison = found.comparison
    return {
        "store": store,
        "compared_at": iso(comparison.at_ms),
        "compared_now": found.is_fresh,
        "messages": comparison.messages,
        "found": found.found,
        "more": comparison.more,
        "clean": found.is_clean,
        "differences": [
            {
                "source": it.source,
                "sequence": it.sequence,
                "kind": it.kind,
                "id": it.id,
                "centre_id": it.centre_id,
                "position": it.position or None,
                "at": iso(it.at_ms),
                "lines": it.lines,
                "close_with": _command(store, it),
            }
            for it in found.open
        ],
        "units": [
            {"sku": sku, "change": units, "since": iso(since_ms)}
            for sku, (units, since_ms) in units_by_sku(found.open).items()
        ],
        "adjusted": closed.adjusted,
        "sent_again": closed.sent_again,
        "left": [it.name for it in closed.left],
    }


def _command(store: str, difference: LedgerDifference) -> str:
    if difference.kind is DriftKind.MISSING_AT_CENTRE:
        return f"bopis agent resend {difference.position}"
    return f"bopis stock drift {store} --close --reason TEXT"


def _print(ctx: CommandContext, out: Console, store: str, found: Drift, closed: Closed) -> None:
    comparison = found.comparison
    when = "now" if found.is_fresh else f"{duration(system_ms() - comparison.at_ms)} ago by its agent"
    compared = f"{counted(comparison.messages, 'message')} of its journal compared {when}"
    if found.is_clean:
        print_line(out, f"Store {store}: no drift; {compared}")
        return
    print_line(out, f"Store {store}: {counted(found.found, 'difference')}; {compared}")
    out.print(_grid(store, found.open))
    for sku, (lacking, since_ms) in units_by_sku(found.open).items():
        if lacking:
            print_line(out, f"  {sku}: the books lack {signed(lacking)} since {instant(since_ms)}")
    if comparison.more or found.found > len(found.open):
        ctx.note("More messages differ than are named here; once these are closed, a comparison names others.")
    if closed.adjusted:
        print_line(out, f"Adjusted: {', '.join(closed.adjusted)}")
    if closed.sent_again:
        print_line(out, f"{counted(closed.sent_again, 'message')} will be sent again.")
    if any(it.kind is DriftKind.MISSING_AT_CENTRE for it in closed.left):
        ctx.note(
            "Run `bopis agent resend POSITION` in the shop; a message that comes again counts once. Where "
            "`bopis dead-letters list` has it, close it with --adjust."
        )


def _grid(store: str, differences: tuple[LedgerDifference, ...]) -> Any:
    grid = table("message", "id", "difference", "happened", "the books lack", "close with")
    for it in differences:
        units = ", ".join(f"{line.sku} {signed(line.change)}" for line in it.lines if line.change) or "no units"
        ids = " / ".join(dict.fromkeys(text for text in (it.id, it.centre_id) if text))
        grid.add_row(it.name, ids, KINDS[it.kind], instant(it.at_ms), units, _command(store, it))
    return grid
