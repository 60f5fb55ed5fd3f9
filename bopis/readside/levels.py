"""Current stock: rows of the inventory's changelog become rows of SQL tables. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bopis.domain.inventory.admission import open_holes
from bopis.domain.inventory.rows import Device, Expected, Hold, Level, Store, Transfer, split_key
from bopis.domain.inventory.staleness import hours_of
from bopis.domain.inventory.transfers import TRANSFER_MEMORY_MS
from bopis.readside.changes import Changes, RecordLike

_level = msgspec.json.Decoder(Level).decode
_store = msgspec.json.Decoder(Store).decode
_device = msgspec.json.Decoder(Device).decode
_hold = msgspec.json.Decoder(Hold).decode
_transfer = msgspec.json.Decoder(Transfer).decode
_expected = msgspec.json.Decoder(Expected).decode


def project_levels(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Upsert the rows; a record without a value deletes its row. Rows of unknown kinds are ignored.

    Only the newest record of each key is decoded.
    """
    newest = {record.key: record for record in records}
    for record in newest.values():
        kind, store, rest = split_key((record.key or b"").decode())
        project = _KINDS.get(kind)
        if project is not None:
            project(partition, store, rest, record.value or None, changes)


def _project_level(partition: int, store: str, sku: str, value: bytes | None, changes: Changes) -> None:
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


def _project_policy(partition: int, store: str, _: str, value: bytes | None, changes: Changes) -> None:
    if value is None:
        changes.set("store_policy", (store,), None)
        return
    row = _store(value)
    rules = msgspec.json.encode(row.rules, order="sorted").decode()
    columns = (store, partition, row.pickup, row.staleness_grace_minutes, rules, row.staleness_percent)
    changes.set("store_policy", (store,), columns)


def _project_device(partition: int, store: str, source: str, value: bytes | None, changes: Changes) -> None:
    if value is None:
        changes.set("devices", (store, source), None)
        return
    row = _device(value)
    holes, closed = _json(open_holes(row)), _json(row.closed)
    columns = (store, source, partition, row.mark, row.top, row.heard_ms, holes, closed, _json(hours_of(row)))
    changes.set("devices", (store, source), columns)


def _project_hold(partition: int, store: str, hold: str, value: bytes | None, changes: Changes) -> None:
    if value is None:
        changes.set("holds", (store, hold), None)
        changes.replace("hold_lines", (store, hold), [])
        return
    row = _hold(value)
    columns = (store, hold, partition, row.order, row.granted_ms, row.until_ms, row.promised_ms, row.active)
    changes.set("holds", (store, hold), columns)
    lines: list[tuple[Any, ...]] = [
        (store, hold, position, line.line, line.sku, line.quantity, line.picked, line.lost, line.state.value)
        for position, line in enumerate(row.lines)
    ]
    changes.replace("hold_lines", (store, hold), lines)


def _project_transfer(partition: int, store: str, transfer: str, value: bytes | None, changes: Changes) -> None:
    if value is None:
        changes.set("transfers", (store, transfer), None)
        changes.replace("transfer_lines", (store, transfer), [])
        return
    row = _transfer(value)
    # A transfer is forgotten so long after its newest message, so its deadline gives the time of that message.
    heard_ms = row.due_ms - TRANSFER_MEMORY_MS
    columns = (store, transfer, partition, row.from_store, row.is_announced, row.is_received, row.expected_ms, heard_ms)
    changes.set("transfers", (store, transfer), columns)
    lines: list[tuple[Any, ...]] = [
        (store, transfer, sku, row.announced.get(sku, 0), row.received.get(sku, 0))
        for sku in sorted(row.announced.keys() | row.received.keys())
    ]
    changes.replace("transfer_lines", (store, transfer), lines)


def _project_expected(partition: int, store: str, document: str, value: bytes | None, changes: Changes) -> None:
    # A document has rows by its lines only, so an ended one is an empty family.
    row = _expected(value) if value is not None else Expected(announced_ms=0)
    lines: list[tuple[Any, ...]] = [
        (store, document, sku, partition, row.expected_ms, units, row.overdue) for sku, units in row.lines.items()
    ]
    changes.replace("expected_lines", (store, document), lines)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_Project = Callable[[int, str, str, bytes | None, Changes], None]
_KINDS: dict[str, _Project] = {
    "level": _project_level,
    "store": _project_policy,
    "device": _project_device,
    "hold": _project_hold,
    "transfer": _project_transfer,
    "expected": _project_expected,
}
