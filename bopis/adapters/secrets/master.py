"""The master key: the one secret of an installation, from which every other key is derived.

Each purpose has its own key (HKDF-SHA-256, RFC 5869), so a leaked key of one purpose reveals nothing about the others.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from bopis.adapters.secrets.errors import MasterKeyInvalid, MasterKeyMissing

KEY_BYTES = 32
FILE_NAME = "master.key"
ENVIRONMENT = "BOPIS_MASTER_KEY"


class Purpose(StrEnum):
    """Purposes of derived keys. The values are input of the derivation: changing one changes its key."""

    WRAP = "bopis/wrap-customer-keys/1"
    LOOKUP = "bopis/customer-lookup/1"
    PICKUP_CODE = "bopis/pickup-code/1"
    ORDER_NUMBER = "bopis/order-number/1"
    WEB_SESSION = "bopis/web-session/1"
    WEBHOOK = "bopis/wrap-webhook-secrets/1"


class MasterKey(Struct, frozen=True):
    """The secret of 32 bytes, and the setting or file that it came from. `repr` does not show the secret."""

    place: str
    secret: bytes

    def derive(self, purpose: Purpose) -> bytes:
        """The 32-byte key of one purpose."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.value.encode()).derive(self.secret)

    @property
    def text(self) -> bytes:
        """The secret as the file of the master key contains it."""
        return b64encode(self.secret) + b"\n"

    def __repr__(self) -> str:
        return f"MasterKey(place={self.place!r})"


def master_key(text: str, path: Path | None, data_dir: Path) -> MasterKey:
    """The key in `text` (from the environment), else in the file `path`, else in ``master.key`` in the data directory.

    Raises `MasterKeyMissing` without any, `MasterKeyInvalid` for one that is not 32 bytes in base64.
    """
    if text:
        return _decoded(text, ENVIRONMENT)
    file = path or data_dir / FILE_NAME
    try:
        return _decoded(file.read_text(), str(file))
    except (FileNotFoundError, NotADirectoryError):
        raise MasterKeyMissing(path=file) from None
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no text"
        raise MasterKeyInvalid(place=f"{file} ({cause})") from None


def make_master_key(data_dir: Path) -> MasterKey:
    """Create the key file of a new installation, readable by its owner only; an existing file stays as it is."""
    file = data_dir / FILE_NAME
    data_dir.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f"{FILE_NAME}.{os.getpid()}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as sink:
        sink.write(MasterKey(str(file), os.urandom(KEY_BYTES)).text)
        sink.flush()
        os.fsync(sink.fileno())
    try:
        # Unlike a rename, a link fails if the file exists: when two processes start at once, both use one key.
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
        raise MasterKeyInvalid(place=place) from None
    if len(secret) != KEY_BYTES:
        raise MasterKeyInvalid(place=place)
    return MasterKey(place, secret)
