"""The identity provider of the settings: its published keys (OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from typing import Any

import httpx

from bopis.settings import Settings
from bopis.web.access.tokens import TokenVerifier
from bopis.web.problems import Problem

TIMEOUT_S = 5.0
DISCOVERY = "/.well-known/openid-configuration"


class Provider:
    """Reads what an identity provider publishes about itself."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer.rstrip("/")
        self._document: Mapping[str, Any] = {}

    async def document(self) -> Mapping[str, Any]:
        """The provider's configuration, read once. Raises `Problem` while it is away."""
        if not self._document:
            self._document = await self._get(f"{self._issuer}{DISCOVERY}")
        return self._document

    async def keys(self) -> Mapping[str, Any]:
        """The provider's public keys as a JSON Web Key Set. Raises `Problem` while it is away."""
        return await self._get((await self.document())["jwks_uri"])

    @staticmethod
    async def _get(url: str) -> Mapping[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
                response = await client.get(url)
                response.raise_for_status()
                found: Mapping[str, Any] = response.json()
                return found
        except (httpx.HTTPError, ValueError) as error:
            raise Problem(
                503, "identity-provider-away", "The identity provider does not answer.", retry_after_s=5
            ) from error


def token_verifier(settings: Settings) -> TokenVerifier | None:
    """The check of bearer tokens; None without an identity provider."""
    issuer = settings.web_oidc_issuer
    if not issuer:
        return None
    return TokenVerifier(issuer, settings.web_oidc_audience, Provider(issuer).keys)
