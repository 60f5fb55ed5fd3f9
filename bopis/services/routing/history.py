"""Past decisions and what became of them, read from the log."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.orders.outcomes import OrderReady
from bopis.domain.sourcing.decision import Decision
from bopis.ports import Log
from bopis.services.routing.live import REQUESTS_TOPIC
from bopis.services.routing.router import ORDERS_TOPIC, SHADOW_TOPIC
from bopis.wire.envelope import Family
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.routing import SHADOW, ShadowDecided

ANSWERS = tuple(ORDERS.type_name(it).encode() for it in (OrderRouted, RoutingFailed))
READY = (ORDER_EVENTS.type_name(OrderReady).encode(),)


class Past(Struct, frozen=True, kw_only=True):
    """One decision that was made, and when stores had the order ready, as far as they had."""

    decision: Decision
    ready_ms: dict[str, int]
    candidate: Decision | None = None


def read_past(log: Log, since_ms: int) -> list[Past]:
    """Every first answer to an attempt since an instant, in the order of order and attempt."""
    decisions: dict[tuple[str, int], Decision] = {}
    for message in _messages(log, ORDERS_TOPIC, since_ms, (ORDERS, ANSWERS)):
        decision = message.data.decision
        decisions.setdefault((decision.order, decision.attempt), decision)
    ready: dict[str, dict[str, int]] = {}
    for message in _messages(log, REQUESTS_TOPIC, since_ms, (ORDER_EVENTS, READY)):
        ready.setdefault(message.subject, {}).setdefault(message.data.store, message.data.stamp.at_ms)
    beside: dict[tuple[str, int, str], ShadowDecided] = {}
    for message in _messages(log, SHADOW_TOPIC, since_ms, (SHADOW, (b"",))):
        beside[message.subject, message.data.attempt, message.data.acted] = message.data
    return [
        Past(
            decision=it,
            ready_ms=ready.get(it.order, {}),
            candidate=_candidate(beside.get((it.order, it.attempt, it.digest))),
        )
        for _, it in sorted(decisions.items())
    ]


def _candidate(told: ShadowDecided | None) -> Decision | None:
    return None if told is None else told.decision


def _messages(log: Log, topic: str, since_ms: int, what: tuple[Family, tuple[bytes, ...]]) -> Iterator[Any]:
    """Messages of a topic whose bytes name one of the types; what cannot be read is the processors' to park."""
    family, named = what
    first, end = log.offsets_at([topic], since_ms), log.end_offsets([topic])
    for record in log.read(first, end):
        value = record.value or b""
        if not any(it in value for it in named):
            continue
        try:
            yield family.decode(value)
        except (WireError, msgspec.MsgspecError):
            continue
