"""The shop's policy for payments of new orders, from its settings."""

from bopis.domain.payments.policy import ChallengePolicy, PartialPolicy, PaymentPolicy, RefundShare
from bopis.settings import Settings

MINUTE_S, HOUR_S = 60, 3_600


def policy_of(settings: Settings) -> PaymentPolicy:
    """The policy that travels with each order placed now."""
    return PaymentPolicy(
        unknown_patience_s=settings.payment_unknown_seconds,
        hold_cap_s=settings.payment_hold_cap_minutes * MINUTE_S,
        review_hold_s=settings.payment_review_hours * HOUR_S,
        challenge_s=settings.payment_challenge_minutes * MINUTE_S,
        exhausted_hold_s=settings.payment_exhausted_minutes * MINUTE_S,
        technical_wait_s=settings.payment_technical_seconds,
        outage_patience_s=settings.payment_outage_seconds,
        renew_before_s=settings.payment_renew_hours * HOUR_S,
        ready_within_s=settings.payment_ready_within_hours * HOUR_S,
        challenge=ChallengePolicy(settings.payment_challenge),
        partial=PartialPolicy(settings.payment_partial),
        refund_share=RefundShare(settings.payment_refund_share),
    )
