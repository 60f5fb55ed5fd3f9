"""Transfers: announced to the receiving store when shipped, compared when everything has arrived."""

from collections.abc import Iterable
from typing import cast

from bopis.domain.inventory.events import Discrepancy, Event, TransferDiscrepancyFound
from bopis.domain.inventory.messages import StockLine, TransferAnnounced, TransferDiverted, TransferReceived
from bopis.domain.inventory.rows import StockRows, Transfer, put_timed, transfer_key
from bopis.domain.values import DAY_MS, epoch_ms

TRANSFER_MEMORY_MS = 180 * DAY_MS  # how long a transfer is kept after its last message


def announce(rows: StockRows, store: str, report: TransferAnnounced, recorded_at_ms: int) -> tuple[Event, ...]:
    """Record announced units; compare them at once when they arrived before the announcement."""
    transfer = _transfer(rows, store, report)
    transfer.is_announced = True
    if report.expected_at is not None:
        transfer.expected_ms = epoch_ms(report.expected_at)
    _add(transfer.announced, report.lines)
    return _settle(rows, store, report.transfer, transfer, recorded_at_ms)


def arrive(rows: StockRows, store: str, report: TransferReceived, recorded_at_ms: int) -> tuple[Event, ...]:
    """Record received units; the last delivery is compared with what was shipped."""
    transfer = _transfer(rows, store, report)
    transfer.is_received = transfer.is_received or report.complete
    _add(transfer.received, report.lines)
    return _settle(rows, store, report.transfer, transfer, recorded_at_ms)


def divert(rows: StockRows, store: str, report: TransferDiverted, recorded_at_ms: int) -> tuple[Event, ...]:
    """End what is on its way; what was shipped and did not arrive here is a discrepancy."""
    transfer = _transfer(rows, store, report)
    transfer.is_received = True
    return _settle(rows, store, report.transfer, transfer, recorded_at_ms)


def _transfer(rows: StockRows, store: str, report: TransferAnnounced | TransferReceived | TransferDiverted) -> Transfer:
    known = cast(Transfer | None, rows.get(transfer_key(store, report.transfer)))
    return known or Transfer(from_store=report.from_store)


def _add(units: dict[str, int], lines: Iterable[StockLine]) -> None:
    for line in lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity


def _settle(
    rows: StockRows, store: str, transfer_id: str, transfer: Transfer, recorded_at_ms: int
) -> tuple[Event, ...]:
    put_timed(rows, transfer_key(store, transfer_id), transfer, recorded_at_ms + TRANSFER_MEMORY_MS)
    # Both sides come through different partitions, in any order; the comparison waits for both.
    if not (transfer.is_announced and transfer.is_received):
        return ()
    differences = tuple(
        Discrepancy(sku=sku, shipped=transfer.announced.get(sku, 0), received=transfer.received.get(sku, 0))
        for sku in sorted(transfer.announced.keys() | transfer.received.keys())
        if transfer.announced.get(sku, 0) != transfer.received.get(sku, 0)
    )
    if not differences:
        return ()
    return (TransferDiscrepancyFound(transfer=transfer_id, from_store=transfer.from_store, lines=differences),)
