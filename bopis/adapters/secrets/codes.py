"""Pickup codes (six digits to read out, and a token to scan), derived instead of stored; look-ups of customers.

A code is derived from the installation's key, the order and the code's version by HMAC-SHA-256 (RFC 2104), so the
notifier can compute it again and nothing stores it. The log keeps only keyed hashes: a reader of the log learns no
code, and trying all million codes would need the key.
"""

import hmac
from base64 import b32encode
from hashlib import sha256

from bopis.contacts import e164

DIGITS = 6
TOKEN_BYTES = 16
HASH_BYTES = 16


class PickupCodes:
    """Implements `bopis.ports.Codes` with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code(self, order: str, version: int) -> str:
        """The six digits of an order's code in this version."""
        number = int.from_bytes(self._mac("code", order, version)[:8], "big") % 10**DIGITS
        return f"{number:0{DIGITS}d}"

    def token(self, order: str, version: int) -> str:
        """The 128 bits of the QR code as 26 letters and digits (RFC 4648 base32): the alphanumeric mode of QR codes
        keeps the picture small."""
        return b32encode(self._mac("token", order, version)[:TOKEN_BYTES]).decode().rstrip("=")

    def hashes(self, order: str, version: int) -> tuple[str, str]:
        """The keyed hashes of code and token that the log stores, 32 hexadecimal characters each."""
        code, token = self.code(order, version), self.token(order, version)
        return self.hash_of_code(order, code), self.hash_of_token(order, token)

    def hash_of_code(self, order: str, presented: str) -> str:
        """The keyed hash of digits as they were typed; spaces and dashes do not count."""
        digits = "".join(it for it in presented if it.isdigit())
        return self._mac("code-hash", order, digits)[:HASH_BYTES].hex()

    def hash_of_token(self, order: str, presented: str) -> str:
        """The keyed hash of a token as it was scanned; letter case does not count."""
        return self._mac("token-hash", order, presented.strip().upper())[:HASH_BYTES].hex()

    def store_key(self, store: str, day: str) -> bytes:
        """The key of a store for one UTC day (``2026-03-05``), under which its agent checks codes. It tells nothing
        about this key, nor about that of another store or day."""
        return self._mac("store-key", day, store)

    def _mac(self, *parts: object) -> bytes:
        return hmac.digest(self._key, "/".join(map(str, parts)).encode(), sha256)


class Lookups:
    """Implements `bopis.ports.CustomerLookups` with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def email(self, address: str) -> str:
        """The keyed hash of a mail address; letter case does not count."""
        return self._hash("email", address.strip().casefold())

    def phone(self, number: str, country: str = "") -> str:
        """The keyed hash of a phone number in the form of E.164; that of its digits if the form is unknown."""
        international = e164(number, country)
        return self.phone_digits(number) if international is None else self._hash("phone", international)

    def phone_digits(self, number: str) -> str:
        """The keyed hash of a phone number's digits, without a leading 00: the only form of earlier versions."""
        digits = "".join(character for character in number if character.isdigit())
        return self._hash("phone", digits.removeprefix("00"))

    def _hash(self, kind: str, value: str) -> str:
        return hmac.digest(self._key, f"{kind}/{value}".encode(), sha256).hex()
