"""Silences of stores that outlast their grace time."""

from bopis.readside.changes import Changes
from bopis.readside.history.last_message import LastMessage, SilenceRecorder

MINUTE = 60_000


def _message(at_ms: int, learned_ms: int) -> LastMessage:
    return LastMessage(at_ms, learned_ms, "till/1", "m")


def _silences(*steps: tuple[int, int], grace: int = 5) -> list[tuple[object, ...]]:
    changes = Changes()
    silences = SilenceRecorder(0, {})
    for offset, (at_ms, learned_ms) in enumerate(steps):
        silences.record("S1", _message(at_ms, learned_ms), grace, offset, changes)
    return [row[2:] for row in changes.appended.get("silences", [])]


def test_a_store_that_talks_within_its_grace_time_leaves_no_silence() -> None:
    assert _silences((0, 10), (4 * MINUTE, 4 * MINUTE), (9 * MINUTE, 9 * MINUTE)) == []


def test_a_silence_longer_than_the_grace_time_is_kept_with_what_was_known() -> None:
    assert _silences((0, 10), (9 * MINUTE, 9 * MINUTE)) == [("S1", 10, 9 * MINUTE, 0)]


def test_late_news_do_not_end_a_silence_about_the_present() -> None:
    found = _silences((0, 10), (MINUTE, 20 * MINUTE), (30 * MINUTE, 30 * MINUTE))

    assert found == [("S1", 10, 20 * MINUTE, 0), ("S1", 20 * MINUTE, 30 * MINUTE, MINUTE)]


def test_older_news_change_nothing() -> None:
    assert _silences((5 * MINUTE, 5 * MINUTE), (MINUTE, 6 * MINUTE), (9 * MINUTE, 9 * MINUTE)) == []


def test_another_grace_time_holds_from_when_it_was_set() -> None:
    changes = Changes()
    silences = SilenceRecorder(0, {})
    silences.record("S1", _message(0, 0), 5, 0, changes)

    silences.change_grace("S1", 4 * MINUTE, 5, 1, changes)
    silences.record("S1", _message(4 * MINUTE + 1, 4 * MINUTE + 1), 1, 2, changes)

    assert [row[2:] for row in changes.append("silences")] == [("S1", 4 * MINUTE, 4 * MINUTE + 1, 0)]
