"""Sealing: a customer's data is encrypted with the customer's key, so deleting the key erases the data everywhere.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The customer's id is authenticated data, so a value that is
copied to another customer does not open. A sealed value is text: ``s1.`` and base64url of nonce, cipher text and tag.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bopis.adapters.secrets.errors import SealInvalid

MARK = "s1."
NONCE_BYTES = 12
KEY_BITS = 256


def new_key() -> bytes:
    """A random key for one customer."""
    return AESGCM.generate_key(KEY_BITS)


def seal(key: bytes, customer: str, fields: Mapping[str, str]) -> str:
    """Named texts of a customer as one sealed value."""
    nonce = os.urandom(NONCE_BYTES)
    return MARK + urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, _plain(fields), customer.encode())).decode()


def unseal(key: bytes, customer: str, sealed: str) -> dict[str, str]:
    """The named texts of a sealed value. Raises `SealInvalid`."""
    try:
        if not sealed.startswith(MARK):
            raise SealInvalid(customer=customer)
        raw = urlsafe_b64decode(sealed[len(MARK) :])
        plain = AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], customer.encode())
        return msgspec.json.decode(plain, type=dict[str, str])
    except (InvalidTag, ValueError) as error:
        raise SealInvalid(customer=customer) from error


def wrap(wrapping_key: bytes, customer: str, key: bytes) -> bytes:
    """A customer's key encrypted with the installation's wrapping key, as the key table stores it."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(wrapping_key).encrypt(nonce, key, customer.encode())


def unwrap(wrapping_key: bytes, customer: str, wrapped: bytes) -> bytes:
    """A customer's key from its wrapped form. Raises `SealInvalid`."""
    try:
        return AESGCM(wrapping_key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], customer.encode())
    except (InvalidTag, ValueError) as error:
        raise SealInvalid(customer=customer) from error


def _plain(fields: Mapping[str, str]) -> bytes:
    return msgspec.json.encode(dict(fields))
