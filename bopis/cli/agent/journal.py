"""The agent's state and its messages: status, journal, resend."""

import time
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bopis.adapters.address import is_alive
from bopis.cli.agent.directory import opened_journal
from bopis.cli.app.context import AsJson, Yes, open_context
from bopis.cli.app.render import counted, instant, iso, print_line, table
from bopis.errors import FAILED
from bopis.journal.entries import Entry
from bopis.journal.review import entries
from bopis.journal.status import AgentStatus, status_of

KIBIBYTE = 1024


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show whether the agent runs and reaches the centre, what waits, and what needs a person.

    The exit code is 1 when something needs attention.

    Examples:
        bopis agent status
        bopis agent status --json
    """
    ctx = open_context(context, as_json)
    with opened_journal(ctx) as journal:
        found = status_of(journal)
    runs = bool(found.process.pid) and is_alive(found.process.pid)
    document = {
        "runs": runs,
        **msgspec.to_builtins(found),
        "oldest_at": iso(found.journal.oldest_ms) if found.journal.oldest_ms else None,
    }
    ctx.print_result(document, lambda out: _print_status(out, found, runs))
    has_drift = found.comparison is not None and not found.comparison.is_clean
    if found.journal.warnings or found.warnings or has_drift or not runs or not found.uplink.connected:
        raise typer.Exit(FAILED)


def journal(
    context: typer.Context,
    source: Annotated[str, typer.Option(metavar="SOURCE", help="Messages of this source only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Messages at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest messages in the journal, and which of them were acknowledged.

    Examples:
        bopis agent journal
        bopis agent journal --source store-319/till-3 --limit 100 --json
    """
    ctx = open_context(context, as_json)
    with opened_journal(ctx) as opened:
        acknowledged = opened.acknowledged()
        found = entries(opened, limit, source)
    rows = [_row(it, acknowledged) for it in found]

    def render(out: Console) -> None:
        if not rows:
            ctx.note("No message is in the journal.")
            return
        grid = table("position", "source", "seq", "taken", "type", "id", "sent")
        for it, row in zip(found, rows, strict=True):
            message = row["message"]
            sent = "yes" if row["acknowledged"] else "waits"
            grid.add_row(
                str(it.position),
                it.source,
                str(it.sequence),
                instant(it.taken_ms),
                message["type"],
                message["id"],
                sent,
            )
        out.print(grid)

    ctx.print_result({"acknowledged": acknowledged, "messages": rows}, render)


def resend(
    context: typer.Context,
    position: Annotated[int, typer.Argument(metavar="POSITION", help="First message, as `bopis agent journal` shows.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send messages once more, from a position on; messages that are in the log already count once.

    Examples:
        bopis agent resend 1200 --yes
        bopis agent resend 1 --yes --json
    """
    ctx = open_context(context, as_json)
    ctx.confirm(f"send every message from position {position} on once more", "not sent again", yes)
    with opened_journal(ctx) as opened:
        count = opened.send_again(position)
    ctx.print_result(
        {"position": position, "messages": count},
        lambda out: print_line(out, f"{counted(count, 'message')} from position {position} on will be sent again."),
    )


def _row(entry: Entry, acknowledged: int) -> dict[str, Any]:
    return {
        "position": entry.position,
        "source": entry.source,
        "sequence": entry.sequence,
        "taken_at": iso(entry.taken_ms),
        "acknowledged": entry.position <= acknowledged,
        "message": msgspec.json.decode(entry.value),
    }


def _print_status(out: Console, found: AgentStatus, runs: bool) -> None:
    usage, uplink, process = found.journal, found.uplink, found.process
    print_line(out, f"Store {usage.store}, journal {usage.identity}")
    print_line(out, f"Agent: runs as process {process.pid}, port {process.port}" if runs else "Agent: does not run")
    since = f" since {instant(uplink.since_ms)}" if uplink.since_ms else ""
    print_line(out, f"Centre: {'connected' if uplink.connected else 'not connected'}{since}")
    if uplink.problem:
        print_line(out, f"  {uplink.problem}")
    if uplink.clock_ahead_ms is not None:
        print_line(out, f"Clock: {uplink.clock_ahead_ms:+,} ms to the centre's")
    oldest = f", the oldest from {instant(usage.oldest_ms)}" if usage.depth else ""
    print_line(out, f"Waiting: {counted(usage.depth, 'message')}{oldest}")
    print_line(out, f"For a person: {counted(usage.rejects, 'reject')}, {counted(usage.changed, 'changed basket')}")
    if found.comparison is not None:
        drift = counted(found.comparison.found, "difference") if not found.comparison.is_clean else "no drift"
        at = instant(found.comparison.at_ms)
        print_line(out, f"Books: {drift}, {counted(found.comparison.messages, 'message')} compared at {at}")
        if not found.comparison.is_clean:
            print_line(out, f"! `bopis stock drift {usage.store}` names the differences")
    print_line(out, f"Size: {usage.bytes_used // KIBIBYTE:,} of {usage.bytes_max // KIBIBYTE:,} KiB")
    _print_offline(out, found)
    for warning in usage.warnings:
        print_line(out, f"! {warning}")
    for it in found.warnings:
        print_line(out, f"! {it.source}, {instant(it.found_ms)}: {it.text}")


def _print_offline(out: Console, found: AgentStatus) -> None:
    offline, downlink = found.offline, found.offline.downlink
    if not offline.current_ms:
        print_line(out, "Shop's orders: no copy, so pickup needs the centre")
    else:
        age = max(0, time.time_ns() // 1_000_000 - offline.current_ms) // 1_000
        print_line(out, f"Shop's orders: copy of {instant(offline.current_ms)}, {counted(age, 'second')} old")
    if downlink.problem:
        print_line(out, f"  {downlink.problem}")
    waiting, unfit = counted(offline.open_actions, "action"), counted(offline.conflicts, "conflict")
    hint = " (`bopis agent conflicts`)" if offline.conflicts else ""
    print_line(out, f"Done without the centre: {waiting} to send, {unfit}{hint}")
