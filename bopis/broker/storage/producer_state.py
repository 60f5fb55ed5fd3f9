"""The state of each producer in each partition: its epoch and its last batches. Pure.

The rules are Apache Kafka's (KIP-98): a repeated batch is answered with its first offset, a gap in the sequence is
refused, and as soon as a newer epoch has written, every batch of an older one is refused. The state is stored in the
same commit as the batches that it follows from, so it is right after any crash.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.storage.batch import BatchHeader

_BATCH = struct.Struct(">iiqq")
_SEQUENCE_MAX = (1 << 31) - 1


class RecentBatch(NamedTuple):
    """The fields of an appended batch by which a repeat of it is recognised and answered."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    append_time_ms: int


class ProducerState(NamedTuple):
    """One producer in one partition."""

    epoch: int
    batches: tuple[RecentBatch, ...]


def find_duplicate(state: ProducerState | None, header: BatchHeader) -> RecentBatch | None:
    """The remembered batch that this one repeats, or None."""
    # Sequences start again with each epoch, so only batches of the same one can be repeats.
    if state is None or state.epoch != header.producer_epoch:
        return None
    for batch in state.batches:
        if batch.first_sequence == header.base_sequence and batch.last_sequence == header.last_sequence:
            return batch
    return None


def check_sequence(state: ProducerState | None, header: BatchHeader) -> None:
    """Raise `Refused` for a batch of an older epoch, and for one that does not continue the sequence."""
    if state is None:
        # Its state may have expired, so it may start at any sequence, as on Apache Kafka.
        return
    if header.producer_epoch < state.epoch:
        raise Refused(ErrorCode.INVALID_PRODUCER_EPOCH, f"Epoch {state.epoch} has taken over this producer.")
    if header.producer_epoch > state.epoch:
        if header.base_sequence != 0:
            raise Refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, "A new epoch starts at sequence 0.")
        return
    last = state.batches[-1].last_sequence
    expected = 0 if last == _SEQUENCE_MAX else last + 1
    if header.base_sequence != expected:
        message = f"Sequence {header.base_sequence} came where {expected} was due."
        raise Refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message)


def remember(state: ProducerState | None, header: BatchHeader, batch: RecentBatch, kept: int) -> ProducerState:
    """The state after a batch was appended; at most `kept` batches are remembered."""
    if state is None or state.epoch != header.producer_epoch:
        return ProducerState(header.producer_epoch, (batch,))
    return ProducerState(state.epoch, (*state.batches[-(kept - 1) :], batch))


def pack_batches(state: ProducerState) -> bytes:
    """The remembered batches in the form in which they are stored."""
    return b"".join(_BATCH.pack(*batch) for batch in state.batches)


def unpack_state(epoch: int, packed: bytes) -> ProducerState:
    """The state from its stored form."""
    return ProducerState(epoch, tuple(RecentBatch._make(fields) for fields in _BATCH.iter_unpack(packed)))
