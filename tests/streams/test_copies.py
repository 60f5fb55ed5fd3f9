"""A copy that was fed piece by piece, by whatever route, is the table that a full recovery makes."""

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_rules import Told
from toy_totals import Total, Totals

from streams.batches import Chunk
from streams.changelog import CLAIM_KEY, POSITION_KEY, Claim, Position, encode_note
from streams.connection import Connection
from streams.limits import StreamLimits
from streams.standby import Copy, Standbys
from streams.table import Table

KEYS = ("a", "b", "c", "d")


def changelog(chance: random.Random, commits: int, stale_share: float = 0.15) -> list[Any]:
    """A changelog as owners write it: claims, commits with positions, dropped rows, and now and then a commit of
    somebody who had lost the partition."""
    records: list[Any] = []
    claims, position = [0], -1

    def append(key: bytes, value: bytes | None) -> None:
        records.append(Told(len(records), key, value))

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
    """What compaction leaves: the newest record of each key, dropped rows still told."""
    newest = {record.key: record for record in records}
    return [record for record in records if newest[record.key] is record]


def shown(table: Table) -> tuple[Any, ...]:
    """Everything that later decisions depend on."""
    rows = [(key, Totals().encode(key, row)) for key, row in table.rows.items()]
    return rows, table.position, table.rows.due(1_000), table.rows.next_deadline()


def finished(table: Table, claim: int) -> Table:
    table.loaded(claim)
    return table


def full(records: Iterable[Any], claim: int) -> Table:
    table = Table(Totals())
    table.load(records)
    return finished(table, claim)


@given(seed=st.integers(0, 1 << 30), cuts=st.lists(st.integers(0, 200), max_size=6), use=st.booleans())
def test_a_table_loaded_in_pieces_is_the_table_loaded_at_once(seed: int, cuts: list[int], use: bool) -> None:
    """In between it may have been used: decoded rows and deadlines give way to what the changelog says later."""
    records = changelog(random.Random(seed), 30)
    ends = sorted(min(cut, len(records)) for cut in cuts)
    copy = Table(Totals())

    for start, end in zip([0, *ends], [*ends, len(records)], strict=True):
        copy.load(records[start:end])
        if use:
            copy.rows.load_agenda(Totals().deadline)
            for key in KEYS:
                copy.rows.get(key)

    assert shown(finished(copy, len(records))) == shown(full(records, len(records)))


@given(seed=st.integers(0, 1 << 30), cut=st.integers(0, 60))
def test_compaction_under_a_follower_takes_nothing_from_it(seed: int, cut: int) -> None:
    """What stands before the cut was read as it was, what stands after it is read as compaction left it. Stale commits
    are left out here: once compacted they cannot be told from others, which is why the log itself must refuse them."""
    records = changelog(random.Random(seed), 30, stale_share=0.0)
    copy = Table(Totals())
    copy.load(records[:cut])

    copy.load(record for record in compacted(records) if record.offset >= cut)

    assert shown(finished(copy, len(records))) == shown(full(compacted(records), len(records)))


class Reader:
    """A consumer that only notes where it is sent."""

    def __init__(self) -> None:
        self.begun_anew: list[Any] = []

    async def seek_to_beginning(self, tp: Any) -> None:
        self.begun_anew.append(tp.partition)


def standbys(copy: Copy, **limits: Any) -> Standbys:
    connection = Connection(bootstrap="", prefix="", partitions=1, data_dir=Path())
    client: Any = None
    standbys = Standbys(Totals(), connection, StreamLimits(**limits), client)
    standbys._copies[0] = copy
    return standbys


@pytest.mark.parametrize(
    ("following", "start", "kept_s", "anew"),
    [(None, 40, 60.0, False), (3, 3, 60.0, False), (3, 40, 60.0, True), (3, 0, 60.0, True), (3, 3, -1.0, True)],
    ids=["first chunk", "the next one", "records were removed", "another topic", "away for too long"],
)
async def test_a_copy_that_missed_records_begins_anew(
    following: int | None, start: int, kept_s: float, anew: bool
) -> None:
    copy = Copy(Table(Totals()), following)
    kept, reader = standbys(copy, tombstones_kept_s=kept_s), Reader()
    anywhere: Any = reader
    tp = kept._tp(0)

    await kept._load(anywhere, tp, Chunk(tp, start, start + 2, [Told(start, b"a", b"[1,1,0,0,0]")]))

    assert reader.begun_anew == ([0] if anew else [])
    assert (kept._copies[0] is copy) != anew
    assert len(kept._copies[0].table.rows) == (0 if anew else 1)
    if not anew:
        assert kept._copies[0].following == start + 2


async def test_a_copy_that_was_given_away_while_it_was_fed_tells_how_far_it_came() -> None:
    copy = Copy(Table(Totals()), 0)
    kept, reader = standbys(copy, standby_slice_records=2), Reader()
    anywhere: Any = reader
    tp = kept._tp(0)
    records: list[Any] = [Told(n, b"k%d" % n, b"[1,1,0,0,0]") for n in range(6)]

    feeding = asyncio.create_task(kept._load(anywhere, tp, Chunk(tp, 0, 6, records)))
    await asyncio.sleep(0)
    taken = kept.take(0)
    await feeding

    assert taken is copy
    assert 0 < (copy.following or 0) < 6
    assert len(copy.table.rows) == copy.following
