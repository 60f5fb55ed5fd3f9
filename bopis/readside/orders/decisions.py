"""Decisions of routing: the answer to each attempt, without the facts behind it. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.sourcing.decision import Answer
from bopis.readside.changes import Changes, RecordLike
from bopis.wire.errors import Misplaced
from bopis.wire.orders import ORDERS
from bopis.wire.placement import Placement

# Few messages of orders are decisions, and the bytes of those contain their type: the others need not be decoded.
_TYPES = tuple(ORDERS.type_name(body).encode() for body in (OrderRouted, RoutingFailed))


class _Rules(Struct):
    name: str
    version: int


class _Decision(Struct):
    """The stored part of a decision. Its facts, which are most of its bytes, are skipped."""

    order: str
    attempt: int
    decided_at_ms: int
    digest: str
    request: Raw
    answer: Raw
    rules: _Rules


class _Routed(Struct):
    attempt: int
    decision: _Decision


class _RoutedMessage(Struct):
    type: str
    subject: str
    data: _Routed


_decode = msgspec.json.Decoder(_RoutedMessage).decode
_answer = msgspec.json.Decoder(Answer).decode


def project_decisions(placement: Placement, records: Iterable[RecordLike], changes: Changes) -> None:
    """Insert each decision once. Other messages, and those that the orders worker parks, are skipped."""
    for record in records:
        value = record.value or b""
        if not any(name in value for name in _TYPES):
            continue
        try:
            message = _decode(value)
            answer = _answer(message.data.decision.answer)
            placement.check(message.subject, record.key)
        except (msgspec.MsgspecError, Misplaced):
            continue
        if message.type.encode() in _TYPES:
            row = _row(message, answer, placement.partition, record)
            changes.insert_once("order_decisions", row[:3], row)


def _row(message: _RoutedMessage, answer: Answer, partition: int, record: RecordLike) -> tuple[Any, ...]:
    decision = message.data.decision
    stores = " ".join(assignment.store for assignment in answer.assignments)
    return (
        message.subject, message.data.attempt, decision.digest, partition, record.offset, answer.rung.value,
        answer.outcome.value, None if answer.reason is None else answer.reason.value, stores,
        f"{decision.rules.name}/{decision.rules.version}", decision.decided_at_ms, record.timestamp,
        bytes(decision.request).decode(), bytes(decision.answer).decode(),
    )  # fmt: skip
