"""Endpoints: one table entry per route, with the right that it needs and the types that it takes and answers.

Routing, access control, decoding, the OpenAPI document and the access tests all read this table, so none of them can
know a route that another one does not.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bopis.access.roles import Principal, Right, id_from
from bopis.web.problems import FieldProblem, Problem

if TYPE_CHECKING:
    from bopis.web.site import Site

BODY_BYTES_MAX = 1 << 20
JSON = "application/json"


class NoParameters(Struct, frozen=True):
    """An endpoint without parameters."""


class Call:
    """One request that was let in: its caller, decoded parameters and body."""

    __slots__ = ("body", "headers", "params", "principal", "request", "site")

    def __init__(self, site: "Site", request: Request, principal: Principal | None, params: Any, body: Any) -> None:
        self.site = site
        self.request = request
        self.principal = principal
        self.params = params
        self.body = body
        # Headers of the answer, for handlers to add to.
        self.headers: dict[str, str] = {}

    @property
    def caller(self) -> Principal:
        """The caller of an endpoint that is not open to everybody."""
        assert self.principal is not None
        return self.principal

    def message_id(self, key: str) -> str | None:
        """The id of the message of a change under a key: a change sent twice is one. None without a key."""
        return id_from(f"{self.caller.source}/{key}") if key else None

    def require_store(self, store: str) -> None:
        """Raise a problem unless the caller may see and change data of a store."""
        if not self.caller.may_in(store):
            raise Problem(403, "other-store", f"This access does not reach store {store}.")

    def require_order(self, order: str) -> None:
        """Raise a problem unless the caller may see an order; an order of someone else looks like none."""
        if not self.caller.may_see(order):
            raise Problem(404, "order-unknown", f"There is no order {order}.")


Handler = Callable[[Call], Awaitable[Any]]


class Provided(NamedTuple):
    """A value in an answer for a parameter of other endpoints: its name, and the place of the value as a runtime
    expression of OpenAPI (``$response.body#/order``)."""

    parameter: str
    place: str


class Endpoint(Struct, frozen=True, kw_only=True):
    """One route.

    `right` None: open to everybody. `params` has the parameters of path and query by name, `body` the type of the JSON
    body, `answer` that of the answer; a handler may return a finished `Response` instead. `store` names the parameter
    that is a store of the caller's own. `statuses` are the errors besides those that every endpoint has; those in
    `answer_statuses` may have the form of the answer. `is_signed`: the signature of the raw body is the credential, and
    no other one is looked at. `provides`: values in the answer that other endpoints take.
    """

    method: str
    path: str
    handle: Handler
    right: Right | None
    summary: str
    tag: str
    params: type[Struct] = NoParameters
    body: Any = None
    answer: Any = None
    status: int = 200
    store: str = ""
    media_type: str = JSON
    body_bytes_max: int = BODY_BYTES_MAX
    raw_body: bool = False
    is_signed: bool = False
    statuses: tuple[int, ...] = ()
    answer_statuses: tuple[int, ...] = ()
    request_headers: tuple[str, ...] = ()
    provides: tuple[Provided, ...] = ()

    @property
    def name(self) -> str:
        """A stable name: ``get-v1-orders-order``."""
        words = [self.method.lower(), *self.path.replace("{", "").replace("}", "").strip("/").split("/")]
        return "-".join(it for it in words if it)


def check_text(request: Request) -> None:
    """Raise `Problem` for a NUL in a parameter: PostgreSQL has no such character, and nobody writes one."""
    if any("\0" in str(it) for it in (*request.query_params.values(), *request.path_params.values())):
        raise Problem(400, "parameter-invalid", "A parameter contains a NUL.")


def decode_params(endpoint: Endpoint, request: Request) -> Any:
    """The parameters of path and query. A parameter that is repeated is a list. Raises `Problem`."""
    values: dict[str, Any] = {}
    known = endpoint.params.__struct_encode_fields__
    for name in request.query_params:
        if name not in known:
            hint = f" Parameters are: {', '.join(known)}." if known else ""
            raise Problem(400, "parameter-unknown", f"There is no parameter {name!r}.{hint}")
        found = request.query_params.getlist(name)
        values[name] = found if len(found) > 1 or name in _lists(endpoint.params) else found[0]
    values |= request.path_params
    try:
        return msgspec.convert(values, endpoint.params, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, "parameter-invalid", str(error), fields=(_field(error),)) from error


async def read_body(endpoint: Endpoint, request: Request) -> bytes:
    """The body, as it came. Raises `Problem` for one that is too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > endpoint.body_bytes_max:
        raise _too_large(endpoint)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > endpoint.body_bytes_max:
            raise _too_large(endpoint)
    return bytes(body)


def decode_body(endpoint: Endpoint, request: Request, body: bytes) -> Any:
    """The JSON body as the endpoint's type. Raises `Problem`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):
        raise Problem(415, "media-type", f"Send JSON, with Content-Type: {JSON}.")
    try:
        return msgspec.json.decode(body, type=endpoint.body)
    except msgspec.ValidationError as error:
        raise Problem(422, "body-invalid", str(error), fields=(_field(error),)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "body-malformed", f"The body is no JSON: {error}") from error


def encoded(answer: Any, status: int, headers: Mapping[str, str], media_type: str = JSON) -> Response:
    """An answer as JSON."""
    return Response(msgspec.json.encode(answer), status, headers=dict(headers), media_type=media_type)


@cache
def _lists(params: type[Struct]) -> frozenset[str]:
    """The parameters that may be repeated."""
    fields = msgspec.structs.fields(params)
    return frozenset(it.encode_name for it in fields if "tuple" in str(it.type) or "list" in str(it.type))


def _field(error: msgspec.ValidationError) -> FieldProblem:
    """The field that an error of the library names: ``Expected `int` - at `$.lines[0].quantity```."""
    detail, _, place = str(error).partition(" - at `$")
    return FieldProblem(field=place.rstrip("`").lstrip("."), detail=detail)


def _too_large(endpoint: Endpoint) -> Problem:
    return Problem(413, "body-too-large", f"A body has at most {endpoint.body_bytes_max} bytes.")
