"""Parts of answers that many resources share: data age, positions, entity tags and pages."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import Response

from bopis.ports import RecordMetadata
from bopis.web.endpoint import Call
from bopis.web.problems import FieldProblem, Problem

AGE_HEADER, POSITION_HEADER = "Bopis-Age", "Bopis-Position"
KEY_HEADER = "Idempotency-Key"
# PostgreSQL has no NUL in texts.
NUL_ESCAPED = b"\\u0000"
PAGE_MAX = 500
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
WAIT_S_MAX = 10.0
# Numbers of a cursor: times and units, within what every database and every program that reads JSON can hold.
CursorNumber = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]


def instant(at_ms: int | None) -> datetime | None:
    """An instant of epoch milliseconds, in UTC; None for none, also where 0 means none."""
    return datetime.fromtimestamp(at_ms / 1000, UTC) if at_ms else None


def note_age(call: Call) -> int:
    """Name the age of the memory in the answer's headers; returns it in milliseconds."""
    age_ms = call.site.age_ms
    call.headers[AGE_HEADER] = f"{age_ms / 1000:.3f}"
    return age_ms


def position_of(placed: RecordMetadata) -> str:
    """The place of a message in the log, for ``?after=``."""
    return f"{placed.topic}/{placed.partition}/{placed.offset}"


def idempotency_key(call: Call) -> str:
    """The key under which the caller sends a change; empty without one."""
    return call.request.headers.get(KEY_HEADER.lower(), "").strip()


def prefer_wait(call: Call) -> float:
    """Seconds that the caller prefers to wait for an outcome (RFC 7240, ``Prefer: wait=2``); 0 for none."""
    for preference in call.request.headers.get("prefer", "").split(","):
        name, _, value = preference.strip().partition("=")
        if name.strip().lower() != "wait":
            continue
        try:
            seconds = float(value.strip().strip('"'))
        except ValueError:
            raise Problem(400, "header-invalid", "Write Prefer: wait=SECONDS.") from None
        return min(max(seconds, 0.0), WAIT_S_MAX)
    return 0.0


def with_etag(call: Call, answer: Any) -> Response:
    """The answer with an entity tag; 304 without a body where the caller has it already."""
    body = msgspec.json.encode(answer)
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    known = {it.strip().removeprefix("W/") for it in call.request.headers.get("if-none-match", "").split(",")}
    headers = {**call.headers, "ETag": etag, "Cache-Control": "no-cache"}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers=headers, media_type="application/json")


def encode_cursor(content: Any) -> str:
    """A cursor for the next page; opaque to callers."""
    return urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")


def decode_cursor(text: str, kind: Any) -> Any:
    """The content of a cursor. Raises `Problem` for a text that is none of ours.

    Limit the numbers of `kind` (`CursorNumber`): no database takes any integer.
    """
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if NUL_ESCAPED in content:
            raise ValueError("no text of ours has a NUL")
        return msgspec.json.decode(content, type=kind)
    except (ValueError, msgspec.MsgspecError):
        field = FieldProblem(field="cursor", detail="take it from the answer before")
        raise Problem(400, "cursor-invalid", "This cursor is not valid.", fields=(field,)) from None
