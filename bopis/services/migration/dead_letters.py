"""New places of parked messages: dead letters and their marks refer to a message by its place, which changes."""

from collections.abc import Iterable
from typing import NamedTuple

from bopis.ports import Headers, Record
from bopis.services.migration.ports import RecordPlace


class MessagePlace(NamedTuple):
    """The place of a message: its topic without the prefix, and the record's place in it."""

    topic: str
    place: RecordPlace


class RelocatedMessages:
    """Old and new places of the messages that dead letters and marks refer to."""

    def __init__(self, letters: Iterable[Record], marks: Iterable[Record], old_prefix: str, new_prefix: str) -> None:
        self._old_prefix = old_prefix
        self._new_prefix = new_prefix
        self._new_places: dict[MessagePlace, RecordPlace] = {}
        found = [self._parked(letter.headers) for letter in letters] + [_marked(mark.key) for mark in marks]
        self._referenced = {message for message in found if message is not None}

    def note(self, message: MessagePlace, new_place: RecordPlace) -> None:
        """Note the new place of a message, if a dead letter or mark refers to it."""
        if message in self._referenced:
            self._new_places[message] = new_place

    def headers(self, headers: Headers) -> Headers:
        """Headers of a dead letter with the message's new place; unchanged if its topic is not migrated."""
        message = self._parked(headers)
        if message is None or message not in self._new_places:
            return headers
        partition, offset = self._new_places[message]
        new = {"topic": self._new_prefix + message.topic, "partition": str(partition), "offset": str(offset)}
        return tuple((name, new[name].encode() if name in new else value) for name, value in headers)

    def key(self, key: bytes | None) -> bytes | None:
        """The key of a mark with the message's new place."""
        message = _marked(key)
        if message is None or message not in self._new_places:
            return key
        partition, offset = self._new_places[message]
        return f"{message.topic}/{partition}/{offset}".encode()

    def _parked(self, headers: Headers) -> MessagePlace | None:
        """The message that a dead letter's headers name."""
        found = {name: value.decode(errors="replace") for name, value in headers}
        topic = found.get("topic", "")
        if not topic.startswith(self._old_prefix):
            return None
        return _message_place(topic.removeprefix(self._old_prefix), found.get("partition", ""), found.get("offset", ""))


def _marked(key: bytes | None) -> MessagePlace | None:
    """The message that a mark's key names."""
    parts = (key or b"").decode(errors="replace").rsplit("/", 2)
    return _message_place(*parts) if len(parts) == 3 else None


def _message_place(topic: str, partition: str, offset: str) -> MessagePlace | None:
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    return MessagePlace(topic, RecordPlace(int(partition), int(offset)))
