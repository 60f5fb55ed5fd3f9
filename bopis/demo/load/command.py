"""`bopis load`: tills, orders and staff of trial stores, at a rate, on an installation that runs."""

import time
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, Yes, open_context
from bopis.cli.app.progress import Steps, bar
from bopis.cli.app.render import counted, print_line, table
from bopis.demo.load.figures import Latency, LoadReport
from bopis.demo.load.plan import LoadPlan
from bopis.demo.load.traffic import played
from bopis.demo.world import Scale

SECONDS_MAX = 24 * 3_600
RATE_MAX = 10_000
BEHIND_S_SHOWN = 1.0


def load(
    context: typer.Context,
    baskets: Annotated[
        float, typer.Option(min=0, max=RATE_MAX, metavar="RATE", help="Baskets of tills per second.")
    ] = 20,
    orders: Annotated[float, typer.Option(min=0, max=RATE_MAX, metavar="RATE", help="Pickup orders per second.")] = 2,
    staff: Annotated[
        bool, typer.Option("--staff/--no-staff", help="Whether staff prepare the orders and hand them over.")
    ] = True,
    seconds: Annotated[float, typer.Option(min=1, max=SECONDS_MAX, help="How long messages are sent.")] = 60,
    stores: Annotated[int, typer.Option(min=1, max=Scale().stores, help="How many trial stores.")] = 10,
    seed: Annotated[int, typer.Option(help="Another seed is another assortment and other baskets.")] = 1,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Try an installation: tills, orders and staff of trial stores at a rate, with latencies and refusals at the end.

    The messages go the way of real ones and stay in the log. They are about stores and articles whose names begin with
    TRIAL-, which no real order is routed to; at the end these stores take no more orders. No notice is sent. Exit code
    1 when something was refused, lost or not answered.

    Examples:
        bopis load --seconds 30
        bopis load --baskets 400 --orders 50 --stores 40 --yes --json
    """
    ctx = open_context(context, as_json)
    ctx.require_log()
    name = f"trial-{int(time.time()):x}"
    plan = LoadPlan(name=name, seed=seed, stores=stores, baskets=baskets, orders=orders, seconds=seconds, staff=staff)
    place = ctx.settings.data_dir if ctx.settings.embedded else ctx.settings.broker
    ctx.confirm(f"send a load of trial stores to {place}; its messages stay in the log", "nothing was sent", yes)
    with ExitStack() as stack:
        steps = stack.enter_context(Steps(ctx))
        passed = stack.enter_context(bar(ctx, "seconds", int(seconds)))
        report = played(ctx, plan, steps.show, passed)
        steps.end()
    ctx.print_result({"ok": report.ok, "name": name, **_document(report)}, lambda out: _render(out, report))
    if not report.ok:
        raise typer.Exit(1)


def _document(report: LoadReport) -> dict[str, object]:
    return {name: getattr(report, name) for name in report.__struct_fields__}


def _render(out: Console, report: LoadReport) -> None:
    sent = f"{counted(report.baskets, 'basket')} ({report.baskets_per_s:g}/s), {counted(report.orders, 'order')}"
    print_line(
        out, f"{sent} ({report.orders_per_s:g}/s) in {report.seconds:g} s, {counted(report.stores, 'trial store')}"
    )
    grid = table("step", "count", "p50", "p99", "slowest")
    for name, it in (
        ("basket sent -> in the log", report.sold),
        ("basket sent -> readable", report.readable),
        ("order placed -> promised", report.promised),
        ("command of staff -> done", report.staff),
    ):
        grid.add_row(name, f"{it.count:,}", *(_shown(it, part) for part in ("p50_ms", "p99_ms", "most_ms")))
    out.print(grid)
    print_line(out, f"{counted(report.handed_over, 'order')} handed over")
    for reason, count in (*report.refusals.items(), *report.cancelled.items()):
        print_line(out, f"refused: {reason}: {count}")
    if report.unanswered or report.lost:
        print_line(out, f"{report.unanswered} without an answer, {report.lost} not accepted by the log")
    if report.behind_s > BEHIND_S_SHOWN:
        print_line(out, f"This machine sent up to {report.behind_s:g} s late: it cannot send at this rate.")


def _shown(latency: Latency, part: str) -> str:
    value: float | None = getattr(latency, part)
    return "" if value is None else f"{value:,.1f} ms"
