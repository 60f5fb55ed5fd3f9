"""The rows of one partition: key to row, and the agenda of rows that have a deadline."""

from collections.abc import Callable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Any

Decode = Callable[[str, bytes], Any]
Encode = Callable[[str, Any], bytes]


class _Decoded(dict[str, Any]):
    """Rows by key. Asking for one that is still bytes decodes it; asking for one that is not there answers None.

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


class Rows:
    """Key to row. A row that came from the changelog stays bytes until somebody asks for it.

    Most rows of a large partition are not touched between two restarts: decoding them all would cost more time
    and memory than everything else at a start.
    """

    def __init__(self, decode: Decode, encode: Encode) -> None:
        self._encode = encode
        self._raw: dict[str, bytes] = {}
        self._rows = _Decoded(self._raw, decode)
        # A dict, not a set: changed rows leave in the order in which they were first touched.
        # Its values are the rows themselves, None for one that was dropped.
        self.touched_rows: dict[str, Any] = {}
        self._deadlines: dict[str, int] = {}
        self._agenda: list[tuple[int, str]] = []
        self.get: Callable[[str], Any | None] = self._rows.__getitem__

    def __len__(self) -> int:
        return len(self._rows) + len(self._raw)

    def __contains__(self, key: str) -> bool:
        return key in self._rows or key in self._raw

    def put(self, key: str, row: Any) -> None:
        """Set a row, or say that the row was changed in place. A deadline of the row stays as it is."""
        self._rows[key] = row
        self.touched_rows[key] = row
        if self._raw:
            self._raw.pop(key, None)

    def put_all(self, rows: Mapping[str, Any]) -> None:
        """Say that rows which are in this table were changed in place: the hot path's `put`."""
        self.touched_rows.update(rows)

    def drop(self, key: str) -> None:
        """Forget a row and its deadline."""
        known = self._raw.pop(key, None) is not None
        if self._rows.pop(key, None) is not None or known:
            self.touched_rows[key] = None
        self._deadlines.pop(key, None)

    def put_timed(self, key: str, row: Any, deadline_ms: int) -> None:
        """Set a row that wants to be looked at when `deadline_ms` has come. Replaces an earlier deadline."""
        self.put(key, row)
        self._deadlines[key] = deadline_ms
        heappush(self._agenda, (deadline_ms, key))

    def due(self, at_ms: int) -> list[str]:
        """The keys whose deadline has come, by deadline and key. They stay due until put or dropped anew."""
        found: list[tuple[int, str]] = []
        while self._agenda and self._agenda[0][0] <= at_ms:
            entry = heappop(self._agenda)
            # An entry that no longer tells the row's deadline was replaced; the same one may stand twice.
            if self._deadlines.get(entry[1]) == entry[0] and (not found or found[-1] != entry):
                found.append(entry)
        for entry in found:
            heappush(self._agenda, entry)
        return [key for _, key in found]

    def next_deadline(self) -> int | None:
        while self._agenda:
            deadline_ms, key = self._agenda[0]
            if self._deadlines.get(key) == deadline_ms:
                return deadline_ms
            heappop(self._agenda)
        return None

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """All rows whose key begins with `prefix`, by key. For looking, not for the hot path."""
        for key in sorted(key for key in chain(self._rows, self._raw) if key.startswith(prefix)):
            yield key, self.get(key)

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
        """Take a row from the changelog as it stands there. For a table that nobody has used yet."""
        if value is None:
            self._raw.pop(key, None)
        else:
            self._raw[key] = value

    def reload(self, key: str, value: bytes | None) -> None:
        """`load` for a table that was in use: what stands in the changelog replaces what was decided here."""
        self._rows.pop(key, None)
        self._deadlines.pop(key, None)
        self.load(key, value)

    @property
    def used(self) -> bool:
        """Whether rows were decoded or given deadlines, so that loading has to replace them."""
        return bool(self._rows or self._deadlines)

    def clear(self) -> None:
        """Forget everything, in place: others hold on to this table."""
        for kept in (self._rows, self._raw, self.touched_rows, self._deadlines, self._agenda):
            kept.clear()

    def load_agenda(self, deadline: Callable[[str, bytes], int | None]) -> None:
        """After the last `load`: find the deadlines of the rows that came as bytes."""
        for key, value in self._raw.items():
            if (deadline_ms := deadline(key, value)) is not None:
                self._deadlines[key] = deadline_ms
        self._agenda = [(deadline_ms, key) for key, deadline_ms in self._deadlines.items()]
        heapify(self._agenda)
