"""When a delivery is attempted again, and what an attempt changes: pure rules, with time and chance as arguments.

The delays are those of a schedule with back-off that a hosted sender of Standard Webhooks publishes, about 28 hours in
all: https://docs.svix.com/retries
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct
from msgspec.structs import replace

from bopis.domain.values import DAY_MS
from bopis.webhooks.records import (
    ERROR_LENGTH_MAX,
    EventDelivery,
    EventDeliveryState,
    EventSubscription,
    SubscriptionState,
)

MINUTE_S, HOUR_S = 60, 3_600
RETRY_DELAYS_S = (5, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 10 * HOUR_S)
# A delay is at most this share shorter or longer, so that what failed together does not come back together.
JITTER = 0.1
RETRY_AFTER_S_MAX = 24 * HOUR_S
# Later events of the same subject wait for this many attempts of an earlier one, then they go before it.
ORDERED_TRIES = 3
GONE = 410
DELIVERED = range(200, 300)
REDIRECTS = range(300, 400)


class AttemptResult(Struct, frozen=True, kw_only=True):
    """One attempt: the status of the answer (0: none), how long it took, the first part of its body, and the error in
    words where there was no answer. `retry_after_s` is what the receiver asked for, 0 for nothing."""

    status_code: int = 0
    latency_ms: int = 0
    error: str = ""
    response: str = ""
    retry_after_s: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status_code in DELIVERED


class Settlement(Struct, frozen=True, kw_only=True):
    """A delivery after an attempt, and its subscription."""

    delivery: EventDelivery
    subscription: EventSubscription


class Spread(Struct, frozen=True, kw_only=True):
    """What a settlement needs beside the attempt: chance from 0 to 1, and the days of failures that end a
    subscription."""

    chance: float
    disable_days: int


def retry_ms(tries: int, failed_ms: int, chance: float, retry_after_s: float = 0.0) -> int:
    """The time of the next attempt after `tries` failed ones, the last at `failed_ms`; 0 when none is left.

    `chance` from 0 to 1 spreads it. The receiver's own wish makes it later, never earlier.
    """
    if tries > len(RETRY_DELAYS_S):
        return 0
    delay_s = RETRY_DELAYS_S[tries - 1] * (1 - JITTER + 2 * JITTER * chance)
    return failed_ms + round(max(delay_s, min(retry_after_s, RETRY_AFTER_S_MAX)) * 1000)


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float:
    """Seconds that a receiver asks to wait (RFC 9110, Retry-After: seconds or a date); 0 for none, or one that cannot
    be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:10]), RETRY_AFTER_S_MAX))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    seconds = (at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
    return min(max(0.0, seconds), float(RETRY_AFTER_S_MAX))


def settle(
    delivery: EventDelivery, subscription: EventSubscription, result: AttemptResult, now_ms: int, spread: Spread
) -> Settlement:
    """What an attempt that ended at `now_ms` changes."""
    tried = replace(
        delivery,
        attempts=delivery.attempts + 1,
        tries=delivery.tries + 1,
        attempted_ms=now_ms,
        status_code=result.status_code,
        latency_ms=result.latency_ms,
        error=("" if result.is_delivered else error_of(result))[:ERROR_LENGTH_MAX],
        response=result.response,
    )
    if result.is_delivered:
        return Settlement(
            delivery=replace(tried, state=EventDeliveryState.DELIVERED, next_ms=0),
            subscription=replace(subscription, failing_since_ms=0),
        )
    failing = replace(subscription, failing_since_ms=subscription.failing_since_ms or now_ms)
    if reason := _end_of(failing, result, now_ms, spread.disable_days):
        failing = replace(failing, state=SubscriptionState.DISABLED, reason=reason)
    next_ms = retry_ms(tried.tries, now_ms, spread.chance, result.retry_after_s)
    if result.status_code == GONE or not next_ms:
        tried = replace(tried, state=EventDeliveryState.FAILED, next_ms=0)
    else:
        tried = replace(tried, next_ms=next_ms)
    return Settlement(delivery=tried, subscription=failing)


def error_of(result: AttemptResult) -> str:
    """The error of an attempt in words."""
    if result.error:
        return result.error
    if result.status_code in REDIRECTS:
        return f"the receiver answered {result.status_code}; redirects are not followed, correct the URL"
    if result.status_code == GONE:
        return "the receiver no longer takes events (410)"
    return f"the receiver answered {result.status_code}"


def _end_of(subscription: EventSubscription, result: AttemptResult, now_ms: int, days: int) -> str:
    """Why a subscription ends with a failed attempt; empty when it goes on."""
    if result.status_code == GONE:
        return "its receiver answered 410: it no longer takes events"
    if now_ms - subscription.failing_since_ms >= days * DAY_MS:
        return f"every attempt of {days} days failed; the last one: {error_of(result)}"[:ERROR_LENGTH_MAX]
    return ""
