"""The rows of one partition in memory, for folding its messages again."""

from collections.abc import Mapping
from heapq import heappop, heappush

from bopis.domain.inventory.rows import Row


class PartitionRows:
    """``Rows`` of the core over a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._deadlines: dict[str, int] = {}
        self._agenda: list[tuple[int, str]] = []

    def get(self, key: str) -> Row | None:
        return self.rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self.rows[key] = row

    def put_all(self, rows: Mapping[str, Row]) -> None:
        self.rows.update(rows)

    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None:
        self.rows[key] = row
        self._deadlines[key] = deadline_ms
        heappush(self._agenda, (deadline_ms, key))

    def drop(self, key: str) -> None:
        self.rows.pop(key, None)
        self._deadlines.pop(key, None)

    def due(self, at_ms: int) -> list[str]:
        """Keys whose time has come, by due time and key; they stay due until put or dropped."""
        found: dict[tuple[int, str], None] = {}
        while self._agenda and self._agenda[0][0] <= at_ms:
            entry = heappop(self._agenda)
            # An entry that no longer tells the row's deadline was replaced.
            if self._deadlines.get(entry[1]) == entry[0]:
                found[entry] = None
        for entry in found:
            heappush(self._agenda, entry)
        return [key for _, key in found]
