"""Tokens of an identity provider, which is a real HTTP server here."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from bopis.access.roles import Role
from bopis.settings import Settings
from bopis.web.access.provider import Provider
from bopis.web.access.tokens import REFETCH_S_MIN, TokenVerifier, token_verifier
from bopis.web.problems import Problem
from tests.web.access.identity_provider import EC, RSA, STRANGER, IdentityProvider


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    """A provider that publishes two keys."""
    provider = IdentityProvider()
    yield provider
    provider.close()


@pytest.fixture
def issuer(provider: IdentityProvider) -> str:
    """Its issuer, with nothing broken."""
    provider.reset()
    return provider.issuer


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """The claims of a valid token."""
    valid = {
        "iss": issuer, "aud": "bopis", "sub": "u1", "exp": int(time.time()) + 600, "email": "anna@example.org",
        "bopis_role": "store-manager", "bopis_stores": ["319"],
    }  # fmt: skip
    return {name: value for name, value in (valid | changes).items() if value is not None}


def principal(issuer: str, token: str) -> Any:
    """Who a token names. Raises `Problem`."""
    return asyncio.run(verifier_of(issuer).principal(token))


def verifier_of(issuer: str, **options: Any) -> TokenVerifier:
    """The check of a provider's tokens."""
    return token_verifier(Settings(web_oidc_issuer=issuer, **options), Provider(issuer))


def refused(issuer: str, token: str) -> bool:
    """Whether a token is refused as a credential."""
    with pytest.raises(Problem) as caught:
        principal(issuer, token)
    return (caught.value.status, caught.value.code) == (401, "token-invalid")


def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("ES256", EC)])
def test_a_token_of_the_provider_names_its_caller(algorithm: str, key: Any, issuer: str) -> None:
    token = jwt.encode({"alg": algorithm, "kid": key.kid}, claims(issuer), key)

    caller = principal(issuer, token)

    assert (caller.name, caller.role, caller.stores) == ("anna@example.org", Role.STORE_MANAGER, {"319"})
    assert not caller.by_cookie


def test_callers_whose_long_names_differ_at_their_end_are_two_sources(issuer: str) -> None:
    header = {"alg": "RS256", "kid": "rsa"}
    sources = {principal(issuer, jwt.encode(header, claims(issuer, sub="u" * 200 + end), RSA)).source for end in "ab"}

    assert len(sources) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"}, {"aud": None}, {"iss": "http://127.0.0.1:1"}, {"iss": None}, {"exp": 1}, {"exp": None},
        {"sub": None}, {"bopis_role": None}, {"bopis_role": "customer"}, {"bopis_role": "root"},
        {"bopis_role": ["hq-operator"]}, {"bopis_stores": "319"}, {"nbf": 9_999_999_999},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_for_something_else_is_refused(changes: dict[str, Any], issuer: str) -> None:
    assert refused(issuer, jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer, **changes), RSA))


def test_a_token_of_another_key_is_refused(issuer: str) -> None:
    for kid in ("stranger", "rsa", None):
        header = {"alg": "RS256"} | ({"kid": kid} if kid else {})

        assert refused(issuer, jwt.encode(header, claims(issuer), STRANGER))


def test_a_token_without_a_signature_is_refused(issuer: str) -> None:
    for name in ("none", "None", "NONE"):
        assert refused(issuer, f"{part({'alg': name, 'kid': 'rsa'})}.{part(claims(issuer))}.")


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(issuer: str) -> None:
    signed = f"{part({'alg': 'HS256', 'kid': 'rsa', 'typ': 'JWT'})}.{part(claims(issuer))}"
    for secret in (RSA.as_pem(private=False), json.dumps(RSA.as_dict(private=False)).encode()):
        signature = hmac.digest(secret, signed.encode(), sha256)

        assert refused(issuer, f"{signed}.{part(signature)}")


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "..", "é.é.é", "a" * 100_000, "eyJhbGciOiJSUzI1NiJ9.e30."])
def test_what_is_no_token_is_refused(token: str, issuer: str) -> None:
    assert refused(issuer, token)


def test_a_provider_that_is_away_is_a_passing_problem() -> None:
    token = jwt.encode({"alg": "RS256", "kid": "rsa"}, claims("http://127.0.0.1:1"), RSA)

    with pytest.raises(Problem) as caught:
        principal("http://127.0.0.1:1", token)

    assert (caught.value.status, caught.value.code) == (503, "identity-provider-away")


def test_the_settings_name_the_claims_of_role_and_stores(issuer: str) -> None:
    names = {"web_oidc_role_claim": "https://shop.example/role", "web_oidc_stores_claim": "shops"}
    changes = {"bopis_role": None, "https://shop.example/role": "store-associate", "shops": ["367"]}
    token = jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer, **changes), RSA)

    caller = asyncio.run(verifier_of(issuer, **names).principal(token))

    assert (caller.role, caller.stores) == (Role.STORE_ASSOCIATE, {"367"})


def test_an_address_that_the_provider_has_not_verified_names_nobody(issuer: str) -> None:
    token = jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer, email_verified=False), RSA)

    assert principal(issuer, token).name == "u1"


def test_a_new_key_is_fetched_for_its_first_token_and_a_flood_of_unknown_keys_is_not(
    provider: IdentityProvider, issuer: str
) -> None:
    now = time.time()
    rules = verifier_of(issuer).rules
    checked = TokenVerifier(rules, Provider(issuer).keys, lambda: now)
    fresh = RSAKey.generate_key(2048, {"kid": "fresh"})

    async def scenario() -> None:
        nonlocal now
        await checked.principal(jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer), RSA))
        provider.keys = [fresh]
        new = jwt.encode({"alg": "RS256", "kid": "fresh"}, claims(issuer), fresh)
        for _ in range(5):
            with pytest.raises(Problem):
                await checked.principal(new)
        now += REFETCH_S_MIN + 1
        await checked.principal(new)
        with pytest.raises(Problem):
            await checked.principal(jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer), RSA))

    asyncio.run(scenario())

    assert provider.asked.count("/keys") == 2


def test_published_keys_that_cannot_be_used_are_passed_over(provider: IdentityProvider, issuer: str) -> None:
    token = jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer), RSA)
    provider.extra_keys = [
        {"kty": "oct", "k": "AAAA", "kid": "shared"}, {"kty": "new", "kid": "n"}, {"kty": "RSA", "kid": "broken"},
        {"kid": "no kind"}, STRANGER.as_dict(private=False) | {"use": "enc"},
    ]  # fmt: skip

    assert principal(issuer, token).name == "anna@example.org"
    assert refused(issuer, jwt.encode({"alg": "RS256", "kid": "stranger"}, claims(issuer), STRANGER))
    provider.keys = []
    with pytest.raises(Problem) as caught:
        principal(issuer, token)
    assert caught.value.code == "identity-provider-unusable"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example"}, {"issuer": None}, {"jwks_uri": None}, {"jwks_uri": 5},
        {"jwks_uri": "http://keys.example/keys"}, {"jwks_uri": "file:///etc/passwd"}, {"token_endpoint": "ftp://x.y"},
        {"token_endpoint_auth_methods_supported": "all"},
    ],
    ids=str,
)  # fmt: skip
def test_a_provider_that_says_something_else_about_itself_is_not_used(
    changes: dict[str, Any], provider: IdentityProvider, issuer: str
) -> None:
    provider.document_changes = changes

    with pytest.raises(Problem) as caught:
        principal(issuer, jwt.encode({"alg": "RS256", "kid": "rsa"}, claims(issuer), RSA))

    assert (caught.value.status, caught.value.code) == (503, "identity-provider-unusable")
