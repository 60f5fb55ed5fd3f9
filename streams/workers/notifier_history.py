"""Facts that a notifier needs from other records than the one at hand: earlier attempts, and later withdrawals."""

from collections.abc import Iterable
from typing import NamedTuple

from aiokafka.structs import TopicPartition

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue
from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.vocabulary import DeliveryState
from bopis.services.notifier.attempts import AttemptMemory
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS
from streams.engine.aiokafka_internals import fetch_chunks
from streams.engine.connection import LogConnection
from streams.engine.consumers import standalone_consumer
from streams.engine.processor import LogRecord
from streams.limits import StreamLimits

RECORDS_READ_MAX = 20_000
WAIT_S = 0.5
WITHDRAWN = b'"withdrawn"'


class Attempt(NamedTuple):
    """One attempt at a delivery of an order."""

    order: str
    delivery: DeliveryRef
    number: int


async def attempts_before(
    offset: int, tp: TopicPartition, connection: LogConnection, limits: StreamLimits
) -> AttemptMemory:
    """The attempts in the records before an offset. At most `RECORDS_READ_MAX` are read; whether an attempt was made
    before those cannot be known, and `AttemptMemory.since_ms` is from when on it can."""
    memory = AttemptMemory()
    if offset == 0:
        return memory
    consumer = standalone_consumer(connection, limits)
    await consumer.start()
    try:
        consumer.assign([tp])
        oldest = (await consumer.beginning_offsets([tp]))[tp]
        position = begin = max(oldest, offset - RECORDS_READ_MAX)
        consumer.seek(tp, begin)
        while position < offset:
            for chunk in (await fetch_chunks(consumer, None, WAIT_S)).values():
                for record in chunk.records:
                    if record.offset == begin and begin > oldest:
                        memory.since_ms = record.timestamp
                    if record.offset < offset:
                        _note(memory, record.value)
                position = chunk.next
        return memory
    finally:
        await consumer.stop()


def _note(memory: AttemptMemory, value: bytes | None) -> None:
    try:
        message = NOTICE_EVENTS.decode(value or b"")
    except WireError:
        return  # It was parked when it was first read.
    if isinstance(message.data, DeliveryDue):
        memory.is_new(message.id, message.data.at_ms)


def withdrawn_in(records: Iterable[LogRecord]) -> set[Attempt]:
    """Attempts that are withdrawn somewhere in these records."""
    withdrawn = set()
    for record in records:
        value = record.value or b""
        if WITHDRAWN not in value:
            continue
        try:
            message = NOTICE_EVENTS.decode(value)
        except WireError:
            continue  # It is parked when its turn comes.
        if isinstance(message.data, DeliveryChanged) and message.data.state is DeliveryState.WITHDRAWN:
            withdrawn.add(Attempt(message.subject, message.data.delivery, message.data.attempt))
    return withdrawn
