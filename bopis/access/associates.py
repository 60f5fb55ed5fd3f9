"""Associates of stores and their PINs, so that what is done at a shared counter names who did it."""

import hmac
import secrets
from hashlib import scrypt

from msgspec import Struct

from bopis.access.roles import Role

PIN_DIGITS_MIN, PIN_DIGITS_MAX = 4, 12
SALT_BYTES = 16
NO_SALT = bytes(SALT_BYTES).hex()
# A PIN has few digits, so its hash is made slow (RFC 7914; 16 MiB, about 50 ms).
SCRYPT = {"n": 1 << 14, "r": 8, "p": 1, "dklen": 32}


class AssociateRecord(Struct, frozen=True, kw_only=True):
    """One associate of one store. `ended_ms` is when the access ended, 0 while it lasts."""

    store: str
    name: str
    role: Role
    hashed: str
    salt: str
    created_ms: int = 0
    created_by: str = ""
    ended_ms: int = 0


def new_associate(store: str, name: str, role: Role, pin: str, **fields: object) -> AssociateRecord:
    """The record of an associate with a PIN. Raises `ValueError` for a PIN that is too short, or no digits."""
    if not (pin.isascii() and pin.isdigit() and PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX):
        raise ValueError(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")
    salt = secrets.token_hex(SALT_BYTES)
    return AssociateRecord(
        store=store, name=name, role=role, hashed=_hashed(pin, salt), salt=salt, **fields  # type: ignore[arg-type]  # fields of the record
    )  # fmt: skip


def is_pin_of(record: AssociateRecord | None, pin: str) -> bool:
    """Whether a PIN is that of an associate whose access lasts, compared in constant time.

    Without a record it takes as long, so that the time does not tell who works in a store.
    """
    if record is None:
        _hashed(pin, NO_SALT)
        return False
    return hmac.compare_digest(record.hashed, _hashed(pin, record.salt)) and not record.ended_ms


def _hashed(pin: str, salt: str) -> str:
    return scrypt(pin.encode(), salt=bytes.fromhex(salt), **SCRYPT).hex()
