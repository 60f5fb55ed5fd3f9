"""A small identity provider as a real HTTP server: discovery, keys, and the authorization code flow with PKCE.

It signs in whoever comes, at once or after a click on its page. Tests change what it answers.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
STRANGER = RSAKey.generate_key(2048, {"kid": "stranger"})
CLIENT, SECRET = "counter app", "s3cret:+&"
Claims = dict[str, Any]


class IdentityProvider:
    """One provider. `keys` are those that it publishes, `signing` the one that it signs with, `person` the claims of
    who signs in; the rest is what a test may break."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._server = ThreadingHTTPServer((host, 0), _pages(self))
        self.issuer = f"http://{host}:{self._server.server_port}"
        self._serving = threading.Thread(target=self._server.serve_forever)
        self._serving.start()
        self.reset()

    def reset(self) -> None:
        """As it is when nothing is broken."""
        self.keys: list[Any] = [RSA, EC]
        self.extra_keys: list[dict[str, Any]] = []
        self.signing: Any = RSA
        self.algorithm = "RS256"
        self.person: Claims = {"sub": "u1", "email": "anna@example.org", "bopis_role": "hq-operator"}
        self.claims_changed: Callable[[Claims], Claims] = lambda claims: claims
        self.token_changed: Callable[[str], str] = lambda token: token
        self.document_changes: Claims = {}
        self.answer_changes: dict[str, str | None] = {}
        self.token_status = 200
        self.codes: dict[str, dict[str, str]] = {}
        self.has_page = False
        self.asked: list[str] = []

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def document(self) -> Claims:
        """What it publishes about itself."""
        found = {
            "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys",
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1", "token_endpoint": f"{self.issuer}/token",
            "end_session_endpoint": f"{self.issuer}/end",
        } | self.document_changes  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    def signed(self, claims: Claims) -> str:
        """A token with these claims."""
        return jwt.encode({"alg": self.algorithm, "kid": self.signing.kid}, claims, self.signing)

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert query["response_type"] == "code"
        assert "openid" in query["scope"].split()
        assert (query["client_id"], query["code_challenge_method"], query["tenant"]) == (CLIENT, "S256", "1")
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        answer: dict[str, str | None] = {"code": code, "state": query["state"], "session_state": "x"}
        answer |= self.answer_changes
        return f"{query['redirect_uri']}?{urlencode({name: it for name, it in answer.items() if it is not None})}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        """The answer to a code: each one is taken once, from its client, with the verifier of its challenge."""
        if self.token_status != 200:
            return self.token_status, {"error": "server_error"}
        kind, _, credential = authorization.partition(" ")
        if kind == "Basic":
            name, _, password = base64.b64decode(credential).decode().partition(":")
            client = (unquote_plus(name), unquote_plus(password))
        else:
            client = (form.get("client_id", ""), form.get("client_secret", ""))
        if client != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = challenge_of(form.get("code_verifier", ""))
        if begun is None or begun["redirect_uri"] != form["redirect_uri"] or begun["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": begun["nonce"],
        } | self.person  # fmt: skip
        token = self.token_changed(self.signed(self.claims_changed(claims)))
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": token}


def challenge_of(verifier: str) -> str:
    """The PKCE challenge of a verifier."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _pages(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/authorize":
                address = provider.authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
                if provider.has_page:
                    self._send(200, "text/html", f'<a href="{escape(address)}">Continue as Anna</a>'.encode())
                    return
                self.send_response(303)
                self.send_header("Location", address)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            published = [it.as_dict(private=False) for it in provider.keys] + provider.extra_keys
            pages: Claims = {
                "/.well-known/openid-configuration": provider.document(), "/keys": {"keys": published},
                "/end": {"ended": True},
            }  # fmt: skip
            self._json(200, pages[parts.path])

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._json(*provider.exchange(form, self.headers.get("Authorization", "")))

        def _json(self, status: int, content: Claims) -> None:
            self._send(status, "application/json", json.dumps(content).encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    return Pages
