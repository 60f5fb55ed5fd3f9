"""Records of the log as a list holds them."""

from collections.abc import Sequence

import msgspec


class StoredRecord(msgspec.Struct, frozen=True):
    """One record, with the fields that the exact step reads."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes | None]] = ()
