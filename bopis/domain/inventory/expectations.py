"""Goods that are expected: announced with a date, received, withdrawn, or overdue.

Of the words about one document the newest by its own time stands, whatever the order of arrival. A receipt ends what
was expected under its document; a rest that is still to come is announced anew.
"""

from typing import cast

from bopis.domain.inventory.events import (
    Event,
    ExpectationRefused,
    ReceiptDifference,
    ReceiptDiscrepancyFound,
    ReceiptOverdue,
    Refusal,
)
from bopis.domain.inventory.messages import ExpectationWithdrawn, StockExpected, StockLine, StockReceived
from bopis.domain.inventory.rows import Expected, Rows, expected_key, put_timed
from bopis.domain.values import DAY_MS, Clocks, epoch_ms

EXPECTED_MEMORY_MS = 180 * DAY_MS  # so long a document is remembered after it was received, withdrawn or overdue


def expect(rows: Rows, store: str, report: StockExpected, clocks: Clocks) -> tuple[Event, ...]:
    """Note what a document will bring; it wants to be looked at when it should be there."""
    known = _newest(rows, store, report.document, clocks)
    if known is None:
        return ()
    known.lines = {}
    for line in report.lines:
        known.lines[line.sku] = known.lines.get(line.sku, 0) + line.quantity
    known.expected_ms = epoch_ms(report.expected_at)
    known.overdue = False
    put_timed(rows, expected_key(store, report.document), known, known.expected_ms)
    return ()


def withdraw(rows: Rows, store: str, report: ExpectationWithdrawn, clocks: Clocks) -> tuple[Event, ...]:
    """Expect a document no longer; refused by event when nothing is expected under it."""
    row = cast(Expected | None, rows.get(expected_key(store, report.document)))
    if row is None or not row.lines:
        return (ExpectationRefused(document=report.document, reason=Refusal.UNKNOWN_DOCUMENT),)
    if clocks.at_ms >= row.said_ms:
        _end(rows, store, report.document, clocks)
    return ()


def fulfil(rows: Rows, store: str, receipt: StockReceived, clocks: Clocks) -> tuple[Event, ...]:
    """End what was expected under the document of a receipt, and compare it with what came."""
    row = cast(Expected | None, rows.get(expected_key(store, receipt.document)))
    if row is None or clocks.at_ms < row.said_ms:
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


def overdue(rows: Rows, store: str, document: str, recorded_at_ms: int) -> tuple[Event, ...]:
    """Say once that expected goods have not come in time; forget documents that were remembered long enough."""
    key = expected_key(store, document)
    row = cast(Expected, rows.get(key))
    if row.overdue or not row.lines:
        rows.drop(key)
        return ()
    row.overdue = True
    put_timed(rows, key, row, recorded_at_ms + EXPECTED_MEMORY_MS)
    lines = tuple(StockLine(sku=sku, quantity=units) for sku, units in row.lines.items())
    return (ReceiptOverdue(document=document, expected_ms=row.expected_ms, lines=lines),)


def _newest(rows: Rows, store: str, document: str, clocks: Clocks) -> Expected | None:
    """The row of a document, ready to take this word; None when a newer word stands."""
    known = cast(Expected | None, rows.get(expected_key(store, document)))
    if known is None:
        return Expected(said_ms=clocks.at_ms)
    if clocks.at_ms < known.said_ms:
        return None
    known.said_ms = clocks.at_ms
    return known


def _end(rows: Rows, store: str, document: str, clocks: Clocks) -> None:
    ended = Expected(said_ms=clocks.at_ms)
    put_timed(rows, expected_key(store, document), ended, clocks.recorded_at_ms + EXPECTED_MEMORY_MS)
