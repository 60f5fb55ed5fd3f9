"""Dead letters tell where their message stands; after a move it stands elsewhere, and so do the marks on it."""

from collections.abc import Iterable

from bopis.ports import Headers, Record
from bopis.services.migration.world import Where

Stood = tuple[str, Where]  # topic without prefix, and where in it


class Places:
    """Where parked messages stood, and where they stand now."""

    def __init__(self, letters: Iterable[Record], marks: Iterable[Record], old_prefix: str, new_prefix: str) -> None:
        self._old_prefix = old_prefix
        self._new_prefix = new_prefix
        self._wanted: set[Stood] = set()
        self._now: dict[Stood, Where] = {}
        told = [self._told(letter.headers) for letter in letters] + [_named(mark.key) for mark in marks]
        self._wanted.update(it for it in told if it is not None)

    def note(self, stood: Stood, stands: Where) -> None:
        """A message has a new place."""
        if stood in self._wanted:
            self._now[stood] = stands

    def headers(self, headers: Headers) -> Headers:
        """The headers of a dead letter with the new place; those of a topic that is not moved stay as they are."""
        told = self._told(headers)
        if told is None or told not in self._now:
            return headers
        partition, offset = self._now[told]
        now = {"topic": self._new_prefix + told[0], "partition": str(partition), "offset": str(offset)}
        return tuple((name, now[name].encode() if name in now else value) for name, value in headers)

    def key(self, key: bytes | None) -> bytes | None:
        """The name of a mark with the new place."""
        told = _named(key)
        if told is None or told not in self._now:
            return key
        partition, offset = self._now[told]
        return f"{told[0]}/{partition}/{offset}".encode()

    def _told(self, headers: Headers) -> Stood | None:
        told = {name: value.decode(errors="replace") for name, value in headers}
        topic = told.get("topic", "")
        if not topic.startswith(self._old_prefix):
            return None
        return _place(topic.removeprefix(self._old_prefix), told.get("partition", ""), told.get("offset", ""))


def _named(key: bytes | None) -> Stood | None:
    parts = (key or b"").decode(errors="replace").rsplit("/", 2)
    return _place(*parts) if len(parts) == 3 else None


def _place(topic: str, partition: str, offset: str) -> Stood | None:
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    return topic, (int(partition), int(offset))
