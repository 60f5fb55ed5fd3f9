"""Sessions of browsers: who signed in, in a signed cookie, and one-time links to sign in with.

The cookie is signed, not secret: it contains nothing that its owner may not know. Keys are derived from the
installation's master key, so every web process accepts the sessions of every other one.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from hashlib import sha256

import msgspec
from cachetools import TTLCache
from itsdangerous import BadSignature, URLSafeTimedSerializer
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bopis.access.roles import Principal, Role

COOKIE = "bopis_session"
# The page of an order has a cookie of its own, so that a customer's link signs nobody out on a shared device.
ORDER_COOKIE = "bopis_order"
ORDER_PATH = "/o/"
HOUR_S = 3_600
SESSION_S_MAX = 12 * HOUR_S
# A customer's order is followed for days; the link in the mail opens it again at any time.
CUSTOMER_SESSION_S_MAX = 7 * 24 * HOUR_S
LINK_S_MAX = 15 * 60
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a browser signed in as. `id` names the sign-in, and is part of the source of its messages."""

    id: str
    name: str
    role: Role
    stores: tuple[str, ...] = ()
    order: str = ""

    def principal(self) -> Principal:
        """The caller of this session."""
        return Principal(
            name=self.name,
            role=self.role,
            source=f"web/session/{self.id}",
            stores=frozenset(self.stores),
            order=self.order,
            by_cookie=True,
        )


class Sessions:
    """Signs and reads sessions. `is_secure`: the cookie is sent over TLS only."""

    def __init__(self, key: bytes, is_secure: bool) -> None:
        self._key = key
        self._is_secure = is_secure
        self._cookies = URLSafeTimedSerializer(key.hex(), salt="session", signer_kwargs={"digest_method": sha256})
        self._links = URLSafeTimedSerializer(key.hex(), salt="link", signer_kwargs={"digest_method": sha256})
        # Links that were used: each opens one session.
        self._used: TTLCache[str, bool] = TTLCache(10_000, 2 * LINK_S_MAX)

    def link(self, name: str, role: Role, stores: tuple[str, ...] = ()) -> str:
        """The token of a link that signs in once, within `LINK_S_MAX` seconds."""
        offered = Session(id=secrets.token_hex(6), name=name, role=role, stores=stores)
        return str(self._links.dumps(msgspec.to_builtins(offered)))

    def opened(self, token: str) -> Session | None:
        """The session of a link; None for a link that is not ours, too old or used."""
        session = _read(self._links, token, LINK_S_MAX)
        if session is None or session.id in self._used:
            return None
        self._used[session.id] = True
        return session

    def of(self, request: Request) -> Session | None:
        """The session of a request's cookie."""
        text = request.cookies.get(COOKIE, "")
        if request.url.path.startswith(ORDER_PATH):
            text = request.cookies.get(ORDER_COOKIE, "") or text
        if not text:
            return None
        session = _read(self._cookies, text, CUSTOMER_SESSION_S_MAX)
        if session is None or session.role is Role.CUSTOMER:
            return session
        return _read(self._cookies, text, SESSION_S_MAX)

    def begin(self, response: Response, session: Session) -> None:
        """Sign the browser in."""
        age = CUSTOMER_SESSION_S_MAX if session.role is Role.CUSTOMER else SESSION_S_MAX
        response.set_cookie(
            COOKIE,
            str(self._cookies.dumps(msgspec.to_builtins(session))),
            max_age=age,
            httponly=True,
            samesite="strict",
            secure=self._is_secure,
            path="/",
        )

    def begin_order(self, response: Response, session: Session) -> None:
        """Open the page of an order for a customer who came with its link."""
        response.set_cookie(
            ORDER_COOKIE,
            str(self._cookies.dumps(msgspec.to_builtins(session))),
            max_age=CUSTOMER_SESSION_S_MAX,
            httponly=True,
            # Not strict: browsers would leave it out after the redirect of a link in a web mail. Changes need a token.
            samesite="lax",
            secure=self._is_secure,
            path=f"{ORDER_PATH}{session.order}",
        )

    def end(self, response: Response) -> None:
        """Sign the browser out."""
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=self._is_secure)

    def csrf_token(self, session: Session) -> str:
        """The token that a page of this session sends with each change."""
        return hmac.digest(self._key, f"csrf/{session.id}".encode(), sha256).hex()[:32]

    def is_csrf_token(self, session: Session, token: str) -> bool:
        """Whether a change comes from a page of this session."""
        return hmac.compare_digest(self.csrf_token(session), token)


def new_session(name: str, role: Role, stores: tuple[str, ...] = (), order: str = "") -> Session:
    """A session that begins now."""
    return Session(id=secrets.token_hex(6), name=name, role=role, stores=stores, order=order)


def _read(serializer: URLSafeTimedSerializer, text: str, age_s_max: int) -> Session | None:
    try:
        return msgspec.convert(serializer.loads(text, max_age=age_s_max), Session)
    except (BadSignature, msgspec.ValidationError, ValueError):
        return None


class PinTries:
    """Wrong PINs by store and name: after `TRIES_MAX` no PIN is taken for `LOCK_S` seconds."""

    TRIES_MAX = 5
    LOCK_S = 300

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._wrong: TTLCache[tuple[str, str], int] = TTLCache(10_000, self.LOCK_S, timer=clock)

    def is_locked(self, store: str, name: str) -> bool:
        """Whether no PIN is taken now."""
        return self._wrong.get((store, name), 0) >= self.TRIES_MAX

    def note(self, store: str, name: str, *, is_right: bool) -> None:
        """Count a wrong PIN; a right one forgets the wrong ones."""
        if is_right:
            self._wrong.pop((store, name), None)
        else:
            self._wrong[store, name] = self._wrong.get((store, name), 0) + 1
