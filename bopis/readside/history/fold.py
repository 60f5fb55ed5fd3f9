"""The second fold of the stock log: the same pure core as the inventory worker's, with every step recorded. Pure except
for the row store.

The inventory worker folds the log to decide; this fold repeats it to record. Both take the same records in the same
order through the same function, so both end with the same rows, and `verify` compares them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from bopis.domain.inventory import catalogue
from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.articles import CatalogueChanged
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
    StockTick,
    TransferAnnounced,
    TransferDiverted,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.resolution import WITH_LINES
from bopis.domain.inventory.rows import (
    MARK_KEY,
    CatalogueMark,
    Device,
    Hold,
    Level,
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
from bopis.readside.history.cached_rows import CachedRows
from bopis.readside.history.holds import HoldBefore, holds_before
from bopis.readside.history.last_message import LastMessage, MessagePlace, SilenceRecorder, record_hours
from bopis.readside.history.ledger import after_step, before_step
from bopis.readside.history.recorder import HistoryRecorder
from bopis.wire.errors import WireError
from bopis.wire.placement import Placement
from bopis.wire.resolved import with_resolved
from bopis.wire.stock import STOCK

_WITH_SKUS = (
    PosSale, PosReturn, StockReceived, StockCounted, StockAdjusted, TransferShipped, TransferReceived, ReserveStock,
    CategoriseSkus,
)  # fmt: skip
_WITH_HOLD = (*HOLD_COMMANDS, StockPicked)
_WITH_TRANSFER = (TransferAnnounced, TransferReceived, TransferDiverted)
_WITH_DOCUMENT = (StockReceived, StockExpected, ExpectationWithdrawn)


class Fold:
    """The fold of one partition of the stock log."""

    def __init__(self, partition: int, last: dict[str, LastMessage], placement: Placement) -> None:
        self._partition = partition
        self._placement = placement
        self.rows = CachedRows()
        self._silences = SilenceRecorder(partition, last)

    def take(self, records: Sequence[RecordLike], changes: Changes) -> None:
        """Fold consecutive records. Those that the inventory worker parks are skipped here, too."""
        # All at once: one query loads the rows of the whole batch.
        messages = [(record, message) for record in records if (message := self._decoded(record)) is not None]
        self._prefetch([message for _, message in messages])
        recorder = HistoryRecorder(self._partition, changes)
        for record, message in messages:
            recorder.begin(record, message)
            self._take(record, message, recorder, changes)

    def _decoded(self, record: RecordLike) -> Message | None:
        if record.value is None:
            return None
        try:
            message = STOCK.decode_placed(record.value, record.key, self._placement)
            return with_resolved(message, record.headers)
        except WireError:
            return None

    def _take(self, record: RecordLike, message: Message, recorder: HistoryRecorder, changes: Changes) -> None:
        rows = self.rows
        rows.touched.clear()
        recorded_ms, value = record.timestamp, record.value or b""
        data, device = message.data, self._device(message) if message.seq else None
        found, hours = before_step(message, device), device.hours_in_effect if device else b""
        try:
            if isinstance(data, PosSale):
                # The hot path: a sale names no hold, and changes a standing only with a conclusion.
                concluded = step(rows, message, recorded_ms, value, recorder)
                if concluded:
                    recorder.conclude(rows, concluded, [])
            elif isinstance(data, StockTick):
                # A tick ends holds of any store of the partition, and without a trace.
                before = holds_before(rows, message, recorded_ms)
                on_hand = self._on_hand(before)
                concluded = step(rows, message, recorded_ms, value)
                recorder.conclude(rows, concluded, before)
                recorder.record_staged(rows, on_hand)
                return
            else:
                self._take_other(record, message, recorder, changes)
        except Rejected:
            return
        if found is not None:
            after_step(found, record, changes)
        # Only devices number their messages; a message of a person says nothing about the reports of the tills.
        if message.seq:
            self._record_last(record, message, hours, changes)

    def _take_other(self, record: RecordLike, message: Message, recorder: HistoryRecorder, changes: Changes) -> None:
        rows, recorded_ms = self.rows, record.timestamp
        before = holds_before(rows, message, recorded_ms)
        # Picks and collections move goods for an order, so the order is the reference of their movements.
        for hold in before:
            recorder.refer_to(hold.order)
        grace_minutes = self._grace_minutes(message.subject)  # before the message may change it
        concluded = step(rows, message, recorded_ms, record.value or b"", recorder)
        recorder.conclude(rows, concluded, before)
        if concluded and isinstance(message.data, SetStorePolicy):
            self._silences.change_grace(message.subject, recorded_ms, grace_minutes, record.offset, changes)

    def _device(self, message: Message) -> Device | None:
        return cast(Device | None, self.rows.get(device_key(message.subject, message.source)))

    def _record_last(self, record: RecordLike, message: Message, hours: bytes, changes: Changes) -> None:
        store = message.subject
        device = self._device(message)
        assert device is not None, "a message with a sequence makes the row of its device"
        place = MessagePlace(self._partition, record.offset, store, message.source, record.timestamp)
        record_hours(device, hours, place, changes)
        last = LastMessage(device.heard_ms, record.timestamp, message.source, message.id)
        self._silences.record(store, last, self._grace_minutes(store), record.offset, changes)

    def _grace_minutes(self, store: str) -> int:
        row = cast(Store | None, self.rows.get(store_key(store))) or Store()
        return row.staleness_grace_minutes

    def _on_hand(self, holds: list[HoldBefore]) -> dict[tuple[str, str], int]:
        """On hand by (store, SKU) of the levels that holds name."""
        cells = {(hold.store, line.sku) for hold in holds for line in hold.lines}
        found: dict[tuple[str, str], int] = {}
        for store, sku in sorted(cells):
            level: Any = self.rows.get(level_key(store, sku))
            if level is not None:
                found[store, sku] = level.on_hand
        return found

    def _prefetch(self, messages: Sequence[Message]) -> None:
        """Load the rows that the messages name with one query, then the levels that the named holds name."""
        keys: dict[str, None] = {MARK_KEY: None}
        hold_keys: list[str] = []
        for message in messages:
            _collect_keys(message, keys, hold_keys)
        self.rows.prefetch(keys)
        if catalogue.mark_of(self.rows) is not None:
            self.rows.prefetch(_catalogue_keys(self.rows, messages))
        more: dict[str, None] = {}
        for key in hold_keys:
            hold = cast(Hold | None, self.rows.get(key))
            store = key.split("|", 2)[1]
            more.update((level_key(store, line.sku), None) for line in hold.lines) if hold else None
        if more:
            self.rows.prefetch(more)


def _catalogue_keys(rows: CachedRows, messages: Iterable[Message]) -> dict[str, None]:
    """Keys of the rows that resolve the codes of the messages, where their levels do not show that it was done."""
    version = cast(CatalogueMark, rows.get(MARK_KEY)).version
    keys: dict[str, None] = {}
    for message in messages:
        data, prefix = message.data, level_key(message.subject, "")
        if isinstance(data, CatalogueChanged):
            skus = (*(article.sku for article in data.articles), *data.removed)
            keys |= dict.fromkeys(key for sku in skus for key in catalogue.keys_to_read(sku))
        elif isinstance(data, WITH_LINES):
            for line in data.lines:
                level = rows.get(prefix + line.sku)
                if not isinstance(level, Level) or level.article_version != version or not isinstance(data, PosSale):
                    keys |= dict.fromkeys(catalogue.keys_to_read(line.sku))
    return keys


def _collect_keys(message: Message, keys: dict[str, None], hold_keys: list[str]) -> None:
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
