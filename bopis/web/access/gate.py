"""The gate: which caller a request's credential names. A credential that is not valid is refused, never ignored."""

from collections.abc import Callable
from typing import Protocol

from cachetools import TTLCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from bopis.access.associates import AssociateRecord
from bopis.access.keys import KeyRecord, is_secret_of, parts_of
from bopis.access.roles import Principal, Role
from bopis.web.access.sessions import CSRF_HEADER, Sessions
from bopis.web.access.tokens import TokenVerifier
from bopis.web.problems import Problem

# A key that is revoked is refused after this at the latest, and an associate who was removed.
RECORD_S = 5.0
RECORDS_MAX = 10_000
ASSOCIATE_ROLES = frozenset({Role.STORE_MANAGER, Role.STORE_ASSOCIATE})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class AccessRecords(Protocol):
    """The stored API keys and associates."""

    def key(self, identity: str) -> KeyRecord | None: ...
    def associate(self, store: str, name: str) -> AssociateRecord | None: ...


class Gate:
    """Finds the caller of a request."""

    def __init__(
        self, records: AccessRecords, sessions: Sessions, tokens: TokenVerifier | None, now_ms: Callable[[], int]
    ) -> None:
        self.sessions = sessions
        self._records = records
        self._tokens = tokens
        self._now_ms = now_ms
        self._keys: TTLCache[str, KeyRecord] = TTLCache(RECORDS_MAX, RECORD_S)
        self._associates: TTLCache[tuple[str, str], AssociateRecord | None] = TTLCache(RECORDS_MAX, RECORD_S)

    async def caller(self, request: Request) -> Principal | None:
        """The caller; None for a request without a credential. Raises `Problem` for one that is not valid."""
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                raise _refused("Send Authorization: Bearer KEY.")
            return await self._bearer(credential.strip())
        return await self._by_session(request)

    def check_forgery(self, request: Request, principal: Principal | None, token: str = "") -> None:
        """Raise `Problem` for a change that another site may have made a browser send."""
        if principal is None or not principal.by_cookie or request.method in SAFE_METHODS:
            return
        session = self.sessions.of(request)
        sent = token or request.headers.get(CSRF_HEADER, "")
        if session is None or not self.sessions.is_csrf_token(session, sent):
            raise Problem(403, "csrf", f"A change from a browser needs the header {CSRF_HEADER} of its page.")

    async def _bearer(self, credential: str) -> Principal:
        parts = parts_of(credential)
        if parts is not None:
            return await self._by_key(*parts)
        if self._tokens is not None:
            return await self._tokens.principal(credential)
        raise _refused("This key is not valid. `bopis keys create` makes one.")

    async def _by_key(self, identity: str, secret: str) -> Principal:
        record = self._keys.get(identity)
        if record is None:
            record = await run_in_threadpool(self._records.key, identity)
            if record is not None:
                self._keys[identity] = record
        if record is None or not is_secret_of(record, secret) or not record.is_valid(self._now_ms()):
            raise _refused("This key is not valid: it is unknown, revoked or expired.")
        return record.principal()

    async def _by_session(self, request: Request) -> Principal | None:
        """The caller of a session; None without one. A session of an associate ends with the access, or with a new
        PIN."""
        signed = self.sessions.signed(request)
        if signed is None:
            return None
        session, signed_s = signed
        # An account of the provider is no associate of ours, whatever its name.
        if session.role in ASSOCIATE_ROLES and len(session.stores) == 1 and not session.by_provider:
            place = session.stores[0], session.name
            if place not in self._associates:
                self._associates[place] = await run_in_threadpool(self._records.associate, *place)
            record = self._associates.get(place)
            # A session of a one-time link has no record.
            if record is not None and (record.ended_ms or record.created_ms // 1000 > signed_s):
                return None
        return session.principal()


def _refused(detail: str) -> Problem:
    return Problem(401, "credential-invalid", detail)
