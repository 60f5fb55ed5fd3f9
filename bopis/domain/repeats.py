"""Recognising messages that were decided before, by the newest of them that a row remembers.

Twelve bytes each: eight for source and id, four for the digest of the body. The same id with other content is refused.
"""

from msgspec import Struct

from bopis.domain.inventory.admission import Rejected
from bopis.domain.message import Message

IDENTITY_BYTES = 8
DIGEST_BYTES = 4
REMEMBERED_BYTES = IDENTITY_BYTES + DIGEST_BYTES


class RecordIdentity(Struct, frozen=True, kw_only=True):
    """A message's record in the log: append time, eight bytes for its source and id, digest of its body.

    Earlier versions remembered the CRC-32 of the bytes, which is ``bytes_digest``.
    """

    recorded_at_ms: int
    identity: bytes
    digest: int
    bytes_digest: int = 0


def is_repeat(seen: bytes, message: Message, record: RecordIdentity) -> bool:
    """Whether a message is among those remembered. Raises `Rejected` when its id was used with other content."""
    for start in range(0, len(seen), REMEMBERED_BYTES):
        if seen[start : start + IDENTITY_BYTES] != record.identity:
            continue
        remembered = int.from_bytes(seen[start + IDENTITY_BYTES : start + REMEMBERED_BYTES], "big")
        if remembered in (record.digest, record.bytes_digest):
            return True
        raise Rejected(f"id {message.id!r} of {message.source!r} was used before with other content")
    return False


def remember(seen: bytes, record: RecordIdentity, newest_max: int) -> bytes:
    """What a row remembers after one more message: the newest ones, at most so many."""
    seen += record.identity + record.digest.to_bytes(DIGEST_BYTES, "big")
    return seen[-newest_max * REMEMBERED_BYTES :]
