"""The rows of one partition: key to row, and the agenda of rows that have a deadline."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from bopis.deadlines import Deadlines
from bopis.wire.placement import ANYWHERE, Placement

Decode = Callable[[str, bytes], Any]
Encode = Callable[[str, Any], bytes]


class _DecodedRows(dict[str, Any]):
    """Rows by key. Asking for one that is still bytes decodes it; asking for one that is absent returns None.

    Asking is the hottest call of a worker: `__missing__` leaves the common case to the C code of dict.
    """

    def __init__(self, raw: dict[str, bytes], decode: Decode) -> None:
        super().__init__()
        self._raw = raw
        self._decode = decode

    def __missing__(self, key: str) -> Any | None:
        value = self._raw.pop(key, None)
        if value is None:
            return None
        row = self[key] = self._decode(key, value)
        return row


class PartitionRows:
    """Key to row. A row that came from the changelog stays bytes until it is asked for.

    Most rows of a large partition are not touched between two restarts: decoding them all would cost more time
    and memory than everything else at a start. Deadlines are in milliseconds since 1970.
    """

    def __init__(self, decode: Decode, encode: Encode) -> None:
        self._encode = encode
        self._raw: dict[str, bytes] = {}
        self._rows = _DecodedRows(self._raw, decode)
        # A dict, not a set: changed rows leave in the order in which they were first touched. Its values are the rows
        # themselves, None for one that was dropped.
        self.touched_rows: dict[str, Any] = {}
        # Which subjects the partition of these rows may hold; the owner of the partition sets it.
        self.placement: Placement = ANYWHERE
        self._deadlines = Deadlines()
        # The row of a key, None where there is none.
        self.get: Callable[[str], Any | None] = self._rows.__getitem__

    def __len__(self) -> int:
        return len(self._rows) + len(self._raw)

    def __contains__(self, key: str) -> bool:
        return key in self._rows or key in self._raw

    def put(self, key: str, row: Any) -> None:
        """Set a row, or mark it as changed in place. A deadline of the row stays as it is."""
        self._rows[key] = row
        self.touched_rows[key] = row
        if self._raw:
            self._raw.pop(key, None)

    def touch(self, key: str) -> None:
        """Mark a row as changed, or as dropped if there is none."""
        self.touched_rows[key] = self.get(key)

    def put_all(self, rows: Mapping[str, Any]) -> None:
        """Mark rows of this table as changed in place: the hot path's `put`."""
        self.touched_rows.update(rows)

    def drop(self, key: str) -> None:
        """Remove a row and its deadline."""
        known = self._raw.pop(key, None) is not None
        if self._rows.pop(key, None) is not None or known:
            self.touched_rows[key] = None
        self._deadlines.remove(key)

    def put_timed(self, key: str, row: Any, deadline_ms: int) -> None:
        """Set a row and its deadline. Replaces an earlier deadline."""
        self.put(key, row)
        self._deadlines.set(key, deadline_ms)

    def due(self, at_ms: int) -> list[str]:
        """The keys whose deadline has come, by deadline and key. They stay due until they are put or dropped again."""
        return self._deadlines.due(at_ms)

    def next_deadline(self) -> int | None:
        """The earliest deadline; None without any."""
        return self._deadlines.next()

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """All rows whose key begins with `prefix`, by key. For inspection, not for the hot path."""
        for key in self.keys(prefix):
            yield key, self.get(key)

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with `prefix`, in order; no row is decoded."""
        return sorted(key for key in chain(self._rows, self._raw) if key.startswith(prefix))

    @property
    def touched(self) -> int:
        """How many rows changed since the last `changes`."""
        return len(self.touched_rows)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """The rows changed since the last call, encoded; None for a dropped one. They are no longer touched."""
        touched, self.touched_rows = self.touched_rows, {}
        encode = self._encode
        return [(key.encode(), None if row is None else encode(key, row)) for key, row in touched.items()]

    def load(self, key: str, value: bytes | None) -> None:
        """Take a row from the changelog, still encoded. For a table that is not in use yet."""
        if value is None:
            self._raw.pop(key, None)
        else:
            self._raw[key] = value

    def reload(self, key: str, value: bytes | None) -> None:
        """`load` for a table that was in use: the changelog's row replaces the one that was decided here."""
        self._rows.pop(key, None)
        self._deadlines.remove(key)
        self.load(key, value)

    @property
    def used(self) -> bool:
        """Whether rows were decoded or given deadlines, so that loading has to replace them."""
        return bool(self._rows or self._deadlines)

    def clear(self) -> None:
        """Remove everything, in place: other objects hold references to this table."""
        for kept in (self._rows, self._raw, self.touched_rows, self._deadlines):
            kept.clear()

    def load_agenda(self, deadline: Callable[[str, bytes], int | None]) -> None:
        """After the last `load`: find the deadlines of the rows that are still encoded."""
        deadlines = ((key, deadline(key, value)) for key, value in self._raw.items())
        self._deadlines.load((key, at_ms) for key, at_ms in deadlines if at_ms is not None)
