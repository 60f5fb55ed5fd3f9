"""Sorting more rows than fit into memory: sorted stretches in temporary files, merged as they are read.

The files have no names (they lie in the directory for temporary files) and go with the process, however it ends.
"""

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO, Any

import msgspec

ROWS_IN_MEMORY_MAX = 50_000
FILES_MAX = 64
ROWS_PER_BLOCK = 500
_LENGTH_BYTES = 8

Row = tuple[Any, ...]


class Sorter:
    """Takes rows in any order and gives them back sorted; rows are tuples of numbers, texts and bytes.

    Two rows must differ before they come to a field that cannot be compared.
    """

    def __init__(self, rows_in_memory_max: int = ROWS_IN_MEMORY_MAX) -> None:
        self._rows_in_memory_max = rows_in_memory_max
        self._rows: list[Row] = []
        self._files: list[IO[bytes]] = []
        self._open = ExitStack()

    def add(self, row: Row) -> None:
        """Take one row."""
        self._rows.append(row)
        if len(self._rows) >= self._rows_in_memory_max:
            self._rows.sort()
            self._keep(iter(self._rows))
            self._rows = []

    def __iter__(self) -> Iterator[Row]:
        """All rows in order; may be asked for more than once."""
        self._rows.sort()
        return heapq.merge(self._rows, *map(_read, self._files)) if self._files else iter(self._rows)

    def close(self) -> None:
        self._open.close()
        self._rows = []
        self._files = []

    def _keep(self, rows: Iterator[Row]) -> None:
        if len(self._files) == FILES_MAX:
            whole = _written(self._open, heapq.merge(*map(_read, self._files)))
            for file in self._files:
                file.close()
            self._files = [whole]
        self._files.append(_written(self._open, rows))


def _written(keep_open: ExitStack, rows: Iterator[Row]) -> IO[bytes]:
    file = keep_open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (it is one)
    while block := list(islice(rows, ROWS_PER_BLOCK)):
        packed = msgspec.msgpack.encode(block)
        file.write(len(packed).to_bytes(_LENGTH_BYTES, "big"))
        file.write(packed)
    return file


def _read(file: IO[bytes]) -> Iterator[Row]:
    decoder = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
    at = 0
    while True:
        file.seek(at)  # others may read the same file between our blocks
        length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
        if not length:
            return
        rows = decoder.decode(file.read(length))
        at += _LENGTH_BYTES + length
        yield from rows
