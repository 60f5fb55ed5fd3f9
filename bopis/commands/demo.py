"""`bopis demo`: a trading day in a minute, with everything that can go wrong in it, and a verdict."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bopis import clock
from bopis.clock import Hands
from bopis.commands.errors import Conflict
from bopis.commands.shell import AsJson, Shell, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.services.demo.report import Report
    from bopis.services.demo.tally import PickupFigures

LOG_FILE = "log.sqlite3"
CLOCK_FILE, RULES_FILE = "demo-clock", "demo-rules.toml"
DATA_AGE_MINUTES_MAX = 2 * 24 * 60
# Customers of the demonstration are invented: what they are told goes to the outbox, whatever else is set.
WAYS_OUT = ("smtp_host", "notice_webhook_url", "notice_sms_url", "notice_chat_url")
SERVING_SECONDS = 0.5


def demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Another seed is another day; the same one is the same day.")] = 1,
    stores: Annotated[int, typer.Option(min=2, max=40, help="How many stores.")] = 40,
    seconds: Annotated[float, typer.Option(min=6, max=3_600, help="How long the trading day takes.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Play a trading day: tills, pickup orders, buyers who want the same units, a shop offline, workers killed.

    Runs in a temporary directory, or in an empty one given with --data-dir. On a terminal it then keeps serving until
    Ctrl-C; elsewhere it ends with exit code 0, or 1 if anything was wrong.
    """
    from bopis.commands.demo_run import planned, played
    from bopis.commands.own_engine import running
    from bopis.services.demo.world import Scale, make_world

    began = time.monotonic()
    given = open_shell(context, as_json)
    with _stage(given) as shell, _own_clock(shell) as hands, running(shell):
        plan = planned(make_world(seed, Scale(stores=stores)), seconds)
        report = played(shell, plan, hands, began)
        shell.answer(report, lambda out: _render(out, report))
        if shell.out.is_terminal and not as_json and not shell.no_input:
            _serve(shell)
    if not report.ok:
        raise typer.Exit(1)


@contextmanager
def _stage(given: Shell) -> Iterator[Shell]:
    """A shell on a directory of its own: what other settings say must not lead a demonstration into real books."""
    own = {"broker": "embedded", "database": "", "instance": "", "notice_quiet_hours": ""}
    own |= dict.fromkeys(WAYS_OUT, "")
    data_dir = given.flags.get("data_dir")
    if data_dir is not None:
        if (Path(data_dir) / LOG_FILE).exists():
            raise Conflict(cause=f"{data_dir} holds a log already; give the demonstration an empty directory")
        Path(data_dir).mkdir(parents=True, exist_ok=True)
        yield _told_alike(given, {**given.flags, **own, "routing_rules": _rules(Path(data_dir))})
        return
    temporary = Path(tempfile.mkdtemp(prefix="bopis-demo-"))
    try:
        yield _told_alike(given, {**given.flags, **own, "data_dir": temporary, "routing_rules": _rules(temporary)})
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rules(data_dir: Path) -> Path:
    """The standard routing rules but for the age of data: while a worker is dead hours of the day may pass, and the
    demonstration is not about stores that have not been heard from."""
    from bopis.domain.sourcing.rules import RuleSet
    from bopis.services.routing.rulefile import written

    file = data_dir.resolve() / RULES_FILE
    file.write_text(written(RuleSet(name="demo", version=1, data_age_minutes_max=DATA_AGE_MINUTES_MAX)))
    return file


@contextmanager
def _own_clock(shell: Shell) -> Iterator[Hands]:
    """The clock of a log that is started within: the day passes on it, and afterwards it is this machine's again."""
    file = shell.settings.data_dir.resolve() / CLOCK_FILE
    hands = Hands.made(file)
    os.environ[clock.VARIABLE] = str(file)
    try:
        yield hands
    finally:
        del os.environ[clock.VARIABLE]


def _told_alike(given: Shell, flags: dict[str, object]) -> Shell:
    shell = Shell(flags, given.no_input)
    shell.json = given.json
    return shell


def _render(out: "Console", it: "Report") -> None:
    from bopis.commands.tables import plain

    holds = it.holds
    refused = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in holds.refused.items())
    ended = ", ".join(f"{count:,} {end}" for end, count in holds.ended.items())
    calm, whole = it.latency_ms, it.latency_with_kill_ms
    rows = (
        ("day", f"{it.stores} stores, {it.skus:,} SKUs, played in {it.trading_seconds:g} s ({it.times_real:,.0f} x)"),
        ("throughput", f"{it.messages_per_second:,.0f} messages/s, {it.lines_per_second:,.0f} till lines/s"),
        ("", f"{it.messages:,} messages, {it.lines:,} till lines, {it.units_sold:,} units sold"),
        ("latency", f"published to readable: p50 {calm.p50:,.0f} ms, p99 {calm.p99:,.0f} ms"),
        ("", f"with the kill: p50 {whole.p50:,.0f} ms, p99 {whole.p99:,.0f} ms, max {whole.max:,.0f} ms"),
        ("holds", f"{holds.asked:,} asked, {holds.granted:,} granted, {sum(holds.refused.values()):,} refused"),
        ("", f"refused: {refused or 'none'}; ended: {ended or 'none'}; {holds.active:,} active"),
        ("oversold", f"{it.oversold} units, counted apart; {holds.unanswered} unanswered"),
        ("offline", f"{it.offline.store} for {it.offline.hours:g} h; {it.offline.late_baskets:,} baskets came late"),
        *_pickup_rows(it.pickups),
        ("kill -9", f"inventory worker: successor ready after {it.kill.ready_after_seconds:g} s"),
        ("", f"all that waited for it was readable after {it.kill.caught_up_after_seconds:g} s"),
        ("", f"orders worker: successor ready after {it.kill_of_orders.ready_after_seconds:g} s"),
        ("books", f"{holds.cells:,} cells, {it.mismatches} differ from an independent sum"),
        ("log", f"{it.gaps} messages missing, {it.dead_letters} dead letters"),
        ("verify", it.verify),
    )
    for label, value in rows:
        out.print(plain(f"{label:<11} {value}"), soft_wrap=True)
    out.print(f"Everything was right ({it.seconds:g} s)." if it.ok else f"WRONG: {'; '.join(it.wrong)}", soft_wrap=True)


def _pickup_rows(it: "PickupFigures") -> tuple[tuple[str, str], ...]:
    kept = 100 * it.kept / max(1, it.ready)
    ends = f"{it.collected:,} collected, {it.cancelled:,} cancelled, {it.no_shows:,} no-shows"
    return (
        ("pickups", f"{it.placed:,} orders: {ends}"),
        ("", f"promise kept {kept:.1f} %; {it.late} late, {it.short} short, {it.early} customers came too early"),
        ("", f"time to ready: p50 {it.p50_minutes:,.0f} min, p95 {it.p95_minutes:,.0f} min"),
        ("", f"{it.mails:,} mails in the outbox; {it.mismatches} figures differ from what was done"),
    )


def _serve(shell: Shell) -> None:
    """Keep running, so that people can look around."""
    where = f"--data-dir {shell.settings.data_dir}"
    shell.say(
        "Still running. In another terminal:\n"
        f"  bopis status {where}\n"
        f"  bopis stores list {where}\n"
        f"  bopis stock show S01 {where}\n"
        f"  bopis order list --ended {where}\n"
        f"  bopis kpi show {where}\n"
        "Ctrl-C stops it."
    )
    try:
        while True:
            time.sleep(SERVING_SECONDS)
    except KeyboardInterrupt:
        shell.say("Stopping ...")


def register(app: typer.Typer) -> None:
    app.command()(demo)
