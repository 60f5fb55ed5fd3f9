"""Signatures of webhooks by Standard Webhooks, with the keys of one or more secrets.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256


def signature(key: bytes, identity: str, at: int, content: bytes) -> str:
    """The signature of a body that is sent under an id at a time (`at`, seconds since 1970).

    HMAC-SHA-256 of ``id.timestamp.body``, in base64, with the version in front.
    """
    # The package standardwebhooks would replace these two lines and decode the body to sign it. Tests verify with it.
    signed = hmac.digest(key, f"{identity}.{at}.".encode() + content, sha256)
    return f"v1,{b64encode(signed).decode()}"


def signed_headers(keys: Iterable[bytes], identity: str, at: int, content: bytes) -> dict[str, str]:
    """The headers of a JSON body: id, time, and one signature per key, separated by spaces."""
    return {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signature(key, identity, at, content) for key in keys),
    }
