"""Settings of notices to customers: mail server, brand, channels."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class NoticeSettings(BaseModel):
    """Channels of notices, and what they look like."""

    smtp_host: str = Field("", description="Mail server for notices; empty: mails go to the outbox.")
    smtp_port: int = Field(
        0, ge=0, le=65535, description="Port of the mail server; 0: 465 with tls, 587 with starttls, 25 with none."
    )
    smtp_security: str = Field(
        "starttls",
        pattern="^(tls|starttls|none)$",
        description="Security of connections to the mail server: tls, starttls or none.",
    )
    smtp_ca_file: Path | None = Field(None, description="PEM file of the trusted authorities of the mail server.")
    smtp_username: str = Field("", description="Username at the mail server; empty: no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password at the mail server; never shown.")
    smtp_password_file: Path | None = Field(
        None, description="A file that contains only the password of the mail server."
    )
    smtp_from: str = Field(
        "bopis <bopis@localhost.localdomain>",
        pattern=r"^[^<>\r\n]*<?[^<>@\s]+@[^<>@\s]+>?$",
        description="Sender of mails: shop@example.org, or Shop <shop@example.org>.",
    )
    brand_name: str = Field("", max_length=80, description="Name of the shop on mails; empty: none.")
    brand_colour: str = Field(
        "#2c6b2f",
        pattern="^#[0-9A-Fa-f]{6}$",
        description="Colour of mails, as #rrggbb; of links if legible.",
    )
    brand_logo: str = Field("", description="Logo on mails: a PNG, JPEG or GIF file, or an https URL; empty: none.")
    reply_to: str = Field(
        "", pattern=r"^(|[^<>@\s]+@[^<>@\s]+)$", description="Address for customers' replies; empty: mails name none."
    )
    shop_url: str = Field(
        "",
        pattern=r"^(|https?://[^\s\"<>]+)$",
        description="Page of an order in the shop, with {order} for its number; empty: mails have no link.",
    )
    notice_webhook_url: str = Field(
        "", pattern="^(|https?://.+)$", description="URL of webhooks; empty: they go to the outbox."
    )
    notice_webhook_secret: SecretStr = Field(
        SecretStr(""), description="Key that signs webhooks (Standard Webhooks): whsec_ and 24 bytes or more in base64."
    )
    notice_webhook_secret_file: Path | None = Field(None, description="A file that contains only the key of webhooks.")
    notice_sms_url: SecretStr = Field(
        SecretStr(""), description="apprise URL for text messages, with {to} for the number; needs bopis[chat]."
    )
    notice_chat_url: SecretStr = Field(
        SecretStr(""), description="apprise URL for chat, with {to} for the address; needs bopis[chat]."
    )
    notice_templates: Path | None = Field(None, description="Folder of templates that override the built-in ones.")
    notice_language: str = Field(
        "en",
        pattern="^[a-z]{2}(-[a-z]+)?$",
        description="Language of notices for customers without a language that has templates.",
    )
    notice_quiet_hours: str = Field(
        "21:00-08:00",
        pattern="^(|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])$",
        description="Hours on the store's clock in which notices that can wait are postponed; empty: none.",
    )
    notice_timeout_seconds: float = Field(30.0, gt=0, le=300, description="Seconds that one attempt to send may take.")
    notice_concurrency: int = Field(16, ge=1, le=256, description="Notices that one notifier sends at the same time.")
