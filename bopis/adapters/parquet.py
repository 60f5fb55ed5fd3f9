"""Tables as Parquet files, written by pyarrow a row group at a time: one group of rows is in memory, however long the
table is.

Source of the format: https://parquet.apache.org/docs/file-format/.
"""

import importlib
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from bopis.adapters.errors import ParquetMissing

# Currencies have up to four digits after the point (ISO 4217), and amounts up to 14 digits before it.
DECIMAL_DIGITS, DECIMAL_SCALE = 18, 4


class ColumnKind(StrEnum):
    """Kinds of values in a table."""

    TEXT = "text"
    NUMBER = "number"
    DECIMAL = "decimal"
    INSTANT = "instant"


class Column(NamedTuple):
    """A column of a table."""

    name: str
    kind: ColumnKind = ColumnKind.TEXT


Cell = str | int | Decimal | datetime | None
Row = tuple[Cell, ...]


class ParquetTable:
    """A Parquet file that is being made. Instants are in UTC, to the microsecond.

    Raises `ParquetMissing` where pyarrow is not installed.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._arrow, parquet = _pyarrow()
        kinds = {
            ColumnKind.TEXT: self._arrow.string(),
            ColumnKind.NUMBER: self._arrow.int64(),
            ColumnKind.DECIMAL: self._arrow.decimal128(DECIMAL_DIGITS, DECIMAL_SCALE),
            ColumnKind.INSTANT: self._arrow.timestamp("us", tz="UTC"),
        }
        self._schema = self._arrow.schema([(it.name, kinds[it.kind]) for it in columns])
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._arrow.PythonFile(self._sink, "w"), self._schema)

    def group(self, rows: Sequence[Row]) -> bytes:
        """Add rows as one group; the bytes of the file since the last call."""
        if rows:
            columns = zip(*rows, strict=True)
            arrays = [
                self._arrow.array(values, type=field.type) for values, field in zip(columns, self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        return self._sink.take()

    def end(self) -> bytes:
        """The last bytes of the file, with its footer."""
        self._writer.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """Takes what is written, and gives it away; only the position in the file is remembered."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _pyarrow() -> tuple[Any, Any]:
    """The package and its module for Parquet, loaded by the first export only."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ParquetMissing from None
