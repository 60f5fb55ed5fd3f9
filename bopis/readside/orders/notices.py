"""What customers are told: rows of the notices processor's changelog become one row per delivery. Pure."""

from collections.abc import Iterable

import msgspec

from bopis.domain.notices.state import OrderNotices
from bopis.readside.changes import Changes, RecordLike

_decode = msgspec.json.Decoder(OrderNotices).decode


def project_notices(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Put how each delivery of an order stands now, in the place of all that was known of the order's."""
    newest = {record.key: record for record in records}
    for record in newest.values():
        number = (record.key or b"").decode()
        rows: list[tuple[object, ...]] = []
        if record.value:
            for notice in _decode(record.value).notices:
                told = notice.notice
                named = (number, told.milestone.value, told.version, notice.copy)
                rows += [
                    (
                        *named, it.channel.value, partition, told.store, it.state.value, it.attempt, it.failures,
                        notice.opened_ms, it.changed_ms, it.due_ms, it.cause, it.provider_id,
                    )
                    for it in notice.deliveries
                ]  # fmt: skip
        changes.replace("order_notices", (number,), list(rows))
