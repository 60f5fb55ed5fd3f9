"""The stores topic: names, places and hours of the stores. Pure."""

from collections.abc import Iterable

import msgspec

from bopis.domain.calendar.store_hours import StatedHours
from bopis.readside.changes import Changes, RecordLike
from bopis.wire.characters import unclean
from bopis.wire.text import decode_clean


class _StoreRecord(msgspec.Struct):
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
    cutoff: str = ""
    closures: str = ""
    openings: str = ""
    capacity_minutes: int = 60
    closed: bool = False


_decoder = msgspec.json.Decoder(_StoreRecord)


def project_stores(records: Iterable[RecordLike], changes: Changes) -> list[int]:
    """Upsert each store; a record without a value deletes it. Returns the offsets of records that are no stores."""
    undecodable = []
    for record in records:
        try:
            key = (record.key or b"").decode()
            row = decode_clean(_decoder, record.value) if record.value else None
        except ValueError:
            undecodable.append(record.offset)
            continue
        if unclean(key):
            undecodable.append(record.offset)
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
    return undecodable


def _hours(row: _StoreRecord) -> str:
    stated = StatedHours(**{name: getattr(row, name) for name in StatedHours.__struct_fields__})
    return msgspec.json.encode(stated).decode()
