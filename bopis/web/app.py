"""The ASGI app: endpoints and pages behind one gate, errors as problem documents, and headers that protect browsers."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bopis.access.roles import Principal
from bopis.errors import BopisError
from bopis.web.endpoint import Call, Endpoint, check_text, decode_body, decode_params, encoded, read_body
from bopis.web.live.read_side import PASSING, read_side_away
from bopis.web.metrics import Metrics
from bopis.web.problems import FAULT_TEXT, Problem, problem_of, problem_response
from bopis.web.rate_limits import address_of
from bopis.web.site import Site

log = structlog.get_logger("bopis.web")
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=()",
}
# As the server sends them: made once, since every answer has them.
RAW_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | {"Cache-Control": "no-store"}).items()
]
CORS_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, Last-Event-ID"
CORS_EXPOSED = "ETag, Location, Retry-After, Preference-Applied, Bopis-Age, Bopis-Position"


def create_app(site: Site, endpoints: Sequence[Endpoint], pages: Iterable[BaseRoute] = ()) -> Starlette:
    """The app of one site."""
    metrics = Metrics(site)
    routes: list[BaseRoute] = [_route(site, endpoint, metrics) for endpoint in endpoints]
    app = Starlette(routes=[*routes, *pages], exception_handlers={HTTPException: _http_error, Exception: _fault})
    app.state.site = site
    app.state.endpoints = tuple(endpoints)
    app.state.metrics = metrics
    app.add_middleware(SecurityHeaders, origins=site.settings.web_origins)
    return app


def _route(site: Site, endpoint: Endpoint, metrics: Metrics) -> Route:
    async def serve(request: Request) -> Response:
        began = metrics.begin()
        try:
            response = await _answer(site, endpoint, request)
        except Problem as problem:
            response = problem_response(problem, request.url.path)
        except BopisError as error:
            response = _error_response(error, request)
        except PASSING as error:
            log.warning("read_side_away", path=request.url.path, cause=str(error))
            response = problem_response(read_side_away(), request.url.path)
        except Exception as error:
            response = await _fault(request, error)
        metrics.end(endpoint.name, response.status_code, began)
        return response

    return Route(endpoint.path, serve, methods=[endpoint.method], name=endpoint.name)


async def _answer(site: Site, endpoint: Endpoint, request: Request) -> Response:
    call = await enter(site, endpoint, request)
    answer: Any = await endpoint.handle(call)
    if isinstance(answer, Response):
        answer.headers.update(call.headers)
        return answer
    return encoded(answer, endpoint.status, call.headers, endpoint.media_type)


async def enter(site: Site, endpoint: Endpoint, request: Request) -> Call:
    """Let a request in: its caller, its right, its store, its parameters and its body. Raises `Problem`."""
    try:
        principal = None if endpoint.is_signed else await site.gate.caller(request)
    except Problem:
        site.limits.take(address_of(request))  # guesses cost look-ups
        raise
    site.limits.take(principal.source if principal is not None else address_of(request))
    if endpoint.right is not None:
        if principal is None:
            raise Problem(401, "credential-missing", "Send Authorization: Bearer KEY, or sign in.")
        if not principal.may(endpoint.right):
            raise Problem(403, "right-missing", f"This needs the right {endpoint.right.value}.")
    site.gate.check_forgery(request, principal)
    if endpoint.store in request.path_params:
        _require_store(principal, request.path_params[endpoint.store])
    check_text(request)
    params = decode_params(endpoint, request)
    if endpoint.store:
        _require_store(principal, getattr(params, endpoint.store))
    body: Any = None
    if endpoint.raw_body:
        body = await read_body(endpoint, request)
    elif endpoint.body is not None:
        body = decode_body(endpoint, request, await read_body(endpoint, request))
    return Call(site, request, principal, params, body)


def _require_store(principal: Principal | None, store: str) -> None:
    if principal is not None and not principal.may_in(store):
        raise Problem(403, "other-store", f"This access does not reach store {store}.")


def _error_response(error: BopisError, request: Request) -> Response:
    problem = problem_of(error)
    if problem.status >= 500:
        log.warning("request_failed", path=request.url.path, code=problem.code, cause=str(error))
    return problem_response(problem, request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    """Errors of the library: no such path, or no such method of it."""
    assert isinstance(error, HTTPException)
    codes = {404: "path-unknown", 405: "method-not-allowed"}
    problem = Problem(error.status_code, codes.get(error.status_code, "http-error"), error.detail)
    response = problem_response(problem, request.url.path)
    response.headers.update(error.headers or {})
    return response


async def _fault(request: Request, error: Exception) -> Response:
    if not isinstance(error, ClientDisconnect):
        log.error("request_fault", path=request.url.path, error=type(error).__name__, cause=str(error), exc_info=error)
    return problem_response(Problem(500, "internal-fault", FAULT_TEXT))


class SecurityHeaders:
    """Adds the headers that protect browsers, and answers requests of other origins that the settings allow."""

    def __init__(self, app: ASGIApp, origins: str) -> None:
        self._app = app
        self._origins = frozenset(it.strip().rstrip("/") for it in origins.split(",") if it.strip())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name == b"origin"}
        origin = headers.get(b"origin", b"").decode("latin-1")
        allowed = origin if origin in self._origins and scope["path"].startswith("/v1/") else ""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                message["headers"] += [it for it in RAW_HEADERS if it[0] not in known]
                if scope["path"].startswith("/v1/"):
                    message["headers"].append((b"vary", b"Origin"))
                if allowed:
                    sent = MutableHeaders(scope=message)
                    sent["Access-Control-Allow-Origin"] = allowed
                    sent["Access-Control-Expose-Headers"] = CORS_EXPOSED
            await send(message)

        if allowed and scope["method"] == "OPTIONS":
            await _preflight(allowed)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _preflight(_origin: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
            "Access-Control-Allow-Headers": CORS_HEADERS,
            "Access-Control-Max-Age": "600",
        },
    )
