"""Instants as whole milliseconds."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.values import EPOCH_MS_MAX, EPOCH_MS_MIN, epoch_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(EPOCH_MS_MIN, EPOCH_MS_MAX), st.integers(0, 999), st.integers(-14, 14))
def test_an_instant_keeps_its_millisecond_in_every_zone(at_ms: int, microseconds: int, hours: int) -> None:
    instant = EPOCH + timedelta(milliseconds=at_ms, microseconds=microseconds)

    local = instant.astimezone(timezone(timedelta(hours=hours)))

    assert epoch_ms(local) == at_ms


def test_an_instant_whose_seconds_no_float_holds_keeps_its_millisecond() -> None:
    at_ms = 1_073_861_845_455
    instant = EPOCH + timedelta(milliseconds=at_ms)

    assert int(instant.timestamp() * 1000) == at_ms - 1
    assert epoch_ms(instant) == at_ms
