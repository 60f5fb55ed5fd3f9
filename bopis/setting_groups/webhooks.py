"""Settings of webhooks: where they are kept, and how patiently they are sent."""

from pydantic import BaseModel, Field


class WebhookSettings(BaseModel):
    """Events that are posted to subscribers."""

    webhook_database: str = Field(
        "", description="SQLAlchemy URL of webhooks; empty: keys_database, or a SQLite file beside that of the keys."
    )
    webhook_concurrency: int = Field(8, ge=1, le=256, description="Requests at a time to one subscriber.")
    webhook_timeout_seconds: float = Field(15.0, gt=0, le=60, description="Seconds that a subscriber may take.")
    webhook_disable_days: int = Field(
        5, ge=1, le=365, description="Days without one success after which a failing subscription is disabled."
    )
    webhook_retention_days: int = Field(30, ge=2, le=3_650, description="Days that deliveries are kept.")
    webhook_private_addresses: bool = Field(
        False, description="Whether webhooks may go to http and to private or loopback addresses."
    )
