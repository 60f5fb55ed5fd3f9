"""Sealing: a customer's data under the customer's own key, so that deleting the key erases the data everywhere.

AES-256-GCM (NIST SP 800-38D) with a fresh 96-bit nonce; the customer's id is authenticated beside the text, so a
value cannot be moved to somebody else. A sealed value is text: ``s1.`` and base64url of nonce, cipher text and tag.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bopis.adapters.secrets.errors import SealBroken

MARK = "s1."
NONCE_BYTES = 12
KEY_BITS = 256


def new_key() -> bytes:
    """A fresh key of one customer."""
    return AESGCM.generate_key(KEY_BITS)


def seal(key: bytes, customer: str, fields: Mapping[str, str]) -> str:
    """Named texts of a customer as one sealed value."""
    nonce = os.urandom(NONCE_BYTES)
    return MARK + urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, _plain(fields), customer.encode())).decode()


def unseal(key: bytes, customer: str, sealed: str) -> dict[str, str]:
    """The named texts of a sealed value. Raises `SealBroken`."""
    try:
        if not sealed.startswith(MARK):
            raise SealBroken(customer=customer)
        raw = urlsafe_b64decode(sealed[len(MARK) :])
        plain = AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], customer.encode())
        return msgspec.json.decode(plain, type=dict[str, str])
    except (InvalidTag, ValueError) as error:
        raise SealBroken(customer=customer) from error


def wrap(wrapping_key: bytes, customer: str, key: bytes) -> bytes:
    """A customer's key as it is kept: under the installation's wrapping key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(wrapping_key).encrypt(nonce, key, customer.encode())


def unwrap(wrapping_key: bytes, customer: str, wrapped: bytes) -> bytes:
    """The key of a customer from the table. Raises `SealBroken`."""
    try:
        return AESGCM(wrapping_key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], customer.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(customer=customer) from error


def _plain(fields: Mapping[str, str]) -> bytes:
    return msgspec.json.encode(dict(fields))
