"""The report on a demonstration, and the checks that decide whether everything was right."""

from collections.abc import Sequence

from msgspec import Struct

from bopis.demo.auditor import Findings, HoldCounts
from bopis.demo.payment_figures import PaymentFigures
from bopis.demo.tally import PickupFigures
from bopis.quantiles import quantile

NOTHING_MS = 0.0
CLEAN = "clean"


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds from the publishing of a record until SQL has its decision and its history."""

    p50: float
    p99: float
    max: float
    samples: int


class Offline(Struct, frozen=True, kw_only=True):
    """The store that was offline: hours of the day, and baskets that came late."""

    store: str
    hours: float
    late_baskets: int


class Kill(Struct, frozen=True, kw_only=True):
    """A ``kill -9`` of a worker: seconds until its successor was ready, and until the backlog was readable (None where
    that is not measured)."""

    pid: int
    successor_pid: int
    ready_after_seconds: float
    caught_up_after_seconds: float | None = None


class DemoReport(Struct, frozen=True, kw_only=True):
    """The whole demonstration. ``latency_ms`` leaves out records that were published from the kill of the inventory
    worker until its successor had caught up."""

    ok: bool
    wrong: tuple[str, ...]
    seed: int
    stores: int
    skus: int
    trading_seconds: float
    times_real: float
    messages: int
    lines: int
    units_sold: int
    messages_per_second: float
    lines_per_second: float
    latency_ms: Latency
    latency_with_kill_ms: Latency
    holds: Findings
    oversold: int
    gaps: int
    dead_letters: int
    mismatches: int
    verify: str
    offline: Offline
    kill: Kill
    kill_of_orders: Kill
    kill_of_payment_runner: Kill
    pickups: PickupFigures
    payments: PaymentFigures
    data_dir: str
    seconds: float


def hold_sentence(holds: HoldCounts) -> str:
    """The counts of holds in a few words."""
    return f"{holds.asked:,} asked, {holds.granted:,} granted, {sum(holds.refused.values()):,} refused"


def latency_of(samples: Sequence[float]) -> Latency:
    """The quantiles of samples in milliseconds."""
    if not samples:
        return Latency(p50=NOTHING_MS, p99=NOTHING_MS, max=NOTHING_MS, samples=0)
    p50, p99 = (round(quantile(samples, share) or 0.0, 1) for share in (0.5, 0.99))
    return Latency(p50=p50, p99=p99, max=round(max(samples), 1), samples=len(samples))


def failed_checks(findings: Findings, gaps: int, dead_letters: int, verify: str, late_baskets: int) -> tuple[str, ...]:
    """A sentence for each figure that is not as it must be."""
    must_be_zero = {
        "units were oversold": findings.oversold,
        "reservations were not answered": findings.unanswered,
        "reservations were answered twice": findings.answered_twice,
        "holds ended twice": findings.ended_wrongly,
        "holds lost units to a till": findings.shortfalls,
        "cells differ from an independent sum": findings.mismatches,
        "messages are missing": gaps,
        "messages were parked": dead_letters,
    }
    failed = [f"{count} {words}" for words, count in must_be_zero.items() if count]
    if verify != CLEAN:
        failed.append(f"verify: {verify}")
    if not findings.granted or not findings.refused:
        failed.append("no competition: there must be grants and refusals")
    if not late_baskets:
        failed.append("the offline store had no late baskets when it came back")
    return tuple(failed)
