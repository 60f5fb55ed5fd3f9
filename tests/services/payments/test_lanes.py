"""The order of work of the runner: who goes first, who waits, who is answered without a call."""

from collections import Counter
from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.payments.circuit import CircuitState
from bopis.domain.payments.gateway import CallOutcome, GatewayAnswer, Operation
from bopis.services.payments.waiting import Pace
from tests.services.payments.requests import APPROVED, AWAY, DAY_MS, NOW_MS, Floor, request

NOT_SENT, UNKNOWN = CallOutcome.NOT_SENT, CallOutcome.UNKNOWN


def test_the_nearest_hold_end_goes_first_then_the_oldest() -> None:
    floor = Floor(concurrency=1)
    floor.add(request("late", urgent_ms=NOW_MS + 900_000))
    floor.add(request("young", urgent_ms=NOW_MS + 60_000, first_ms=NOW_MS))
    floor.add(request("old", urgent_ms=NOW_MS + 60_000, first_ms=NOW_MS - 1))

    went = []
    while calls := floor.take():
        went += [it.order for it in calls]
        floor.end(calls[0])

    assert went == ["old", "young", "late"]


@pytest.mark.parametrize(
    ("crowd", "few"), [(Operation.AUTHORISE, Operation.VOID), (Operation.VOID, Operation.AUTHORISE)]
)
def test_neither_releases_nor_authorisations_starve_behind_the_others(crowd: Operation, few: Operation) -> None:
    floor = Floor(concurrency=1)
    for number in range(100):
        floor.add(request(f"crowd-{number}", crowd, urgent_ms=0))
        floor.add(request(f"few-{number}", few, urgent_ms=NOW_MS))

    went: Counter[Operation] = Counter()
    for _ in range(40):
        (waiting,) = floor.take()
        went[waiting.operation] += 1
        floor.end(waiting)

    assert went == {Operation.AUTHORISE: 30, Operation.VOID: 10}


def test_calls_of_one_order_run_one_after_the_other_also_at_two_gateways() -> None:
    floor = Floor()
    floor.add(request("A", Operation.CAPTURE))
    floor.add(request("A", Operation.VOID, urgent_ms=0))
    floor.add(request("A", Operation.AUTHORISE, gateway="other"))
    floor.add(request("B"))

    first = floor.take()
    nothing = floor.take()
    for waiting in first:
        floor.end(waiting)
    second = floor.take()
    floor.end(second[0])
    third = floor.take()

    assert sorted(it.key for it in first) == ["A-1-capture-1", "B-1-authorise-1"]
    assert nothing == []
    assert [[it.operation for it in calls] for calls in (second, third)] == [[Operation.VOID], [Operation.AUTHORISE]]


def test_no_more_calls_than_the_gateway_takes_at_a_time() -> None:
    floor = Floor(concurrency=2)
    for number in range(5):
        floor.add(request(f"O-{number}"))

    first, none = floor.take(), floor.take()
    floor.end(first[0])

    assert (len(first), none, len(floor.take())) == (2, [], 1)
    assert floor.lanes.waiting == 2


def test_a_newer_request_of_a_key_replaces_the_older_and_answers_both() -> None:
    floor = Floor(concurrency=1)
    floor.add(request("busy", urgent_ms=0))
    (busy,) = floor.take()
    floor.add(request("A", urgent_ms=NOW_MS + 2))
    floor.add(request("B", urgent_ms=NOW_MS + 1))
    floor.add(request("A", request=2, urgent_ms=NOW_MS))
    floor.end(busy)

    (waiting,) = floor.take()

    assert (waiting.order, waiting.requested.request) == ("A", 2)
    assert [it.offset for it in waiting.places] == [1, 3]
    assert floor.lanes.waiting == 1


def test_a_request_that_is_read_again_while_it_is_under_way_is_not_sent_again() -> None:
    """A rebalance gave the partition back to the same runner."""
    floor = Floor()
    floor.add(request("A"))
    (waiting,) = floor.take()
    floor.lanes.drop_waiting()

    floor.add(request("A"), perhaps_sent=True)
    floor.end(waiting)

    assert floor.take() == []
    assert [it.offset for it in waiting.places] == [0, 1]


def test_retry_after_pauses_the_lane_and_no_other() -> None:
    floor = Floor()
    floor.add(request("A"))
    (waiting,) = floor.take()
    floor.end(waiting, GatewayAnswer(outcome=NOT_SENT, code="http_429", wait_ms=5_000))
    floor.add(request("B"))
    floor.add(request("C", gateway="other"))

    at_once = floor.orders()
    wake_ms = floor.lanes.wake_ms(floor.now_ms)
    floor.sleep(4_999)
    still = floor.orders()
    floor.sleep(1)

    assert at_once == ["C"]
    assert wake_ms == 500
    assert still == []
    assert floor.orders() == ["B"]


@pytest.mark.parametrize(
    "answer",
    [
        GatewayAnswer(outcome=CallOutcome.DECLINED, wait_ms=60_000),
        GatewayAnswer(outcome=NOT_SENT, code="lock_timeout", wait_ms=1_000),
        GatewayAnswer(outcome=UNKNOWN, code="not_found_yet", wait_ms=60_000),
    ],
)
def test_a_wait_that_is_about_one_call_pauses_nothing(answer: GatewayAnswer) -> None:
    floor = Floor()
    floor.add(request("A"))
    (waiting,) = floor.take()
    floor.end(waiting, answer)
    floor.add(request("B"))

    assert floor.orders() == ["B"]


def test_after_an_outage_one_probe_goes_and_then_the_nearest_hold_end() -> None:
    floor = Floor()
    floor.break_gateway()
    for order, urgent_ms in (("late", 900), ("soon", 100), ("later", 1_900)):
        floor.add(request(order, urgent_ms=NOW_MS + urgent_ms * 1000))

    while_open = floor.orders()
    floor.sleep(1_000)
    (probe,) = floor.take()
    beside = floor.orders()
    floor.end(probe)

    assert while_open == []
    assert (probe.order, beside) == ("soon", [])
    assert floor.orders() == ["late", "later"]
    assert floor.lanes.circuits()["fake"].state is CircuitState.CLOSED


def test_a_call_that_finds_no_connection_keeps_its_place() -> None:
    floor = Floor(concurrency=1)
    floor.break_gateway()
    floor.add(request("second", urgent_ms=NOW_MS + 60_000))
    floor.add(request("first", urgent_ms=NOW_MS + 30_000))

    for _ in range(3):
        floor.sleep(floor.lanes.wake_ms(floor.now_ms) or 1)
        while not (probe := floor.take()):
            floor.sleep(floor.lanes.wake_ms(floor.now_ms) or 1)
        assert [it.order for it in probe] == ["first"]
        assert not floor.end(probe[0], AWAY), "nobody is told of a call that waits on"
    floor.sleep(30_000)
    (probe,) = floor.take()
    assert floor.end(probe)

    assert probe.order == "first"
    assert floor.orders() == ["second"]
    assert not floor.verdicts


def test_beyond_the_patience_calls_are_answered_so_that_another_gateway_can_be_asked() -> None:
    floor = Floor(patience_ms=60_000)
    floor.break_gateway()
    for number in range(20):
        floor.add(request(f"probe-{number}", urgent_ms=0))
    floor.add(request("A"))

    waited_ms = 0
    while "A" not in [order for order, _, _ in floor.answers()]:
        floor.sleep(500)
        waited_ms += 500
        for probe in floor.take():
            floor.end(probe, AWAY)

    assert waited_ms == 60_000
    assert ("A", NOT_SENT, "circuit_open") in floor.answers()
    assert all(0 < it.answer.wait_ms <= 30_000 for it in floor.verdicts)


def test_calls_without_an_alternative_keep_their_order_however_long_the_gateway_is_away() -> None:
    """Incident: after 40 s of outage and a backlog, orders of a later hold end were paid before earlier ones."""
    floor = Floor(concurrency=1)
    away_ms, placed, went, probes = 600_000, 0, [], 0

    while floor.lanes.waiting or placed < 300:
        now_ms = floor.now_ms - NOW_MS
        while placed < 300 and placed * 1_000 <= now_ms:
            # Of each ten the last one has the nearest end.
            urgent_ms = NOW_MS + 600_000 + (placed - placed % 10 + 9 - placed % 10) * 1_000
            floor.add(request(f"O-{placed:03}", urgent_ms=urgent_ms, patient=True))
            placed += 1
        for waiting in floor.take():
            if now_ms < away_ms:
                probes += 1
                assert not floor.end(waiting, AWAY), "a call that found no connection waits on"
            else:
                assert floor.end(waiting)
                went.append(waiting.requested.urgent_ms)
        floor.sleep(max(1, min(floor.lanes.wake_ms(floor.now_ms) or 1, 500)))

    assert floor.answers() == [], "none is answered unsent, which would send it back to the end of the queue"
    assert len(went) == 300
    assert went == sorted(went)
    assert probes < 60, "while the circuit is open, one call at a time is tried"


def test_a_call_that_is_withdrawn_while_its_gateway_is_away_is_never_sent() -> None:
    floor = Floor()
    floor.break_gateway()
    floor.add(request("A", patient=True))
    floor.add(request("A", request=2, not_after_ms=floor.now_ms))
    floor.add(request("B", patient=True))

    floor.sleep(1_000)
    (probe,) = floor.take()
    floor.end(probe)

    assert probe.order == "B"
    assert floor.answers() == [("A", NOT_SENT, "too_late")]
    assert floor.orders() == []


def test_a_newer_request_that_is_not_patient_ends_the_patience_of_the_older() -> None:
    """Another method was added meanwhile, behind another gateway."""
    floor = Floor(patience_ms=60_000)
    floor.break_gateway()
    for number in range(20):
        floor.add(request(f"probe-{number}", urgent_ms=0, patient=True))
    floor.add(request("A", patient=True))
    sleep_away(floor, 120_000)
    before = floor.answers()

    floor.add(request("A", request=2))
    sleep_away(floor, 1_000)

    assert before == []
    assert floor.answers() == [("A", NOT_SENT, "circuit_open")]


def sleep_away(floor: Floor, ms: int) -> None:
    """Time passes at a gateway that stays away."""
    for _ in range(ms // 500):
        floor.sleep(500)
        for probe in floor.take():
            floor.end(probe, AWAY)


def test_a_call_past_its_time_is_answered_too_late_wherever_it_waits() -> None:
    floor = Floor(concurrency=1)
    floor.add(request("busy", urgent_ms=0))
    floor.take()
    floor.add(request("A", not_after_ms=NOW_MS + 1_000))

    floor.sleep(1_000)
    floor.take()
    in_time = floor.answers()
    floor.sleep(500)
    floor.take()

    assert in_time == []
    assert floor.answers() == [("A", NOT_SENT, "too_late")]


@pytest.mark.parametrize(
    ("operation", "number", "age_ms", "perhaps_sent", "is_sent"),
    [
        (Operation.AUTHORISE, 2, DAY_MS, False, False),
        (Operation.AUTHORISE, 2, DAY_MS - 1, False, True),
        # Its processor may have said it before, and have been away for a day before it said it again.
        (Operation.AUTHORISE, 1, DAY_MS, False, False),
        (Operation.AUTHORISE, 1, DAY_MS - 1, False, True),
        # Sent by a runner that was killed, perhaps; the first request is then no proof that nothing was.
        (Operation.CAPTURE, 1, DAY_MS, True, False),
        (Operation.REFUND, 2, DAY_MS, False, False),
        (Operation.VOID, 2, DAY_MS, False, False),
        (Operation.ADJUST, 2, DAY_MS, False, False),
        (Operation.FIND, 2, DAY_MS, True, True),
        (Operation.CLOSE, 2, DAY_MS, False, True),
    ],
)
def test_a_repeat_is_not_sent_once_the_gateway_has_forgotten_the_key(
    operation: Operation, number: int, age_ms: int, perhaps_sent: bool, is_sent: bool
) -> None:
    floor = Floor()
    floor.add(request("A", operation, request=number, first_ms=NOW_MS - age_ms), perhaps_sent=perhaps_sent)

    calls = floor.take()

    assert bool(calls) == is_sent
    assert floor.answers() == ([] if is_sent else [("A", UNKNOWN, "key_expired")])


def test_what_is_answered_without_a_call_does_not_hold_up_the_next_call_of_its_order() -> None:
    floor = Floor()
    floor.add(request("A", Operation.CAPTURE, request=2, first_ms=NOW_MS - DAY_MS, urgent_ms=0))
    floor.add(request("A", Operation.VOID))

    calls = floor.take()

    assert [it.operation for it in calls] == [Operation.VOID]
    assert floor.answers() == [("A", UNKNOWN, "key_expired")]


def test_not_sent_is_never_said_of_a_call_that_a_killed_runner_may_have_sent() -> None:
    floor = Floor(concurrency=1)
    floor.add(request("busy", urgent_ms=0))
    floor.take()
    floor.add(request("A", not_after_ms=NOW_MS + 1), perhaps_sent=True)

    floor.sleep(1_000)
    floor.take()

    assert floor.answers() == [("A", UNKNOWN, "too_late")]


def test_a_call_that_may_have_been_sent_waits_for_its_own_gateway() -> None:
    floor = Floor()
    floor.break_gateway()
    floor.add(request("A", urgent_ms=NOW_MS), perhaps_sent=True)
    floor.add(request("B", urgent_ms=0))
    floor.sleep(1_000)
    (probe,) = floor.take()

    floor.sleep(120_000)
    floor.take()
    floor.end(probe)

    assert floor.answers() == []
    assert floor.orders() == ["A"]


def test_waiting_calls_of_lost_partitions_are_dropped_and_those_under_way_go_on() -> None:
    floor = Floor(concurrency=1)
    floor.add(request("A"))
    floor.add(request("B"))
    (waiting,) = floor.take()

    floor.lanes.drop_waiting()
    floor.end(waiting)

    assert (floor.take(), floor.lanes.waiting) == ([], 0)
    assert floor.lanes.wake_ms(floor.now_ms) is None


@pytest.mark.parametrize(("limit", "expected"), [({"rate": 100}, 300), ({"endpoint_rate": 25}, 150)])
def test_a_gateway_gets_its_rate_and_no_more(limit: dict[str, int], expected: int) -> None:
    """Three seconds, two operations."""
    floor = Floor(**limit)
    for number in range(500):
        floor.add(request(f"A-{number}"))
        floor.add(request(f"C-{number}", Operation.CAPTURE))

    sent = 0
    end_ms = floor.now_ms + 3_000
    while floor.now_ms < end_ms:
        calls = floor.take()
        sent += len(calls)
        for waiting in calls:
            floor.end(waiting)
        wake_ms = floor.lanes.wake_ms(floor.now_ms)
        assert wake_ms
        floor.sleep(wake_ms)

    assert expected <= sent <= expected + 10


def test_pay_091_a_backlog_drains_by_hold_end_within_the_rate_and_past_its_cap_nothing_is_sent() -> None:
    """10 a second more, 25 a second allowed: 1500 / (25 - 10) = 100 s (the case has four times as many)."""
    floor = Floor(rate=25)
    begin_ms = floor.now_ms
    for number in range(1_500):
        floor.add(request(f"B-{number:04}", urgent_ms=NOW_MS + 600_000 + number))
    floor.add(request("over", urgent_ms=NOW_MS, not_after_ms=NOW_MS - 1))
    added, sent, seconds = 0, [], Counter[int]()

    while floor.lanes.waiting:
        due = (floor.now_ms - begin_ms) // 100
        for number in range(added, due):
            floor.add(request(f"N-{number:04}", urgent_ms=floor.now_ms + 1_200_000, first_ms=floor.now_ms))
        added = max(added, due)
        for waiting in floor.take():
            sent.append(waiting.order)
            seconds[(floor.now_ms - begin_ms) // 1_000] += 1
            floor.end(waiting)
        floor.sleep(floor.lanes.wake_ms(floor.now_ms) or 1)

    assert 98_000 <= floor.now_ms - begin_ms <= 102_000
    assert max(seconds.values()) <= 26
    assert sent[:1_500] == [f"B-{number:04}" for number in range(1_500)], "a new order never jumps the queue"
    assert "over" not in sent


@given(st.integers(1, 500), st.lists(st.integers(0, 400), max_size=60))
def test_a_pace_is_never_exceeded(rate: int, waits: list[int]) -> None:
    pace, now_ms, taken = Pace(rate), NOW_MS, 0
    for wait_ms in waits:
        now_ms += wait_ms
        while not pace.wait_ms(now_ms):
            pace.take()
            taken += 1

        assert taken * 1000 <= rate * (now_ms - NOW_MS) + max(1000, rate * 50)
        later_ms = now_ms + pace.wait_ms(now_ms)
        assert copy(pace).wait_ms(later_ms - 1) > 0
        assert copy(pace).wait_ms(later_ms) == 0


OPERATIONS = st.sampled_from(list(Operation))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 5), OPERATIONS, st.integers(1, 3), st.booleans()),
        st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from([APPROVED, AWAY])),
        st.tuples(st.just("sleep"), st.sampled_from([1, 700, 5_000, 61_000])),
        st.tuples(st.just("drop")),
    ),
    max_size=80,
)


@given(STEPS)
def test_every_record_is_answered_once_and_no_order_has_two_calls_under_way(steps: list[tuple[object, ...]]) -> None:
    floor = Floor(concurrency=3, rate=50)
    open_offsets: set[int] = set()
    under_way = []

    def close(places: list[object]) -> None:
        for it in places:
            assert it.offset in open_offsets  # type: ignore[attr-defined]
            open_offsets.discard(it.offset)  # type: ignore[attr-defined]

    def work() -> None:
        under_way.extend(floor.take())
        assert len({it.order for it in under_way}) == len(under_way)
        assert len(under_way) <= 3
        for verdict in floor.verdicts:
            close(verdict.waiting.places)  # type: ignore[arg-type]
        floor.verdicts.clear()

    for step in [*steps, *[("sleep", 1_000), ("end", 0, APPROVED)] * 200]:
        match step:
            case ("add", order, operation, number, perhaps_sent):
                open_offsets.add(floor.offset)
                made = request(f"O-{order}", operation, request=number, not_after_ms=NOW_MS + 100_000)  # type: ignore[arg-type]
                floor.add(made, perhaps_sent=perhaps_sent)  # type: ignore[arg-type]
            case ("end", which, answer) if under_way:
                waiting = under_way.pop(which % len(under_way))  # type: ignore[operator]
                if floor.end(waiting, answer):  # type: ignore[arg-type]
                    close(waiting.places)  # type: ignore[arg-type]
            case ("sleep", ms):
                floor.sleep(ms)  # type: ignore[arg-type]
            case ("drop",):
                floor.lanes.drop_waiting()
                open_offsets = {it.offset for waiting in under_way for it in waiting.places}
        work()

    assert floor.lanes.waiting == 0
    assert open_offsets == set()
