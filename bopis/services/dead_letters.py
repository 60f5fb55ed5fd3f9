"""Records that no processor could take: kept as they were, looked at, sent again or given up.

A dead letter is named by where its record stood: ``TOPIC/PARTITION/OFFSET``. What was done about it is itself a
record, under that name in a compacted topic, so the log remembers it and nobody edits anything.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from bopis.ports import Log, Placed, Publisher, Record

LETTERS_TOPIC = "dead-letters"
MARKS_TOPIC = "dead-letter-marks"
RETRIED = "retried"
DISCARDED = "discarded"


class Mark(msgspec.Struct, frozen=True):
    """What was done about a dead letter, by whom and why."""

    state: str
    actor: str
    at: datetime
    reason: str = ""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A parked record with its cause. ``topic`` to ``offset`` say where it stood, ``key`` and ``value`` what it was."""

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
    """Every dead letter, oldest first; one that was parked twice by a repeat counts once."""
    marks = {it.key.decode(): _mark(it) for it in _all(log, MARKS_TOPIC) if it.key and it.value}
    found: dict[str, DeadLetter] = {}
    for record in _all(log, LETTERS_TOPIC):
        letter = _letter(record, prefix)
        found.setdefault(letter.name, msgspec.structs.replace(letter, mark=marks.get(letter.name)))
    return sorted(found.values(), key=lambda it: (it.parked_ms, it.name))


def retry(publisher: Publisher, letter: DeadLetter, actor: str, now: datetime) -> Placed:
    """Send the original bytes to their topic again, then remember that. A crash between the two sends them twice,
    which is told from the once by the message's own id."""
    placed = publisher.publish(letter.topic, letter.key, letter.value).wait()
    reason = f"sent again as {placed.topic}/{placed.partition}/{placed.offset}"
    _remember(publisher, letter, Mark(RETRIED, actor, now.astimezone(UTC), reason))
    return placed


def discard(publisher: Publisher, letter: DeadLetter, actor: str, now: datetime, reason: str) -> None:
    """Give a dead letter up, for a reason."""
    _remember(publisher, letter, Mark(DISCARDED, actor, now.astimezone(UTC), reason))


def _remember(publisher: Publisher, letter: DeadLetter, mark: Mark) -> None:
    publisher.publish(MARKS_TOPIC, letter.name, msgspec.json.encode(mark)).wait()


def _all(log: Log, topic: str) -> Iterable[Record]:
    return log.read(log.start_offsets([topic]), log.end_offsets([topic]))


def _mark(record: Record) -> Mark:
    return msgspec.json.decode(record.value or b"", type=Mark)


def _letter(record: Record, prefix: str) -> DeadLetter:
    told = {name: value.decode(errors="replace") for name, value in record.headers}
    topic = told.get("topic", LETTERS_TOPIC).removeprefix(prefix)
    partition = _number(told.get("partition"), record.partition)
    offset = _number(told.get("offset"), record.offset)
    return DeadLetter(
        name=f"{topic}/{partition}/{offset}",
        cause=told.get("cause", "no cause given"),
        processor=told.get("processor", "unknown"),
        topic=topic,
        partition=partition,
        offset=offset,
        recorded_ms=_number(told.get("timestamp"), record.timestamp_ms),
        parked_ms=record.timestamp_ms,
        key=record.key or b"",
        value=record.value or b"",
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise
