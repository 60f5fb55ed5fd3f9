"""The pure projectors: records in, rows out."""

import msgspec
import pytest

from bopis.domain.inventory.rows import (
    Device,
    Expected,
    Hold,
    HoldLine,
    HoldLineState,
    Level,
    StockRule,
    Store,
    Transfer,
)
from bopis.domain.inventory.transfers import TRANSFER_MEMORY_MS
from bopis.readside.changes import Changes
from bopis.readside.levels import project_levels
from bopis.readside.stores import project_stores
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, ChangelogReader, Claim, Position, encode_note
from tests.readside.world import Record

MINUTE = 60_000
HOURS = (
    '{"opening_hours":"Mo-Sa 08:00-20:00","time_zone":"America/Los_Angeles","holidays":"","cutoff":"",'
    '"closures":"","openings":"","capacity_minutes":60,"closed":false}'
)


def _row(key: str, row: object) -> Record:
    return Record(0, 0, key.encode(), msgspec.json.encode(row) if row is not None else None)


def _projected(*records: Record) -> Changes:
    changes = Changes()
    project_levels(3, records, changes)
    return changes


def test_a_level_is_put_with_everything_that_its_terms_need() -> None:
    level = Level(on_hand=7, held=2, staged=1, in_doubt=1, category="toys", counted_ms=5, sold=3, sold_since_ms=4)

    changes = _projected(_row("S1|A|1", level))

    assert changes.upserted == {
        "levels": {("S1", "A|1"): ("S1", "A|1", 3, 7, 2, 1, 1, 0, 0, 5, "", False, 0, 4, 3, 0, "toys")}
    }


def test_a_row_that_changes_twice_is_written_once_as_it_ends() -> None:
    changes = _projected(_row("S1|A", Level(on_hand=7)), _row("S1|A", Level(on_hand=6)), _row("S1|A", None))

    assert changes.upserted == {"levels": {("S1", "A"): None}}


def test_policy_device_and_hold_are_put_in_their_tables() -> None:
    hold = Hold(
        order="o1", digest=1, granted_ms=5, until_ms=9, promised_ms=8,
        lines=[HoldLine(1, "A", 2), HoldLine(2, "B", 1, 1, 1, HoldLineState.COLLECTED)],
    )  # fmt: skip

    rules = {"sku:A": StockRule(2), "store": StockRule(None, 1)}
    device = Device(mark=2, top=9, heard_ms=77, ranges=[[4, 5], [9, 9]], closed=[[3, 3]])
    device.hours_in_effect = bytes([44, 1] + [0, 0] * 23)
    changes = _projected(
        _row("@store|S1", Store(pickup=False, rules=rules, staleness_percent=150)),
        _row("@device|S1|till/1", device),
        _row("@hold|S1|h1", hold),
    )

    hours = "[300" + ",0" * 23 + "]"
    assert changes.upserted == {
        "store_policy": {
            ("S1",): ("S1", 3, False, 5, '{"sku:A":{"safety_stock":2},"store":{"walk_in_reserve":1}}', 150)
        },
        "devices": {("S1", "till/1"): ("S1", "till/1", 3, 2, 9, 77, "[[6,8]]", "[[3,3]]", hours)},
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

    assert changes.upserted == {
        "holds": {("S1", "h1"): None},
        "store_policy": {("S1",): None},
        "devices": {("S1", "till/1"): None},
    }
    assert changes.replaced == {"hold_lines": {("S1", "h1"): []}}


@pytest.mark.parametrize("key", ["@seen|S1|desk|m1", "@something|new"])
def test_rows_of_other_kinds_are_left_alone(key: str) -> None:
    changes = _projected(Record(0, 0, key.encode(), b'{"digest":1}'))

    assert (changes.upserted, changes.appended, changes.replaced) == ({}, {}, {})


def test_a_transfer_is_put_with_what_was_announced_and_what_arrived() -> None:
    transfer = Transfer(
        from_store="S2", announced={"A": 4, "B": 1}, received={"A": 3, "C": 2}, is_announced=True, expected_ms=9,
        due_ms=TRANSFER_MEMORY_MS + 7,
    )  # fmt: skip

    put, gone = _projected(_row("@transfer|S1|t1", transfer)), _projected(_row("@transfer|S1|t1", None))

    assert put.upserted == {"transfers": {("S1", "t1"): ("S1", "t1", 3, "S2", True, False, 9, 7)}}
    assert put.replaced == {
        "transfer_lines": {("S1", "t1"): [("S1", "t1", "A", 4, 3), ("S1", "t1", "B", 1, 0), ("S1", "t1", "C", 0, 2)]}
    }
    assert gone.upserted == {"transfers": {("S1", "t1"): None}}
    assert gone.replaced == {"transfer_lines": {("S1", "t1"): []}}


def test_what_a_document_will_bring_is_put_line_by_line_until_it_is_ended() -> None:
    expected = Expected(announced_ms=1, expected_ms=9, lines={"A": 4, "B": 1}, overdue=True)

    put = _projected(_row("@expected|S1|PO-7", expected))
    ended = _projected(_row("@expected|S1|PO-7", Expected(announced_ms=2)))

    lines = [("S1", "PO-7", "A", 3, 9, 4, True), ("S1", "PO-7", "B", 3, 9, 1, True)]
    assert put.replaced == {"expected_lines": {("S1", "PO-7"): lines}}
    assert ended.replaced == {"expected_lines": {("S1", "PO-7"): []}}


def test_notes_tell_the_position_and_the_batches_of_who_had_lost_the_partition_are_left_out() -> None:
    notes = ChangelogReader()
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

    believed = [record.offset for record in notes.rows(records)]

    assert believed == [2, 8]
    assert (notes.position, notes.claim, notes.fenced) == (6, 3, False)


def test_notes_go_on_where_the_batch_before_stopped() -> None:
    notes = ChangelogReader(position=4, claim=3, fenced=True)

    believed = [record.offset for record in notes.rows([Record(5, 0, b"S1|A", b"{}")])]

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
    assert changes.upserted == {
        "stores": {
            ("S1",): ("S1", "Main", "Kent", "WA", "98030", 47.4, -122.2, "America/Los_Angeles", HOURS, "1 Elm"),
            ("S2",): None,
        }
    }
