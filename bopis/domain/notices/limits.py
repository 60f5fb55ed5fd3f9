"""Times and limits of notices: rules of the trade, the same in every process."""

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS

ANSWER_MS = 10 * MINUTE_MS  # a delivery without an answer after this is unknown
VALID_MS = MINUTE_MS  # taken up later than this, a delivery is decided again, in case the order has ended since
HEAL_MS = DAY_MS  # how long an unknown delivery is requested again when the notifier finds that it never tried it
BACKOFF_MS = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS)
FAILURES_MAX = len(BACKOFF_MS)
POSTPONED_MS_MAX = DAY_MS
ARRIVAL_FRESH_MS = 15 * MINUTE_MS  # a customer who has waited longer than this needs no confirmation of the arrival
NOTICES_KEPT = 100
CAUSE_LENGTH_MAX = 200
