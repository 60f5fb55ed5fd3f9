"""Processors and workers: who reports, who is silent, and the lag of each."""

from typing import Any

from bopis.names import PROCESSORS
from bopis.services.worker_reports import FELL, Issue, PartitionReport, ReceivedReport, WorkerReport
from bopis.web.live.stock import ChangeRate
from bopis.web.pages.now_view import Tone
from bopis.web.pages.operations_workers import FORGOTTEN_MS, processor_states, worker_states

NOW_MS = 1_790_000_000_000


def report(processor: str, *, ago_ms: int = 1_000, lag: int = 0, **changes: Any) -> ReceivedReport:
    partition = PartitionReport(
        topic="stock", partition=0, role="owner", state="ready", position=1, rows=1, lag=lag
    )  # fmt: skip
    fields: dict[str, Any] = {
        "processor": processor, "instance": f"{processor}-1", "host": "h", "pid": 1, "version": "1", "at_ms": NOW_MS,
        "every_s": 5.0, "partitions": (partition,),
    }  # fmt: skip
    return ReceivedReport(report=WorkerReport(**{**fields, **changes}), received_at_ms=NOW_MS - ago_ms)


def states(*reports: ReceivedReport, **lags: int | None) -> dict[str, Any]:
    return {it.name: it for it in processor_states(worker_states(reports, NOW_MS), dict(lags))}


def test_every_processor_is_listed_and_one_without_a_report_is_red() -> None:
    found = states(report("inventory"))

    assert tuple(found) == PROCESSORS
    assert (found["inventory"].tone, found["inventory"].text) == (Tone.NONE, "1 reporting")
    assert (found["orders"].tone, found["orders"].text, found["orders"].lag) == (Tone.BAD, "no worker reports", None)


def test_a_worker_that_is_silent_or_fell_is_named() -> None:
    found = states(
        report("inventory", ago_ms=16_000), report("orders"), report("orders", instance="orders-2", state=FELL)
    )

    assert found["inventory"].text == "no worker reports, 1 silent"
    assert (found["orders"].text, found["orders"].tone) == ("1 reporting, 1 fell", Tone.WARN)


def test_a_known_lag_wins_over_the_reported_one() -> None:
    found = states(report("inventory", lag=7), report("routing", lag=3), inventory=2)

    assert (found["inventory"].lag, found["routing"].lag) == (2, 3)


def test_an_issue_makes_its_processor_yellow() -> None:
    found = states(report("routing", issues=(Issue(name="slow", text="a"),)))

    assert found["routing"].tone is Tone.WARN


def test_a_worker_without_a_report_for_a_day_is_forgotten() -> None:
    assert worker_states([report("routing", ago_ms=FORGOTTEN_MS)], NOW_MS) == []


class Row:
    """A record of the log, as far as the rate reads it."""

    def __init__(self, key: bytes, second: int, topic: str = "inventory-levels") -> None:
        self.key, self.timestamp_ms, self.topic = key, second * 1000, topic


def test_the_rate_counts_changed_levels_of_the_last_minute() -> None:
    now = [1_000.5]
    rate = ChangeRate(lambda: now[0])
    rows: list[Any] = [Row(b"S1|A", 999)] * 120 + [Row(b"S1|A", 900), Row(b"@store|S1", 999), Row(b"\0", 999)]

    rate.take([*rows, Row(b"S1", 999, "stores")])

    assert rate.per_second() == 2.0
    now[0] += 61
    assert rate.per_second() == 0.0
