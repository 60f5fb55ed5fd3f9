"""The verdict on a demonstration: all figures, each from a source that can be wrong on its own."""

import time
from typing import NamedTuple

from sqlalchemy import Engine

from bopis.cli.app.context import CommandContext
from bopis.cli.operate.verify import checked
from bopis.demo.actors import INVENTORY, ORDERS, PAYMENT_RUNNER
from bopis.demo.payment_books import figures_of_payments
from bopis.demo.payment_figures import PaymentFigures, failed_payment_checks
from bopis.demo.readside_figures import account_of_readside, mails_in_outbox
from bopis.demo.report import CLEAN, DemoReport, Kill, Latency, Offline, failed_checks, latency_of
from bopis.demo.state import DemoState, KilledWorker
from bopis.demo.tally import PickupFigures, compared, failed_pickup_checks
from bopis.demo.world import World
from bopis.domain.values import DAY_MS, HOUR_MS
from bopis.errors import BopisError
from bopis.readside import queries
from bopis.services.dead_letters import letters


def reported(ctx: CommandContext, world: World, state: DemoState, engine: Engine, began: float) -> DemoReport:
    """The report: the auditor, the read side and the product's own verification, once everything is quiet."""
    findings = state.auditor.findings(queries.on_hand(engine))
    gaps = sum(it.last - it.first + 1 for it in queries.gaps(engine))
    with ctx.reader() as reader:
        parked = len(letters(reader, ctx.settings.topic_prefix))
    verdict = _verified(ctx)
    latencies = _latencies(state)
    accounts = _accounts(ctx, state, engine)
    wrong = failed_checks(findings, gaps, parked, verdict, state.late) + accounts.wrong
    return DemoReport(
        ok=not wrong,
        wrong=wrong,
        seed=world.seed,
        stores=len(world.stores),
        skus=len(world.categories),
        trading_seconds=round(state.traded_seconds, 1),
        times_real=round((state.clock.closes_ms - state.clock.opens_ms) / 1000 / state.traded_seconds),
        messages=state.messages,
        lines=state.lines,
        units_sold=state.units,
        messages_per_second=round(state.messages / state.traded_seconds, 1),
        lines_per_second=round(state.lines / state.traded_seconds, 1),
        latency_ms=latencies.calm,
        latency_with_kill_ms=latencies.whole,
        holds=findings,
        oversold=findings.oversold,
        gaps=gaps,
        dead_letters=parked,
        mismatches=findings.mismatches,
        verify=verdict,
        offline=_offline(state),
        kill=_kill(state.kills[INVENTORY], latencies.caught_up_ms),
        kill_of_orders=_kill(state.kills[ORDERS]),
        kill_of_payment_runner=_kill(state.kills[PAYMENT_RUNNER]),
        pickups=accounts.pickups,
        payments=accounts.payments,
        data_dir=str(ctx.settings.data_dir),
        seconds=round(time.monotonic() - began, 1),
    )


class _Accounts(NamedTuple):
    """The figures of the pickup orders and of their payments, and what is wrong with them or with a killed worker."""

    pickups: PickupFigures
    payments: PaymentFigures
    wrong: tuple[str, ...]


def _accounts(ctx: CommandContext, state: DemoState, engine: Engine) -> _Accounts:
    tally = state.tally
    found = compared(tally, tally.account(mails_in_outbox(ctx)), account_of_readside(engine))
    wrong = failed_pickup_checks(found, len(tally.pickups))
    paid = figures_of_payments(ctx, tally, state.clock.opens_ms - DAY_MS, state.log_clock.now_ms())
    wrong += failed_payment_checks(paid, sum(it.paying is not None for it in tally.pickups.values()))
    wrong += tuple(f"the killed {name} worker did not come back" for name, it in state.kills.items() if not it.ready_ms)
    return _Accounts(found, paid, wrong)


def _offline(state: DemoState) -> Offline:
    hours = (state.offline_until_ms - state.offline_since_ms) / HOUR_MS
    return Offline(store=state.offline_store, hours=round(hours, 1), late_baskets=state.late)


def _kill(killed: KilledWorker, caught_up_ms: int | None = None) -> Kill:
    def seconds_after(at_ms: int) -> float:
        return round(max(0, at_ms - killed.killed_ms) / 1000, 2)

    return Kill(
        pid=killed.pid,
        successor_pid=killed.successor_pid,
        ready_after_seconds=seconds_after(killed.ready_ms),
        caught_up_after_seconds=None if caught_up_ms is None else seconds_after(caught_up_ms),
    )


class _Latencies(NamedTuple):
    """`whole` is of all records. `calm` leaves out those published from the kill of the inventory worker until its
    backlog was readable, at `caught_up_ms`."""

    calm: Latency
    whole: Latency
    caught_up_ms: int


def _latencies(state: DemoState) -> _Latencies:
    killed = state.kills[INVENTORY]
    during = [it for it in state.latencies if killed.killed_ms <= it.published_ms <= killed.ready_ms]
    caught_up_ms = max([killed.ready_ms, *(int(it.published_ms + it.latency_ms) for it in during)])
    away = range(killed.killed_ms, caught_up_ms + 1)
    calm = [it.latency_ms for it in state.latencies if it.published_ms not in away]
    return _Latencies(latency_of(calm), latency_of([it.latency_ms for it in state.latencies]), caught_up_ms)


def _verified(ctx: CommandContext) -> str:
    """The result of `bopis verify` in a few words."""
    try:
        check = checked(ctx)
    except BopisError as error:
        return str(error)
    if not check.findings:
        return CLEAN
    return f"{len(check.findings)} differences, first {check.findings[0]}"
