"""Errors of the network over real sockets: what was surely not sent, and what may have arrived."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate

import httpx
import pytest

from bopis.adapters.gateways.config import GatewayConfig, GatewayKind
from bopis.adapters.gateways.errors import GatewayMisconfigured, GatewayUnavailable
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.network import answer_to_error, retry_after_ms
from bopis.adapters.gateways.registry import ADAPTERS
from bopis.domain.payments.gateway import CallOutcome, Operation
from tests.adapters.gateways.calls import call

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
KINDS = (GatewayKind.FAKE, GatewayKind.STRIPE)
NOT_SENT, UNKNOWN = CallOutcome.NOT_SENT, CallOutcome.UNKNOWN


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Serve each connection by a handler; at the end all of them are over."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await asyncio.gather(*serving)


def config(
    url: str, kind: GatewayKind = GatewayKind.FAKE, connections_max: int = 50, patience_s: float = 0.5
) -> GatewayConfig:
    return GatewayConfig(
        name="g",
        kind=kind,
        url=url,
        api_key="sk",
        timeout_s=patience_s,
        connect_timeout_s=patience_s,
        connections_max=connections_max,
    )


async def outcome_at(url: str, kind: GatewayKind, patience_s: float = 0.5) -> str:
    """The outcome and cause of a capture, which both adapters do in one call when they know the reference."""
    gateway = ADAPTERS[kind](config(url, kind, patience_s=patience_s))
    made = call(Operation.VOID, reference="pi_1")
    if kind is GatewayKind.STRIPE:
        # The adapter looks an authorisation up before it changes it, so the authorisation itself is asked.
        made = call(reference="pi_1")
    try:
        answer = await gateway.call(made)
    finally:
        await gateway.close()
    return f"{answer.outcome} {answer.cause}".strip()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    # Without lingering, the system resets the connection instead of ending it.
    lingering = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
    writer.transport.abort()


async def request_of(reader: asyncio.StreamReader) -> None:
    """Read a whole request: what is left unread would reset the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)


def saying(text: bytes) -> Handler:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(text)
        await writer.drain()

    return speak


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_connection_has_sent_nothing(kind: GatewayKind) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        assert await outcome_at(f"http://127.0.0.1:{taken.getsockname()[1]}", kind) == "not_sent ConnectError"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_is_never_accepted_has_sent_nothing(kind: GatewayKind) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        # The system answers for a program that does not accept, until its queue is full.
        waiting = [socket.socket() for _ in range(3)]
        for it in waiting:
            it.setblocking(False)
            it.connect_ex(address)

        found = await outcome_at(f"http://127.0.0.1:{address[1]}", kind)

        for it in waiting:
            it.close()
    assert found == "not_sent ConnectTimeout"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("handler", "found"),
    [
        (silence, "unknown ReadTimeout"),
        (hang_up, "unknown RemoteProtocolError"),
        (reset, "unknown"),  # a write or a read, whichever meets it first
        (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), "unknown RemoteProtocolError"),
        (saying(b"SSH-2.0-OpenSSH\r\n"), "unknown RemoteProtocolError"),
        (saying(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"), "unknown"),
        (saying(b"HTTP/1.1 502 No\r\ncontent-length: 2\r\n\r\n{}"), "unknown"),
        (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{"), "unknown"),
        (saying(b'HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 13\r\n\r\n{"error": {}}'), "not_sent"),
    ],
)
async def test_an_open_connection_may_have_delivered_the_call(kind: GatewayKind, handler: Handler, found: str) -> None:
    async with listening(handler) as url:
        # Only who never hears an answer has to be impatient.
        assert (await outcome_at(url, kind, 1.0 if handler is silence else 60.0)).startswith(found)


async def test_a_full_pool_has_sent_nothing() -> None:
    async with listening(silence) as url:
        gateway = FakeGateway(config(url, connections_max=1))
        answers = await asyncio.gather(gateway.call(call()), gateway.call(call()))
        await gateway.close()

    assert sorted((it.cause, it.outcome) for it in answers) == [("PoolTimeout", NOT_SENT), ("ReadTimeout", UNKNOWN)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("x"), NOT_SENT),
        (httpx.ConnectTimeout("x"), NOT_SENT),
        (httpx.PoolTimeout("x"), NOT_SENT),
        (httpx.ReadTimeout("x"), UNKNOWN),
        (httpx.WriteTimeout("x"), UNKNOWN),
        (httpx.ReadError("x"), UNKNOWN),
        (httpx.WriteError("x"), UNKNOWN),
        (httpx.CloseError("x"), UNKNOWN),
        (httpx.RemoteProtocolError("x"), UNKNOWN),
        (httpx.LocalProtocolError("x"), UNKNOWN),
        (httpx.DecodingError("x"), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_errors_have_outcomes(error: Exception | None, outcome: CallOutcome) -> None:
    assert answer_to_error(error).outcome is outcome


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [("7", 7_000), ("0", 0), ("", 1_000), ("soon", 1_000), ("-1", 1_000), ("9" * 50, 3_600_000), ("٣", 1_000)],
)
def test_the_wait_that_a_gateway_asks_for(text: str, wait_ms: int) -> None:
    assert retry_after_ms(text) == wait_ms


def test_the_wait_may_be_a_date() -> None:
    assert 15_000 < retry_after_ms(formatdate(time.time() + 20, usegmt=True)) <= 20_000
    assert retry_after_ms(formatdate(time.time() - 20, usegmt=True)) == 0


async def test_a_refusal_to_serve_says_how_long_to_wait() -> None:
    async with listening(saying(b"HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n")) as url:
        gateway = FakeGateway(config(url))
        answer = await gateway.call(call())
        await gateway.close()

    assert (answer.outcome, answer.code, answer.wait_ms) == (NOT_SENT, "http_503", 7_000)


async def test_a_list_that_cannot_be_had_is_an_error() -> None:
    async with listening(hang_up) as url:
        gateway = FakeGateway(config(url))
        with pytest.raises(GatewayUnavailable, match="The gateway g does not answer"):
            await gateway.entries(0)
        await gateway.close()


def test_an_address_has_to_be_one() -> None:
    with pytest.raises(GatewayMisconfigured, match="its url"):
        FakeGateway(config("127.0.0.1:80"))
