"""What stands in a changelog beside the rows: the position of each commit and the claim of each owner.

A key that begins with a zero byte is a note between writers; every other record is a row (no value: dropped).
Readers of the changelog who only want rows leave the notes out.
"""

import msgspec

NOTE = 0
POSITION_KEY = b"\x00position"
CLAIM_KEY = b"\x00claim"


class Position(msgspec.Struct, frozen=True):
    """First record of every commit batch: everything up to `position` of the source is in the rows.

    `claim` is the offset of the owner's claim. It only grows from owner to owner, so a batch that names an older
    claim than the newest one was written by somebody who had lost the partition.
    """

    position: int
    claim: int


class Claim(msgspec.Struct, frozen=True):
    """First record of every ownership. After it, nobody who came before can write."""

    instance: str
    epoch: int
    at_ms: int


_encode = msgspec.json.Encoder().encode
_decode_position = msgspec.json.Decoder(Position).decode


def encode_note(note: Position | Claim) -> bytes:
    return _encode(note)


def decode_position(value: bytes) -> Position:
    return _decode_position(value)
