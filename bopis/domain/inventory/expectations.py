"""Expected goods: announced with a date, received, withdrawn or overdue.

Of the messages about one document the newest by its own time applies, whatever their order of arrival. A receipt ends
what was expected under its document; a rest that is still to come is announced again.
"""

from typing import cast

from bopis.domain.inventory.events import (
    Event,
    ExpectationRefused,
    ReceiptDifference,
    ReceiptDiscrepancyFound,
    ReceiptOverdue,
    StockRefusal,
)
from bopis.domain.inventory.messages import ExpectationWithdrawn, StockExpected, StockLine, StockReceived
from bopis.domain.inventory.rows import Expected, StockRows, expected_key, put_timed
from bopis.domain.values import DAY_MS, Clocks, epoch_ms

EXPECTED_MEMORY_MS = 180 * DAY_MS  # how long a document is kept after it was received, withdrawn or overdue


def expect(rows: StockRows, store: str, report: StockExpected, clocks: Clocks) -> tuple[Event, ...]:
    """Record the goods that a document announces; the row is due at the announced time."""
    known = _newest(rows, store, report.document, clocks)
    if known is None:
        return ()
    known.lines = {}
    for line in report.lines:
        known.lines[line.sku] = known.lines.get(line.sku, 0) + line.quantity
    # The whole announcement replaces the earlier one, lines and date.
    known.expected_ms = epoch_ms(report.expected_at)
    known.overdue = False
    put_timed(rows, expected_key(store, report.document), known, known.expected_ms)
    return ()


def withdraw(rows: StockRows, store: str, report: ExpectationWithdrawn, clocks: Clocks) -> tuple[Event, ...]:
    """Withdraw a document; refused by event when nothing is expected under it."""
    row = cast(Expected | None, rows.get(expected_key(store, report.document)))
    if row is None or not row.lines:
        return (ExpectationRefused(document=report.document, reason=StockRefusal.UNKNOWN_DOCUMENT),)
    if clocks.at_ms >= row.announced_ms:
        _end(rows, store, report.document, clocks)
    return ()


def fulfil(rows: StockRows, store: str, receipt: StockReceived, clocks: Clocks) -> tuple[Event, ...]:
    """End what was expected under a receipt's document, and compare it with the received units."""
    row = cast(Expected | None, rows.get(expected_key(store, receipt.document)))
    # Announced again after this receipt was made: the announcement is for goods still to come.
    if row is None or clocks.at_ms < row.announced_ms:
        return ()
    expected = row.lines
    _end(rows, store, receipt.document, clocks)
    if not expected:
        return ()
    received: dict[str, int] = {}
    for line in receipt.lines:
        received[line.sku] = received.get(line.sku, 0) + line.quantity
    differences = tuple(
        ReceiptDifference(sku=sku, expected=expected.get(sku, 0), received=received.get(sku, 0))
        for sku in sorted(expected.keys() | received.keys())
        if expected.get(sku, 0) != received.get(sku, 0)
    )
    return (ReceiptDiscrepancyFound(document=receipt.document, lines=differences),) if differences else ()


def overdue(rows: StockRows, store: str, document: str, recorded_at_ms: int) -> tuple[Event, ...]:
    """Report overdue goods once; drop a document whose memory has expired."""
    key = expected_key(store, document)
    row = cast(Expected, rows.get(key))
    # Reported as overdue before, or ended: only the memory was left.
    if row.overdue or not row.lines:
        rows.drop(key)
        return ()
    row.overdue = True
    put_timed(rows, key, row, recorded_at_ms + EXPECTED_MEMORY_MS)
    lines = tuple(StockLine(sku=sku, quantity=units) for sku, units in row.lines.items())
    return (ReceiptOverdue(document=document, expected_ms=row.expected_ms, lines=lines),)


def _newest(rows: StockRows, store: str, document: str, clocks: Clocks) -> Expected | None:
    """Row of a document to be updated by a message; None when a newer message has updated it."""
    known = cast(Expected | None, rows.get(expected_key(store, document)))
    if known is None:
        return Expected(announced_ms=clocks.at_ms)
    if clocks.at_ms < known.announced_ms:
        return None
    known.announced_ms = clocks.at_ms
    return known


def _end(rows: StockRows, store: str, document: str, clocks: Clocks) -> None:
    ended = Expected(announced_ms=clocks.at_ms)
    put_timed(rows, expected_key(store, document), ended, clocks.recorded_at_ms + EXPECTED_MEMORY_MS)
