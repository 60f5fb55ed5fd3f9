"""Links that sign a browser in once: signed with a key of the installation, so every process of it makes and accepts
them. Which ones were used is in `AccessTable`."""

import re
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer

from bopis.access.roles import Role
from bopis.access.session import LINK_S_MAX, Session, new_session

PATH = "/sign-in/link"
Content = TypeVar("Content")
SIGNED_TEXT = re.compile(r"[A-Za-z0-9_.-]+")


class SignInLinks:
    """Makes and reads the tokens of links."""

    def __init__(self, key: bytes) -> None:
        self._signer = signer_for(key, "link")

    def url(self, address: str, name: str, role: Role, stores: tuple[str, ...] = ()) -> str:
        """A link at the address of the web process that signs in once, within `LINK_S_MAX` seconds."""
        return f"{address}{PATH}?token={self.token(name, role, stores)}"

    def token(self, name: str, role: Role, stores: tuple[str, ...] = ()) -> str:
        """The token of such a link."""
        return str(self._signer.dumps(msgspec.to_builtins(new_session(name, role, stores))))

    def opened(self, token: str) -> Session | None:
        """The session of a token; None for one that is not ours, or too old."""
        signed = read_signed(self._signer, token, LINK_S_MAX, Session)
        return signed.content if signed is not None else None


class Signed(NamedTuple, Generic[Content]):
    """The content of a signed text, and when it was signed, in epoch seconds."""

    content: Content
    signed_s: int


def signer_for(key: bytes, purpose: str) -> URLSafeTimedSerializer:
    """Signs content for one purpose: what is signed for another one is not accepted."""
    return URLSafeTimedSerializer(key.hex(), salt=purpose, signer_kwargs={"digest_method": sha256})


def read_signed(
    signer: URLSafeTimedSerializer, text: str, age_s_max: int, kind: type[Content]
) -> Signed[Content] | None:
    """The content of a signed text; None for a text that is not ours, is too old, or has the form of another
    version."""
    if not SIGNED_TEXT.fullmatch(text):
        return None  # the library passes over characters that are none of base64
    try:
        content, signed = signer.loads(text, max_age=age_s_max, return_timestamp=True)
        return Signed(msgspec.convert(content, kind), int(signed.timestamp()))
    except (BadSignature, msgspec.ValidationError, ValueError):
        return None
