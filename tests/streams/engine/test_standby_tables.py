"""A standby table that is fed piece by piece, in any way, is the table that a full recovery makes."""

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, Claim, Position, encode_note
from streams.engine.batches import Chunk
from streams.engine.connection import LogConnection
from streams.engine.standby import StandbyTable, StandbyTables
from streams.engine.table import PartitionTable
from streams.engine.worker_context import WorkerContext
from streams.limits import StreamLimits
from tests.streams.records import StoredRecord
from tests.streams.toy_totals import Total, Totals

KEYS = ("a", "b", "c", "d")


def changelog(chance: random.Random, commits: int, stale_share: float = 0.15) -> list[Any]:
    """A changelog as owners write it: claims, commits with positions, dropped rows, and now and then a commit of
    a writer that had lost the partition."""
    records: list[Any] = []
    claims, position = [0], -1

    def append(key: bytes, value: bytes | None) -> None:
        records.append(StoredRecord(len(records), key, value))

    append(CLAIM_KEY, encode_note(Claim("", 0, 0)))
    for _ in range(commits):
        if chance.random() < 0.2:
            claims.append(len(records))
            append(CLAIM_KEY, encode_note(Claim("", len(claims), 0)))
        stale = len(claims) > 1 and chance.random() < stale_share
        position += 0 if stale else chance.randrange(1, 4)
        append(POSITION_KEY, encode_note(Position(position + 5 if stale else position, claims[-2 if stale else -1])))
        for key in chance.sample(KEYS, chance.randrange(1, len(KEYS))):
            total = Total(position, chance.randrange(100), 1, chance.randrange(1, 50))
            append(key.encode(), None if chance.random() < 0.2 else Totals().encode(key, total))
    return records


def compacted(records: list[Any]) -> list[Any]:
    """The log after compaction: the newest record of each key, tombstones included."""
    newest = {record.key: record for record in records}
    return [record for record in records if newest[record.key] is record]


def shown(table: PartitionTable) -> tuple[Any, ...]:
    """Everything that later decisions depend on."""
    rows = [(key, Totals().encode(key, row)) for key, row in table.rows.items()]
    return rows, table.position, table.rows.due(1_000), table.rows.next_deadline()


def finished(table: PartitionTable, claim: int) -> PartitionTable:
    table.loaded(claim)
    return table


def full(records: Iterable[Any], claim: int) -> PartitionTable:
    table = PartitionTable(Totals())
    table.load(records)
    return finished(table, claim)


@given(seed=st.integers(0, 1 << 30), cuts=st.lists(st.integers(0, 200), max_size=6), use=st.booleans())
def test_a_table_loaded_in_pieces_is_the_table_loaded_at_once(seed: int, cuts: list[int], use: bool) -> None:
    """In between it may have been used: later records of the changelog replace decoded rows and deadlines."""
    records = changelog(random.Random(seed), 30)
    ends = sorted(min(cut, len(records)) for cut in cuts)
    standby = PartitionTable(Totals())

    for start, end in zip([0, *ends], [*ends, len(records)], strict=True):
        standby.load(records[start:end])
        if use:
            standby.rows.load_agenda(Totals().deadline)
            for key in KEYS:
                standby.rows.get(key)

    assert shown(finished(standby, len(records))) == shown(full(records, len(records)))


@given(seed=st.integers(0, 1 << 30), cut=st.integers(0, 60))
def test_compaction_under_a_follower_takes_nothing_from_it(seed: int, cut: int) -> None:
    """Records before the cut were read as they were written, records after it as compaction left them. Stale commits
    are left out here: once compacted they look like all others, which is why the log itself must refuse them."""
    records = changelog(random.Random(seed), 30, stale_share=0.0)
    standby = PartitionTable(Totals())
    standby.load(records[:cut])

    standby.load(record for record in compacted(records) if record.offset >= cut)

    assert shown(finished(standby, len(records))) == shown(full(compacted(records), len(records)))


class FakeConsumer:
    """A consumer that only notes where it is sent."""

    def __init__(self) -> None:
        self.begun_again: list[Any] = []

    async def seek_to_beginning(self, tp: Any) -> None:
        self.begun_again.append(tp.partition)


def standbys(standby: StandbyTable, **limits: Any) -> StandbyTables:
    connection = LogConnection(bootstrap="", prefix="", partitions=1, data_dir=Path())
    client: Any = None
    failed: Any = None
    tables = StandbyTables(WorkerContext(Totals(), connection, StreamLimits(**limits), client, failed))
    tables._standbys[0] = standby
    return tables


@pytest.mark.parametrize(
    ("following", "start", "kept_s", "again"),
    [(None, 40, 60.0, False), (3, 3, 60.0, False), (3, 40, 60.0, True), (3, 0, 60.0, True), (3, 3, -1.0, True)],
    ids=["first chunk", "the next one", "records were removed", "another topic", "away for too long"],
)
async def test_a_standby_that_missed_records_begins_again(
    following: int | None, start: int, kept_s: float, again: bool
) -> None:
    standby = StandbyTable(PartitionTable(Totals()), following)
    kept, consumer = standbys(standby, tombstones_kept_s=kept_s), FakeConsumer()
    anywhere: Any = consumer
    tp = kept._tp(0)

    await kept._load(anywhere, tp, Chunk(tp, start, start + 2, [StoredRecord(start, b"a", b"[1,1,0,0,0]")]))

    assert consumer.begun_again == ([0] if again else [])
    assert (kept._standbys[0] is standby) != again
    assert len(kept._standbys[0].table.rows) == (0 if again else 1)
    if not again:
        assert kept._standbys[0].following == start + 2


async def test_a_standby_that_was_given_away_while_it_was_fed_knows_how_far_it_came() -> None:
    standby = StandbyTable(PartitionTable(Totals()), 0)
    kept, consumer = standbys(standby, standby_slice_records=2), FakeConsumer()
    anywhere: Any = consumer
    tp = kept._tp(0)
    records: list[Any] = [StoredRecord(n, b"k%d" % n, b"[1,1,0,0,0]") for n in range(6)]

    feeding = asyncio.create_task(kept._load(anywhere, tp, Chunk(tp, 0, 6, records)))
    await asyncio.sleep(0)
    taken = kept.take(0)
    await feeding

    assert taken is standby
    assert 0 < (standby.following or 0) < 6
    assert len(standby.table.rows) == standby.following
