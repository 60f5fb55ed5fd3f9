"""Signing in with an account of the identity provider: the authorization code flow (OpenID Connect Core 1.0, section
3.1) with PKCE (RFC 7636, S256), state and nonce, and the issuer of the answer where the provider names it (RFC 9207).

A flow is known to the browser that began it by a cookie of ten minutes with a random id, signed. State, nonce and PKCE
verifier are derived from that id with the installation's key, so every web process can finish a flow that another one
began, nothing is stored, and an answer counts in the one browser that asked for it: nobody can sign another person in.

That cookie is lax: a browser leaves a strict one out when the provider's page sends it back here. It opens nothing but
the end of its flow. The session that follows is strict, like every other one.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import httpx
import structlog
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bopis.access.roles import OWN_STORES, RIGHTS, Right
from bopis.access.session import Session, new_session
from bopis.adapters.notices.channels import secret_of
from bopis.adapters.secrets.sign_in_links import read_signed, signer_for
from bopis.settings import Settings
from bopis.web.access.provider import Client, CodeExchange, Provider, ProviderDocument
from bopis.web.access.tokens import TokenVerifier
from bopis.web.problems import Problem

BEGIN_PATH = "/sign-in/provider"
CALLBACK_PATH = f"{BEGIN_PATH}/callback"
COOKIE = "bopis_sign_in"
FLOW_S_MAX = 10 * 60
ID_BYTES = 16
TO_LENGTH_MAX = 1_000
SCOPE = "openid profile email"
# Answers of a provider that ends a flow itself (RFC 6749, section 4.1.2.1, and Core, section 3.1.2.6).
PASSING_ERRORS = frozenset({"server_error", "temporarily_unavailable"})
log = structlog.get_logger("bopis.web.account")


class Flow(Struct, frozen=True):
    """One sign-in that was begun, and the page to go on to afterwards."""

    id: str
    to: str


class AuthorizationAnswer(Struct, frozen=True, kw_only=True):
    """What the provider sends back with the browser; empty where a parameter is absent."""

    state: str = ""
    code: str = ""
    iss: str = ""
    error: str = ""


class AccountSignIn:
    """Begins and finishes sign-ins with accounts. `key`: the installation's key of sessions. `is_secure`: its cookie is
    sent over TLS only."""

    def __init__(
        self, client: Client, provider: Provider, tokens: TokenVerifier, *, key: bytes, is_secure: bool
    ) -> None:
        self._client = client
        self._provider = provider
        self._tokens = tokens
        self._key = key
        self._is_secure = is_secure
        self._cookies = signer_for(key, "sign-in")

    async def begin(self, url: str, to: str) -> tuple[Flow, str]:
        """A new flow, and the address at the provider to send the browser to. `url`: where browsers reach this process.
        Raises `Problem` while the provider is away."""
        document = await self._provider.document()
        if not document.authorization_endpoint or not document.token_endpoint:
            raise Problem(503, "identity-provider-unusable", "The identity provider has no sign-in for browsers.")
        flow = Flow(secrets.token_urlsafe(ID_BYTES), safe_target(to))
        query = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": f"{url}{CALLBACK_PATH}",
            "scope": SCOPE,
            "state": self.state(flow),
            "nonce": self._derived(flow, "nonce"),
            "code_challenge": _base64url(sha256(self._derived(flow, "verifier").encode()).digest()),
            "code_challenge_method": "S256",
        }
        return flow, str(httpx.URL(document.authorization_endpoint).copy_merge_params(query))

    async def finish(self, flow: Flow | None, answer: AuthorizationAnswer, url: str) -> Session:
        """The session of who signed in. Raises `Problem` for an answer that is not one to this browser's flow, or not
        valid, and for an account without a role."""
        if flow is None or not hmac.compare_digest(self.state(flow).encode(), answer.state.encode()):
            raise Problem(
                401, "sign-in-unknown", "This sign-in was not begun in this browser, is too old, or was replaced by a "
                "later one. Sign in again.",
            )  # fmt: skip
        document = await self._provider.document()
        self._check_issuer(document, answer)
        if answer.error:
            raise _ended_by_provider(answer.error)
        if not answer.code:
            raise Problem(401, "sign-in-refused", "The identity provider sent no code. Sign in again.")
        exchange = CodeExchange(
            code=answer.code, redirect_uri=f"{url}{CALLBACK_PATH}", verifier=self._derived(flow, "verifier")
        )
        token = await self._provider.id_token(self._client, exchange)
        return self._session(await self._claims(flow, token))

    async def end_address(self) -> str:
        """Where an account signs out at the provider (OpenID Connect RP-Initiated Logout 1.0); empty when there is no
        such place, or the provider is away."""
        try:
            address = (await self._provider.document()).end_session_endpoint
        except Problem:
            return ""
        return str(httpx.URL(address).copy_merge_params({"client_id": self._client.id})) if address else ""

    # The cookie of a flow

    def remember(self, response: Response, flow: Flow) -> None:
        """Set the cookie of a flow."""
        response.set_cookie(
            COOKIE, str(self._cookies.dumps([flow.id, flow.to])), max_age=FLOW_S_MAX, httponly=True, samesite="lax",
            secure=self._is_secure, path=BEGIN_PATH,
        )  # fmt: skip

    def flow_of(self, request: Request) -> Flow | None:
        """The flow of a request's cookie; None for none that is valid."""
        signed = read_signed(self._cookies, request.cookies.get(COOKIE, ""), FLOW_S_MAX, tuple[str, str])
        return Flow(*signed.content) if signed is not None else None

    def forget(self, response: Response) -> None:
        """Delete the cookie of a flow."""
        response.delete_cookie(COOKIE, path=BEGIN_PATH, httponly=True, samesite="lax", secure=self._is_secure)

    # Checks

    def state(self, flow: Flow) -> str:
        """The state of a flow: only the browser with its cookie, and the provider, know it."""
        return self._derived(flow, "state")

    def _derived(self, flow: Flow, purpose: str) -> str:
        """A text of 43 letters that only this installation can make for a flow."""
        return _base64url(hmac.digest(self._key, f"sign-in/{purpose}/{flow.id}".encode(), sha256))

    def _check_issuer(self, document: ProviderDocument, answer: AuthorizationAnswer) -> None:
        """RFC 9207, section 2.4: an answer that names its issuer names ours, and has to where the provider says so."""
        is_named = answer.iss or document.authorization_response_iss_parameter_supported
        if is_named and answer.iss != self._tokens.rules.issuer:
            raise Problem(401, "sign-in-refused", "The answer is of another identity provider. Sign in again.")

    async def _claims(self, flow: Flow, token: str) -> Mapping[str, Any]:
        """The claims of an ID token that was issued for this client and this flow (Core, section 3.1.3.7)."""
        claims = await self._tokens.claims(token, self._client.id)
        audience = claims["aud"]
        party = claims.get("azp", self._client.id if isinstance(audience, str) or len(audience) == 1 else "")
        nonce = str(claims.get("nonce", ""))
        if party != self._client.id or not hmac.compare_digest(
            nonce.encode("utf-8", "replace"), self._derived(flow, "nonce").encode()
        ):
            raise Problem(401, "token-invalid", "The token is for another program or another sign-in.")
        return claims

    def _session(self, claims: Mapping[str, Any]) -> Session:
        caller, rules = self._tokens.caller(claims), self._tokens.rules
        if caller is None or not RIGHTS[caller.role] & {Right.PAGES_HQ, Right.PAGES_COUNTER}:
            log.warning("sign_in_without_role", subject=str(claims["sub"]))
            raise Problem(
                403, "role-missing", "Your account has no role here. Ask the operator: the identity provider names the "
                f"role in the claim {rules.role_claim}.",
            )  # fmt: skip
        if caller.role in OWN_STORES and not caller.stores:
            log.warning("sign_in_without_store", subject=str(claims["sub"]))
            raise Problem(
                403, "store-missing", f"Your account is {caller.role.value} of no store. Ask the operator: the "
                f"identity provider names the stores in the claim {rules.stores_claim}.",
            )  # fmt: skip
        log.info("signed_in", subject=str(claims["sub"]), role=caller.role.value)
        return new_session(caller.name, caller.role, tuple(sorted(caller.stores)), by_provider=True)


def account_sign_in(
    settings: Settings, provider: Provider, tokens: TokenVerifier, *, key: bytes, is_secure: bool
) -> AccountSignIn | None:
    """The sign-in with accounts by the settings; None without a client. Raises `ChannelMisconfigured` for a file of the
    secret that cannot be read."""
    if not settings.web_oidc_client:
        return None
    client = Client(id=settings.web_oidc_client, secret=secret_of("web_oidc_secret", settings))
    return AccountSignIn(client, provider, tokens, key=key, is_secure=is_secure)


def safe_target(to: str) -> str:
    """A page of ours to go on to; the start for a text that could lead a browser elsewhere, or sign in as another one.

    Browsers read ``\\`` as ``/`` and pass over control characters, so neither may be in it.
    """
    is_ours = to.startswith("/") and not to.startswith("//") and len(to) <= TO_LENGTH_MAX
    is_plain = "\\" not in to and to.isprintable() and not to.startswith(("/sign-in", "/sign-out"))
    return to if is_ours and is_plain else "/"


def _ended_by_provider(error: str) -> Problem:
    """The problem of a flow that the provider ended itself."""
    log.warning("sign_in_refused", error=error[:100])
    if error in PASSING_ERRORS:
        return Problem(
            503, "identity-provider-away", "The identity provider cannot sign you in at the moment. Try again later.",
            retry_after_s=5,
        )  # fmt: skip
    if error == "access_denied":
        return Problem(401, "sign-in-refused", "The identity provider did not let you in, or you ended the sign-in.")
    return Problem(401, "sign-in-refused", "The identity provider refused the sign-in. Sign in again.")


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
