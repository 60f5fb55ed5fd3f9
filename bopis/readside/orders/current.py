"""Current orders and notices: rows of the changelogs of their processors become rows of SQL tables. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from bopis.domain.notices.state import OrderNotices
from bopis.domain.orders.state import Line, Order
from bopis.readside.changes import Changes, RecordLike
from bopis.readside.orders.work import work_rows

_decode_order = msgspec.json.Decoder(Order).decode
_decode_notices = msgspec.json.Decoder(OrderNotices).decode
_encode = msgspec.json.Encoder().encode


def project_orders(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Upsert the orders; a record without a value deletes its order. Only the newest record of each key is decoded."""
    newest = {record.key: record for record in records}
    for record in newest.values():
        number = (record.key or b"").decode()
        _project_order(number, partition, _decode_order(record.value) if record.value else None, changes)


def shown(order: Order) -> Order:
    """The order without what only its processor needs: the memory of message ids, and the hashes of the pickup code."""
    return replace(order, seen=b"", code=replace(order.code, code_hash="", token_hash=""))


def project_notices(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Replace the deliveries of each order's notices: one row per notice and channel."""
    newest = {record.key: record for record in records}
    for record in newest.values():
        number = (record.key or b"").decode()
        rows: list[tuple[object, ...]] = []
        if record.value:
            for entry in _decode_notices(record.value).notices:
                notice = entry.notice
                named = (number, notice.milestone.value, notice.version, entry.copy)
                rows += [
                    (
                        *named, it.channel.value, partition, notice.store, it.state.value, it.attempt, it.failures,
                        entry.opened_ms, it.changed_ms, it.due_ms, it.cause, it.provider_id,
                    )
                    for it in entry.deliveries
                ]  # fmt: skip
        changes.replace("order_notices", (number,), list(rows))


def _project_order(number: str, partition: int, order: Order | None, changes: Changes) -> None:
    if order is None:
        changes.set("orders", (number,), None)
        for table in ("order_lines", "store_work", "order_tasks"):
            changes.replace(table, (number,), [])
        return
    columns = (
        number, partition, order.state.value, bool(order.live), order.store, order.customer.id, order.payment.value,
        order.placed_ms, order.slot_from_ms, order.slot_to_ms, _encode(shown(order)).decode(),
    )  # fmt: skip
    changes.set("orders", (number,), columns)
    changes.replace("order_lines", (number,), [_line(number, line) for line in order.lines])
    changes.replace("store_work", (number,), list(work_rows(order)))
    tasks = [(number, it.task, it.kind.value, it.store, it.sku, it.hold) for it in order.tasks]
    changes.replace("order_tasks", (number,), list(tasks))


def _line(number: str, line: Line) -> tuple[object, ...]:
    # A kit is picked when all its components are, so the least complete component gives the number of units.
    picked = [units // part.quantity for units, part in zip(line.picked, line.parts, strict=False)]
    return (
        number, line.line, line.sku, line.quantity, line.unit_cents, line.state.value, line.store, line.hold,
        line.parent, min(picked, default=0), line.returned, line.ordered_sku,
        None if line.short is None else line.short.value,
    )  # fmt: skip
