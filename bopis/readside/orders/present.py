"""The present of orders: rows of the orders processor's changelog become rows of SQL tables. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from bopis.domain.orders.state import Line, Order
from bopis.readside.changes import Changes, RecordLike
from bopis.readside.orders.work import work_rows

_decode = msgspec.json.Decoder(Order).decode
_encode = msgspec.json.Encoder().encode


def project_orders(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Put what the rows say now; a record without a value takes its order away.

    A row that comes several times is decoded once: the newest is the one that is put.
    """
    newest = {record.key: record for record in records}
    for record in newest.values():
        number = (record.key or b"").decode()
        _put(number, partition, _decode(record.value) if record.value else None, changes)


def shown(order: Order) -> Order:
    """The order without what only its processor needs: the memory of messages, and the hashes of the code."""
    return replace(order, seen=b"", code=replace(order.code, code_hash="", token_hash=""))


def _put(number: str, partition: int, order: Order | None, changes: Changes) -> None:
    if order is None:
        changes.set("orders", (number,), None)
        for table in ("order_lines", "store_work", "order_tasks"):
            changes.replace(table, (number,), [])
        return
    kept = (
        number, partition, order.state.value, bool(order.live), order.store, order.customer.id, order.payment.value,
        order.placed_ms, order.slot_from_ms, order.slot_to_ms, _encode(shown(order)).decode(),
    )  # fmt: skip
    changes.set("orders", (number,), kept)
    changes.replace("order_lines", (number,), [_line(number, it) for it in order.lines])
    changes.replace("store_work", (number,), list(work_rows(order)))
    tasks = [(number, it.task, it.kind.value, it.store, it.sku, it.hold) for it in order.tasks]
    changes.replace("order_tasks", (number,), list(tasks))


def _line(number: str, line: Line) -> tuple[object, ...]:
    # A kit is picked when all of its components are: the least complete one tells of how many units.
    whole = [units // part.quantity for units, part in zip(line.picked, line.parts, strict=False)]
    return (
        number, line.line, line.sku, line.quantity, line.unit_cents, line.state.value, line.store, line.hold,
        line.parent, min(whole, default=0), line.returned, line.ordered_sku,
        None if line.short is None else line.short.value,
    )  # fmt: skip
