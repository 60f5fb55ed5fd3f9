"""When a delivery is attempted again, and what an attempt changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from bopis.domain.values import DAY_MS, HOUR_MS
from bopis.webhooks.public_events import EventType
from bopis.webhooks.records import EventDelivery, EventDeliveryState, EventSubscription, SubscriptionState, rotated
from bopis.webhooks.schedule import (
    JITTER,
    RETRY_AFTER_S_MAX,
    RETRY_DELAYS_S,
    AttemptResult,
    Settlement,
    Spread,
    retry_after_s,
    retry_ms,
    settle,
)

NOW_MS = 1_772_366_400_000
DAYS = 5
SUBSCRIPTION = EventSubscription(
    id="wh_1", owner="shop", url="https://a.example/", types=(EventType.ORDER_READY,), created_ms=1, since_ms=1,
    secret=b"new",
)  # fmt: skip
DELIVERY = EventDelivery(
    id="msg_1", subscription="wh_1", type=EventType.ORDER_READY, subject="N6PV", store="319", body=b"{}",
    recorded_ms=NOW_MS, next_ms=NOW_MS,
)  # fmt: skip


def settled(
    result: AttemptResult, *, tries: int = 0, now_ms: int = NOW_MS, failing_since_ms: int = 0, chance: float = 0.5
) -> Settlement:
    delivery = replace(DELIVERY, tries=tries, attempts=tries)
    subscription = replace(SUBSCRIPTION, failing_since_ms=failing_since_ms)
    return settle(delivery, subscription, result, now_ms, Spread(chance=chance, disable_days=DAYS))


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [(1, 5), (2, 300), (3, 1_800), (4, 7_200), (5, 18_000), (6, 36_000), (7, 36_000), (8, None), (9, None)],
)
def test_the_schedule(tries: int, seconds: int | None) -> None:
    expected = 0 if seconds is None else NOW_MS + seconds * 1000

    assert retry_ms(tries, NOW_MS, 0.5) == expected


def test_the_schedule_is_about_28_hours() -> None:
    assert 27 * 3_600 < sum(RETRY_DELAYS_S) < 28 * 3_600


@given(some.integers(1, len(RETRY_DELAYS_S)), some.floats(0, 1), some.floats(0, 10 * RETRY_AFTER_S_MAX))
def test_chance_spreads_a_little_and_a_receiver_can_only_make_it_later(
    tries: int, chance: float, wish_s: float
) -> None:
    own_ms = retry_ms(tries, NOW_MS, chance) - NOW_MS
    wished_ms = retry_ms(tries, NOW_MS, chance, wish_s) - NOW_MS
    plain_ms = RETRY_DELAYS_S[tries - 1] * 1000

    assert plain_ms * (1 - JITTER) - 1 <= own_ms <= plain_ms * (1 + JITTER) + 1
    assert wished_ms == max(own_ms, min(round(wish_s * 1000), RETRY_AFTER_S_MAX * 1000))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0), ("0", 0.0), ("", 0.0), ("soon", 0.0), ("-5", 0.0), ("1e3", 0.0), ("9" * 40, RETRY_AFTER_S_MAX),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0), ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2036 12:00:00 GMT", RETRY_AFTER_S_MAX), ("Sun, 99 Mar 2026 12:01:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert retry_after_s({"retry-after": value}, NOW_MS) == seconds


@given(some.text(max_size=40))
def test_no_retry_after_is_an_error(value: str) -> None:
    assert 0 <= retry_after_s({"retry-after": value}, NOW_MS) <= RETRY_AFTER_S_MAX


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_success_ends_a_delivery_and_the_failures(status: int) -> None:
    after = settled(AttemptResult(status_code=status, latency_ms=7), tries=2, failing_since_ms=NOW_MS - DAYS * DAY_MS)

    delivery = after.delivery
    assert (delivery.state, delivery.next_ms, delivery.attempts, delivery.error) == ("delivered", 0, 3, "")
    assert (after.subscription.state, after.subscription.failing_since_ms) == ("active", 0)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (AttemptResult(status_code=500), "the receiver answered 500"),
        (AttemptResult(status_code=302), "redirects are not followed"),
        (AttemptResult(status_code=404), "the receiver answered 404"),
        (AttemptResult(error="no answer within 15 s"), "no answer within 15 s"),
        (AttemptResult(error="x" * 5_000), "xxx"),
    ],
)
def test_every_other_answer_is_tried_again(result: AttemptResult, words: str) -> None:
    after = settled(result)

    assert (after.delivery.state, after.delivery.next_ms) == (EventDeliveryState.PENDING, NOW_MS + 5_000)
    assert words in after.delivery.error
    assert len(after.delivery.error) <= 200
    assert after.subscription.failing_since_ms == NOW_MS


def test_the_wish_of_a_receiver_is_obeyed() -> None:
    after = settled(AttemptResult(status_code=429, retry_after_s=90.0))

    assert after.delivery.next_ms == NOW_MS + 90_000


def test_a_delivery_without_attempts_left_has_failed() -> None:
    after = settled(AttemptResult(status_code=500), tries=len(RETRY_DELAYS_S), failing_since_ms=NOW_MS - 1)

    assert (after.delivery.state, after.delivery.next_ms) == (EventDeliveryState.FAILED, 0)
    assert after.subscription.state is SubscriptionState.ACTIVE


def test_410_disables_the_subscription_at_once() -> None:
    after = settled(AttemptResult(status_code=410))

    assert (after.delivery.state, after.subscription.state) == ("failed", "disabled")
    assert "410" in after.subscription.reason


@pytest.mark.parametrize(("early_ms", "state"), [(0, "disabled"), (1, "active")])
def test_days_of_failures_disable_the_subscription(early_ms: int, state: str) -> None:
    after = settled(AttemptResult(status_code=500), failing_since_ms=NOW_MS - DAYS * DAY_MS + early_ms)

    assert after.subscription.state == state
    assert after.delivery.state == "pending"


def test_the_old_secret_signs_until_its_overlap_ends() -> None:
    after = rotated(SUBSCRIPTION, b"newer", NOW_MS, 24)
    at_once: Any = rotated(SUBSCRIPTION, b"newer", NOW_MS, 0)

    assert after.sealed_secrets(NOW_MS + 24 * HOUR_MS - 1) == (b"newer", b"new")
    assert after.sealed_secrets(NOW_MS + 24 * HOUR_MS) == (b"newer",)
    assert at_once.sealed_secrets(NOW_MS) == (b"newer",)
