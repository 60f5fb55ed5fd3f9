"""Quiet hours, on the clock of the store that a notice is about."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bopis.domain.notices.events import DeliveryDue
from bopis.domain.notices.evolve import ENDS
from bopis.domain.notices.terms import Channel, Milestone
from bopis.domain.values import epoch_ms

RINGS = frozenset({Channel.EMAIL, Channel.SMS, Channel.CHAT})
# Answers to what the customer does just now, and what keeps them from a trip for nothing.
AT_ONCE = frozenset({Milestone.PLACED, Milestone.ARRIVAL, Milestone.CODE_REISSUED, Milestone.NOT_READY})


class QuietHours(Struct, frozen=True):
    """From a minute of the day up to another one, which may be on the next day."""

    begins: int
    ends: int

    def ends_ms(self, at_ms: int, zone: str) -> int | None:
        """When the quiet hours that an instant lies in end; None when it lies in none."""
        local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        over_night = self.begins > self.ends
        quiet = minute >= self.begins or minute < self.ends if over_night else self.begins <= minute < self.ends
        if not quiet:
            return None
        day = local.date() + timedelta(days=1 if over_night and minute >= self.begins else 0)
        end = datetime(day.year, day.month, day.day, self.ends // 60, self.ends % 60, tzinfo=local.tzinfo)
        return epoch_ms(end.astimezone(UTC))


def read_quiet_hours(text: str) -> QuietHours | None:
    """``21:00-08:00`` as quiet hours; None for no text, or when they begin as they end."""
    if not text:
        return None
    begins, ends = (int(it[:2]) * 60 + int(it[3:]) for it in text.split("-"))
    return None if begins == ends else QuietHours(begins, ends)


def waits_until(hours: QuietHours | None, due: DeliveryDue, now_ms: int, zone: str) -> int | None:
    """Until when a delivery waits. What would be over by then is not kept waiting, nor what staff sent once more."""
    told = due.notice
    if hours is None or due.delivery.channel not in RINGS or told.milestone in AT_ONCE or due.delivery.copy > 1:
        return None
    until_ms = hours.ends_ms(now_ms, zone)
    over = () if told.milestone in ENDS else (told.answer_by_ms, told.window_end_ms)
    limits = [it for it in over if it is not None]
    return None if until_ms is None or any(until_ms >= it for it in limits) else until_ms
