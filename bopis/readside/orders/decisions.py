"""How stores were chosen: what routing answered to each attempt, without the facts it was made from. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.sourcing.decision import Answer
from bopis.readside.changes import Changes, RecordLike
from bopis.wire.orders import ORDERS

# Decisions are few among what is said to orders, and their types stand in the bytes.
_TYPES = tuple(ORDERS.type_name(it).encode() for it in (OrderRouted, RoutingFailed))


class _Rules(Struct):
    name: str
    version: int


class _Decision(Struct):
    """A decision as far as it is kept: its facts are skipped unread, for they are most of its bytes."""

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


class _Said(Struct):
    type: str
    subject: str
    data: _Routed


_decode = msgspec.json.Decoder(_Said).decode
_answer = msgspec.json.Decoder(Answer).decode


def project_decisions(partition: int, records: Iterable[RecordLike], changes: Changes) -> None:
    """Note each decision once; other messages, and what was parked as undecodable, are left out."""
    for record in records:
        value = record.value or b""
        if not any(it in value for it in _TYPES):
            continue
        try:
            said = _decode(value)
            answer = _answer(said.data.decision.answer)
        except msgspec.MsgspecError:
            continue
        if said.type.encode() in _TYPES:
            row = _row(said, answer, (partition, record.offset, record.timestamp))
            changes.note("order_decisions", row[:3], row)


def _row(said: _Said, answer: Answer, where: tuple[int, int, int]) -> tuple[Any, ...]:
    partition, offset, recorded_ms = where
    decision = said.data.decision
    stores = " ".join(it.store for it in answer.assignments)
    return (
        said.subject, said.data.attempt, decision.digest, partition, offset, answer.rung.value, answer.outcome.value,
        None if answer.reason is None else answer.reason.value, stores,
        f"{decision.rules.name}/{decision.rules.version}", decision.decided_at_ms, recorded_ms,
        bytes(decision.request).decode(), bytes(decision.answer).decode(),
    )  # fmt: skip
