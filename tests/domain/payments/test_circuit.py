"""The circuit of a gateway: by tables, and for any sequence of calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.payments.circuit import (
    FAILURES_MAX,
    OPEN_MS,
    STEADY_CALLS,
    CallEnded,
    CallHealth,
    CallSent,
    Circuit,
    CircuitState,
    after,
    health_of,
    may_call,
    probe_wait_ms,
)
from bopis.domain.payments.gateway import CallOutcome, DeclineClass, GatewayAnswer

S, F, N = CallHealth.SERVED, CallHealth.FAILED, CallHealth.NOTHING
OUT = CallOutcome


def ended(health: CallHealth, sent_ms: int = 0, *, probe: bool = False) -> CallEnded:
    return CallEnded(health=health, sent_ms=sent_ms, is_probe=probe)


def opened(now_ms: int = 0) -> Circuit:
    circuit = Circuit()
    for _ in range(FAILURES_MAX):
        circuit = after(circuit, ended(F, now_ms), now_ms)
    return circuit


@pytest.mark.parametrize(
    ("outcome", "code", "health"),
    [
        (OUT.UNKNOWN, "no_answer", F),
        (OUT.UNKNOWN, "http_500", F),
        (OUT.NOT_SENT, "not_connected", F),
        (OUT.NOT_SENT, "http_429", F),
        (OUT.NOT_SENT, "http_503", F),
        (OUT.NOT_SENT, "lock_timeout", N),
        (OUT.UNKNOWN, "not_found_yet", N),
        (OUT.UNSUPPORTED, "amount", N),
        (OUT.DECLINED, "51", S),
        (OUT.APPROVED, "", S),
        (OUT.FAILED, "", S),
        (OUT.GONE, "", S),
        (OUT.KEY_REUSED, "", S),
    ],
)
def test_only_what_the_gateway_did_not_serve_counts(outcome: CallOutcome, code: str, health: CallHealth) -> None:
    assert health_of(GatewayAnswer(outcome=outcome, code=code)) is health


def test_declines_never_open_it_not_even_those_of_a_failing_issuer() -> None:
    circuit = Circuit()
    answer = GatewayAnswer(outcome=OUT.DECLINED, decline=DeclineClass.TECHNICAL, wait_ms=5_000)

    for now_ms in range(100):
        circuit = after(circuit, ended(health_of(answer), now_ms), now_ms)

    assert circuit.state is CircuitState.CLOSED
    assert circuit.failures == 0


@pytest.mark.parametrize(
    ("healths", "state"),
    [
        ([F] * (FAILURES_MAX - 1), CircuitState.CLOSED),
        ([F] * FAILURES_MAX, CircuitState.OPEN),
        ([F] * (FAILURES_MAX - 1) + [S] + [F] * (FAILURES_MAX - 1), CircuitState.CLOSED),
        ([F] * (FAILURES_MAX - 1) + [N, F], CircuitState.OPEN),
    ],
)
def test_failures_in_a_row_open_it(healths: list[CallHealth], state: CircuitState) -> None:
    circuit = Circuit()

    for health in healths:
        circuit = after(circuit, ended(health), 0)

    assert circuit.state is state


def test_one_probe_goes_through_and_closes_it_when_it_is_served() -> None:
    circuit = opened(100)
    waits = [may_call(circuit, 100), may_call(circuit, 99 + OPEN_MS[0]), may_call(circuit, 100 + OPEN_MS[0])]

    probing = after(circuit, CallSent(), 1_200)
    closed = after(probing, ended(S, 1_200, probe=True), 1_300)

    assert waits == [False, False, True]
    assert not may_call(probing, 1_200)
    assert (closed.state, closed.failures) == (CircuitState.CLOSED, 0)


def test_it_stays_open_longer_each_time_until_calls_are_served_for_a_while() -> None:
    circuit, now_ms, waits = opened(0), 0, []
    for _ in range(len(OPEN_MS) + 2):
        waits.append(probe_wait_ms(circuit, now_ms))
        now_ms = circuit.probe_ms
        circuit = after(after(circuit, CallSent(), now_ms), ended(F, now_ms, probe=True), now_ms)

    served = after(after(circuit, CallSent(), now_ms), ended(S, now_ms, probe=True), now_ms)
    again = served
    for _ in range(FAILURES_MAX):
        again = after(again, ended(F, now_ms), now_ms)
    for _ in range(STEADY_CALLS):
        served = after(served, ended(S, now_ms), now_ms)
    for _ in range(FAILURES_MAX):
        served = after(served, ended(F, now_ms), now_ms)

    assert waits == [*OPEN_MS, OPEN_MS[-1], OPEN_MS[-1]]
    assert probe_wait_ms(again, now_ms) == OPEN_MS[-1]
    assert probe_wait_ms(served, now_ms) == OPEN_MS[0]


def test_a_probe_that_tells_nothing_lets_another_one_through_at_once() -> None:
    probing = after(opened(0), CallSent(), 1_000)

    again = after(probing, ended(N, 1_000, probe=True), 1_100)

    assert may_call(again, 1_100)


def test_calls_sent_before_it_changed_do_not_count_when_they_end() -> None:
    """A gateway that hung leaves hundreds of calls that time out after it is back."""
    closed = after(after(opened(0), CallSent(), 1_000), ended(S, 1_000, probe=True), 1_100)

    for _ in range(FAILURES_MAX * 2):
        closed = after(closed, ended(F, 900), 15_000)

    assert closed.state is CircuitState.CLOSED


@given(st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from([S, F, N]), st.integers(0, 5)), max_size=120))
def test_never_two_probes_and_never_shut_for_good(steps: list[tuple[int, CallHealth, int]]) -> None:
    circuit, now_ms = Circuit(), 0
    under_way: list[CallEnded] = []
    for wait_ms, health, which in steps:
        now_ms += wait_ms
        if may_call(circuit, now_ms):
            is_probe = circuit.state is CircuitState.OPEN
            circuit = after(circuit, CallSent(), now_ms)
            under_way.append(ended(health, now_ms, probe=is_probe))
        elif under_way:
            circuit = after(circuit, under_way.pop(which % len(under_way)), now_ms)

        probes = sum(it.is_probe for it in under_way)
        assert probes <= 1
        assert (circuit.state is CircuitState.HALF_OPEN) == (probes == 1)
        assert circuit.state is not CircuitState.OPEN or circuit.probe_ms - now_ms <= OPEN_MS[-1]
        assert 0 <= circuit.failures < FAILURES_MAX
