"""The present: rows of the inventory's changelog become rows of SQL tables. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bopis.domain.inventory.admission import open_holes
from bopis.domain.inventory.rows import Device, Expected, Hold, Level, Store, Transfer, split_key
from bopis.domain.inventory.transfers import TRANSFER_MEMORY_MS
from bopis.readside.changes import Changes, RecordLike

_level = msgspec.json.Decoder(Level).decode
_store = msgspec.json.Decoder(Store).decode
_device = msgspec.json.Decoder(Device).decode
_hold = msgspec.json.Decoder(Hold).decode
_transfer = msgspec.json.Decoder(Transfer).decode
_expected = msgspec.json.Decoder(Expected).decode


def project_levels(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Put what the rows say now; a record without a value takes its row away. Unknown kinds are left alone.

    A row that comes several times is decoded once: the newest is the one that is put.
    """
    newest = {record.key: record for record in records}
    for record in newest.values():
        kind, store, rest = split_key((record.key or b"").decode())
        put = _KINDS.get(kind)
        if put is not None:
            put((partition, store, rest), record.value or None, changes)


def _put_level(at: tuple[int, str, str], value: bytes | None, changes: Changes) -> None:
    partition, store, sku = at
    if value is None:
        changes.set("levels", (store, sku), None)
        return
    row = _level(value)
    changes.set(
        "levels",
        (store, sku),
        (
            store, sku, partition, row.on_hand, row.held, row.staged, row.in_doubt, row.quarantined, row.damaged,
            row.counted_ms, row.counted_by, row.staged_counted, row.doubted_ms, row.sold_since_ms, row.sold,
            row.sold_before, row.category,
        ),
    )  # fmt: skip


def _put_store(at: tuple[int, str, str], value: bytes | None, changes: Changes) -> None:
    partition, store, _ = at
    if value is None:
        changes.set("store_policy", (store,), None)
        return
    row = _store(value)
    rules = msgspec.json.encode(row.rules, order="sorted").decode()
    changes.set("store_policy", (store,), (store, partition, row.pickup, row.staleness_grace_minutes, rules))


def _put_device(at: tuple[int, str, str], value: bytes | None, changes: Changes) -> None:
    partition, store, source = at
    if value is None:
        changes.set("devices", (store, source), None)
        return
    row = _device(value)
    holes, closed = _json(open_holes(row)), _json(row.closed)
    changes.set("devices", (store, source), (store, source, partition, row.mark, row.top, row.heard_ms, holes, closed))


def _put_hold(at: tuple[int, str, str], value: bytes | None, changes: Changes) -> None:
    partition, store, hold = at
    if value is None:
        changes.set("holds", (store, hold), None)
        changes.replace("hold_lines", (store, hold), [])
        return
    row = _hold(value)
    kept = (store, hold, partition, row.order, row.granted_ms, row.until_ms, row.promised_ms, row.active)
    changes.set("holds", (store, hold), kept)
    lines: list[tuple[Any, ...]] = [
        (store, hold, position, it.line, it.sku, it.quantity, it.picked, it.lost, it.state.value)
        for position, it in enumerate(row.lines)
    ]
    changes.replace("hold_lines", (store, hold), lines)


def _put_transfer(at: tuple[int, str, str], value: bytes | None, changes: Changes) -> None:
    partition, store, transfer = at
    if value is None:
        changes.set("transfers", (store, transfer), None)
        changes.replace("transfer_lines", (store, transfer), [])
        return
    row = _transfer(value)
    heard_ms = row.due_ms - TRANSFER_MEMORY_MS
    told = (row.from_store, row.is_announced, row.is_received, row.expected_ms, heard_ms)
    changes.set("transfers", (store, transfer), (store, transfer, partition, *told))
    lines: list[tuple[Any, ...]] = [
        (store, transfer, sku, row.announced.get(sku, 0), row.received.get(sku, 0))
        for sku in sorted(row.announced.keys() | row.received.keys())
    ]
    changes.replace("transfer_lines", (store, transfer), lines)


def _put_expected(at: tuple[int, str, str], value: bytes | None, changes: Changes) -> None:
    partition, store, document = at
    row = _expected(value) if value is not None else Expected(said_ms=0)
    lines: list[tuple[Any, ...]] = [
        (store, document, sku, partition, row.expected_ms, units, row.overdue) for sku, units in row.lines.items()
    ]
    changes.replace("expected_lines", (store, document), lines)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_Put = Callable[[tuple[int, str, str], bytes | None, Changes], None]
_KINDS: dict[str, _Put] = {
    "level": _put_level,
    "store": _put_store,
    "device": _put_device,
    "hold": _put_hold,
    "transfer": _put_transfer,
    "expected": _put_expected,
}
