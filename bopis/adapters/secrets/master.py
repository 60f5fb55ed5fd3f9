"""The master key: one secret of the installation, from which every other key follows.

Each purpose has a key of its own (HKDF-SHA-256, RFC 5869), so that what one of them tells about itself says
nothing about the others.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from bopis.adapters.secrets.errors import MasterKeyAbsent, MasterKeyBroken

KEY_BYTES = 32
FILE_NAME = "master.key"
ENVIRONMENT = "BOPIS_MASTER_KEY"


class Purpose(StrEnum):
    """What a derived key is for; the names are part of the derivation and never change."""

    WRAP = "bopis/wrap-customer-keys/1"
    LOOKUP = "bopis/customer-lookup/1"
    PICKUP_CODE = "bopis/pickup-code/1"
    ORDER_NUMBER = "bopis/order-number/1"


class MasterKey(Struct, frozen=True):
    """The secret and where it came from. Its text never shows the secret."""

    place: str
    secret: bytes

    def derive(self, purpose: Purpose) -> bytes:
        """The 32-byte key of one purpose."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.value.encode()).derive(self.secret)

    def __repr__(self) -> str:
        return f"MasterKey(place={self.place!r})"


def master_key(text: str, path: Path | None, data_dir: Path) -> MasterKey:
    """The key from the environment, else from a file, else from ``master.key`` in the data directory.

    Raises `MasterKeyAbsent` when there is none, `MasterKeyBroken` when what is there is no key.
    """
    if text:
        return _decoded(text, ENVIRONMENT)
    file = path or data_dir / FILE_NAME
    try:
        return _decoded(file.read_text(), str(file))
    except (FileNotFoundError, NotADirectoryError):
        raise MasterKeyAbsent(path=file) from None


def make_master_key(data_dir: Path) -> MasterKey:
    """Make the key file of a new installation, readable by its owner only; one that is there already stays."""
    file = data_dir / FILE_NAME
    data_dir.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f"{FILE_NAME}.{os.getpid()}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as sink:
        sink.write(b64encode(os.urandom(KEY_BYTES)) + b"\n")
        sink.flush()
        os.fsync(sink.fileno())
    try:
        # A link fails where a rename would replace: of two that start at once, one makes the key.
        os.link(made, file)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return master_key("", file, data_dir)


def _decoded(text: str, place: str) -> MasterKey:
    try:
        secret = b64decode(text.strip(), validate=True)
    except (Base64Error, ValueError):
        raise MasterKeyBroken(place=place) from None
    if len(secret) != KEY_BYTES:
        raise MasterKeyBroken(place=place)
    return MasterKey(place, secret)
