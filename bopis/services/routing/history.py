"""Past decisions and their results, read from the log."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.orders.events import OrderReady
from bopis.domain.orders.messages import OrderRouted, RoutingFailed
from bopis.domain.sourcing.decision import Decision
from bopis.names import ORDER_EVENTS_TOPIC, ORDERS_TOPIC, ROUTING_SHADOW_TOPIC
from bopis.ports import Log
from bopis.wire.envelope import Family
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.routing import SHADOW, ShadowDecided

REPLIES = tuple(ORDERS.type_name(it).encode() for it in (OrderRouted, RoutingFailed))
READY = (ORDER_EVENTS.type_name(OrderReady).encode(),)


class PastDecision(Struct, frozen=True, kw_only=True):
    """One decision, the time at which each store had the order ready, and the decision of the candidate rules."""

    decision: Decision
    ready_ms: dict[str, int]
    candidate: Decision | None = None


def read_past_decisions(log: Log, since_ms: int) -> list[PastDecision]:
    """The first reply to each attempt since an instant, by order and attempt. The order ignores later replies."""
    decisions: dict[tuple[str, int], Decision] = {}
    for message in _messages(log, ORDERS_TOPIC, since_ms, ORDERS, REPLIES):
        decision = message.data.decision
        decisions.setdefault((decision.order, decision.attempt), decision)
    ready: dict[str, dict[str, int]] = {}
    for message in _messages(log, ORDER_EVENTS_TOPIC, since_ms, ORDER_EVENTS, READY):
        ready.setdefault(message.subject, {}).setdefault(message.data.store, message.data.stamp.at_ms)
    candidates: dict[tuple[str, int, str], ShadowDecided] = {}
    for message in _messages(log, ROUTING_SHADOW_TOPIC, since_ms, SHADOW, (b"",)):
        candidates[message.subject, message.data.attempt, message.data.acted] = message.data
    return [
        PastDecision(
            decision=it,
            ready_ms=ready.get(it.order, {}),
            candidate=_candidate(candidates.get((it.order, it.attempt, it.digest))),
        )
        for _, it in sorted(decisions.items())
    ]


def _candidate(shadow: ShadowDecided | None) -> Decision | None:
    return None if shadow is None else shadow.decision


def _messages(log: Log, topic: str, since_ms: int, family: Family, types: tuple[bytes, ...]) -> Iterator[Any]:
    """Messages of a topic that contain one of the type names. An invalid message is skipped: its processor parks it."""
    first, end = log.offsets_at([topic], since_ms), log.end_offsets([topic])
    for record in log.read(first, end):
        value = record.value or b""
        # Decoding every message would cost more than reading them.
        if not any(name in value for name in types):
            continue
        try:
            yield family.decode(value)
        except (WireError, msgspec.MsgspecError):
            continue
