"""Webhooks with the headers of Standard Webhooks: id, timestamp, signature.

The id is the key of the delivery and equal for every attempt, so a receiver recognises repeats. Source:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import time
from base64 import b64decode
from binascii import Error as Base64Error

import httpx
import msgspec

from bopis.adapters.notices.errors import ChannelMisconfigured
from bopis.adapters.webhooks.signing import signed_headers
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.vocabulary import SendOutcome
from bopis.webhooks.records import SECRET_MARK
from bopis.webhooks.schedule import GONE

# The size of secrets by the standard.
SECRET_BYTES_MIN = 24
# Request Timeout, Too Early, Too Many Requests: the receiver asks for a retry.
TRANSIENT = frozenset({408, 425, 429})


class Webhook:
    """Posts notices to one URL. Redirects are not followed, because they could send names and codes to another host."""

    def __init__(self, url: str, secret: str, timeout_s: float = 15.0) -> None:
        self._url = url
        self._secret = secret_bytes(secret)
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Try once. Errors of the receiver or the network are results, not exceptions."""
        content = body(message)
        headers = signed_headers((self._secret,), message.key, int(time.time()), content)
        try:
            response = await self._client.post(self._url, content=content, headers=headers)
        # Without a connection nothing was sent; after any other error the receiver may have accepted the notice.
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return SendResult(outcome=SendOutcome.FAILED, cause=f"the receiver: {type(error).__name__}")
        except httpx.HTTPError as error:
            return SendResult(outcome=SendOutcome.UNKNOWN, cause=f"the receiver: {type(error).__name__}")
        return _result(response.status_code)

    async def close(self) -> None:
        await self._client.aclose()


def secret_bytes(secret: str) -> bytes:
    """The key in a ``whsec_…`` secret. Raises `ChannelMisconfigured`."""
    try:
        key = b64decode(secret.removeprefix(SECRET_MARK), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_MARK) or len(key) < SECRET_BYTES_MIN:
        cause = f"write {SECRET_MARK} and at least {SECRET_BYTES_MIN} random bytes in base64"
        raise ChannelMisconfigured(setting="notice_webhook_secret", cause=cause)
    return key


def body(message: OutgoingMessage) -> bytes:
    """The JSON document that a receiver gets: facts for programs, and the text in the customer's language."""
    ref = message.delivery
    document = {
        "type": f"notice.{ref.milestone.value}",
        "order": message.order,
        "milestone": ref.milestone.value,
        "version": ref.version,
        "copy": ref.copy,
        "attempt": message.attempt,
        "name": message.name,
        "token": message.token,
        "subject": message.words.subject,
        "text": message.words.text,
        "short": message.words.short,
        **message.facts,
    }
    return msgspec.json.encode(document)


def _result(status: int) -> SendResult:
    if 200 <= status < 300:
        return SendResult(outcome=SendOutcome.SENT, provider_id=str(status))
    if status == GONE:
        return SendResult(outcome=SendOutcome.REFUSED, cause="the receiver no longer accepts webhooks (410)")
    is_transient = status in TRANSIENT or status >= 500
    return SendResult(
        outcome=SendOutcome.FAILED if is_transient else SendOutcome.REFUSED, cause=f"the receiver answered {status}"
    )
