"""Times and counts of payments. Sources of the waits: see docs/concepts/payments.md."""

from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS

# After an answer that did not come, the gateway is asked again after these times; then each minute.
ASK_AGAIN_MS = (2_000, 5_000, 10_000, 20_000, 40_000, 60_000)
# An authorisation whose answer stays unknown beyond the patience is asked for less and less often.
WATCH_OFTEN_MS = HOUR_MS
WATCH_SELDOM_MS = 6 * HOUR_MS
# Longest wait that is taken from a gateway's Retry-After.
WAIT_MS_MAX = 10 * MINUTE_MS
# Among waiting calls a capture, void or refund is as urgent as an authorisation whose hold ends in this time.
STEP_MS = 10 * MINUTE_MS
# A call that a gateway does not know after this never arrived.
ARRIVES_MS_MAX = 10 * MINUTE_MS
# Providers keep idempotency keys for a day or longer; after that a repeat could be a second payment.
KEY_LIFE_MS = 23 * HOUR_MS
# The hold of the goods is prolonged this long before it ends, and outlives the payment's own end by this.
HOLD_MARGIN_MS = 2 * MINUTE_MS
# The provider repairs a capture that failed for a technical reason by itself within this (Adyen: 10 days).
REPAIR_MS_MAX = 10 * DAY_MS
# A step that was accepted and never reported is asked for after this.
ACCEPTED_MS_MAX = HOUR_MS
# Tries of one method when its challenge or its issuer fails.
CHALLENGES_MAX = 3
TECHNICAL_TRIES_MAX = 2
# Authorisations of one method whose capture may be refused before it is not asked again: people decide then.
CAPTURES_LOST_MAX = 3
ATTEMPTS_MAX = 60
METHODS_IN_ALL_MAX = 24
MESSAGES_REMEMBERED = 64
