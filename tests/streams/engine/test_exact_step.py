"""The exact step: however records are cut into chunks, repeated, or met again after a crash, the answer is one."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.wire.changelog import CLAIM_KEY, Claim, encode_note
from streams.engine.exact_step import NO_POSITION, StepResult, step
from streams.engine.processor import Output, Poison
from streams.engine.rows import PartitionRows
from streams.engine.table import PartitionTable
from streams.errors import ChangelogBroken, ProcessorBroken
from tests.streams.records import StoredRecord
from tests.streams.toy_totals import Totals

BYTES_MAX = 100


def run(table: PartitionTable, records: list[StoredRecord]) -> StepResult:
    done = step(Totals(), table.rows, table.position, records, BYTES_MAX)
    table.position = done.position
    return done


def state(table: PartitionTable) -> dict[str, Any]:
    return {key: msgspec.to_builtins(row) for key, row in table.rows.items()}


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (b"not json", "not a message"),
        (b'{"add":1,"key":"' + b"x" * BYTES_MAX + b'"}', "the record has 118 bytes; 100 are allowed"),
        (None, "the record has no value"),
    ],
)
def test_what_can_never_be_handled_is_parked_and_the_rest_goes_on(value: bytes | None, cause: str) -> None:
    table = PartitionTable(Totals())

    done = run(
        table, [StoredRecord(0, b"a", b'{"add":1}'), StoredRecord(1, b"a", value), StoredRecord(2, b"a", b'{"add":2}')]
    )

    assert done.position == 2
    assert done.handled == 2
    assert [(parked.record.offset, parked.cause.split(":")[0]) for parked in done.parked] == [(1, cause)]
    assert state(table)["a"] == [2, 3, 0, 0, 0]


def test_a_bug_is_not_skipped() -> None:
    table = PartitionTable(Totals())

    with pytest.raises(ProcessorBroken, match="a bug in the processor"):
        run(table, [StoredRecord(0, b"a", b'{"add":1}'), StoredRecord(1, b"a", b'{"bug":true}')])

    assert table.position == NO_POSITION


def test_poison_after_a_change_is_a_bug() -> None:
    class Sloppy(Totals):
        def handle(self, rows: PartitionRows, record: Any) -> Sequence[Output]:
            rows.put("a", [1])
            raise Poison(f"too late at {record.offset}")

    with pytest.raises(ProcessorBroken, match="Poison raised after"):
        step(Sloppy(), PartitionTable(Totals()).rows, NO_POSITION, [StoredRecord(0, b"a", b"{}")], BYTES_MAX)


def test_records_at_or_below_the_position_are_skipped() -> None:
    table = PartitionTable(Totals())
    records = [StoredRecord(n, b"a", b'{"add":1}') for n in range(5)]
    run(table, records[:3])

    done = run(table, records)

    assert done.handled == 2
    assert state(table)["a"][:2] == [5, 5]


MESSAGES = st.one_of(
    st.integers(0, 9).map(lambda n: b'{"add":%d}' % n),
    st.tuples(st.integers(1, 9), st.integers(1, 30)).map(lambda held: b'{"hold":%d,"until":%d}' % held),
    st.integers(1, 30).map(lambda at: b'{"tick":%d}' % at),
    st.sampled_from([b"rubbish", None]),
)
LOGS = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), MESSAGES, st.integers(1, 3)), max_size=40)


def as_records(entries: list[tuple[bytes, bytes | None, int]]) -> list[StoredRecord]:
    """Offsets with holes, as after compaction or control records."""
    records, offset = [], -1
    for key, value, distance in entries:
        offset += distance
        records.append(StoredRecord(offset, key, value))
    return records


class Log:
    """A changelog as a list: commits stay, staged rows are lost in a crash."""

    def __init__(self) -> None:
        self.records: list[StoredRecord] = []
        self.owners = 0

    def open(self) -> PartitionTable:
        claim = len(self.records)
        self.owners += 1
        self.records.append(StoredRecord(claim, CLAIM_KEY, encode_note(Claim("x", self.owners, 0))))
        table = PartitionTable(Totals())
        table.load(self.records)
        table.loaded(claim)
        return table

    def commit(self, table: PartitionTable) -> None:
        for key, value in table.commit(table.position):
            self.append(key, value)

    def append(self, key: bytes, value: bytes | None) -> None:
        self.records.append(StoredRecord(len(self.records), key, value))


@settings(deadline=None)
@given(LOGS, st.data())
def test_any_chunks_repeats_and_crashes_give_what_one_straight_fold_gives(
    entries: list[tuple[bytes, bytes | None, int]], data: st.DataObject
) -> None:
    records = as_records(entries)
    straight = PartitionTable(Totals())
    wanted = run(straight, records)

    log = Log()
    table = log.open()
    outputs: dict[int, Any] = {}
    parked: dict[int, Any] = {}
    at = 0
    while at < len(records):
        until = data.draw(st.integers(at + 1, len(records)))
        begin = data.draw(st.integers(0, at))
        done = run(table, records[begin:until])
        for output in done.outputs:
            found = msgspec.json.decode(output.value)
            assert outputs.setdefault(found["id"], found) == found
        parked |= {letter.record.offset: letter.cause for letter in done.parked}
        at = until
        match data.draw(st.sampled_from(["go on", "commit", "crash", "commit and crash"])):
            case "commit":
                log.commit(table)
            case "crash":
                table = log.open()
            case "commit and crash":
                log.commit(table)
                table = log.open()
        at = sum(record.offset <= table.position for record in records)

    assert state(table) == state(straight)
    assert table.rows.next_deadline() == straight.rows.next_deadline()
    assert table.position == straight.position
    assert list(outputs.values()) == [msgspec.json.decode(output.value) for output in wanted.outputs]
    assert parked == {letter.record.offset: letter.cause for letter in wanted.parked}


def test_a_batch_of_a_writer_that_lost_the_partition_is_left_out() -> None:
    log = Log()
    old = log.open()
    run(old, [StoredRecord(0, b"a", b'{"add":1}')])
    log.commit(old)
    new = log.open()
    run(new, [StoredRecord(1, b"a", b'{"add":10}')])
    log.commit(new)
    run(old, [StoredRecord(1, b"a", b'{"add":10}'), StoredRecord(2, b"a", b'{"add":100}')])
    log.commit(old)
    run(new, [StoredRecord(2, b"b", b'{"add":5}')])
    log.commit(new)

    table = log.open()

    assert state(table) == {"a": [2, 11, 0, 0, 0], "b": [1, 5, 0, 0, 0]}
    assert table.position == 2
    assert table.stale == 2


def test_a_position_that_goes_backwards_is_refused() -> None:
    log = Log()
    table = log.open()
    table.position = 5
    log.commit(table)
    table.position = 4
    log.commit(table)

    with pytest.raises(ChangelogBroken, match="before=5"):
        log.open()


def test_o2_57_a_record_that_is_no_row_is_skipped_and_the_next_commit_writes_its_row_again() -> None:
    log = Log()
    owner = log.open()
    run(owner, [StoredRecord(0, b"a", b'{"add":1}')])
    log.commit(owner)
    log.append(b"a", b"{")
    log.append(b"b", b"{")

    table = log.open()

    assert state(table) == {"a": [1, 1, 0, 0, 0]}
    assert [it.key for it in table.skipped] == [b"a", b"b"]
    run(table, [StoredRecord(1, b"c", b'{"add":2}')])
    log.commit(table)
    assert {record.key: record.value for record in log.records}[b"a"] != b"{"


def test_o2_57_a_row_that_was_written_after_the_record_is_the_newest() -> None:
    log = Log()
    owner = log.open()
    run(owner, [StoredRecord(0, b"a", b'{"add":1}')])
    log.commit(owner)
    log.append(b"a", b"{")
    run(owner, [StoredRecord(1, b"a", b'{"add":4}')])
    log.commit(owner)

    table = log.open()
    run(table, [StoredRecord(2, b"c", b'{"add":2}')])
    log.commit(table)

    assert state(log.open()) == {"a": [2, 5, 0, 0, 0], "c": [1, 2, 0, 0, 0]}
