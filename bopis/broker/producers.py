"""What the log remembers of each producer in each partition: epoch, and its last batches.

Pure. The rules are Apache Kafka's: a repeated batch is answered with its first offset, a gap is refused, and as soon
as a newer epoch has written, every batch of an older one is refused. The state is stored with the batches that made
it, in the same commit, so it holds after any crash.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bopis.broker.batch import BatchHeader
from bopis.broker.codes import Code
from bopis.broker.errors import Refused

_BATCH = struct.Struct(">iiqq")
_SEQUENCE_MAX = (1 << 31) - 1


class PastBatch(NamedTuple):
    """A batch that was taken: enough to recognise it when it comes again."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    append_time_ms: int


class ProducerState(NamedTuple):
    """One producer in one partition."""

    epoch: int
    batches: tuple[PastBatch, ...]


def find_duplicate(state: ProducerState | None, header: BatchHeader) -> PastBatch | None:
    """The earlier batch that this one repeats, if it is among those remembered."""
    if state is None or state.epoch != header.producer_epoch:
        return None
    for past in state.batches:
        if past.first_sequence == header.base_sequence and past.last_sequence == header.last_sequence:
            return past
    return None


def check_sequence(state: ProducerState | None, header: BatchHeader) -> None:
    """Refuse a batch of an older epoch, and one that does not follow the last."""
    if state is None:
        return
    if header.producer_epoch < state.epoch:
        raise Refused(Code.INVALID_PRODUCER_EPOCH, f"Epoch {state.epoch} has taken over this producer.")
    if header.producer_epoch > state.epoch:
        if header.base_sequence != 0:
            raise Refused(Code.OUT_OF_ORDER_SEQUENCE_NUMBER, "A new epoch starts at sequence 0.")
        return
    last = state.batches[-1].last_sequence
    expected = 0 if last == _SEQUENCE_MAX else last + 1
    if header.base_sequence != expected:
        message = f"Sequence {header.base_sequence} came where {expected} was due."
        raise Refused(Code.OUT_OF_ORDER_SEQUENCE_NUMBER, message)


def remember(state: ProducerState | None, header: BatchHeader, past: PastBatch, kept: int) -> ProducerState:
    """The state after a batch was taken."""
    if state is None or state.epoch != header.producer_epoch:
        return ProducerState(header.producer_epoch, (past,))
    return ProducerState(state.epoch, (*state.batches[-(kept - 1) :], past))


def pack_batches(state: ProducerState) -> bytes:
    """The remembered batches as they are stored."""
    return b"".join(_BATCH.pack(*batch) for batch in state.batches)


def unpack_state(epoch: int, packed: bytes) -> ProducerState:
    """The state as it was stored."""
    return ProducerState(epoch, tuple(PastBatch._make(fields) for fields in _BATCH.iter_unpack(packed)))
