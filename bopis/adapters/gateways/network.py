"""Calls over HTTP: their time-outs and limits, and which errors mean that nothing was sent.

A time-out is not one thing. Without a connection nothing left this machine, so the call may be repeated freely; with
one the request may have arrived, and only the gateway knows.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from bopis.adapters.gateways.config import GatewayConfig
from bopis.domain.payments.gateway import NOT_CONNECTED, CallOutcome, GatewayAnswer

NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
)
# Too Many Requests, Service Unavailable: the gateway refused to serve the call, before it looked at it.
REFUSALS = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
WAIT_USUAL_MS = 1_000
WAIT_MAX_MS = 3_600_000
KEEP_ALIVE_S = 30.0
CLIENT_CONNECTIONS_MAX = 4


def timeouts(config: GatewayConfig) -> httpx.Timeout:
    """A time-out for each phase of a call; waiting for a free connection is part of connecting."""
    return httpx.Timeout(config.timeout_s, connect=config.connect_timeout_s, pool=config.connect_timeout_s)


class Connections:
    """HTTP clients that share the calls to one gateway: the least busy one takes the next call.

    The library looks at every connection of a client, for each other one, at the beginning and the end of a request:
    at hundreds of connections it does little else. Several clients with few of them are ten times as fast.
    """

    def __init__(self, config: GatewayConfig) -> None:
        count = -(-config.connections_max // CLIENT_CONNECTIONS_MAX)
        most = -(-config.connections_max // count)
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=KEEP_ALIVE_S)
        context = httpx.create_ssl_context(trust_env=False) if config.url.startswith("https") else False
        self._clients = [
            httpx.AsyncClient(
                timeout=timeouts(config), limits=limits, verify=context, follow_redirects=False, trust_env=False
            )
            for _ in range(count)
        ]
        self._in_flight = [0] * count

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and read its answer. Raises what the library raises."""
        number = min(range(len(self._clients)), key=self._in_flight.__getitem__)
        self._in_flight[number] += 1
        try:
            return await self._clients[number].send(request)
        finally:
            self._in_flight[number] -= 1

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()


def answer_to_error(error: BaseException | None, reference: str = "") -> GatewayAnswer:
    """The answer that an error of the network amounts to: not sent, or unknown."""
    is_unsent = isinstance(error, NOT_SENT_ERRORS)
    return GatewayAnswer(
        outcome=CallOutcome.NOT_SENT if is_unsent else CallOutcome.UNKNOWN,
        reference=reference,
        wait_ms=WAIT_USUAL_MS if is_unsent else 0,
        code=NOT_CONNECTED if is_unsent else "no_answer",
        cause=type(error).__name__,
    )


def answer_to_refusal(status: int, headers: Mapping[str, str], code: str = "") -> GatewayAnswer:
    """The answer to a refusal to serve: nothing happened; the gateway says how long to wait."""
    return GatewayAnswer(
        outcome=CallOutcome.NOT_SENT,
        code=code or f"http_{int(status)}",
        wait_ms=retry_after_ms(headers.get("retry-after", "")),
    )


def retry_after_ms(text: str) -> int:
    """The wait that a ``Retry-After`` header asks for, in seconds or as a date; the usual one when it says nothing."""
    word = text.strip()
    if word.isascii() and word.isdecimal():
        return min(int(word[:9]) * 1000, WAIT_MAX_MS)
    try:
        until_s = parsedate_to_datetime(word).timestamp()
    except (ValueError, TypeError, OverflowError):
        return WAIT_USUAL_MS
    return min(max(int((until_s - time.time()) * 1000), 0), WAIT_MAX_MS)
