"""Batches and producers as pure values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.storage.batch import LOG_APPEND_TIME, check_batch, is_intact, read_header, stamp
from bopis.broker.storage.producer_state import (
    ProducerState,
    RecentBatch,
    check_sequence,
    find_duplicate,
    pack_batches,
    remember,
    unpack_state,
)
from bopis.broker.storage.records import UnreadableRecords, first_since, read_records, with_records
from tests.engines.wire import batch

pairs = st.lists(
    st.tuples(st.none() | st.binary(max_size=300), st.none() | st.binary(max_size=300)), min_size=1, max_size=20
)


@given(pairs, st.sampled_from([0, 1]))
def test_walking_a_batch_gives_its_keys_and_tombstones(
    records: list[tuple[bytes | None, bytes | None]], compression: int
) -> None:
    walked = list(read_records(batch(*records, compression=compression)))

    assert [(record.key, record.tombstone) for record in walked] == [(k, v is None) for k, v in records]
    assert [record.offset_delta for record in walked] == list(range(len(records)))


@given(pairs, st.sampled_from([0, 1]), st.randoms())
def test_a_batch_that_loses_records_stays_sound_and_keeps_their_offsets(
    records: list[tuple[bytes | None, bytes | None]], compression: int, chance: object
) -> None:
    whole = batch(*records, compression=compression, timestamp_ms=1_000)
    walked = list(read_records(whole))
    kept = [record for record in walked if chance.random() < 0.5]  # type: ignore[attr-defined]

    fresh = with_records(whole, kept)

    assert is_intact(fresh)
    assert list(read_records(fresh)) == kept
    assert read_header(fresh).last_offset_delta == len(records) - 1


@given(st.binary(max_size=200))
def test_bytes_that_are_no_records_are_opaque_and_nothing_worse(body: bytes) -> None:
    nonsense = bytearray(batch((b"k", b"v"))[:61]) + body

    try:
        list(read_records(bytes(nonsense)))
    except UnreadableRecords:
        pass


@given(st.binary(max_size=300))
def test_bytes_that_are_no_batch_are_refused(nonsense: bytes) -> None:
    with pytest.raises(Refused):
        check_batch(memoryview(nonsense))


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=10**13))
def test_a_stamped_batch_has_its_offset_and_the_logs_time_and_is_sound(offset: int, now_ms: int) -> None:
    stored = stamp(memoryview(batch((b"k", b"v"), timestamp_ms=5)), offset, now_ms)
    header = read_header(stored)

    assert is_intact(stored)
    assert (header.base_offset, header.max_timestamp) == (offset, now_ms)
    assert header.attributes & LOG_APPEND_TIME


def test_a_client_cannot_claim_that_the_log_set_the_time() -> None:
    lying = stamp(memoryview(batch((b"k", b"v"))), 0, 77)

    stored = stamp(memoryview(lying), 3, None)

    assert not read_header(stored).attributes & LOG_APPEND_TIME
    assert is_intact(stored)


def test_a_time_inside_a_batch_is_found() -> None:
    stored = stamp(memoryview(batch((b"k", b"1"), (b"k", b"2"), (b"k", b"3"), timestamp_ms=100)), 50, None)

    assert first_since(50, stored, 101) == (51, 101)


def of_sequence(first: int, epoch: int = 0, count: int = 1) -> object:
    return read_header(batch(*[(b"k", b"v")] * count, producer=(7, epoch, first)))


def test_the_last_batches_are_remembered_and_older_ones_are_gaps() -> None:
    state: ProducerState | None = None
    for sequence in range(8):
        header = of_sequence(sequence)
        check_sequence(state, header)  # type: ignore[arg-type]
        past = RecentBatch(sequence, sequence, sequence + 100, -1)
        state = remember(state, header, past, 5)  # type: ignore[arg-type]

    assert state is not None
    assert [past.first_sequence for past in state.batches] == [3, 4, 5, 6, 7]
    assert find_duplicate(state, of_sequence(3)).base_offset == 103  # type: ignore[arg-type, union-attr]
    assert find_duplicate(state, of_sequence(2)) is None  # type: ignore[arg-type]
    with pytest.raises(Refused) as refusal:
        check_sequence(state, of_sequence(2))  # type: ignore[arg-type]
    assert refusal.value.code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert unpack_state(state.epoch, pack_batches(state)) == state


def test_a_batch_with_another_length_is_no_repeat() -> None:
    state = ProducerState(0, (RecentBatch(0, 2, 0, -1),))

    assert find_duplicate(state, of_sequence(0, count=3)) is not None  # type: ignore[arg-type]
    assert find_duplicate(state, of_sequence(0, count=2)) is None  # type: ignore[arg-type]


def test_a_newer_epoch_forgets_the_batches_of_the_older() -> None:
    state = ProducerState(3, (RecentBatch(0, 0, 0, -1),))

    after = remember(state, of_sequence(0, epoch=4), RecentBatch(0, 0, 9, -1), 5)  # type: ignore[arg-type]

    assert after == ProducerState(4, (RecentBatch(0, 0, 9, -1),))
    with pytest.raises(Refused) as refusal:
        check_sequence(after, of_sequence(1, epoch=3))  # type: ignore[arg-type]
    assert refusal.value.code == ErrorCode.INVALID_PRODUCER_EPOCH
