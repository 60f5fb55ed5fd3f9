"""Small till exports for the tests, and a log that only remembers."""

import gzip
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bopis.domain.message import Message
from bopis.ports import Headers, OnDelivery, RecordMetadata
from bopis.services.replay.baskets import TillBasket
from bopis.services.replay.intake import IntakeOptions, IntakeResult, RejectedRows, read_export
from bopis.services.replay.plain_sum import PlainSumOptions, plain_sum
from bopis.services.replay.staging import Staging
from bopis.services.replay.times import TimeReader
from bopis.tables.source import TableFile
from bopis.wire.stock import STOCK

HEADER = "store_id,basket_id,product_id,quantity,amount_cents,sold_at"


def csv_of(*rows: str, header: str = HEADER) -> str:
    """A CSV export; a row without a time is sold at ten o'clock of the same day."""
    full = [row if row.count(",") >= header.count(",") else f"{row},2024-05-01T10:00:00Z" for row in rows]
    return "\n".join([header, *full]) + "\n"


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.write_bytes(packed(text.encode(encoding)))
    return path


class Seen:
    """The result of reading one export."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.rejected: list[tuple[int, str]] = []
        times = options.pop("times", TimeReader(None, None, {}))
        encoding = options.pop("encoding", None)
        rejects_into = options.pop("rejects_into", None)
        reading = IntakeOptions(named_columns=options.pop("named", {}), times=times, **options)
        export = TableFile(str(path), encoding)
        with Staging() as staging:
            rejects = RejectedRows(rejects_into, lambda line, cause: self.rejected.append((line, cause)))
            self.taken: IntakeResult = read_export(export, reading, staging, rejects, lambda _: None)
            self.baskets: Sequence[TillBasket] = list(staging.baskets())
        self.digest = export.digest
        told = PlainSumOptions(
            columns=self.taken.columns,
            encoding=export.encoding,
            store=reading.store,
            time_format=times.format,
            rejected_lines=frozenset(self.taken.rejected_lines),
            rules=reading.rules,
            header=self.taken.header,
        )
        with export.open() as file:
            self.plain = plain_sum(file, told)

    @property
    def cells(self) -> dict[tuple[str, str], int]:
        """Units per store and SKU in the baskets."""
        cells: dict[tuple[str, str], int] = {}
        for basket in self.baskets:
            for sku, quantity, _ in basket.lines:
                cells[basket.store, sku] = cells.get((basket.store, sku), 0) + quantity
        return cells


class RememberingLog:
    """A publisher that keeps what it was given, and refuses from a certain record on."""

    def __init__(self, refuses_from: int | None = None) -> None:
        self.records: list[tuple[str, str, bytes]] = []
        self.flushed = False
        self._refuses_from = refuses_from

    def publish(
        self, topic: str, key: str, value: bytes | None, *, headers: Headers = (), on_delivery: OnDelivery | None = None
    ) -> Any:
        assert value is not None
        assert on_delivery is not None
        if self._refuses_from is not None and len(self.records) >= self._refuses_from:
            on_delivery(OSError("the disk is full"))
            return
        self.records.append((topic, key, value))
        on_delivery(RecordMetadata(topic, 0, len(self.records), 0))

    def flush(self, timeout_seconds: float | None = None) -> None:
        self.flushed = True

    def close(self) -> None: ...

    @property
    def messages(self) -> list[Message]:
        return [STOCK.decode(value) for _, _, value in self.records]
