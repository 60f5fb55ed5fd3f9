"""Pickup codes for a check in a store: hashes of the codes of its own orders, under a key of the store and the day.

The centre makes key and hashes; the store's agent has them, and nothing from which another store's could be made. A
code has six digits, so its hash is made slow (scrypt, RFC 7914; 4 MiB, about 10 ms); a token has 128 bits (HMAC).
"""

import hmac
from hashlib import scrypt, sha256

SCRYPT = {"n": 1 << 12, "r": 8, "p": 1, "dklen": 16}
HASH_BYTES = 16


def hash_of_digits(key: bytes, order: str, digits: str) -> str:
    """The hash of the six digits of an order's code."""
    salt = hmac.digest(key, f"code/{order}".encode(), sha256)
    return scrypt(digits.encode(), salt=salt, **SCRYPT).hex()


def hash_of_token(key: bytes, order: str, token: str) -> str:
    """The hash of an order's token, as it was scanned; letter case does not count."""
    return hmac.digest(key, f"token/{order}/{token.strip().upper()}".encode(), sha256)[:HASH_BYTES].hex()
