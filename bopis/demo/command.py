"""`bopis demo`: a trading day in a minute, with everything that can go wrong in it, and a verdict."""

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bopis.broker.files import LOG_FILE
from bopis.cli.app.context import AsJson, CommandContext, open_context
from bopis.cli.app.errors import Conflict

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.cli.app.progress import Steps
    from bopis.demo.report import DemoReport
    from bopis.demo.tally import PickupFigures

CLOCK_FILE, RULES_FILE = "demo-clock", "demo-rules.toml"
DATA_AGE_MINUTES_MAX = 2 * 24 * 60
# The customers are invented: their notices go to the outbox, whatever channels are configured.
CHANNELS = ("smtp_host", "notice_webhook_url", "notice_sms_url", "notice_chat_url")
SERVING_SECONDS = 0.5


def demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Another seed is another day; the same one is the same day.")] = 1,
    stores: Annotated[int, typer.Option(min=2, max=40, help="How many stores.")] = 40,
    seconds: Annotated[float, typer.Option(min=6, max=3_600, help="How long the trading day takes.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Play a trading day: tills, pickup orders, payments, buyers who want the same units, faults on purpose.

    Runs in a temporary directory, or in an empty one given with --data-dir. On a terminal it then keeps serving until
    Ctrl-C; elsewhere it ends with exit code 0, or 1 if anything was wrong.

    Examples:
        bopis demo
        bopis demo --seed 7 --stores 10 --seconds 12 --json
    """
    from bopis.cli.app.progress import Steps
    from bopis.demo.clock import OffsetClock
    from bopis.demo.gateway import free_port, running
    from bopis.demo.pages import serving
    from bopis.demo.process import GATEWAY, LISTENER, program
    from bopis.demo.run import planned, played
    from bopis.demo.world import Scale, make_world

    began = time.monotonic()
    given = open_context(context, as_json)
    with _stage(given) as ctx:
        clock_file = ctx.settings.data_dir.resolve() / CLOCK_FILE
        clock, port, module = OffsetClock.create(clock_file), str(free_port()), program(clock_file)
        with (
            Steps(ctx) as steps,
            running(ctx, module, GATEWAY, f"http://127.0.0.1:{port}/payments"),
            _engine(ctx, module, steps),
            running(ctx, module, LISTENER, port),
            serving(ctx, module, steps),
        ):
            plan = planned(make_world(seed, Scale(stores=stores)), seconds)
            report = played(ctx, plan, clock, began, steps)
            ctx.print_result(report, lambda out: _render(out, report))
            if ctx.out.is_terminal and not as_json and not ctx.no_input:
                _serve(ctx)
    if not report.ok:
        raise typer.Exit(1)


@contextmanager
def _engine(ctx: CommandContext, program: tuple[str, ...], steps: "Steps") -> Iterator[None]:
    """The log and its processors, with a step while they start and while they stop."""
    from bopis.cli.app.own_engine import running

    steps.show("Starting the log, its processors and the read side")
    with running(ctx, program):
        yield
        steps.show("Stopping")


@contextmanager
def _stage(given: CommandContext) -> Iterator[CommandContext]:
    """A context on a directory of its own. Settings that could lead a demonstration into real books are overridden."""
    own = {"broker": "embedded", "database": "", "instance": "", "notice_quiet_hours": ""}
    own |= dict.fromkeys(CHANNELS, "")
    data_dir = given.flags.get("data_dir")
    if data_dir is not None:
        if (Path(data_dir) / LOG_FILE).exists():
            raise Conflict(cause=f"{data_dir} holds a log already; give the demonstration an empty directory")
        Path(data_dir).mkdir(parents=True, exist_ok=True)
        yield _same_output(given, {**given.flags, **own, **_files(Path(data_dir))})
        return
    temporary = Path(tempfile.mkdtemp(prefix="bopis-demo-"))
    try:
        yield _same_output(given, {**given.flags, **own, "data_dir": temporary, **_files(temporary)})
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _files(data_dir: Path) -> dict[str, object]:
    """Settings with files of the demonstration's own: its routing rules, the keys of its gateway and of its shop."""
    from bopis.demo.gateway import payment_settings
    from bopis.demo.pages import page_settings

    return {"routing_rules": _rules(data_dir), **payment_settings(data_dir), **page_settings(data_dir)}


def _rules(data_dir: Path) -> Path:
    """The standard routing rules except for the age of data: hours of the day may pass while a worker is dead, and
    silent stores are not what is shown."""
    from bopis.domain.sourcing.rules import RuleSet
    from bopis.services.routing.rules_file import written

    file = data_dir.resolve() / RULES_FILE
    file.write_text(written(RuleSet(name="demo", version=1, data_age_minutes_max=DATA_AGE_MINUTES_MAX)))
    return file


def _same_output(given: CommandContext, flags: dict[str, object]) -> CommandContext:
    ctx = CommandContext(flags, given.no_input)
    ctx.json = given.json
    return ctx


def _render(out: "Console", it: "DemoReport") -> None:
    from bopis.cli.app.render import plain
    from bopis.demo.payment_figures import payment_rows
    from bopis.demo.report import hold_sentence

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
        ("holds", f"on scarce units: {hold_sentence(holds)}"),
        ("", f"refused: {refused or 'none'}; ended: {ended or 'none'}; {holds.active:,} active"),
        ("oversold", f"{it.oversold} units, counted independently; {holds.unanswered} unanswered"),
        ("offline", f"{it.offline.store} for {it.offline.hours:g} h; {it.offline.late_baskets:,} baskets came late"),
        *_pickup_rows(it.pickups),
        *payment_rows(it.payments),
        ("kill -9", f"inventory worker: successor ready after {it.kill.ready_after_seconds:g} s"),
        ("", f"all that waited for it was readable after {it.kill.caught_up_after_seconds:g} s"),
        ("", f"orders worker: successor ready after {it.kill_of_orders.ready_after_seconds:g} s"),
        ("", f"payment runner: successor ready after {it.kill_of_payment_runner.ready_after_seconds:g} s"),
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


def _serve(ctx: CommandContext) -> None:
    """Keep everything running until Ctrl-C."""
    from bopis.demo.pages import show_addresses

    show_addresses(ctx)
    bopis, where = program_path(sys.argv[0]), f"--data-dir {shlex.quote(str(ctx.settings.data_dir))}"
    lists = ("stores list", "stock show S01", "order list --ended", "payments list --all", "notices list")
    looks = ("status", *lists, "kpi show")
    hints = "\n".join(f"  {bopis} {look} {where}" for look in looks)
    ctx.note(f"Still running. In another terminal, in this directory:\n{hints}\nCtrl-C stops it.")
    try:
        while True:
            time.sleep(SERVING_SECONDS)
    except KeyboardInterrupt:
        ctx.note("Stopping ...")


def program_path(started: str) -> str:
    """The command that started this program, as a shell takes it: its name if the shell finds it, else its path."""
    path = Path(started)
    found = shutil.which(path.name)
    if found is not None and path.exists() and Path(found).samefile(path):
        return path.name
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))


def register(app: typer.Typer) -> None:
    app.command()(demo)
