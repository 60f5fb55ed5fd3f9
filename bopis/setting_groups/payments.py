"""Settings of payment gateways, and the policy of payments for new orders."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class PaymentSettings(BaseModel):
    """Gateways, and what to do when a payment method does not pay."""

    payment_gateway: str = Field(
        "", pattern="^(|fake|stripe)$", description="Gateway for methods that name none: fake or stripe; empty: none."
    )
    payment_gateway_url: str = Field("", pattern="^(|https?://.+)$", description="URL of the fake gateway.")
    payment_webhook_secret: SecretStr = Field(SecretStr(""), description="Keys of the fake one's callbacks: whsec_…")
    payment_webhook_secret_file: Path | None = Field(None, description="A file that contains only those keys.")
    stripe_key: SecretStr = Field(SecretStr(""), description="Secret key of the Stripe account; never shown.")
    stripe_key_file: Path | None = Field(None, description="A file that contains only that key.")
    stripe_webhook_secret: SecretStr = Field(SecretStr(""), description="Keys of Stripe's callbacks: whsec_…,whsec_…")
    stripe_webhook_secret_file: Path | None = Field(None, description="A file that contains only those keys.")
    stripe_url: str = Field(
        "", pattern="^(|https?://.+)$", description="URL of Stripe's API, for tests; empty: its own."
    )
    payment_concurrency: int = Field(350, ge=1, le=2_000, description="Calls at a time to one gateway.")
    payment_rate: int = Field(0, ge=0, description="Calls per second to one gateway; 0: any number.")
    payment_endpoint_rate: int = Field(0, ge=0, description="Calls per second of each operation; 0: any number.")
    payment_timeout_seconds: float = Field(15.0, gt=0, le=100, description="Seconds that a gateway may take to answer.")
    payment_unknown_seconds: int = Field(
        30, ge=1, le=86_400, description="Seconds that an answer may stay unknown before the attempt is closed."
    )
    payment_hold_cap_minutes: int = Field(60, ge=1, le=10_080, description="Minutes goods wait for an answer, at most.")
    payment_review_hours: int = Field(24, ge=1, le=720, description="Hours that goods wait for a review, at most.")
    payment_challenge: str = Field(
        "next_first", pattern="^(next_first|ask)$", description="Bank wants the customer: next_first or ask at once."
    )
    payment_challenge_minutes: int = Field(15, ge=1, le=1_440, description="Minutes that a challenge stays open.")
    payment_exhausted_minutes: int = Field(30, ge=0, le=10_080, description="Minutes to name another method.")
    payment_technical_seconds: int = Field(
        20, ge=0, le=3_600, description="Seconds until a method whose issuer failed is asked once more."
    )
    payment_outage_seconds: int = Field(
        60, ge=0, le=86_400, description="Seconds without a gateway before a method behind another one is tried."
    )
    payment_renew_hours: int = Field(
        12, ge=0, le=720, description="Hours before its end that an authorisation is renewed, if goods are ready soon."
    )
    payment_ready_within_hours: int = Field(24, ge=0, le=720, description="Hours to ready that count as soon for that.")
    payment_partial: str = Field("use", pattern="^(use|give_back)$", description="Approved in part: use or give_back.")
    payment_refund_share: str = Field(
        "proportion",
        pattern="^(proportion|last_first)$",
        description="Refund of several captures: in proportion or last_first.",
    )
