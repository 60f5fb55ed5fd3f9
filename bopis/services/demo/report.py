"""What a demonstration came to, and whether everything in it was right."""

from collections.abc import Sequence

from msgspec import Struct

from bopis.services.demo.auditor import Findings
from bopis.services.demo.tally import PickupFigures

NOTHING_MS = 0.0


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds from publishing a record until it can be read in SQL, decided and in the history."""

    p50: float
    p99: float
    max: float
    samples: int


class Offline(Struct, frozen=True, kw_only=True):
    """The shop that was cut off: simulated hours, and baskets that came late."""

    store: str
    hours: float
    late_baskets: int


class Kill(Struct, frozen=True, kw_only=True):
    """A ``kill -9`` of a worker: which process, and seconds until its successor was ready, and until everything that
    had waited for it could be read; None where that was not measured."""

    pid: int
    successor_pid: int
    ready_after_seconds: float
    caught_up_after_seconds: float | None = None


class Report(Struct, frozen=True, kw_only=True):
    """The whole demonstration. ``latency_ms`` leaves out what was published from the kill of the inventory worker
    until its successor had caught up."""

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
    pickups: PickupFigures
    data_dir: str
    seconds: float


def latency_of(samples: Sequence[float]) -> Latency:
    """The quantiles of samples in milliseconds."""
    if not samples:
        return Latency(p50=NOTHING_MS, p99=NOTHING_MS, max=NOTHING_MS, samples=0)
    ordered = sorted(samples)

    def quantile(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return Latency(p50=quantile(0.5), p99=quantile(0.99), max=round(ordered[-1], 1), samples=len(ordered))


def wrongs(findings: Findings, gaps: int, dead_letters: int, verify: str, late_baskets: int) -> tuple[str, ...]:
    """Everything that is not as it must be, in words; nothing when all is right."""
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
    found = [f"{count} {words}" for words, count in must_be_zero.items() if count]
    if verify != "clean":
        found.append(f"verify: {verify}")
    if not findings.granted or not findings.refused:
        found.append("nobody competed: there must be grants and refusals")
    if not late_baskets:
        found.append("the offline shop had nothing to report when it came back")
    return tuple(found)
