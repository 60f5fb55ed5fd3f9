"""Store agents on the pages: who is silent, whose clock is wrong, and what waits for a person."""

from datetime import UTC, datetime
from typing import Any

from bopis.domain.inventory.ledger import DriftKind, LedgerComparison, LedgerDifference
from bopis.domain.values import ChangeLine
from bopis.readside.queries.ledger import AgentAnswer
from bopis.web.pages.now_view import Tone
from bopis.web.store_agents import SILENT_MS, AgentRow, agent_rows

NOW_MS = 1_790_000_000_000
LOST = LedgerDifference(
    source="till/4f3a2b1c",
    sequence=17,
    kind=DriftKind.MISSING_AT_CENTRE,
    id="b-17",
    lines=(ChangeLine(sku="4011", change=-2), ChangeLine(sku="4065", change=0)),
)


def agent(store: str = "S1", ago_ms: int = 30_000, **changes: Any) -> AgentAnswer:
    row: dict[str, Any] = {
        "store": store, "source": "agent/4f3a2b1c", "version": "1.2", "clock_ahead_ms": -1_500, "depth": 3,
        "rejects": 0, "changed": 0, "reported_at": datetime.fromtimestamp((NOW_MS - ago_ms) / 1000, UTC),
    }  # fmt: skip
    return AgentAnswer(**row | changes)


def row(**changes: Any) -> AgentRow:
    [found] = agent_rows([agent(**changes)], NOW_MS)
    return found


def test_an_agent_that_is_well_has_no_tone() -> None:
    found = row(comparison=LedgerComparison(at_ms=NOW_MS - 120_000, messages=5))

    assert (found.tone, found.state, found.work) == (Tone.NONE, "reported 30 s ago", "")
    assert (found.clock, found.depth, found.drift, found.compared) == ("-1.5 s", 3, 0, "2 min ago")


def test_a_journal_that_was_never_compared_is_no_journal_without_drift() -> None:
    assert (row().drift, row().compared) == (None, "never")


def test_silence_is_worse_than_work_for_a_person() -> None:
    assert row(ago_ms=SILENT_MS + 1).tone is Tone.BAD
    assert row(ago_ms=SILENT_MS + 1).state == "silent for 10 min"
    assert (row(rejects=1, changed=2).tone, row(rejects=1, changed=2).work) == (Tone.WARN, "1 rejected, 2 changed")
    assert row(clock_ahead_ms=60_000).tone is Tone.WARN
    assert row(clock_ahead_ms=None).clock == "not known"


def test_drift_is_counted_and_named_until_it_is_closed() -> None:
    comparison = LedgerComparison(at_ms=NOW_MS, messages=5, found=3, differences=(LOST,))

    found = row(comparison=comparison, open_differences=(LOST,))

    assert (found.drift, found.work) == (3, "3 drift")
    [named] = found.differences
    assert (named.name, named.id, named.units) == ("till/4f3a2b1c#17", "b-17", "4011 -2")
    assert row(comparison=comparison).drift == 2


def test_agents_that_need_somebody_are_first() -> None:
    found = agent_rows([agent("S1"), agent("S2", ago_ms=SILENT_MS * 2), agent("S3", rejects=1), agent("S0")], NOW_MS)

    assert [it.store for it in found] == ["S3", "S2", "S0", "S1"]
