"""Signatures, by the vector of Standard Webhooks, an independent calculation, and the standard's own package."""

import hashlib
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from standardwebhooks.webhooks import Webhook as Standard

from bopis.adapters.webhooks.signing import signature, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
BLOCK = 64


def by_rfc_2104(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA-256 from its definition, without the module `hmac`."""
    padded = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner = hashlib.sha256(bytes(it ^ 0x36 for it in padded) + content).digest()
    return hashlib.sha256(bytes(it ^ 0x5C for it in padded) + inner).digest()


def test_the_vector_of_the_standard() -> None:
    key = b64decode(SECRET.removeprefix("whsec_"))

    independent = b64encode(by_rfc_2104(key, f"{ID}.{AT}.".encode() + BODY)).decode()

    assert signature(key, ID, AT, BODY) == SIGNATURE == f"v1,{independent}"


@given(some.binary(min_size=24, max_size=80), some.text(min_size=1, max_size=40), some.binary(max_size=200))
def test_an_independent_calculation_agrees(key: bytes, identity: str, body: bytes) -> None:
    independent = b64encode(by_rfc_2104(key, f"{identity}.{AT}.".encode() + body)).decode()

    assert signature(key, identity, AT, body) == f"v1,{independent}"


def test_the_example_for_receivers_accepts_what_is_sent_and_nothing_else() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(example, scope)
    verified = scope["verified"]
    now, old, new = int(datetime.now(UTC).timestamp()), b"o" * 32, b"n" * 32
    headers = signed_headers((new, old), "msg_1", now, b"{}")
    secret = "whsec_" + b64encode(old).decode()

    assert verified(secret, headers, b"{}")
    assert not verified(secret, headers, b"{} ")
    assert not verified(secret, headers | {"webhook-id": "msg_2"}, b"{}")
    assert not verified("whsec_" + b64encode(b"x" * 32).decode(), headers, b"{}")
    assert not verified(secret, signed_headers((old,), "msg_1", now - 301, b"{}"), b"{}")


def test_the_package_of_the_standard_accepts_the_headers_with_either_secret() -> None:
    now = int(datetime.now(UTC).timestamp())
    old, new = (b"o" * 32), (b"n" * 32)
    headers = signed_headers((new, old), "msg_1", now, b'{"type":"a"}')

    for key in (old, new):
        verifier = Standard("whsec_" + b64encode(key).decode())
        assert verifier.verify(b'{"type":"a"}', headers) == {"type": "a"}
    assert headers["webhook-signature"].count("v1,") == 2
