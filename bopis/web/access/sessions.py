"""Sessions of browsers: who signed in, in a signed cookie, and one-time links to sign in with.

The cookie is signed, not secret: it contains nothing that its owner may not know. Keys are derived from the
installation's master key, so every web process accepts the sessions of every other one.
"""

import hmac
import time
from collections.abc import Callable
from hashlib import sha256

import msgspec
from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import Response

from bopis.access.roles import Role
from bopis.access.session import Session, new_session
from bopis.adapters.secrets.sign_in_links import Signed, SignInLinks, read_signed, signer_for

__all__ = ["PinTries", "Session", "Sessions", "new_session"]
COOKIE = "bopis_session"
# The page of an order has a cookie of its own, so that a customer's link signs nobody out on a shared device.
ORDER_COOKIE = "bopis_order"
ORDER_PATH = "/o/"
HOUR_S = 3_600
SESSION_S_MAX = 12 * HOUR_S
# A customer's order is followed for days; the link in the mail opens it again at any time.
CUSTOMER_SESSION_S_MAX = 7 * 24 * HOUR_S
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


class Sessions:
    """Signs and reads sessions. `is_secure`: the cookie is sent over TLS only."""

    def __init__(self, key: bytes, is_secure: bool) -> None:
        self._key = key
        self._is_secure = is_secure
        self._cookies = signer_for(key, "session")
        self.links = SignInLinks(key)

    def of(self, request: Request) -> Session | None:
        """The session of a request's cookie."""
        signed = self.signed(request)
        return signed.content if signed is not None else None

    def signed(self, request: Request) -> Signed[Session] | None:
        """The session of a request's cookie, and when it began; None for none that is valid."""
        text = request.cookies.get(COOKIE, "")
        if request.url.path.startswith(ORDER_PATH):
            text = request.cookies.get(ORDER_COOKIE, "") or text
        signed = read_signed(self._cookies, text, CUSTOMER_SESSION_S_MAX, Session) if text else None
        if signed is None or signed.content.role is Role.CUSTOMER:
            return signed
        return signed if time.time() - signed.signed_s <= SESSION_S_MAX else None

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
        return hmac.compare_digest(self.csrf_token(session).encode(), token.encode())


class PinTries:
    """Wrong PINs by store and name: after `TRIES_MAX` no PIN is taken for `LOCK_S` seconds.

    Names that nobody has are locked as well, so that a lock tells nothing. They are counted apart: a flood of them
    cannot push out the count of a name that somebody has.
    """

    TRIES_MAX = 5
    LOCK_S = 300
    NAMES_MAX = 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._wrong: TTLCache[tuple[str, str], int] = TTLCache(self.NAMES_MAX, self.LOCK_S, timer=clock)
        self._unknown: TTLCache[tuple[str, str], int] = TTLCache(self.NAMES_MAX, self.LOCK_S, timer=clock)

    def is_locked(self, store: str, name: str) -> bool:
        """Whether no PIN is taken now."""
        place = store, name
        return max(self._wrong.get(place, 0), self._unknown.get(place, 0)) >= self.TRIES_MAX

    def note(self, store: str, name: str, *, is_right: bool, is_known: bool = True) -> None:
        """Count a wrong PIN; a right one forgets the wrong ones. `is_known`: the store has an associate of the name."""
        counts = self._wrong if is_known else self._unknown
        if is_right:
            counts.pop((store, name), None)
        else:
            counts[store, name] = counts.get((store, name), 0) + 1
