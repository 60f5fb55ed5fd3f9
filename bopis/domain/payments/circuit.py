"""Circuit breaker of a gateway: while it serves nothing, one call at a time is let through to see whether it is back.

A pure function of the circuit so far, an event and the clock. Only the end of a call counts, and only what it tells
about the gateway: a decline is served, however many there are. A call that was sent before the circuit last changed
tells nothing about the gateway as it is now.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer

# Failures in a row that open a closed circuit. One call in five may fail by chance without that.
FAILURES_MAX = 8
# How long the circuit stays open, after the first opening, the second, …
OPEN_MS = (1_000, 2_000, 5_000, 10_000, 20_000, 30_000)
# Calls served in a row after which earlier openings are forgotten.
STEADY_CALLS = 50
# Answers about one object (another call holds it, a search does not show it yet): they tell nothing about the gateway.
OBJECT_CODES = frozenset({"lock_timeout", "idempotency_key_in_use", "not_found_yet"})


class CircuitState(StrEnum):
    """``CLOSED``: calls go through. ``OPEN``: none does. ``HALF_OPEN``: one is under way, and others wait."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CallHealth(StrEnum):
    """What the end of a call tells about its gateway."""

    SERVED = "served"
    FAILED = "failed"
    NOTHING = "nothing"


class CallSent(Struct, frozen=True, kw_only=True):
    """A call leaves; through an open circuit it is the probe."""


class CallEnded(Struct, frozen=True, kw_only=True):
    """A call ended that was sent at ``sent_ms``."""

    health: CallHealth
    sent_ms: int
    is_probe: bool = False


CircuitEvent = CallSent | CallEnded


class Circuit(Struct, frozen=True, kw_only=True):
    """A gateway's circuit. It changed last at ``changed_ms``; ``probe_ms`` is when an open one lets a call through."""

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    served: int = 0
    openings: int = 0
    changed_ms: int = 0
    probe_ms: int = 0


def health_of(answer: GatewayAnswer) -> CallHealth:
    """What an answer tells about its gateway: without one, or with a refusal to serve, it failed."""
    if answer.code in OBJECT_CODES:
        return CallHealth.NOTHING
    match answer.outcome:
        case CallOutcome.UNKNOWN | CallOutcome.NOT_SENT:
            return CallHealth.FAILED
        case CallOutcome.UNSUPPORTED:
            # An adapter may answer so by itself, without asking.
            return CallHealth.NOTHING
        case _:
            return CallHealth.SERVED


def may_call(circuit: Circuit, now_ms: int) -> bool:
    """Whether a call may leave now."""
    if circuit.state is CircuitState.OPEN:
        return circuit.probe_ms <= now_ms
    return circuit.state is CircuitState.CLOSED


def probe_wait_ms(circuit: Circuit, now_ms: int) -> int:
    """How long until a call may leave. While the probe is under way: until the next one, if it fails at once."""
    match circuit.state:
        case CircuitState.CLOSED:
            return 0
        case CircuitState.OPEN:
            return max(0, circuit.probe_ms - now_ms)
        case CircuitState.HALF_OPEN:
            return open_ms(circuit.openings + 1)


def open_ms(openings: int) -> int:
    """How long the circuit stays open for the so-many-th time in a row."""
    return OPEN_MS[min(openings, len(OPEN_MS)) - 1]


def after(circuit: Circuit, event: CircuitEvent, now_ms: int) -> Circuit:
    """The circuit after an event."""
    if isinstance(event, CallSent):
        if circuit.state is CircuitState.OPEN:
            return replace(circuit, state=CircuitState.HALF_OPEN, changed_ms=now_ms)
        return circuit
    if event.is_probe:
        return _after_probe(circuit, event, now_ms)
    if circuit.state is not CircuitState.CLOSED or event.sent_ms < circuit.changed_ms:
        return circuit
    match event.health:
        case CallHealth.SERVED:
            served = circuit.served + 1
            openings = 0 if served >= STEADY_CALLS else circuit.openings
            return replace(circuit, failures=0, served=min(served, STEADY_CALLS), openings=openings)
        case CallHealth.FAILED if circuit.failures + 1 >= FAILURES_MAX:
            return _opened(circuit, now_ms)
        case CallHealth.FAILED:
            return replace(circuit, failures=circuit.failures + 1, served=0)
        case CallHealth.NOTHING:
            return circuit


def _after_probe(circuit: Circuit, event: CallEnded, now_ms: int) -> Circuit:
    if circuit.state is not CircuitState.HALF_OPEN:
        return circuit
    match event.health:
        case CallHealth.SERVED:
            # Openings are forgotten later: a gateway that fails again at once is left alone for longer.
            return Circuit(openings=circuit.openings, changed_ms=now_ms)
        case CallHealth.FAILED:
            return _opened(circuit, now_ms)
        case CallHealth.NOTHING:
            return replace(circuit, state=CircuitState.OPEN, changed_ms=now_ms, probe_ms=now_ms)


def _opened(circuit: Circuit, now_ms: int) -> Circuit:
    openings = min(circuit.openings + 1, len(OPEN_MS))
    return Circuit(state=CircuitState.OPEN, openings=openings, changed_ms=now_ms, probe_ms=now_ms + open_ms(openings))
