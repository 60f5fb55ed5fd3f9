"""Quiet hours, on the clock of the store of a notice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.vocabulary import END_MILESTONES, Channel, Milestone
from bopis.domain.values import epoch_ms

AUDIBLE = frozenset({Channel.EMAIL, Channel.SMS, Channel.CHAT})
# Replies to an action of the customer, and the correction that saves them a trip.
AT_ONCE = frozenset(
    {Milestone.PLACED, Milestone.ARRIVAL, Milestone.COLLECTED, Milestone.CODE_REISSUED, Milestone.NOT_READY}
)


class QuietHours(Struct, frozen=True):
    """A span of minutes of the day, end exclusive; it may cross midnight."""

    begins: int
    ends: int

    def ends_ms(self, at_ms: int, zone: str) -> int | None:
        """The end of the quiet hours that contain an instant; None if none do."""
        local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        crosses_midnight = self.begins > self.ends
        after_begin, before_end = minute >= self.begins, minute < self.ends
        if not (after_begin or before_end if crosses_midnight else after_begin and before_end):
            return None
        day = local.date() + timedelta(days=1 if crosses_midnight and after_begin else 0)
        end = datetime(day.year, day.month, day.day, self.ends // 60, self.ends % 60, tzinfo=local.tzinfo)
        return epoch_ms(end.astimezone(UTC))


def read_quiet_hours(text: str) -> QuietHours | None:
    """The quiet hours in a text such as ``21:00-08:00``; None for an empty text, or an empty span."""
    if not text:
        return None
    begins, ends = (int(it[:2]) * 60 + int(it[3:]) for it in text.split("-"))
    return None if begins == ends else QuietHours(begins, ends)


def waits_until(hours: QuietHours | None, due: DeliveryDue, now_ms: int, zone: str) -> int | None:
    """The time until which a delivery waits; None if it is sent now.

    A notice that would be too late by then does not wait, nor does a copy that staff resent.
    """
    notice = due.notice
    if hours is None or due.delivery.channel not in AUDIBLE or notice.milestone in AT_ONCE or due.delivery.copy > 1:
        return None
    until_ms = hours.ends_ms(now_ms, zone)
    limits = () if notice.milestone in END_MILESTONES else (notice.answer_by_ms, notice.window_end_ms)
    is_too_late = until_ms is not None and any(limit is not None and until_ms >= limit for limit in limits)
    return None if is_too_late else until_ms
