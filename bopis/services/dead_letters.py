"""Dead letters: records that a processor could not handle, listed, retried or discarded.

A dead letter has the name ``TOPIC/PARTITION/OFFSET`` of its original record. A retry or discard is a record (a mark)
under that name in a compacted topic; dead letters themselves never change.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from bopis.names import DEAD_LETTER_MARKS_TOPIC, DEAD_LETTERS_TOPIC
from bopis.ports import Log, Publisher, Record, RecordMetadata
from bopis.wire.errors import Misplaced

RETRIED = "retried"
DISCARDED = "discarded"
MISPLACED = Misplaced.__name__
UNKNOWN_SOURCE = "unknown"


class _Addressed(msgspec.Struct):
    subject: str = ""
    source: str = ""


_decode_addressed = msgspec.json.Decoder(_Addressed).decode


class Mark(msgspec.Struct, frozen=True):
    """The retry or discard of a dead letter: by whom, when and why."""

    state: str
    actor: str
    at: datetime
    reason: str = ""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A parked record with its cause. `topic`, `partition` and `offset` are the place of the original record, `key` and
    `value` its content."""

    name: str
    cause: str
    processor: str
    topic: str
    partition: int
    offset: int
    recorded_ms: int
    parked_ms: int
    key: bytes
    value: bytes
    mark: Mark | None = None

    @property
    def state(self) -> str:
        return self.mark.state if self.mark else "open"


def letters(log: Log, prefix: str) -> list[DeadLetter]:
    """Every dead letter, the oldest first. A record that was parked twice counts once."""
    marks = {it.key.decode(): _mark(it) for it in _all(log, DEAD_LETTER_MARKS_TOPIC) if it.key and it.value}
    found: dict[str, DeadLetter] = {}
    for record in _all(log, DEAD_LETTERS_TOPIC):
        letter = _letter(record, prefix)
        found.setdefault(letter.name, msgspec.structs.replace(letter, mark=marks.get(letter.name)))
    return sorted(found.values(), key=lambda it: (it.parked_ms, it.name))


def retry(publisher: Publisher, letter: DeadLetter, actor: str, now: datetime) -> RecordMetadata:
    """Publish the original bytes to their topic again, under the key of their subject, and then the mark.

    After a crash between the two, a second retry publishes a repeat, which is recognised by its id.
    """
    # Not under the original key: a message that was parked for its partition reaches the right one by its subject.
    placed = publisher.publish(letter.topic, _subject(letter.value) or letter.key, letter.value).wait()
    mark_retried(publisher, letter, actor, now, f"sent again as {placed.topic}/{placed.partition}/{placed.offset}")
    return placed


def mark_retried(publisher: Publisher, letter: DeadLetter, actor: str, now: datetime, reason: str) -> None:
    """Mark a dead letter as sent again."""
    _publish_mark(publisher, letter, Mark(RETRIED, actor, now.astimezone(UTC), reason))


def misplaced_by_source(found: Iterable[DeadLetter]) -> dict[str, int]:
    """How many open dead letters each source has in a partition that their subject does not belong in; most first."""
    counts = Counter(source_of(it.value) for it in found if it.mark is None and it.cause.startswith(MISPLACED))
    return dict(counts.most_common())


def source_of(value: bytes) -> str:
    """The source of a message; ``unknown`` if the bytes have none."""
    try:
        return _decode_addressed(value).source or UNKNOWN_SOURCE
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UNKNOWN_SOURCE


def _subject(value: bytes) -> str:
    """The subject of a message; empty if the bytes have none."""
    try:
        return _decode_addressed(value).subject
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def discard(publisher: Publisher, letter: DeadLetter, actor: str, now: datetime, reason: str) -> None:
    """Mark a dead letter as discarded, with a reason."""
    _publish_mark(publisher, letter, Mark(DISCARDED, actor, now.astimezone(UTC), reason))


def _publish_mark(publisher: Publisher, letter: DeadLetter, mark: Mark) -> None:
    publisher.publish(DEAD_LETTER_MARKS_TOPIC, letter.name, msgspec.json.encode(mark)).wait()


def _all(log: Log, topic: str) -> Iterable[Record]:
    return log.read(log.start_offsets([topic]), log.end_offsets([topic]))


def _mark(record: Record) -> Mark:
    return msgspec.json.decode(record.value or b"", type=Mark)


def _letter(record: Record, prefix: str) -> DeadLetter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    topic = headers.get("topic", DEAD_LETTERS_TOPIC).removeprefix(prefix)
    partition = _number(headers.get("partition"), record.partition)
    offset = _number(headers.get("offset"), record.offset)
    return DeadLetter(
        name=f"{topic}/{partition}/{offset}",
        cause=headers.get("cause", "no cause given"),
        processor=headers.get("processor", "unknown"),
        topic=topic,
        partition=partition,
        offset=offset,
        recorded_ms=_number(headers.get("timestamp"), record.timestamp_ms),
        parked_ms=record.timestamp_ms,
        key=record.key or b"",
        value=record.value or b"",
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise
