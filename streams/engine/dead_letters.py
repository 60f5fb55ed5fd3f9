"""Records that can never be handled: kept in a topic of their own, with the cause, so that an operator can look at
them, mend what was wrong and publish them again."""

import msgspec
from aiokafka.structs import TopicPartition

from bopis.names import DEAD_LETTERS_TOPIC
from streams.engine.processor import LogRecord, Output

CAUSE_CHARACTERS_MAX = 1_000


class ParkedRecord(msgspec.Struct, frozen=True):
    """A record that can never be handled, and why."""

    cause: str
    record: LogRecord


def dead_letter(parked: ParkedRecord, processor: str, source: TopicPartition) -> Output:
    """The record with its own key and value; the headers name its cause and where it was read."""
    record = parked.record
    facts = {
        "cause": parked.cause[:CAUSE_CHARACTERS_MAX],
        "processor": processor,
        "topic": source.topic,
        "partition": str(source.partition),
        "offset": str(record.offset),
        "timestamp": str(record.timestamp),
    }
    headers = tuple((name, value.encode()) for name, value in facts.items())
    return Output(DEAD_LETTERS_TOPIC, record.key or b"", record.value or b"", headers)
