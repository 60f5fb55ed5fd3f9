"""Tokens of an identity provider: JSON Web Tokens (RFC 7519), checked with the provider's published keys."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet
from msgspec import Struct

from bopis.access.roles import Principal, Role, id_from
from bopis.domain.values import ID_LENGTH_MAX
from bopis.settings import Settings
from bopis.web.access.provider import Provider, ProviderKeys
from bopis.web.problems import Problem

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
KEY_KINDS = frozenset({"RSA", "EC", "OKP"})
LEEWAY_S = 60
KEYS_S_MAX = 3_600
# Keys are fetched again for a token with an unknown key, at most this often: anybody can send such a token.
REFETCH_S_MIN = 30

FetchKeys = Callable[[], Awaitable[ProviderKeys]]


class TokenRules(Struct, frozen=True, kw_only=True):
    """Whose tokens are accepted, for which audience, and the claims that have role and stores."""

    issuer: str
    audience: str
    role_claim: str
    stores_claim: str


class TokenCaller(NamedTuple):
    """Whom the claims of a token name, and what the provider says that they are here."""

    name: str
    role: Role
    stores: frozenset[str]


class TokenVerifier:
    """Checks signature, issuer, audience and times, and reads role and stores from claims.

    Algorithms with a shared secret and ``none`` are never accepted.
    """

    def __init__(self, rules: TokenRules, fetch_keys: FetchKeys, clock: Callable[[], float] = time.time) -> None:
        self.rules = rules
        self._fetch_keys = fetch_keys
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched = 0.0
        self._fetching = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """The caller that a bearer token names. Raises `Problem`."""
        claims = await self.claims(token, self.rules.audience)
        caller = self.caller(claims)
        if caller is None:
            raise _refused(f"The token has no usable claim {self.rules.role_claim}.")
        return Principal(
            name=caller.name, role=caller.role, source=id_from(f"web/{claims['sub']}"), stores=caller.stores
        )

    def caller(self, claims: Mapping[str, Any]) -> TokenCaller | None:
        """The caller of valid claims; None when they have no role of ours."""
        role, stores = str(claims.get(self.rules.role_claim, "")), claims.get(self.rules.stores_claim, ())
        if role not in set(Role) - {Role.CUSTOMER} or not isinstance(stores, list | tuple):
            return None
        # An address that the provider has not verified may be anybody's.
        email = claims.get("email") if claims.get("email_verified") is not False else None
        name = str(email or claims.get("preferred_username") or claims["sub"])
        return TokenCaller(name[:ID_LENGTH_MAX], Role(role), frozenset(map(str, stores)))

    async def claims(self, token: str, audience: str) -> Mapping[str, Any]:
        """The claims of a valid token for an audience. Raises `Problem`."""
        for is_second in (False, True):
            keys = await self._current_keys(refetch=is_second)
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
                break
            except (JoseError, ValueError) as error:
                if is_second:
                    raise _refused("The token is not valid.") from error
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.rules.issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            registry.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _refused("The token is not valid: it is expired, or for another audience or issuer.") from error
        return decoded.claims

    async def _current_keys(self, *, refetch: bool) -> KeySet:
        async with self._fetching:
            age = self._clock() - self._fetched
            if self._keys is None or age > KEYS_S_MAX or (refetch and age > REFETCH_S_MIN):
                self._keys = _usable(await self._fetch_keys())
                self._fetched = self._clock()
            return self._keys


def _usable(published: ProviderKeys) -> KeySet:
    """The keys that can check a signature. The others are passed over (RFC 7517, section 5): a provider may publish
    keys of new kinds, and keys for encryption. Raises `Problem` when none is left."""
    keys = []
    for key in published.keys:
        if key.get("kty") not in KEY_KINDS or key.get("use", "sig") != "sig":
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a key that the library warns of is too weak
                keys.append(JWKRegistry.import_key(key))
        except (JoseError, ValueError, TypeError, KeyError, Warning):
            continue
    if not keys:
        raise Problem(503, "identity-provider-unusable", "The identity provider publishes no key that can be used.")
    return KeySet(keys)


def token_verifier(settings: Settings, provider: Provider) -> TokenVerifier:
    """The check of the provider's tokens by the settings."""
    rules = TokenRules(
        issuer=settings.web_oidc_issuer,
        audience=settings.web_oidc_audience,
        role_claim=settings.web_oidc_role_claim,
        stores_claim=settings.web_oidc_stores_claim,
    )
    return TokenVerifier(rules, provider.keys)


def _refused(detail: str) -> Problem:
    return Problem(401, "token-invalid", detail)
