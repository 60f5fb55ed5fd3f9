"""Ingest of tills: CloudEvents of baskets, one, a list, or one per line; each is answered on its own.

A message that is sent again is recognised by its source and sequence, so a till that heard no answer sends it again.
"""

import msgspec
from starlette.responses import Response

from bopis.access.roles import Principal, Right
from bopis.domain.inventory.admission import Rejected, check_plausible
from bopis.domain.message import Message
from bopis.domain.values import epoch_ms
from bopis.names import STOCK_TOPIC
from bopis.ports import PendingDelivery
from bopis.web.endpoint import Call, Endpoint, encoded
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.errors import WireError
from bopis.wire.ingest import (
    BODY_BYTES_MAX,
    MESSAGES_MAX,
    PATH,
    REPORTS_OF_STORES,
    IngestAnswer,
    ItemAnswer,
    ItemStatus,
    RefusalCode,
    values_in,
)
from bopis.wire.stock import STOCK
from bopis.wire.text import explained

TAG = "tills"


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
    try:
        values = values_in(call.body, call.request.headers.get("content-type", ""))
    except ValueError as error:
        raise Problem(400, "body-malformed", str(error)) from error
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
    accepted = sum(it.status is ItemStatus.ACCEPTED for it in items)
    return IngestAnswer(accepted=accepted, refused=len(items) - accepted, items=tuple(items))


def _checked(site: Site, caller: Principal, number: int, value: bytes, now_ms: int) -> tuple[ItemAnswer, str]:
    """The answer to one message, and its subject if it may be published."""
    try:
        message = STOCK.decode(value)
    except WireError as error:
        refused = RefusalCode.MALFORMED
        return ItemAnswer(item=number, status=ItemStatus.REFUSED, code=refused, problem=explained(str(error))), ""
    answer = ItemAnswer(item=number, status=ItemStatus.ACCEPTED, id=message.id, source=message.source)
    code, problem = _refusal(site, caller, message, now_ms)
    if code is None:
        return answer, message.subject
    return msgspec.structs.replace(answer, status=ItemStatus.REFUSED, code=code, problem=problem), ""


def _refusal(site: Site, caller: Principal, message: Message, now_ms: int) -> tuple[RefusalCode | None, str]:
    """Why a message of a caller is refused, as a code and in words; None if it is not."""
    # Commands and catalogue changes are other routes' business, with rights of their own.
    if not isinstance(message.data, REPORTS_OF_STORES):
        return RefusalCode.NOT_A_REPORT, f"{STOCK.type_name(type(message.data))} is no report of a store"
    if not caller.may_in(message.subject):
        return RefusalCode.OTHER_STORE, f"this access does not reach store {message.subject}"
    if site.stock.routing.tables.stores() and site.stock.routing.tables.record(message.subject) is None:
        return RefusalCode.UNKNOWN_STORE, f"there is no store {message.subject}"
    try:
        check_plausible(message, epoch_ms(message.time), now_ms)
    except Rejected as error:
        return RefusalCode.IMPLAUSIBLE, str(error)
    return None, ""


ENDPOINTS = (
    Endpoint(
        method="POST", path=PATH, handle=ingest, right=Right.POS_SEND, tag=TAG,
        summary="Messages of tills", answer=IngestAnswer, status=202, raw_body=True, body_bytes_max=BODY_BYTES_MAX,
        statuses=(400, 413, 422, 503), answer_statuses=(422,),
    ),
)  # fmt: skip
