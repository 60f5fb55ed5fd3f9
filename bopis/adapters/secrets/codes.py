"""Pickup codes: six digits to speak and a token to scan, derived instead of stored.

Both follow from the installation's key, the order and the version of its code (HMAC-SHA-256, RFC 2104), so they can
be made anew where a mail is written and stand nowhere. What the log keeps are keyed hashes of them: whoever reads
the log learns no code, and trying all million codes needs the key.
"""

import hmac
from base64 import b32encode
from hashlib import sha256

DIGITS = 6
TOKEN_BYTES = 16
HASH_BYTES = 16


class PickupCodes:
    """The codes of all orders, by one key. The key is given as 32 bytes and never shown."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def code(self, order: str, version: int) -> str:
        """The six digits of a version of an order's code."""
        number = int.from_bytes(self._mac("code", order, version)[:8], "big") % 10**DIGITS
        return f"{number:0{DIGITS}d}"

    def token(self, order: str, version: int) -> str:
        """128 bits for the QR code, as 26 letters and digits that a scanner reads in its short mode."""
        return b32encode(self._mac("token", order, version)[:TOKEN_BYTES]).decode().rstrip("=")

    def hashes(self, order: str, version: int) -> tuple[str, str]:
        """What goes into the log when a version is issued: keyed hashes of code and token, 32 hexadecimal
        characters each."""
        return self.hash_of_code(order, self.code(order, version)), self.hash_of_token(
            order, self.token(order, version)
        )

    def hash_of_code(self, order: str, presented: str) -> str:
        """The keyed hash of six digits as somebody spoke or typed them; spaces and dashes do not count."""
        digits = "".join(it for it in presented if it.isdigit())
        return self._mac("code-hash", order, digits)[:HASH_BYTES].hex()

    def hash_of_token(self, order: str, presented: str) -> str:
        """The keyed hash of a token as it was scanned."""
        return self._mac("token-hash", order, presented.strip().upper())[:HASH_BYTES].hex()

    def _mac(self, *parts: object) -> bytes:
        return hmac.digest(self._key, "/".join(map(str, parts)).encode(), sha256)


class Lookups:
    """Keyed hashes of how a customer is reached, so that staff find an order by phone or mail and nobody else can."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def email(self, address: str) -> str:
        """The keyed hash of a mail address; letter case does not count."""
        return self._hash("email", address.strip().casefold())

    def phone(self, number: str) -> str:
        """The keyed hash of a phone number; only its digits count, and a leading 00 is a plus."""
        digits = "".join(it for it in number if it.isdigit())
        return self._hash("phone", digits.removeprefix("00"))

    def _hash(self, kind: str, value: str) -> str:
        return hmac.digest(self._key, f"{kind}/{value}".encode(), sha256).hex()
