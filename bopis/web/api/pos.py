"""Ingest of tills: CloudEvents of baskets, one, a list, or one per line; each is answered on its own.

A message that is sent again is recognised by its source and sequence, so a till that heard no answer sends it again.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import Principal, Right
from bopis.domain.inventory.admission import Rejected, check_plausible
from bopis.domain.values import epoch_ms
from bopis.names import STOCK_TOPIC
from bopis.ports import PendingDelivery
from bopis.web.endpoint import Call, Endpoint, encoded
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK
from bopis.wire.text import explained

TAG = "tills"
MESSAGES_MAX = 5_000
BODY_BYTES_MAX = 8 << 20
NDJSON = "application/x-ndjson"
ACCEPTED, REFUSED = "accepted", "refused"


class ItemAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message: its place in the log, or why it was refused. `item` counts from 1."""

    item: Annotated[int, Meta(ge=1)]
    status: str
    id: str = ""
    source: str = ""
    position: str = ""
    problem: str = ""


class IngestAnswer(Struct, frozen=True, kw_only=True):
    """An answer per message. Those that were accepted are in the log, also when others were refused."""

    accepted: int
    refused: int
    items: tuple[ItemAnswer, ...]


async def ingest(call: Call) -> Response:
    """Take baskets, returns, counts and heartbeats of tills as CloudEvents: one object, a list, or NDJSON. A till may
    report for its own stores only."""
    values = _values(call)
    # A batch counts as its messages, so that one till with a backlog does not crowd out the others.
    call.site.limits.take(f"{call.caller.source}/pos", max(0, len(values) - 1) / 50)
    answer = await call.site.in_thread(_take, call.site, call.caller, values)
    status = 202 if answer.accepted or not answer.refused else 422
    return encoded(answer, status, {})


def _values(call: Call) -> list[bytes]:
    body: bytes = call.body
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (NDJSON, "application/ndjson", "application/jsonl"):
        values = [line for line in body.splitlines() if line.strip()]
    else:
        try:
            found: Any = msgspec.json.decode(body, type=list[msgspec.Raw] if body.lstrip()[:1] == b"[" else msgspec.Raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(400, "body-malformed", f"The body is no JSON: {error}") from error
        values = [bytes(it) for it in found] if isinstance(found, list) else [bytes(found)]
    if not values:
        raise Problem(422, "body-empty", "Send at least one message.")
    if len(values) > MESSAGES_MAX:
        raise Problem(413, "too-many-messages", f"Send at most {MESSAGES_MAX} messages at once.")
    return values


def _take(site: Site, caller: Principal, values: list[bytes]) -> IngestAnswer:
    sending: list[tuple[ItemAnswer, PendingDelivery | None]] = []
    now_ms = site.now_ms()
    for number, value in enumerate(values, 1):
        answer, subject = _checked(site, caller, number, value, now_ms)
        pending = site.publisher.publish(STOCK_TOPIC, subject, value) if subject else None
        sending.append((answer, pending))
    items = []
    for answer, pending in sending:
        if pending is None:
            items.append(answer)
            continue
        placed = pending.wait(site.settings.publish_timeout_seconds)
        position = f"{placed.topic}/{placed.partition}/{placed.offset}"
        items.append(msgspec.structs.replace(answer, position=position))
    accepted = sum(it.status == ACCEPTED for it in items)
    return IngestAnswer(accepted=accepted, refused=len(items) - accepted, items=tuple(items))


def _checked(site: Site, caller: Principal, number: int, value: bytes, now_ms: int) -> tuple[ItemAnswer, str]:
    """The answer to one message, and its subject if it may be published."""
    try:
        message = STOCK.decode(value)
    except WireError as error:
        return ItemAnswer(item=number, status=REFUSED, problem=explained(str(error))), ""
    named = {"item": number, "id": message.id, "source": message.source}
    problem = ""
    if not caller.may_in(message.subject):
        problem = f"this access does not reach store {message.subject}"
    elif site.stock.routing.tables.stores() and site.stock.routing.tables.record(message.subject) is None:
        problem = f"there is no store {message.subject}"
    else:
        try:
            check_plausible(message, epoch_ms(message.time), now_ms)
        except Rejected as error:
            problem = str(error)
    if problem:
        return ItemAnswer(status=REFUSED, problem=problem, **named), ""  # type: ignore[arg-type]  # fields of the answer
    return ItemAnswer(status=ACCEPTED, **named), message.subject  # type: ignore[arg-type]  # fields of the answer


ENDPOINTS = (
    Endpoint(
        method="POST", path="/v1/pos/baskets", handle=ingest, right=Right.POS_SEND, tag=TAG,
        summary="Messages of tills", answer=IngestAnswer, status=202, raw_body=True, body_bytes_max=BODY_BYTES_MAX,
        statuses=(400, 413, 422, 503), answer_statuses=(422,),
    ),
)  # fmt: skip
