"""One attempt at a receiver: a POST that follows no redirect, ends in time, and keeps little of the answer."""

import asyncio
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import httpx

from bopis.adapters.webhooks.errors import WebhookError
from bopis.adapters.webhooks.receiver_address import Resolver, checked_url
from bopis.webhooks.records import RESPONSE_BYTES_MAX
from bopis.webhooks.schedule import AttemptResult, retry_after_s
from bopis.wire.characters import printable

USER_AGENT = "bopis-webhooks/1"
RESOLVER_THREADS = 32
IDLE_S = 30.0
BODY_S_MAX = 1.0
CONNECT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout)
# The parts of a time-out: a receiver that accepts no connection leaves time to try its next address.
CONNECT_SHARE = 1 / 3


class PostLimits(NamedTuple):
    """Limits of requests to one receiver. `allow_private`: http, and addresses that are not public."""

    concurrency: int
    timeout_s: float
    allow_private: bool


class Network:
    """What all receivers share: TLS settings, which are expensive to load, and threads that resolve names."""

    def __init__(self, limits: PostLimits) -> None:
        self.limits = limits
        self.tls: ssl.SSLContext = httpx.create_ssl_context()
        self.threads = ThreadPoolExecutor(RESOLVER_THREADS, "webhook-names")

    def close(self) -> None:
        """End the threads; one that waits for a name server is left alone."""
        self.threads.shutdown(wait=False, cancel_futures=True)


class Receiver:
    """Connections to one receiver, apart from those of others: a slow one takes nobody else's."""

    def __init__(self, network: Network) -> None:
        self._limits = network.limits
        self._resolver = Resolver(network.threads, allow_private=network.limits.allow_private)
        self._client = httpx.AsyncClient(
            verify=network.tls,
            timeout=httpx.Timeout(self._limits.timeout_s, connect=self._limits.timeout_s * CONNECT_SHARE),
            limits=httpx.Limits(
                max_connections=self._limits.concurrency,
                max_keepalive_connections=self._limits.concurrency,
                keepalive_expiry=IDLE_S,
            ),
            follow_redirects=False,
            # A proxy would resolve names itself, and could reach addresses that are refused here.
            trust_env=False,
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
        )

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> AttemptResult:
        """Post a body. Every failure is a result."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                result = await self._post(checked_url(url, allow_private=self._limits.allow_private), headers, body)
        except TimeoutError:
            result = AttemptResult(error=f"no answer within {self._limits.timeout_s:g} s")
        except httpx.TimeoutException as error:
            result = AttemptResult(error=f"no answer in time ({type(error).__name__})")
        except httpx.HTTPError as error:
            result = AttemptResult(error=f"the connection failed: {_cause(error)}")
        except WebhookError as error:
            result = AttemptResult(error=str(error))
        return _timed(result, began)

    async def _post(self, url: httpx.URL, headers: dict[str, str], body: bytes) -> AttemptResult:
        """Post to the first address that takes a connection."""
        addresses = await self._resolver.addresses(url)
        for address in addresses[:-1]:
            try:
                return await self._post_to(address, url, headers, body)
            except CONNECT_ERRORS:
                continue  # Nothing was sent yet.
        return await self._post_to(addresses[-1], url, headers, body)

    async def _post_to(self, address: str, url: httpx.URL, headers: dict[str, str], body: bytes) -> AttemptResult:
        # The connection goes to the address; the receiver's certificate is checked against its name.
        there = url.copy_with(host=address)
        named = headers | {"host": url.netloc.decode("ascii")}
        extensions = {"sni_hostname": url.raw_host.decode("ascii")}
        async with self._client.stream("POST", there, content=body, headers=named, extensions=extensions) as answer:
            text = printable((await _first_part(answer)).decode("utf-8", "replace"), lines=True)
            asked_s = retry_after_s(answer.headers, int(time.time() * 1000))
            return AttemptResult(status_code=answer.status_code, response=text, retry_after_s=asked_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _first_part(answer: httpx.Response) -> bytes:
    """The beginning of a body. The status says all that counts, so a body that is slow or breaks off is left at that;
    the rest is not read, and the connection is closed instead."""
    kept = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in answer.aiter_raw():
                kept += chunk
                if len(kept) >= RESPONSE_BYTES_MAX:
                    break
    return bytes(kept[:RESPONSE_BYTES_MAX])


def _timed(result: AttemptResult, began: float) -> AttemptResult:
    return AttemptResult(
        status_code=result.status_code,
        latency_ms=round((time.monotonic() - began) * 1000),
        error=result.error,
        response=result.response,
        retry_after_s=result.retry_after_s,
    )


def _cause(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
