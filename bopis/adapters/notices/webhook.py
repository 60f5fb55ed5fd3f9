"""Webhooks with the headers of Standard Webhooks (https://www.standardwebhooks.com): id, timestamp, signature.

The id is the key of the delivery and the same with every attempt, so a receiver tells a repeat and takes it once.
"""

import hmac
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha256

import httpx
import msgspec

from bopis.adapters.notices.errors import ChannelUnsound
from bopis.domain.notices.letter import Letter, Verdict
from bopis.domain.notices.terms import Outcome

SECRET_MARK = "whsec_"
GONE = 410
PASSING = frozenset({408, 425, 429})
SECRET_BYTES_MIN = 24


class Webhook:
    """Posts notices to one address. A redirect is not followed: it would take names and codes to somebody else."""

    def __init__(self, url: str, secret: str, timeout_s: float = 15.0) -> None:
        self._url = url
        self._secret = secret_bytes(secret)
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def send(self, letter: Letter) -> Verdict:
        """Post a notice; never raises for what a receiver or a network does."""
        content = body(letter)
        at = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": letter.key,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._secret, letter.key, at, content),
        }
        try:
            answer = await self._client.post(self._url, content=content, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Verdict(outcome=Outcome.FAILED, cause=f"the receiver: {type(error).__name__}")
        except httpx.HTTPError as error:
            return Verdict(outcome=Outcome.UNKNOWN, cause=f"the receiver: {type(error).__name__}")
        return _verdict(answer.status_code)

    async def close(self) -> None:
        await self._client.aclose()


def secret_bytes(secret: str) -> bytes:
    """The key in a ``whsec_…`` secret. Raises `ChannelUnsound`."""
    try:
        key = b64decode(secret.removeprefix(SECRET_MARK), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_MARK) or len(key) < SECRET_BYTES_MIN:
        cause = f"write {SECRET_MARK} and at least {SECRET_BYTES_MIN} random bytes in base64"
        raise ChannelUnsound(setting="notice_webhook_secret", cause=cause)
    return key


def signature(secret: bytes, key: str, at: int, content: bytes) -> str:
    """The signature of a body sent under an id at a second."""
    signed = hmac.digest(secret, f"{key}.{at}.".encode() + content, sha256)
    return f"v1,{b64encode(signed).decode()}"


def body(letter: Letter) -> bytes:
    """What a receiver gets: the facts, and the words in the customer's language."""
    ref = letter.delivery
    told = {
        "type": f"notice.{ref.milestone.value}",
        "order": letter.order,
        "milestone": ref.milestone.value,
        "version": ref.version,
        "copy": ref.copy,
        "attempt": letter.attempt,
        "name": letter.name,
        "token": letter.token,
        "subject": letter.words.subject,
        "text": letter.words.text,
        "short": letter.words.short,
        **letter.facts,
    }
    return msgspec.json.encode(told)


def _verdict(status: int) -> Verdict:
    if 200 <= status < 300:
        return Verdict(outcome=Outcome.SENT, provider_id=str(status))
    if status == GONE:
        return Verdict(outcome=Outcome.REFUSED, cause="the receiver wants no more (410)")
    passing = status in PASSING or status >= 500
    return Verdict(outcome=Outcome.FAILED if passing else Outcome.REFUSED, cause=f"the receiver answered {status}")
