"""Staleness: units withheld while a store does not report, for the sales that may have happened since its last report.

The sales of a SKU since then are expected by its own selling rate (`movements.sold_per_week`), spread over the hours of
the day as its store sells. A store's hours come from a sample of the baskets that its devices reported: counts by hour
in UTC, halved each week, that take effect when a week is over. Until then a store sells evenly at all hours. Withheld
are the fewest units that such sales exceed with a probability of at most 0.5 %, by the Poisson distribution.

Everything is a whole number: the same rows give the same units on every machine.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import isqrt

from msgspec import Struct

from bopis.domain.inventory.rows import Device
from bopis.domain.values import DAY_MS, HOUR_MS

# Of a device's messages each fourth is looked at: a sample shows the hours as well, at a quarter of the time.
COUNTED_EVERY = 4
HOURS = 24
WEEK_MS = 7 * DAY_MS
PERCENT = 100
MILLIONTHS = 1_000_000
# Each hour counts as if one more basket had been sold in it: few baskets must not rule an hour out.
_SMOOTHING = 1
# An hour's count has two bytes, the lower one first.
_BYTE_MAX = 255
_COUNT_BYTES = 2
# Most sales that may be expected, in millionths of a unit, for 0, 1, 2 ... units to be exceeded with a probability of
# at most 0.005: half the 0.005 quantile of chi-squared with 2 (units + 1) degrees of freedom (Garwood 1936).
_EXPECTED_MAX = (
    5_012, 103_494, 337_863, 672_206, 1_077_928, 1_536_911, 2_037_337, 2_571_102, 3_132_402, 3_716_922, 4_321_358,
    4_943_116, 5_580_118, 6_230_667, 6_893_359, 7_567_016, 8_250_636, 8_943_363, 9_644_455, 10_353_267, 11_069_231,
    11_791_846, 12_520_667, 13_255_295,
)  # fmt: skip
# Beyond the table: the 0.995 quantile of the normal distribution in thousandths.
_DEVIATIONS_THOUSANDTHS = 2_576


class LastReport(Struct, frozen=True, gc=False):
    """The newest time that a store's devices reported about, and baskets by hour of the day in UTC (empty: unknown)."""

    at_ms: int
    by_hour: tuple[int, ...] = ()


def count_basket(device: Device, at_ms: int) -> None:
    """Count a basket in its hour. Baskets of a week that is over change nothing: its hours have taken effect."""
    week = at_ms // WEEK_MS
    if week != device.baskets_week:
        if week < device.baskets_week:
            return
        _begin_week(device, week)
    counts = device.baskets_by_hour
    low = at_ms // HOUR_MS % HOURS * _COUNT_BYTES
    if counts[low] < _BYTE_MAX:
        counts[low] += 1
    elif counts[low + 1] < _BYTE_MAX:
        counts[low] = 0
        counts[low + 1] += 1


def hours_of(device: Device) -> tuple[int, ...]:
    """Baskets by hour that are in effect for a device; empty in its first week."""
    return _unpacked(device.hours_in_effect)


def hours_of_store(parts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Baskets by hour of all devices together; empty if none has any."""
    known = [it for it in parts if it]
    return tuple(sum(counts) for counts in zip(*known, strict=True))


def expected_sales(per_week: int, report: LastReport, until_ms: int) -> int:
    """Sales expected between a report and an instant, in millionths of a unit, rounded down.

    ``per_week`` is the selling rate of the SKU at the time of the report. A negative rate (more voided than sold) and
    an instant before the report give 0.
    """
    if per_week <= 0 or until_ms <= report.at_ms:
        return 0
    weights = [it + _SMOOTHING for it in report.by_hour or (0,) * HOURS]
    traded = _traded(weights, until_ms) - _traded(weights, report.at_ms)
    return per_week * traded * MILLIONTHS // (sum(weights) * HOUR_MS * 7)


def units_covering(expected: int) -> int:
    """Fewest units that sales exceed with a probability of at most 0.5 %; ``expected`` is in millionths of a unit."""
    if expected <= _EXPECTED_MAX[-1]:
        return bisect_left(_EXPECTED_MAX, expected)
    spread = _DEVIATIONS_THOUSANDTHS * isqrt(expected * MILLIONTHS) // 1_000
    return -(-(expected + spread + MILLIONTHS) // MILLIONTHS)


def _begin_week(device: Device, week: int) -> None:
    counts = device.baskets_by_hour
    if counts:
        device.hours_in_effect = bytes(counts)
    weeks = week - device.baskets_week
    device.baskets_by_hour = bytearray().join(
        (it >> weeks).to_bytes(_COUNT_BYTES, "little") for it in _unpacked(counts) or (0,) * HOURS
    )
    device.baskets_week = week


def _unpacked(counts: bytes | bytearray) -> tuple[int, ...]:
    return tuple(low | high << 8 for low, high in zip(counts[::2], counts[1::2], strict=True))


def _traded(weights: Sequence[int], at_ms: int) -> int:
    """Milliseconds from the epoch to an instant, each weighted by its hour."""
    days, of_day_ms = divmod(at_ms, DAY_MS)
    hour, of_hour_ms = divmod(of_day_ms, HOUR_MS)
    return (days * sum(weights) + sum(weights[:hour])) * HOUR_MS + weights[hour] * of_hour_ms
