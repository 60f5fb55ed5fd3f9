"""The identity provider of the settings over HTTP: its configuration (OpenID Connect Discovery 1.0, section 4), its
published keys (RFC 7517), and the exchange of a code for an ID token (OpenID Connect Core 1.0, section 3.1.3).

Answers are checked against types, have a limit of size, and redirects are not followed: the addresses come from the
settings and from the provider's own document, never from a caller.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlsplit

import httpx
import msgspec
import structlog
from msgspec import Struct

from bopis.web.problems import Problem

TIMEOUT_S = 5.0
DISCOVERY = "/.well-known/openid-configuration"
DOCUMENT_S_MAX = 3_600.0
# After a failure it is not asked again for so long: everybody who waits would wait for it one after the other.
PAUSE_S = 2.0
ANSWER_BYTES_MAX = 1 << 20
SECRET_IN_BODY, SECRET_IN_HEADER = "client_secret_post", "client_secret_basic"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Answer = TypeVar("Answer")
log = structlog.get_logger("bopis.web.provider")


class ProviderDocument(Struct, frozen=True, kw_only=True):
    """What a provider publishes about itself, as far as it is used here."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = (SECRET_IN_HEADER,)
    authorization_response_iss_parameter_supported: bool = False


class ProviderKeys(Struct, frozen=True):
    """A JSON Web Key Set; what a key has depends on its kind."""

    keys: tuple[dict[str, Any], ...]


class Client(Struct, frozen=True, kw_only=True):
    """This installation at the provider. Without a secret it is a public client, which PKCE alone protects."""

    id: str
    secret: str = ""


class CodeExchange(Struct, frozen=True, kw_only=True):
    """A code, and what proves that the sign-in was begun here: the redirect URI and the PKCE verifier (RFC 7636)."""

    code: str
    redirect_uri: str
    verifier: str


class _Tokens(Struct, frozen=True):
    """The answer of the token endpoint."""

    id_token: str


class _TokenError(Struct, frozen=True):
    """Its answer to a code that it refuses (RFC 6749, section 5.2)."""

    error: str


class Provider:
    """Reads what an identity provider publishes, and exchanges codes there."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._document: ProviderDocument | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()
        self._failure: Problem | None = None
        self._failed_at = 0.0

    async def document(self) -> ProviderDocument:
        """The provider's configuration, read again each hour. Raises `Problem` while it is away."""
        async with self._reading:
            if self._document is None or self._clock() - self._read_at > DOCUMENT_S_MAX:
                self._document = self._checked(await self._get(f"{self._issuer.rstrip('/')}{DISCOVERY}"))
                self._read_at = self._clock()
            return self._document

    async def keys(self) -> ProviderKeys:
        """The provider's public keys. Raises `Problem` while it is away."""
        return _decoded(await self._get((await self.document()).jwks_uri), ProviderKeys)

    async def id_token(self, client: Client, exchange: CodeExchange) -> str:
        """The ID token for a code, not checked yet. Raises `Problem`: 401 for a code that the provider refuses, 503
        when it is away or does not accept the client."""
        document = await self.document()
        form = {
            "grant_type": "authorization_code", "code": exchange.code, "redirect_uri": exchange.redirect_uri,
            "code_verifier": exchange.verifier,
        }  # fmt: skip
        basic: httpx.BasicAuth | None = None
        if client.secret and SECRET_IN_HEADER in document.token_endpoint_auth_methods_supported:
            # Both parts are form-encoded first (RFC 6749, section 2.3.1).
            basic = httpx.BasicAuth(quote_plus(client.id), quote_plus(client.secret))
        else:
            form |= {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {})
        answer = await _send("POST", document.token_endpoint, data=form, auth=basic)
        if answer.is_success:
            return _decoded(answer.content, _Tokens).id_token
        if answer.is_server_error:
            raise _away(f"{answer.status_code} of the token endpoint")
        error = _decoded(answer.content, _TokenError).error
        log.warning("code_refused", error=error)
        if error == "invalid_grant":
            raise Problem(401, "sign-in-expired", "The identity provider does not accept this sign-in any more.")
        raise _unusable(f"it answers {error!r}; check web_oidc_client and web_oidc_secret")

    async def _get(self, url: str) -> bytes:
        """What an address has. Raises `Problem`, within `PAUSE_S` of a failure without another try."""
        failure = self._failure
        if failure is not None and self._clock() - self._failed_at < PAUSE_S:
            raise Problem(failure.status, failure.code, failure.detail, retry_after_s=failure.retry_after_s)
        try:
            answer = await _send("GET", url)
            if not answer.is_success:
                raise _away(f"{answer.status_code} of {url}")
        except Problem as problem:
            self._failure, self._failed_at = problem, self._clock()
            raise
        self._failure = None
        return answer.content

    def _checked(self, content: bytes) -> ProviderDocument:
        document = _decoded(content, ProviderDocument)
        if document.issuer != self._issuer:
            # Section 4.3 of Discovery: else one provider could speak for another one.
            raise _unusable(f"its issuer is {document.issuer!r}, and web_oidc_issuer is {self._issuer!r}")
        for address in (
            document.jwks_uri, document.authorization_endpoint, document.token_endpoint, document.end_session_endpoint,
        ):  # fmt: skip
            if address and not _is_protected(address):
                raise _unusable(f"{address!r} is no https address")
        return document


def _is_protected(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


async def _send(method: str, url: str, **options: Any) -> httpx.Response:
    """One request with its whole answer. Raises `Problem` for a provider that is away or answers too much."""
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, verify=_trusted()) as client,
            client.stream(method, url, headers={"Accept": "application/json"}, **options) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise _unusable(f"{url} answers more than {ANSWER_BYTES_MAX} bytes")
            return httpx.Response(response.status_code, content=bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _away(str(error) or type(error).__name__) from error


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts; reading them takes much longer than a request."""
    return httpx.create_ssl_context()


def _decoded(content: bytes, kind: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from error


def _away(cause: str) -> Problem:
    log.warning("provider_away", cause=cause)
    return Problem(
        503, "identity-provider-away", "The identity provider does not answer. Try again in some seconds.",
        retry_after_s=5,
    )  # fmt: skip


def _unusable(cause: str) -> Problem:
    log.error("provider_unusable", cause=cause)
    return Problem(503, "identity-provider-unusable", f"The identity provider cannot be used: {cause}.")
