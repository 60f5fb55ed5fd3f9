"""Dead letters tell where their message stands; after a move it stands elsewhere, and so do the marks on it."""

from collections.abc import Iterable

from bopis.ports import Headers, Record
from bopis.services.migration.world import Where

STOCK = "stock"


class Places:
    """Where parked messages stood, and where they stand now."""

    def __init__(self, letters: Iterable[Record], marks: Iterable[Record], old_prefix: str, new_prefix: str) -> None:
        self._old_topic = old_prefix + STOCK
        self._new_topic = new_prefix + STOCK
        self._wanted: set[Where] = set()
        self._now: dict[Where, Where] = {}
        for letter in letters:
            self._want(_told(letter.headers))
        for mark in marks:
            self._want(_named(mark.key))

    def _want(self, stood: tuple[str, Where] | None) -> None:
        if stood is not None and stood[0] in (self._old_topic, STOCK):
            self._wanted.add(stood[1])

    def note(self, stood: Where, stands: Where) -> None:
        """A message of the stock topic has a new place."""
        if stood in self._wanted:
            self._now[stood] = stands

    def headers(self, headers: Headers) -> Headers:
        """The headers of a dead letter with the new place; another topic's stay as they are."""
        told = _told(headers)
        if told is None or told[0] != self._old_topic or told[1] not in self._now:
            return headers
        partition, offset = self._now[told[1]]
        now = {"topic": self._new_topic, "partition": str(partition), "offset": str(offset)}
        return tuple((name, now[name].encode() if name in now else value) for name, value in headers)

    def key(self, key: bytes | None) -> bytes | None:
        """The name of a mark with the new place."""
        told = _named(key)
        if told is None or told[0] != STOCK or told[1] not in self._now:
            return key
        partition, offset = self._now[told[1]]
        return f"{STOCK}/{partition}/{offset}".encode()


def _told(headers: Headers) -> tuple[str, Where] | None:
    told = {name: value.decode(errors="replace") for name, value in headers}
    return _place(told.get("topic", ""), told.get("partition", ""), told.get("offset", ""))


def _named(key: bytes | None) -> tuple[str, Where] | None:
    parts = (key or b"").decode(errors="replace").rsplit("/", 2)
    return _place(*parts) if len(parts) == 3 else None


def _place(topic: str, partition: str, offset: str) -> tuple[str, Where] | None:
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    return topic, (int(partition), int(offset))
