"""The reference shop under ``/shop/``: its files, and the few calls of the API that its visitors may make.

The shop front's key stays here: a browser that had it could read every order. What a visitor may ask for is listed, and
who places an order gets the customer's link to it, as a mail would bring it.
"""

from http import HTTPStatus
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from bopis.services.notifier.notifier import page_link
from bopis.web.errors import ShopKeyUnreadable
from bopis.web.problems import Problem, problem_response
from bopis.web.site import Site

FOLDER = Path(__file__).parents[1] / "examples" / "shop"
PREFIX = "/shop"
ORDERS = "/v1/orders"
# What a visitor may ask for: the method, and the path or the folder of paths.
ALLOWED = (
    ("GET", "/v1/catalogue"),
    ("GET", "/v1/availability"),
    ("POST", "/v1/availability"),
    ("GET", "/v1/stores"),
    ("POST", "/v1/quotes"),
    ("POST", ORDERS),
)
KEPT_HEADERS = frozenset({b"content-type", b"content-length", b"idempotency-key", b"prefer", b"if-none-match", b"host"})


def shop_routes(site: Site) -> list[BaseRoute]:
    """The routes of the shop; none without a key. Raises `ShopKeyUnreadable`."""
    file = site.settings.web_shop_key_file
    if file is None:
        return []
    try:
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ShopKeyUnreadable(file=file, cause=error) from error
    if not FOLDER.is_dir():
        raise ShopKeyUnreadable(file=file, cause=f"the shop's files are not installed ({FOLDER})")
    return [
        Route(PREFIX, _to_folder, methods=["GET"]),
        Mount(f"{PREFIX}/api", ShopApi(site, key)),
        Mount(PREFIX, StaticFiles(directory=FOLDER, html=True), name="shop"),
    ]


async def _to_folder(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/", 308)


class ShopApi:
    """Passes a visitor's calls on to the API with the shop front's key, and nothing of the visitor's credentials."""

    def __init__(self, site: Site, key: str) -> None:
        self._site = site
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"].removeprefix(f"{PREFIX}/api"), scope["method"]
        try:
            if not _is_allowed(method, path):
                raise Problem(404, "path-unknown", "The shop has no such call.")
            client = scope["client"]
            self._site.limits.take(f"shop/{client[0] if client else 'unknown'}")
        except Problem as problem:
            await problem_response(problem, path)(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name in KEPT_HEADERS]
        headers.append((b"authorization", f"Bearer {self._key}".encode()))
        passed = {**scope, "path": path, "raw_path": path.encode(), "root_path": "", "headers": headers}
        if (method, path) != ("POST", ORDERS):
            await scope["app"](passed, receive, send)
            return
        answer = await _answer(scope, passed, receive)
        await self._with_link(answer)(scope, receive, send)

    def _with_link(self, answer: Response) -> Response:
        """The answer to an order that was placed, with the customer's link to it."""
        if answer.status_code != HTTPStatus.ACCEPTED:
            return answer
        content = msgspec.json.decode(answer.body)
        token = self._site.secrets.codes.token(content["order"], 1)
        return JSONResponse(content | {"link": page_link("", content["order"], token)}, answer.status_code)


def _is_allowed(method: str, path: str) -> bool:
    return any(method == it and (path == base or path.startswith(f"{base}/")) for it, base in ALLOWED) and not (
        path.startswith(f"{ORDERS}/")
    )


async def _answer(scope: Scope, passed: Scope, receive: Receive) -> Response:
    """The app's whole answer to one call."""
    started: list[Message] = []
    body = bytearray()

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            body.extend(message.get("body", b""))

    await scope["app"](passed, receive, take)
    kinds = [value.decode("latin-1") for name, value in started[0]["headers"] if name.lower() == b"content-type"]
    return Response(bytes(body), started[0]["status"], media_type=kinds[0] if kinds else None)
