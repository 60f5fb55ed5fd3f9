"""Bearer tokens of an identity provider: JSON Web Tokens (RFC 7519), checked with the provider's published keys."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bopis.access.roles import Principal, Role, id_from
from bopis.domain.values import ID_LENGTH_MAX
from bopis.web.problems import Problem

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LEEWAY_S = 60
KEYS_S_MAX = 3_600
# Keys are fetched again for a token with an unknown key, at most this often: anybody can send such a token.
REFETCH_S_MIN = 30
ROLE_CLAIM, STORES_CLAIM = "bopis_role", "bopis_stores"

FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


class TokenVerifier:
    """Checks signature, issuer, audience and times, and reads role and stores from claims.

    Algorithms with a shared secret and ``none`` are never accepted.
    """

    def __init__(
        self, issuer: str, audience: str, fetch_keys: FetchKeys, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._fetch_keys = fetch_keys
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched = 0.0

    async def principal(self, token: str) -> Principal:
        """The caller that a token names. Raises `Problem`."""
        claims = await self.claims(token)
        role, stores = str(claims.get(ROLE_CLAIM, "")), claims.get(STORES_CLAIM, ())
        if role not in set(Role) - {Role.CUSTOMER} or not isinstance(stores, list | tuple):
            raise _refused(f"The token has no usable claim {ROLE_CLAIM}.")
        name = str(claims.get("email") or claims.get("preferred_username") or claims["sub"])
        return Principal(
            name=name[:ID_LENGTH_MAX],
            role=Role(role),
            source=id_from(f"web/{claims['sub']}"),
            stores=frozenset(map(str, stores)),
        )

    async def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a valid token. Raises `Problem`."""
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
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            registry.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _refused("The token is not valid: it is expired, or for another audience or issuer.") from error
        return decoded.claims

    async def _current_keys(self, *, refetch: bool) -> KeySet:
        age = self._clock() - self._fetched
        if self._keys is None or age > KEYS_S_MAX or (refetch and age > REFETCH_S_MIN):
            self._keys = KeySet.import_key_set(dict(await self._fetch_keys()))  # type: ignore[arg-type]  # any JSON
            self._fetched = self._clock()
        return self._keys


def _refused(detail: str) -> Problem:
    return Problem(401, "token-invalid", detail)
