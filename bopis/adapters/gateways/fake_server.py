"""The fake gateway as an HTTP server, in a process of its own or inside of a test.

One port, JSON both ways. The body of a call is a `GatewayCall`, of an answer a `GatewayAnswer`; the idempotency key
stands in its header. In paths ``-`` for a reference means: the authorisation whose key the body names.
"""

import asyncio
import contextlib
import html
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bopis.adapters.gateways.fake_bank import FakeBank
from bopis.adapters.gateways.fake_book import Book
from bopis.adapters.gateways.fake_callbacks import CallbackSender
from bopis.adapters.gateways.fake_script import FakeOptions, latency_s
from bopis.adapters.gateways.signatures import callback_keys
from bopis.adapters.http_server import HttpServer
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, GatewayCall, Operation

NAME = "fake"
HOST = "127.0.0.1"
KEY_HEADER = "idempotency-key"
BY_KEY = "-"
PULSE_S = 0.01
SHUTDOWN_S = 1
# Longer than clients keep a connection, so that none is closed under a request.
KEEP_ALIVE_S = 75
HANG_S = 3_600
BODY_BYTES_MAX = 65_536
STATUSES = {
    CallOutcome.DECLINED: 402,
    CallOutcome.ACCEPTED: 202,
    CallOutcome.GONE: 404,
    CallOutcome.KEY_REUSED: 409,
    CallOutcome.FAILED: 422,
    CallOutcome.UNSUPPORTED: 422,
    CallOutcome.NOT_SENT: 429,
}
CHALLENGE_PAGE = """<!doctype html><meta charset="utf-8"><title>Fake bank</title>
<p>Confirm the payment {ref}?</p>
<form method="post"><button name="result" value="pass">Confirm</button>
<button name="result" value="fail">Refuse</button></form>"""


class CallbackTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where callbacks go, and the ``whsec_…`` secret that signs them."""

    url: str
    secret: str


class FakeServer:
    """The fake gateway on a port of this machine. Raises `GatewayError` for a file or a secret that cannot be used."""

    def __init__(
        self,
        options: FakeOptions | None = None,
        ledger: Path | None = None,
        callback: CallbackTarget | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        key = callback_keys(NAME, [callback.secret])[0] if callback else b""
        self.bank = FakeBank(Book(ledger), options or FakeOptions(), clock or _system_ms)
        self._callback = callback
        self._key = key
        self._sender: CallbackSender | None = None
        self._server: uvicorn.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._tokens, self._filled_at = 1.0, time.monotonic()

    @property
    def url(self) -> str:
        """The address of the running server."""
        return self.bank.url

    async def start(self, host: str = HOST, port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises `OSError` when the port is taken."""
        listener = socket.create_server((host, port), backlog=2_048)
        self.bank.url = f"http://{host}:{listener.getsockname()[1]}"
        if self._callback is not None:
            self.bank.is_reporting = True
            self._sender = CallbackSender(self.bank, self._callback.url, self._key)
        config = uvicorn.Config(
            self._app(),
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._server = HttpServer(config)
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        self._tasks = [serving, asyncio.create_task(self._pulse())]
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Stop listening and close the file."""
        if self._server is not None:
            # Asked to exit, the library looks up ten times a second only; tests stop hundreds of gateways.
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._server.force_exit = True
            await self._server.shutdown()
            self._server = None
        if self._sender is not None:
            await self._sender.close()
        self.bank.book.close()

    async def __aenter__(self) -> "FakeServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _pulse(self) -> None:
        """Let the bank's time pass, and start the callbacks that are due."""
        while True:
            self.bank.tick()
            if self._sender is not None:
                self._sender.send_due()
            await asyncio.sleep(PULSE_S)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/authorisations", self._authorise, methods=["POST"]),
                Route("/authorisations", self._list, methods=["GET"]),
                Route("/authorisations/{ref}", self._find, methods=["GET"]),
                Route("/authorisations/{ref}/{operation}", self._change, methods=["POST"]),
                Route("/close", self._close, methods=["POST"]),
                Route("/ledger", self._ledger, methods=["GET"]),
                Route("/control", self._control, methods=["GET", "POST"]),
                Route("/challenge/{ref}", self._challenge, methods=["GET", "POST"]),
                Route("/reviews/{ref}", self._review, methods=["POST"]),
            ]
        )

    async def _authorise(self, request: Request) -> Response:
        return await self._do(request, Operation.AUTHORISE, "")

    async def _change(self, request: Request) -> Response:
        operations = {it.value: it for it in (Operation.CAPTURE, Operation.VOID, Operation.REFUND, Operation.ADJUST)}
        operation = operations.get(request.path_params["operation"])
        if operation is None:
            return _json({"error": "no such operation"}, 404)
        ref = request.path_params["ref"]
        return await self._do(request, operation, "" if ref == BY_KEY else ref)

    async def _close(self, request: Request) -> Response:
        return await self._do(request, Operation.CLOSE, "")

    async def _do(self, request: Request, operation: Operation, ref: str) -> Response:
        body = await request.body()
        try:
            call = msgspec.json.decode(body[:BODY_BYTES_MAX], type=GatewayCall)
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, 400)
        key = request.headers.get(KEY_HEADER, call.key)
        return await self._answer(request, msgspec.structs.replace(call, key=key, operation=operation, reference=ref))

    async def _find(self, request: Request) -> Response:
        return await self._answer(request, _question(request.path_params["ref"], ""))

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        if "key" in query:
            return await self._answer(request, _question("", query["key"]))
        if refusal := self._refusal():
            return refusal
        since = query.get("since", "0")
        entries, cursor = self.bank.page(int(since) if since.isdecimal() else 0, query.get("cursor", ""))
        return _json({"entries": entries, "cursor": cursor or None})

    async def _answer(self, request: Request, call: GatewayCall) -> Response:
        """Answer a call as the options want it: late, never, or with a refusal to serve."""
        if refusal := self._refusal():
            return refusal
        delay_s = latency_s(self.bank.options, f"{call.key}/{call.operation}/{self.bank.book.ledger.last}")
        # The effect comes in the middle of the wait, so another call may overtake this one.
        if delay_s:
            await asyncio.sleep(delay_s / 2)
        reply = self.bank.call(call)
        if delay_s:
            await asyncio.sleep(delay_s / 2)
        if reply.answer is None:
            return await self._drop(request)
        headers = {"retry-after": "1"} if reply.answer.outcome is CallOutcome.NOT_SENT else {}
        return _json(reply.answer, STATUSES.get(reply.answer.outcome, 200), headers)

    async def _drop(self, request: Request) -> Response:
        """End the connection without an answer, or leave it open until the other side has enough."""
        if self.bank.options.hang:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HANG_S):
                    while not await request.is_disconnected():
                        await asyncio.sleep(PULSE_S)
        request.scope["state"]["transport"].abort()
        return Response()

    def _refusal(self) -> Response | None:
        options = self.bank.options
        if options.away:
            return _refused("away", options.retry_after_s * 1000, 503)
        if not options.rate:
            return None
        now = time.monotonic()
        self._tokens = min(max(1.0, options.rate / 10), self._tokens + (now - self._filled_at) * options.rate)
        self._filled_at = now
        if self._tokens < 1:
            return _refused("rate_limited", int((1 - self._tokens) / options.rate * 1000) + 1, 429)
        self._tokens -= 1
        return None

    async def _ledger(self, _: Request) -> Response:
        return _json(
            {
                "accounts": self.bank.book.ledger.accounts,
                "authorisations": len(self.bank.book.authorisations),
                "captured": sum(it.captured for it in self.bank.book.authorisations.values()),
                "refunded": sum(it.refunded for it in self.bank.book.authorisations.values()),
                "open": sum(
                    self.bank.book.ledger.open_amount(it.pending) for it in self.bank.book.authorisations.values()
                ),
                "callbacks_waiting": len(self.bank.book.outbox),
            }
        )

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                changes = msgspec.json.decode(await request.body(), type=dict[str, Any])
                merged = msgspec.to_builtins(self.bank.options) | changes
                self.bank.options = msgspec.convert(merged, FakeOptions)
            except msgspec.DecodeError as error:
                return _json({"error": str(error)}, 400)
            self.bank.tick()
        return _json(self.bank.options)

    async def _challenge(self, request: Request) -> Response:
        ref = request.path_params["ref"]
        if request.method == "GET":
            return HTMLResponse(CHALLENGE_PAGE.format(ref=html.escape(ref)))
        body = (await request.body())[:BODY_BYTES_MAX]
        is_known = self.bank.challenge(ref, b"pass" in body)
        return HTMLResponse("<p>Thank you." if is_known else "<p>Nothing is open here.", 200 if is_known else 409)

    async def _review(self, request: Request) -> Response:
        body = (await request.body())[:BODY_BYTES_MAX]
        is_known = self.bank.review(request.path_params["ref"], b"approve" in body)
        return _json({"done": is_known}, 200 if is_known else 409)


def serve(server: FakeServer, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Run the server until SIGTERM or SIGINT; `ready` gets its address. Raises `OSError` when the port is taken."""
    asyncio.run(_serve(server, host, port, ready))


async def _serve(server: FakeServer, host: str, port: int, ready: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await server.start(host, port)
    ready(server.url)
    await stopped.wait()
    await server.stop()


class _Connection(H11Protocol):
    """A connection that a handler may end without an answer: its transport is in the state of the request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _question(ref: str, key: str) -> GatewayCall:
    return GatewayCall(
        key=key or ref or BY_KEY,
        order=BY_KEY,
        attempt=1,
        operation=Operation.FIND,
        gateway=NAME,
        amount=0,
        currency="",
        authorisation=key,
        reference=ref,
    )


def _refused(code: str, wait_ms: int, status: int) -> Response:
    answer = GatewayAnswer(outcome=CallOutcome.NOT_SENT, code=code, wait_ms=wait_ms)
    return _json(answer, status, {"retry-after": str(-(-wait_ms // 1000))})


def _json(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(document), status, headers, "application/json")


def _system_ms() -> int:
    return time.time_ns() // 1_000_000
