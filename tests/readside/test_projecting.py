"""The pure projectors: records in, rows out."""

import msgspec
import pytest

from bopis.domain.inventory.rows import Device, Expected, Hold, HoldLine, Level, LineState, Rule, Store, Transfer
from bopis.domain.inventory.transfers import TRANSFER_MEMORY_MS
from bopis.readside.changes import Changes, Consumed
from bopis.readside.levels import project_levels
from bopis.readside.notes import CLAIM_KEY, POSITION_KEY, Notes
from bopis.readside.places import project_stores
from bopis.readside.rows import FoldRows
from bopis.readside.silence import Heard, Silence
from streams.changelog import Claim, Position, encode_note
from tests.readside.world import Record

MINUTE = 60_000
HOURS = '{"opening_hours":"Mo-Sa 08:00-20:00","time_zone":"America/Los_Angeles","holidays":"","cutoff":""}'


def _row(key: str, row: object) -> Record:
    return Record(0, 0, key.encode(), msgspec.json.encode(row) if row is not None else None)


def _projected(*records: Record) -> Changes:
    changes = Changes()
    project_levels(3, records, changes)
    return changes


def test_a_level_is_put_with_everything_that_its_terms_need() -> None:
    level = Level(on_hand=7, held=2, staged=1, in_doubt=1, category="toys", counted_ms=5, sold=3, sold_since_ms=4)

    changes = _projected(_row("S1|A|1", level))

    assert changes.put == {
        "levels": {("S1", "A|1"): ("S1", "A|1", 3, 7, 2, 1, 1, 0, 0, 5, "", False, 0, 4, 3, 0, "toys")}
    }


def test_a_row_that_changes_twice_is_written_once_as_it_ends() -> None:
    changes = _projected(_row("S1|A", Level(on_hand=7)), _row("S1|A", Level(on_hand=6)), _row("S1|A", None))

    assert changes.put == {"levels": {("S1", "A"): None}}


def test_policy_device_and_hold_are_put_in_their_tables() -> None:
    hold = Hold(
        order="o1", digest=1, granted_ms=5, until_ms=9, promised_ms=8,
        lines=[HoldLine(1, "A", 2), HoldLine(2, "B", 1, 1, 1, LineState.COLLECTED)],
    )  # fmt: skip

    changes = _projected(
        _row("@store|S1", Store(pickup=False, rules={"sku:A": Rule(2), "store": Rule(None, 1)})),
        _row("@device|S1|till/1", Device(mark=2, top=9, heard_ms=77, ranges=[[4, 5], [9, 9]], closed=[[3, 3]])),
        _row("@hold|S1|h1", hold),
    )

    assert changes.put == {
        "store_policy": {("S1",): ("S1", 3, False, 5, '{"sku:A":{"safety_stock":2},"store":{"walk_in_reserve":1}}')},
        "devices": {("S1", "till/1"): ("S1", "till/1", 3, 2, 9, 77, "[[6,8]]", "[[3,3]]")},
        "holds": {("S1", "h1"): ("S1", "h1", 3, "o1", 5, 9, 8, True)},
    }
    assert changes.replaced == {
        "hold_lines": {
            ("S1", "h1"): [
                ("S1", "h1", 0, 1, "A", 2, 0, 0, "held"),
                ("S1", "h1", 1, 2, "B", 1, 1, 1, "collected"),
            ]
        }
    }


def test_a_hold_that_is_forgotten_takes_its_lines_along() -> None:
    changes = _projected(_row("@hold|S1|h1", None), _row("@store|S1", None), _row("@device|S1|till/1", None))

    assert changes.put == {
        "holds": {("S1", "h1"): None},
        "store_policy": {("S1",): None},
        "devices": {("S1", "till/1"): None},
    }
    assert changes.replaced == {"hold_lines": {("S1", "h1"): []}}


@pytest.mark.parametrize("key", ["@seen|S1|desk|m1", "@something|new"])
def test_rows_of_other_kinds_are_left_alone(key: str) -> None:
    changes = _projected(Record(0, 0, key.encode(), b'{"digest":1}'))

    assert (changes.put, changes.appended, changes.replaced) == ({}, {}, {})


def test_a_transfer_is_put_with_what_was_announced_and_what_arrived() -> None:
    transfer = Transfer(
        from_store="S2", announced={"A": 4, "B": 1}, received={"A": 3, "C": 2}, is_announced=True, expected_ms=9,
        due_ms=TRANSFER_MEMORY_MS + 7,
    )  # fmt: skip

    put, gone = _projected(_row("@transfer|S1|t1", transfer)), _projected(_row("@transfer|S1|t1", None))

    assert put.put == {"transfers": {("S1", "t1"): ("S1", "t1", 3, "S2", True, False, 9, 7)}}
    assert put.replaced == {
        "transfer_lines": {("S1", "t1"): [("S1", "t1", "A", 4, 3), ("S1", "t1", "B", 1, 0), ("S1", "t1", "C", 0, 2)]}
    }
    assert (gone.put, gone.replaced) == ({"transfers": {("S1", "t1"): None}}, {"transfer_lines": {("S1", "t1"): []}})


def test_what_a_document_will_bring_is_put_line_by_line_until_it_is_ended() -> None:
    expected = Expected(said_ms=1, expected_ms=9, lines={"A": 4, "B": 1}, overdue=True)

    put = _projected(_row("@expected|S1|PO-7", expected))
    ended = _projected(_row("@expected|S1|PO-7", Expected(said_ms=2)))

    lines = [("S1", "PO-7", "A", 3, 9, 4, True), ("S1", "PO-7", "B", 3, 9, 1, True)]
    assert put.replaced == {"expected_lines": {("S1", "PO-7"): lines}}
    assert ended.replaced == {"expected_lines": {("S1", "PO-7"): []}}


def test_notes_tell_the_position_and_the_batches_of_who_had_lost_the_partition_are_left_out() -> None:
    notes = Notes(Consumed())
    row = b"{}"
    records = [
        Record(0, 0, CLAIM_KEY, encode_note(Claim("a", 1, 0))),
        Record(1, 0, POSITION_KEY, encode_note(Position(4, 0))),
        Record(2, 0, b"S1|A", row),
        Record(3, 0, CLAIM_KEY, encode_note(Claim("b", 2, 0))),
        Record(4, 0, POSITION_KEY, encode_note(Position(9, 0))),
        Record(5, 0, b"S1|A", row),
        Record(6, 0, b"S1|B", None),
        Record(7, 0, POSITION_KEY, encode_note(Position(6, 3))),
        Record(8, 0, b"S1|C", row),
    ]

    believed = [record.offset for record in notes.believed(records)]

    assert believed == [2, 8]
    assert (notes.source_position, notes.claim, notes.stale) == (6, 3, False)


def test_notes_go_on_where_the_batch_before_stopped() -> None:
    notes = Notes(Consumed(position=4, source_position=4, claim=3, stale=True))

    believed = [record.offset for record in notes.believed([Record(5, 0, b"S1|A", b"{}")])]

    assert believed == []


def test_stores_are_put_under_their_key_and_what_is_no_store_is_told() -> None:
    changes = Changes()
    full = {
        "store_id": "S1", "name": "Main", "street": "1 Elm", "city": "Kent", "state": "WA", "postal_code": "98030",
        "latitude": 47.4, "longitude": -122.2, "time_zone": "America/Los_Angeles", "opening_hours": "Mo-Sa 08:00-20:00",
    }  # fmt: skip

    unread = project_stores(
        [
            Record(0, 0, b"S1", msgspec.json.encode(full)),
            Record(1, 0, b"S2", b'{"store_id":"S2"}'),
            Record(2, 0, b"S3", b"nonsense"),
            Record(3, 0, b"S2", None),
        ],
        changes,
    )

    assert unread == [2]
    assert changes.put == {
        "stores": {
            ("S1",): ("S1", "Main", "Kent", "WA", "98030", 47.4, -122.2, "America/Los_Angeles", HOURS, "1 Elm"),
            ("S2",): None,
        }
    }


class FakeShelf:
    """Rows by key with the time they are due, as a table has them."""

    def __init__(self, **rows: Hold) -> None:
        self.rows = {key.replace("_", "|"): row for key, row in rows.items()}

    def fetch(self, keys: list[str]) -> list[tuple[str, bytes]]:
        return [(key, msgspec.msgpack.encode(self.rows[key])) for key in keys if key in self.rows]

    def due(self, at_ms: int) -> list[tuple[int, str]]:
        return [(row.due_ms, key) for key, row in self.rows.items() if row.due_ms <= at_ms]


def _timed(due_ms: int) -> Hold:
    return Hold(order="o", digest=1, granted_ms=0, until_ms=due_ms, due_ms=due_ms)


def test_what_is_due_is_told_in_order_from_the_table_and_from_what_changed_since() -> None:
    rows = FoldRows()
    rows.shelf = FakeShelf(**{"@hold_S1_a": _timed(5), "@hold_S1_b": _timed(6), "@hold_S1_c": _timed(7)})

    rows.put_timed("@hold|S1|a", _timed(50), 50)
    rows.drop("@hold|S1|b")
    rows.put_timed("@hold|S1|e", _timed(3), 3)
    rows.put_timed("@hold|S1|d", _timed(3), 3)

    assert rows.due(10) == ["@hold|S1|d", "@hold|S1|e", "@hold|S1|c"]
    assert rows.changes()[1] == ["@hold|S1|b"]


def test_rows_that_are_not_there_are_asked_for_once() -> None:
    rows, asked = FoldRows(), []
    shelf = FakeShelf()
    rows.shelf = shelf
    shelf.fetch = lambda keys: asked.append(keys) or []  # type: ignore[func-returns-value,method-assign]

    rows.prefetch(["S1|A", "S1|B"])
    found = [rows.get("S1|A"), rows.get("S1|B"), rows.get("S1|C"), rows.get("S1|C")]

    assert found == [None] * 4
    assert asked == [["S1|A", "S1|B"], ["S1|C"]]


def _heard(at_ms: int, learned_ms: int) -> Heard:
    return Heard(at_ms, learned_ms, "till/1", "m")


def _silences(*steps: tuple[int, int], grace: int = 5) -> list[tuple[object, ...]]:
    changes = Changes()
    silence = Silence(0, {})
    for offset, (at_ms, learned_ms) in enumerate(steps):
        silence.hear("S1", _heard(at_ms, learned_ms), grace, offset, changes)
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
    silence = Silence(0, {})
    silence.hear("S1", _heard(0, 0), 5, 0, changes)

    silence.change_grace("S1", 4 * MINUTE, 5, 1, changes)
    silence.hear("S1", _heard(4 * MINUTE + 1, 4 * MINUTE + 1), 1, 2, changes)

    assert [row[2:] for row in changes.append("silences")] == [("S1", 4 * MINUTE, 4 * MINUTE + 1, 0)]
