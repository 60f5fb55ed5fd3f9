"""Times and limits of the saga. They are rules of the trade, the same in every process."""

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS

CHECKOUT_HOLD_MS = 10 * MINUTE_MS
PICKUP_WINDOW_HOURS = 72
FIRST_REMINDER_MS = 24 * HOUR_MS
LAST_REMINDER_MS = 2 * HOUR_MS
HOLD_BEYOND_WINDOW_MS = DAY_MS  # the order decides a no-show; the hold's own deadline is only the net below it
ARRIVAL_KEEPS_MS = HOUR_MS  # how long goods are kept at least once the customer is there
EXTENSION_MS_MAX = 14 * DAY_MS
ESCALATE_AGAIN_MS = 15 * MINUTE_MS
ESCALATIONS_MAX = 4
OFFER_ANSWER_MS = 4 * HOUR_MS
SUBSTITUTE_SEARCH_MS = 2 * HOUR_MS  # how long staff may look for a substitute before the line goes on without
INCOMING_GRACE_MS = DAY_MS  # how long after its date a promise on incoming goods still waits for them
ATTEMPTS_MAX = 20
CODE_TRIES_MAX = 5
MESSAGES_REMEMBERED = 256
HOLD_PARTS_MAX = 1_000
