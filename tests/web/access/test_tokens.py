"""Tokens of an identity provider, which is a real HTTP server here."""

import asyncio
import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from bopis.access.roles import Role
from bopis.web.access.provider import Provider
from bopis.web.access.tokens import TokenVerifier
from bopis.web.problems import Problem

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
STRANGER = RSAKey.generate_key(2048, {"kid": "stranger"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that publishes two keys."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages: dict[str, Any] = {
                "/.well-known/openid-configuration": {"jwks_uri": f"{address}/keys"},
                "/keys": {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]},
            }
            body = json.dumps(pages[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    address = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield address
    server.shutdown()
    serving.join()
    server.server_close()


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """The claims of a valid token."""
    valid = {
        "iss": issuer, "aud": "bopis", "sub": "u1", "exp": int(time.time()) + 600, "email": "anna@example.org",
        "bopis_role": "store-manager", "bopis_stores": ["319"],
    }  # fmt: skip
    return {name: value for name, value in (valid | changes).items() if value is not None}


def principal(issuer: str, token: str) -> Any:
    """Who a token names. Raises `Problem`."""
    return asyncio.run(TokenVerifier(issuer, "bopis", Provider(issuer).keys).principal(token))


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
