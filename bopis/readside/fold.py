"""The past: the stock log folded a second time by the same pure core, with every step written down. Pure but for
the shelf that its rows come from.

The inventory worker folds the log to decide; this fold repeats it to remember. Both take the same records in the
same order through the same function, so both come to the same rows, and `verify` compares them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast
from zlib import crc32

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.messages import (
    HOLD_COMMANDS,
    CategoriseSkus,
    ExpectationWithdrawn,
    PosReturn,
    PosSale,
    ReserveStock,
    SetStorePolicy,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockPicked,
    StockReceived,
    Tick,
    TransferAnnounced,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import (
    Device,
    Hold,
    Store,
    device_key,
    expected_key,
    hold_key,
    level_key,
    seen_key,
    store_key,
    transfer_key,
)
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.readside.changes import Changes, RecordLike
from bopis.readside.ledger import Ledger
from bopis.readside.promises import Promise, promises_named
from bopis.readside.rows import FoldRows
from bopis.readside.silence import Heard, Silence
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK

_WITH_SKUS = (
    PosSale, PosReturn, StockReceived, StockCounted, StockAdjusted, TransferShipped, TransferReceived, ReserveStock,
    CategoriseSkus,
)  # fmt: skip
_WITH_HOLD = (*HOLD_COMMANDS, StockPicked)
_WITH_TRANSFER = (TransferAnnounced, TransferReceived)
_WITH_DOCUMENT = (StockReceived, StockExpected, ExpectationWithdrawn)


class Fold:
    """One partition of the stock log, folded."""

    def __init__(self, partition: int, heard: dict[str, Heard]) -> None:
        self._partition = partition
        self.rows = FoldRows()
        self._silence = Silence(partition, heard)

    def take(self, records: Sequence[RecordLike], changes: Changes) -> None:
        """Fold records that follow each other; what the inventory parks is left out here, too."""
        messages = [(record, message) for record in records if (message := _decoded(record)) is not None]
        self._prefetch(message for _, message in messages)
        ledger = Ledger(self._partition, changes)
        for record, message in messages:
            ledger.open(record, message)
            self._take(record, message, ledger, changes)

    def _take(self, record: RecordLike, message: Message, ledger: Ledger, changes: Changes) -> None:
        rows = self.rows
        rows.touched.clear()
        recorded_ms, digest = record.timestamp, crc32(record.value or b"")
        data = message.data
        try:
            if isinstance(data, PosSale):
                concluded = step(rows, message, recorded_ms, digest, ledger)
                if concluded:
                    ledger.conclude(rows, concluded, [])
            elif isinstance(data, Tick):
                promises = promises_named(rows, message, recorded_ms)
                on_hand = self._on_hand(promises)
                concluded = step(rows, message, recorded_ms, digest)
                ledger.conclude(rows, concluded, promises)
                ledger.correct_untold(rows, on_hand)
                return
            else:
                self._take_rare(record, message, ledger, changes)
        except Rejected:
            return
        if message.seq:
            self._hear(record, message, changes)

    def _take_rare(self, record: RecordLike, message: Message, ledger: Ledger, changes: Changes) -> None:
        rows, recorded_ms = self.rows, record.timestamp
        promises = promises_named(rows, message, recorded_ms)
        for promise in promises:
            ledger.refer(promise.order)
        grace = self._grace(message.subject) if isinstance(message.data, SetStorePolicy) else 0
        concluded = step(rows, message, recorded_ms, crc32(record.value or b""), ledger)
        ledger.conclude(rows, concluded, promises)
        if concluded and isinstance(message.data, SetStorePolicy):
            self._silence.change_grace(message.subject, recorded_ms, grace, record.offset, changes)

    def _hear(self, record: RecordLike, message: Message, changes: Changes) -> None:
        store = message.subject
        device = cast(Device, self.rows.get(device_key(store, message.source)))
        now = Heard(device.heard_ms, record.timestamp, message.source, message.id)
        self._silence.hear(store, now, self._grace(store), record.offset, changes)

    def _grace(self, store: str) -> int:
        known = cast(Store | None, self.rows.get(store_key(store))) or Store()
        return known.staleness_grace_minutes

    def _on_hand(self, promises: list[Promise]) -> dict[tuple[str, str], int]:
        cells = {(promise.store, line.sku) for promise in promises for line in promise.lines}
        found: dict[tuple[str, str], int] = {}
        for store, sku in sorted(cells):
            level: Any = self.rows.get(level_key(store, sku))
            if level is not None:
                found[store, sku] = level.on_hand
        return found

    def _prefetch(self, messages: Iterable[Message]) -> None:
        """Fetch at once what the messages name, then what the named holds name."""
        keys: dict[str, None] = {}
        hold_keys: list[str] = []
        for message in messages:
            _name_rows(message, keys, hold_keys)
        self.rows.prefetch(keys)
        more: dict[str, None] = {}
        for key in hold_keys:
            hold = cast(Hold | None, self.rows.get(key))
            store = key.split("|", 2)[1]
            more.update((level_key(store, line.sku), None) for line in hold.lines) if hold else None
        if more:
            self.rows.prefetch(more)


def _name_rows(message: Message, keys: dict[str, None], hold_keys: list[str]) -> None:
    data, store = message.data, message.subject
    if isinstance(data, _WITH_SKUS):
        prefix = store + "|"
        for line in data.lines:
            keys[prefix + line.sku] = None
    keys[store_key(store)] = None
    if message.seq:
        keys[device_key(store, message.source)] = None
    elif not isinstance(data, HOLD_COMMANDS):
        keys[seen_key(store, message.source, message.id)] = None
    if isinstance(data, _WITH_HOLD):
        key = hold_key(store, data.hold)
        keys[key] = None
        hold_keys.append(key)
    elif isinstance(data, _WITH_TRANSFER):
        keys[transfer_key(store, data.transfer)] = None
    elif isinstance(data, _WITH_DOCUMENT):
        keys[expected_key(store, data.document)] = None


def _decoded(record: RecordLike) -> Message | None:
    value = record.value
    if value is None:
        return None
    try:
        return STOCK.decode(value)
    except WireError:
        return None
