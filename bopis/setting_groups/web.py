"""Settings of HTTP: where it listens, who may call, and how much."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator


class WebSettings(BaseModel):
    """The API and the pages."""

    web_enabled: bool = Field(True, description="Whether `bopis up` serves the API and the pages, too.")
    web_host: str = Field("127.0.0.1", description="Address that `bopis web` listens on.")
    web_port: int = Field(8080, ge=0, le=65535, description="Port of `bopis web`; 0 takes a free one.")
    web_url: str = Field(
        "",
        pattern=r"^(|https?://[^\s\"<>?#]+[^\s\"<>?#/])$",
        description="URL under which browsers reach it, for links in mails; empty: its own address.",
    )
    web_cert_file: Path | None = Field(None, description="PEM file of the certificate; with it HTTP uses TLS.")
    web_key_file: Path | None = Field(None, description="PEM file of that certificate's key.")
    web_proxy: str = Field(
        "", description="Addresses of the proxy that ends TLS, separated by commas; allows other addresses without TLS."
    )
    web_origins: str = Field(
        "", description="Origins of shop fronts whose browsers may call the API, separated by commas."
    )
    web_shop_key_file: Path | None = Field(
        None, description="File with a shop front's API key; with it the reference shop is served under /shop/."
    )
    web_rate: int = Field(1_000, ge=0, description="Requests per second of one caller; 0: any number.")
    web_streams_max: int = Field(5_000, ge=1, le=100_000, description="Streams of events that may be open at a time.")
    web_age_seconds_max: float = Field(
        60.0, gt=0, description="Memory that is older than this makes the process not ready."
    )
    web_oidc_issuer: str = Field(
        "",
        pattern=r"^(|https://.+|http://(127\.0\.0\.1|localhost)[:/].*)$",
        description="URL of the identity provider, with https.",
    )
    web_oidc_audience: str = Field("bopis", description="Audience of the identity provider's tokens.")
    web_oidc_role_claim: str = Field(
        "bopis_role", min_length=1, description="Claim of the identity provider's tokens that has the role."
    )
    web_oidc_stores_claim: str = Field(
        "bopis_stores", min_length=1, description="Claim of its tokens that has the list of the caller's stores."
    )
    web_oidc_client: str = Field("", description="Client id at the identity provider, for sign-in in a browser.")
    web_oidc_secret: SecretStr = Field(SecretStr(""), description="Client secret there; never shown.")
    web_oidc_secret_file: Path | None = Field(None, description="A file that contains only that secret.")

    @model_validator(mode="after")
    def _sign_in_is_complete(self) -> Self:
        if self.web_oidc_client and not self.web_oidc_issuer:
            raise ValueError("web_oidc_client: set web_oidc_issuer to the identity provider, too")
        return self
