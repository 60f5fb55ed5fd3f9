"""Keys with deadlines: which are due at an instant, in a fixed order."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush


class Deadlines:
    """One deadline per key, in milliseconds since 1970.

    A heap of (deadline, key) beside a dict of the valid deadlines. Replacing or removing a deadline leaves its entry in
    the heap; an entry that the dict does not confirm is dropped when it comes to the top.
    """

    __slots__ = ("_by_key", "_heap")

    def __init__(self) -> None:
        self._by_key: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._by_key)

    def set(self, key: str, deadline_ms: int) -> None:
        """Set the deadline of a key. Replaces an earlier one."""
        self._by_key[key] = deadline_ms
        heappush(self._heap, (deadline_ms, key))

    def load(self, deadlines: Iterable[tuple[str, int]]) -> None:
        """Set many deadlines at once, as after a recovery: faster than one `set` for each."""
        self._by_key.update(deadlines)
        self._heap[:] = [(deadline_ms, key) for key, deadline_ms in self._by_key.items()]
        heapify(self._heap)

    def remove(self, key: str) -> None:
        """Remove the deadline of a key, if it has one."""
        self._by_key.pop(key, None)

    def clear(self) -> None:
        """Remove every deadline."""
        self._by_key.clear()
        self._heap.clear()

    def due(self, at_ms: int) -> list[str]:
        """The keys whose deadline has come, by deadline and key. They stay due until set again or removed."""
        due: list[tuple[int, str]] = []
        while self._heap and self._heap[0][0] <= at_ms:
            entry = heappop(self._heap)
            # The same entry is in the heap twice if a key got the same deadline twice.
            if self._by_key.get(entry[1]) == entry[0] and (not due or due[-1] != entry):
                due.append(entry)
        for entry in due:
            heappush(self._heap, entry)
        return [key for _, key in due]

    def next(self) -> int | None:
        """The earliest deadline; None if there is none."""
        while self._heap:
            deadline_ms, key = self._heap[0]
            if self._by_key.get(key) == deadline_ms:
                return deadline_ms
            heappop(self._heap)
        return None
