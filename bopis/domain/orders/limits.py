"""Times and limits of orders: rules of the trade, the same in every process."""

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS

CHECKOUT_HOLD_MS = 10 * MINUTE_MS
LATE_PROMISE_MS = MINUTE_MS  # holding and paying take seconds, and times are told to the minute
PICKUP_WINDOW_HOURS = 72
FIRST_REMINDER_MS = 24 * HOUR_MS
LAST_REMINDER_MS = 2 * HOUR_MS
HOLD_BEYOND_WINDOW_MS = DAY_MS  # the order decides a no-show; the deadline of the hold is only a safeguard behind it
ARRIVAL_KEEPS_MS = HOUR_MS  # goods are kept at least this long after the customer has arrived
EXTENSION_MS_MAX = 14 * DAY_MS
ESCALATE_AGAIN_MS = 15 * MINUTE_MS
ESCALATIONS_MAX = 4
OFFER_ANSWER_MS = 4 * HOUR_MS
SUBSTITUTE_SEARCH_MS = 2 * HOUR_MS  # how long staff may look for a substitute before the line is given up
INCOMING_GRACE_MS = DAY_MS  # how long after their date lines still wait for incoming goods
ATTEMPTS_MAX = 20
MOVE_ATTEMPTS_MAX = 10  # changes of store leave the other attempts to routing
CODE_TRIES_MAX = 5
MESSAGES_REMEMBERED = 256
HOLD_PARTS_MAX = 1_000
