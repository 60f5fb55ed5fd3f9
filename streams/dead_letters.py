"""Where records go that can never be handled: kept as they were, with the reason, so that an operator can look at
them, mend what was wrong and send them again."""

from aiokafka.structs import TopicPartition

from streams.processor import Output
from streams.rules import Parked

DEAD_LETTERS = "dead-letters"
CAUSE_CHARACTERS_MAX = 1_000


def dead_letter(parked: Parked, processor: str, source: TopicPartition) -> Output:
    record = parked.record
    told = {
        "cause": parked.cause[:CAUSE_CHARACTERS_MAX],
        "processor": processor,
        "topic": source.topic,
        "partition": str(source.partition),
        "offset": str(record.offset),
        "timestamp": str(record.timestamp),
    }
    headers = tuple((name, value.encode()) for name, value in told.items())
    return Output(DEAD_LETTERS, record.key or b"", record.value or b"", headers)
