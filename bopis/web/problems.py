"""Errors as problem documents (RFC 9457), with codes that stay. One table maps the exit codes of our errors to HTTP."""

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct
from starlette.responses import Response

from bopis.errors import (
    CONFIGURATION,
    CONFLICT,
    INVALID_INPUT,
    NOT_FOUND,
    TRY_AGAIN,
    UNAVAILABLE,
    USAGE,
    BopisError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
FAULT_TEXT = "The server failed; the operator finds the cause in its log."
STATUSES: Mapping[int, int] = MappingProxyType(
    {
        USAGE: 400,
        NOT_FOUND: 404,
        CONFLICT: 409,
        INVALID_INPUT: 422,
        TRY_AGAIN: 503,
        UNAVAILABLE: 503,
        CONFIGURATION: 503,
    }
)
TITLES: Mapping[int, str] = MappingProxyType(
    {
        400: "The request is malformed",
        401: "Credentials are missing or not valid",
        403: "Not allowed",
        404: "Not found",
        405: "Method not allowed",
        406: "Not acceptable",
        409: "Refused in the current state",
        412: "The state is another one",
        413: "The body is too large",
        415: "The media type is not supported",
        422: "The request cannot be used",
        429: "Too many requests",
        500: "Internal fault",
        501: "Not installed here",
        503: "Temporarily unavailable",
    }
)


class FieldProblem(Struct, frozen=True, omit_defaults=True):
    """One field that cannot be used; `field` is its path in the body, or the name of a parameter."""

    field: str
    detail: str


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document: `type` is stable and made of `code`, `detail` is for people and may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    instance: str = ""
    fields: tuple[FieldProblem, ...] = ()


class Problem(Exception):
    """A request that is answered with a problem document."""

    def __init__(
        self, status: int, code: str, detail: str = "", *, fields: tuple[FieldProblem, ...] = (), retry_after_s: int = 0
    ) -> None:
        super().__init__(detail or code)
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields
        self.retry_after_s = retry_after_s

    def document(self, instance: str = "") -> ProblemDocument:
        """The document of this problem at one URL path."""
        return ProblemDocument(
            type=f"urn:bopis:problem:{self.code}",
            title=TITLES.get(self.status, TITLES[500]),
            status=self.status,
            code=self.code,
            detail=self.detail,
            instance=instance,
            fields=self.fields,
        )


def problem_of(error: BopisError) -> Problem:
    """The problem that one of our errors is. Its code is the error's name: ``OrderUnknown`` is ``order-unknown``."""
    status = STATUSES.get(error.exit_code, 500)
    is_passing = error.exit_code in (TRY_AGAIN, UNAVAILABLE)
    detail = str(error) if status != 500 else FAULT_TEXT
    return Problem(status, code_of(type(error)), detail, retry_after_s=RETRY_AFTER_S if is_passing else 0)


def code_of(kind: type[BaseException]) -> str:
    """The stable code of a kind of error."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def problem_response(problem: Problem, instance: str = "") -> Response:
    """A problem as a response."""
    headers = {"Retry-After": str(problem.retry_after_s)} if problem.retry_after_s else {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="bopis"'
    return Response(
        msgspec.json.encode(problem.document(instance)), problem.status, headers=headers, media_type=MEDIA_TYPE
    )
