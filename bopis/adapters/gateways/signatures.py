"""Signatures of callbacks, by two schemes: Standard Webhooks and Stripe's.

Both sign a time together with the body. The age of a callback is that of its signature, not of its event: providers
sign every attempt anew. The age bounds how long ids of callbacks have to be remembered; repeats are stopped by the id.
"""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

from bopis.adapters.gateways.errors import GatewayMisconfigured
from bopis.adapters.notices.errors import ChannelMisconfigured
from bopis.adapters.notices.webhook import secret_bytes
from bopis.adapters.webhooks.signing import signature

TOLERANCE_MS = 300_000
SIGNATURES_MAX = 16
TIMESTAMP_DIGITS_MAX = 12
EVENT_LENGTH_MAX = 200

BAD_SIGNATURE = "bad_signature"
TOO_OLD = "too_old"
FROM_THE_FUTURE = "from_the_future"
UNREADABLE = "unreadable"

BAD_REQUEST = 400
ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
STRIPE_HEADER = "stripe-signature"
VERSION_MARK = "v1,"


def callback_keys(name: str, secrets: Sequence[str]) -> tuple[bytes, ...]:
    """The keys in ``whsec_…`` secrets of a gateway, the newest first. Raises `GatewayMisconfigured`."""
    try:
        return tuple(secret_bytes(secret) for secret in secrets)
    except ChannelMisconfigured as error:
        raise GatewayMisconfigured(name=name, cause=f"its secrets: {error.facts['cause']}") from error


def signed_headers(key: bytes, event: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt to deliver a callback."""
    return {
        "content-type": "application/json",
        ID_HEADER: event,
        TIMESTAMP_HEADER: str(at_s),
        SIGNATURE_HEADER: signature(key, event, at_s, body),
    }


def standard_refusal(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now_ms: int) -> str:
    """Why a callback with the headers of Standard Webhooks is refused; empty when its signature holds.

    Every signature in the header is tried with every key: a provider that changes its secret signs with both.
    """
    lowered = lower_case(headers)
    event = lowered.get(ID_HEADER, "")
    at_s = timestamp(lowered.get(TIMESTAMP_HEADER, ""))
    if at_s is None or not 0 < len(event) <= EVENT_LENGTH_MAX:
        return BAD_SIGNATURE
    given = [it for it in lowered.get(SIGNATURE_HEADER, "").split(" ") if it.startswith(VERSION_MARK)]
    wanted = [signature(key, event, at_s, body) for key in keys]
    return _refusal(given, wanted, at_s, now_ms)


def stripe_refusal(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_ms: int) -> str:
    """Why a callback with Stripe's header ``t=…,v1=…`` is refused; empty when its signature holds.

    The client library accepts stamps from the future; here the tolerance holds both ways.
    """
    at_s: int | None = None
    given = []
    for entry in lower_case(headers).get(STRIPE_HEADER, "").split(","):
        name, _, value = entry.strip().partition("=")
        if name == "t" and at_s is None:
            at_s = timestamp(value)
        elif name == "v1":
            given.append(value)
    if at_s is None:
        return BAD_SIGNATURE
    return _refusal(given, [stripe_signature(secret, at_s, body) for secret in secrets], at_s, now_ms)


def stripe_signature(secret: str, at_s: int, body: bytes) -> str:
    """HMAC-SHA-256 of ``time.body`` in hexadecimal digits."""
    return hmac.digest(secret.encode(), f"{at_s}.".encode() + body, sha256).hex()


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def timestamp(text: str) -> int | None:
    """Seconds since 1970 as they stand in a header; None for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= TIMESTAMP_DIGITS_MAX):
        return None
    return int(text)


def _refusal(given: Sequence[str], wanted: Sequence[str], at_s: int, now_ms: int) -> str:
    # Headers may hold characters that the comparison takes as bytes only.
    holds = [
        hmac.compare_digest(one.encode(errors="replace"), other.encode())
        for one in given[:SIGNATURES_MAX]
        for other in wanted
    ]
    if not any(holds):
        return BAD_SIGNATURE
    age_ms = now_ms - at_s * 1000
    if age_ms > TOLERANCE_MS:
        return TOO_OLD
    # The stamp is in whole seconds, so a callback of this very second is not from the future.
    return FROM_THE_FUTURE if age_ms < -TOLERANCE_MS else ""
