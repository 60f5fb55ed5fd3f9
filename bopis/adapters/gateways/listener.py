"""The HTTP side of gateways' callbacks: an app that any server can mount, and a server for `bopis payments listen`.

The body is passed on as it came: its signature is over its bytes. A callback is answered with 2xx only after what takes
it has returned; when that fails the answer is 503, and the gateway sends it again.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import structlog
import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bopis.adapters.http_server import HttpServer

BODY_BYTES_MAX = 262_144
CALLBACKS_AT_ONCE_MAX = 64
PATH = "/payments"
TOO_LARGE = 413
NOT_TAKEN = 503
SHUTDOWN_S = 10


class TakenCallback(Protocol):
    """What became of a callback."""

    @property
    def status(self) -> int: ...
    @property
    def published(self) -> int: ...
    @property
    def parked(self) -> int: ...
    @property
    def refusal(self) -> str: ...


Taken = TypeVar("Taken", bound=TakenCallback)
# Takes a gateway's name (empty: the first one), the headers and the raw body; blocks until it is in the log.
TakeCallback = Callable[[str, Mapping[str, str], bytes], TakenCallback]


def callback_app(take: TakeCallback) -> Starlette:
    """The app: ``POST /payments/GATEWAY``, ``POST /payments`` for the first gateway, ``GET /health``."""

    async def receive(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return JSONResponse({"refused": "too_large"}, TOO_LARGE)
        taken = await take_in_thread(take, request.path_params.get("gateway", ""), request.headers, body)
        if taken is None:
            return JSONResponse({"refused": "not_taken"}, NOT_TAKEN)
        content = {"refused": taken.refusal} if taken.refusal else {"taken": taken.published, "parked": taken.parked}
        return JSONResponse(content, taken.status)

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route(PATH, receive, methods=["POST"]),
            Route(f"{PATH}/{{gateway}}", receive, methods=["POST"]),
            Route("/health", health),
        ]
    )


async def take_in_thread(
    take: Callable[[str, Mapping[str, str], bytes], Taken],
    name: str,
    headers: Mapping[str, str],
    body: bytes,
    limiter: CapacityLimiter | None = None,
) -> Taken | None:
    """Take one callback in a thread, and log what became of it. None when it failed: then the gateway has to send it
    again, whatever the cause was. `limiter`: how many may be taken at a time, by default as many as other work."""
    log = structlog.get_logger("bopis.callbacks")
    try:
        taken = await to_thread.run_sync(take, name, dict(headers), body, limiter=limiter)
    except Exception as error:
        log.error("callback_not_taken", gateway=name, error=type(error).__name__, cause=str(error))
        return None
    log.info(
        "callback",
        gateway=name,
        status=taken.status,
        published=taken.published,
        parked=taken.parked,
        refusal=taken.refusal,
    )
    return taken


def listen(take: TakeCallback, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve callbacks until SIGTERM or SIGINT; `ready` gets the address. Raises `OSError` when the port is taken."""
    listener = socket.create_server((host, port), backlog=1_024)
    with listener:
        asyncio.run(_serve(take, listener, host, ready))


async def _serve(take: TakeCallback, listener: socket.socket, host: str, ready: Callable[[str], None]) -> None:
    config = uvicorn.Config(
        callback_app(take),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        limit_concurrency=CALLBACKS_AT_ONCE_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    ready(f"http://{host}:{listener.getsockname()[1]}{PATH}")
    await HttpServer(config).serve_until_signal(listener)


async def _body(request: Request) -> bytes | None:
    """The raw body; None for one that is larger than a callback may be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)
