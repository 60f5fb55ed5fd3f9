"""The stores topic: names and places of the stores. Pure."""

from collections.abc import Iterable

import msgspec

from bopis.domain.calendar.stated import StatedHours
from bopis.readside.changes import Changes, RecordLike


class _Store(msgspec.Struct):
    store_id: str
    name: str = ""
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str = "UTC"
    opening_hours: str = "24/7"
    holidays: str = ""


_decode = msgspec.json.Decoder(_Store).decode


def project_stores(records: Iterable[RecordLike], changes: Changes) -> list[int]:
    """Put each store under its key; a record without a value takes it away.

    Returns the offsets of records that are not stores: nothing can be done about them here but to say so.
    """
    unread = []
    for record in records:
        try:
            key = (record.key or b"").decode()
            row = _decode(record.value) if record.value else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            unread.append(record.offset)
            continue
        if row is None:
            changes.set("stores", (key,), None)
            continue
        changes.set(
            "stores",
            (key,),
            (
                key, row.name or key, row.city, row.state, row.postal_code, row.latitude, row.longitude, row.time_zone,
                _hours(row), row.street,
            ),
        )  # fmt: skip
    return unread


def _hours(row: _Store) -> str:
    stated = StatedHours(opening_hours=row.opening_hours, time_zone=row.time_zone, holidays=row.holidays)
    return msgspec.json.encode(stated).decode()
