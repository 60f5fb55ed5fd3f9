"""What a notifier must know beside the record in its hand: attempts taken before, and those taken back further on."""

from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue
from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.terms import DeliveryState
from bopis.services.notifier.memory import Memory
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICE_EVENTS
from streams.connection import Connection

RECORDS_READ_MAX = 20_000
WAIT_MS = 500
WITHDRAWN = b'"withdrawn"'


async def remembered(connection: Connection, tp: TopicPartition, first: int) -> Memory:
    """The attempts that stand before an offset. Reading ends so far back; what is older is in doubt from then on."""
    memory = Memory()
    if first == 0:
        return memory
    consumer = AIOKafkaConsumer(group_id=None, enable_auto_commit=False, **connection.client_options())
    await consumer.start()
    try:
        consumer.assign([tp])
        oldest = (await consumer.beginning_offsets([tp]))[tp]
        begin = max(oldest, first - RECORDS_READ_MAX)
        consumer.seek(tp, begin)
        while await consumer.position(tp) < first:
            for record in (await consumer.getmany(tp, timeout_ms=WAIT_MS)).get(tp, ()):
                if record.offset == begin and begin > oldest:
                    memory.since_ms = record.timestamp
                if record.offset < first:
                    _note(memory, record.value)
        return memory
    finally:
        await consumer.stop()


def _note(memory: Memory, value: bytes | None) -> None:
    try:
        message = NOTICE_EVENTS.decode(value or b"")
    except WireError:
        return  # It was parked when it was first met.
    if isinstance(message.data, DeliveryDue):
        memory.is_new(message.id, message.data.at_ms)


def withdrawn_in(records: list[Any]) -> set[tuple[str, DeliveryRef, int]]:
    """Attempts that are taken back somewhere in what was read."""
    found = set()
    for record in records:
        if WITHDRAWN not in (record.value or b""):
            continue
        try:
            message = NOTICE_EVENTS.decode(record.value)
        except WireError:
            continue  # It is parked when its turn comes.
        if isinstance(message.data, DeliveryChanged) and message.data.state is DeliveryState.WITHDRAWN:
            found.add((message.subject, message.data.delivery, message.data.attempt))
    return found
