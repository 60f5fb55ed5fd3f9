"""Rows of one kind as their newest records show them, which may be behind what is decided."""

from collections.abc import Callable
from typing import Generic, TypeVar

from tests.simulation.log import Log

RowT = TypeVar("RowT")


class WrittenRows(Generic[RowT]):
    """Reads on where it stopped; decodes a row when it is asked for."""

    def __init__(self, log: Log, topic: str, decode: Callable[[bytes], RowT]) -> None:
        self._log, self._topic, self._decode = log, topic, decode
        self._read = [0] * log.partitions
        self._values: dict[str, bytes] = {}
        self._decoded: dict[str, RowT] = {}

    def get(self, name: str) -> RowT | None:
        """One row."""
        self._look()
        return self._row(name) if name in self._values else None

    def all(self) -> list[RowT]:
        """Every row, by name."""
        self._look()
        return [self._row(name) for name in sorted(self._values)]

    def _row(self, name: str) -> RowT:
        found = self._decoded.get(name)
        if found is None:
            found = self._decoded[name] = self._decode(self._values[name])
        return found

    def _look(self) -> None:
        for number, records in enumerate(self._log.topics[self._topic]):
            for record in records[self._read[number] :]:
                if record.key[0]:
                    assert record.value is not None
                    name = record.key.decode()
                    self._values[name] = record.value
                    self._decoded.pop(name, None)
            self._read[number] = len(records)
