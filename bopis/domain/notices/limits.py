"""Times and limits of notices. They are rules of the trade, the same in every process."""

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS

ANSWER_MS = 10 * MINUTE_MS  # a delivery without an answer after this is told as unknown
VALID_MS = MINUTE_MS  # a delivery that is found later than this is asked for anew, in case the order has ended since
HEAL_MS = DAY_MS  # how long an unknown delivery still heals when it turns out that it was never tried
BACKOFF_MS = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS)
FAILURES_MAX = len(BACKOFF_MS)
POSTPONED_MS_MAX = DAY_MS
ARRIVAL_FRESH_MS = 15 * MINUTE_MS  # who stands at the counter for longer needs no message that we saw them
NOTICES_KEPT = 100
CAUSE_LENGTH_MAX = 200
