"""Choices of a shop about payments. They travel with the order, so that a later change never alters one under way."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[int, Meta(ge=0, le=90 * 86_400)]


class ChallengePolicy(StrEnum):
    """When the bank wants the customer: try the next method first, or ask the customer at once."""

    NEXT_FIRST = "next_first"
    ASK = "ask"


class PartialPolicy(StrEnum):
    """When a method approves less than asked: use it and ask the next one for the rest, or give it back."""

    USE = "use"
    GIVE_BACK = "give_back"


class RefundShare(StrEnum):
    """How a refund is shared among several captures: in proportion (largest remainder, ties to the earlier one), or
    from the last one first."""

    PROPORTION = "proportion"
    LAST_FIRST = "last_first"


class PaymentPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times are seconds.

    An answer stays unknown for ``unknown_patience_s`` before the attempt is closed at the gateway. While an answer is
    awaited, the goods are held for ``hold_cap_s`` from the order's placement at most, and for ``review_hold_s`` while
    a review is open. A challenge is open for ``challenge_s``. After the last decline the customer may name another
    method for ``exhausted_hold_s``. A method whose issuer failed is asked once more after ``technical_wait_s``. When
    nothing can be sent for ``outage_patience_s``, a method behind another gateway is tried. An authorisation that ends
    before the pickup is renewed ``renew_before_s`` before its end, if the goods are ready within ``ready_within_s``.
    """

    unknown_patience_s: Seconds = 30
    hold_cap_s: Seconds = 3_600
    review_hold_s: Seconds = 86_400
    challenge_s: Seconds = 900
    exhausted_hold_s: Seconds = 1_800
    technical_wait_s: Seconds = 20
    outage_patience_s: Seconds = 60
    renew_before_s: Seconds = 43_200
    ready_within_s: Seconds = 86_400
    challenge: ChallengePolicy = ChallengePolicy.NEXT_FIRST
    partial: PartialPolicy = PartialPolicy.USE
    refund_share: RefundShare = RefundShare.PROPORTION
