"""API keys: how one looks, and what is stored of it.

``bopis_ID_SECRET``: the id finds the record, the secret has 256 random bits. Only its SHA-256 is stored: with so many
random bits a slow hash would protect nothing, and would cost each request.
"""

import hmac
import re
import secrets
from hashlib import sha256

from msgspec import Struct

from bopis.services.access.roles import Principal, Right, Role

PREFIX = "bopis"
ID_BYTES, SECRET_BYTES = 6, 32
_KEY = re.compile(rf"{PREFIX}_([a-z0-9]{{12}})_([A-Za-z0-9_-]{{43}})")


class KeyRecord(Struct, frozen=True, kw_only=True):
    """One API key as it is stored. `scopes` are rights, fewer than the role's where given; times are epoch
    milliseconds, 0 for none."""

    id: str
    hashed: str
    name: str
    role: Role
    stores: tuple[str, ...] = ()
    scopes: tuple[Right, ...] = ()
    created_ms: int = 0
    created_by: str = ""
    expires_ms: int = 0
    revoked_ms: int = 0
    revoked_by: str = ""

    def is_valid(self, now_ms: int) -> bool:
        """Whether the key is neither revoked nor expired."""
        return not self.revoked_ms and not 0 < self.expires_ms <= now_ms

    def principal(self) -> Principal:
        """The caller that presents this key."""
        return Principal(
            name=self.name,
            role=self.role,
            source=f"web/{self.id}",
            stores=frozenset(self.stores),
            rights=frozenset(self.scopes) if self.scopes else None,
        )


def new_key(name: str, role: Role, **fields: object) -> tuple[str, KeyRecord]:
    """A new key: its text, which is shown once, and its record."""
    identity, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    record = KeyRecord(id=identity, hashed=hashed(secret), name=name, role=role, **fields)  # type: ignore[arg-type]  # fields of the record
    return f"{PREFIX}_{identity}_{secret}", record


def parts_of(text: str) -> tuple[str, str] | None:
    """Id and secret of a key's text; None for a text that is no key."""
    found = _KEY.fullmatch(text)
    return (found[1], found[2]) if found is not None else None


def hashed(secret: str) -> str:
    """What is stored of a secret."""
    return sha256(secret.encode()).hexdigest()


def is_secret_of(record: KeyRecord, secret: str) -> bool:
    """Whether a secret is that of a record, compared in constant time."""
    return hmac.compare_digest(record.hashed, hashed(secret))
