"""Settings: flags over environment (``BOPIS_…``) over file over default, frozen once read.

A setting may change where and how fast things run, never what the core decides: that is policy, and policy is
state (see ``docs/concepts``).
"""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

EMBEDDED = "embedded"
FILE_NAME = "bopis.toml"
SASL_SETTINGS = ("broker_username", "broker_password", "broker_password_file")
TLS_SETTINGS = ("broker_ca_file", "broker_cert_file", "broker_key_file")


class Settings(BaseSettings):
    """Where things are and how much they may take. Each limit has its unit in its name."""

    model_config = SettingsConfigDict(
        env_prefix="BOPIS_",
        toml_file=FILE_NAME,
        frozen=True,
        extra="forbid",
        secrets_dir=None,
        # A message about an unsound value must not repeat the password that stands beside it.
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(Path("bopis-data"), description="Where the embedded log and the read side are kept.")
    broker: str = Field(EMBEDDED, description="The log: 'embedded', or kafka://HOST:PORT[,HOST:PORT] for Apache Kafka.")
    broker_port: int = Field(19092, ge=0, le=65535, description="Port of the embedded log; 0 takes a free one.")
    database: str = Field("", description="SQLAlchemy URL of the read side; empty is SQLite in the data directory.")
    database_reader: str = Field(
        "", description="SQLAlchemy URL by which commands that only ask reach the read side; empty: as database."
    )
    broker_security: str = Field(
        "plaintext",
        pattern="^(plaintext|ssl|sasl_plaintext|sasl_ssl)$",
        description="How to speak to Apache Kafka: plaintext, ssl, sasl_plaintext or sasl_ssl.",
    )
    broker_sasl_mechanism: str = Field(
        "SCRAM-SHA-512",
        pattern="^(SCRAM-SHA-512|SCRAM-SHA-256|PLAIN)$",
        description="With sasl_*: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.",
    )
    broker_username: str = Field("", pattern="^[^,=]*$", description="With sasl_*: the name to log in with.")
    broker_password: SecretStr = Field(SecretStr(""), description="With sasl_*: the password; never shown.")
    broker_password_file: Path | None = Field(None, description="A file that holds the password, and nothing else.")
    broker_ca_file: Path | None = Field(
        None, description="With ssl: PEM file of the authorities to trust; none trusts those of this machine."
    )
    broker_cert_file: Path | None = Field(None, description="With ssl: PEM file of this client's own certificate.")
    broker_key_file: Path | None = Field(None, description="With ssl: PEM file of that certificate's key.")
    broker_check_hostname: bool = Field(True, description="With ssl: the certificate must name the host connected to.")
    topic_prefix: str = Field("bopis.", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic's name.")
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of the keyed topics, fixed once created.")
    replication_factor: int = Field(1, ge=1, le=32, description="Copies of each topic; the embedded log has one.")
    min_insync_replicas: int = Field(1, ge=1, le=32, description="Copies that must have a record before it counts.")
    dead_letter_retention_days: int = Field(
        0, ge=0, le=36_500, description="Dead letters are kept so long; 0: for ever."
    )
    tombstone_retention_hours: int = Field(
        168, ge=1, le=87_600, description="A reader of a compacted topic may be away so long and misses nothing."
    )
    compacted_segment_mebibytes: int = Field(
        128,
        ge=64,
        le=1024,
        description="Size of a compacted topic's segments: what is not compacted yet is read again.",
    )
    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Lasting name of this worker; empty: numbered by itself on the embedded log, else none.",
    )
    standby: int = Field(0, ge=0, le=8, description="Warm copies that are kept of each partition by other workers.")
    leave_on_stop: bool = Field(
        True, description="A clean stop hands a named worker's partitions over at once; false: they wait for it."
    )
    session_timeout_seconds: float = Field(10.0, ge=1, description="After this a silent worker is replaced.")
    heartbeat_seconds: float = Field(3.0, gt=0, description="How often a worker tells the log that it is there.")
    absence_seconds: float = Field(300.0, gt=0, description="How long a worker waits for a log that is away.")
    stall_seconds: float = Field(60.0, gt=0, description="A worker that decides nothing for so long, with lag, ends.")
    recovery_stall_seconds: float = Field(120.0, gt=0, description="A recovery that loads nothing for so long ends.")
    commit_stall_seconds: float = Field(120.0, gt=0, description="A commit that is on its way for so long ends.")
    disk_free_mebibytes_min: int = Field(256, ge=0, description="Less free space than this is told as trouble.")
    status_seconds: float = Field(5.0, gt=0, description="How often a worker tells how it is; see bopis status.")
    publish_timeout_seconds: float = Field(30.0, gt=0, description="How long a command waits for the log.")
    read_wait_seconds: float = Field(10.0, gt=0, description="How long a command waits for its effect to be seen.")

    master_key: SecretStr = Field(
        SecretStr(""), description="32 bytes in base64 that open customers' data; never shown."
    )
    master_key_file: Path | None = Field(
        None, description="A file that holds the master key; empty is master.key in the data directory."
    )
    keys_database: str = Field(
        "", description="SQLAlchemy URL of the table of customers' keys; empty is SQLite in the data directory."
    )
    keys_backup_days: int = Field(7, ge=0, le=3_650, description="How long back-ups of customers' keys are kept.")

    routing_rules: Path | None = Field(None, description="TOML file of the routing rules; none is the standard set.")
    routing_candidate_rules: Path | None = Field(
        None, description="TOML file of rules whose decisions are written down beside, and never acted on."
    )

    smtp_host: str = Field("", description="Mail server that notices are handed in at; empty: mails go to the outbox.")
    smtp_port: int = Field(0, ge=0, le=65535, description="Its port; 0: 465 with tls, 587 with starttls, 25 with none.")
    smtp_security: str = Field("starttls", pattern="^(tls|starttls|none)$", description="tls, starttls or none.")
    smtp_ca_file: Path | None = Field(None, description="PEM file of the authorities to trust for mail.")
    smtp_username: str = Field("", description="The name to log in with at the mail server; empty: no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="The password for mail; never shown.")
    smtp_password_file: Path | None = Field(None, description="A file that holds the password for mail.")
    smtp_from: str = Field(
        "bopis <bopis@localhost.localdomain>",
        pattern=r"^[^<>\r\n]*<?[^<>@\s]+@[^<>@\s]+>?$",
        description="From whom mails come: shop@example.org, or Shop <shop@example.org>.",
    )
    notice_webhook_url: str = Field(
        "", pattern="^(|https?://.+)$", description="Where webhooks are posted; empty: they go to the outbox."
    )
    notice_webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signs webhooks (Standard Webhooks): whsec_ and 24 bytes or more in base64."
    )
    notice_webhook_secret_file: Path | None = Field(None, description="A file that holds the secret of webhooks.")
    notice_sms_url: SecretStr = Field(
        SecretStr(""), description="apprise URL for text messages, with {to} for the number; needs bopis[chat]."
    )
    notice_chat_url: SecretStr = Field(
        SecretStr(""), description="apprise URL for chat, with {to} for the address; needs bopis[chat]."
    )
    notice_templates: Path | None = Field(None, description="Folder of templates that replace the built-in ones.")
    notice_language: str = Field(
        "en", pattern="^[a-z]{2}(-[a-z]+)?$", description="For who named no language that there are words in."
    )
    notice_quiet_hours: str = Field(
        "21:00-08:00",
        pattern="^(|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])$",
        description="When mails and texts that can wait do wait, on the store's clock; empty: never.",
    )
    notice_timeout_seconds: float = Field(30.0, gt=0, le=300, description="How long one attempt to send may take.")
    notice_concurrency: int = Field(16, ge=1, le=256, description="How many notices one notifier sends at a time.")

    log_level: str = Field(
        "", pattern="^(|debug|info|warning|error)$", description="What processes say; empty: warning on a terminal."
    )

    @model_validator(mode="after")
    def _security_fits(self) -> Self:
        """What is said about security must go together: half a wish would be an open door or a puzzle later."""
        if problem := _security_problem(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _copies_fit(self) -> Self:
        if self.embedded and self.replication_factor > 1:
            raise ValueError("replication_factor: the embedded log is on one machine and keeps 1 copy")
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError("min_insync_replicas: more copies than replication_factor makes can never have a record")
        return self

    @property
    def embedded(self) -> bool:
        """Whether the log is the embedded one."""
        return self.broker == EMBEDDED

    @property
    def database_url(self) -> str:
        """The URL of the read side."""
        return self.database or f"sqlite:///{self.data_dir / 'readside.sqlite3'}"

    @property
    def database_reader_url(self) -> str:
        """The URL of the read side for who only asks."""
        return self.database_reader or self.database_url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (pydantic's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (pydantic's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then ``bopis.toml`` in the working directory."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(**flags: Any) -> Settings:
    """The settings with the flags that were given; None means not given."""
    return Settings(**{name: value for name, value in flags.items() if value is not None})


def _security_problem(it: Settings) -> str:
    """The first thing about security that does not fit, told with the setting to change; empty when all fits."""
    sasl, tls = it.broker_security.startswith("sasl"), it.broker_security.endswith("ssl")
    named = {name: bool(getattr(it, name)) for name in (*SASL_SETTINGS, *TLS_SETTINGS)}
    login = [name for name in SASL_SETTINGS if named[name]]
    files = [name for name in TLS_SETTINGS if named[name]]
    problems = {
        "broker_security: the embedded log is for this machine alone and plain; leave broker_security out, or name "
        "an Apache Kafka with broker": it.embedded and it.broker_security != "plaintext",
        f"{', '.join(login)}: not used with broker_security {it.broker_security}; set it to sasl_ssl "
        "(or sasl_plaintext), or leave the login out": bool(login) and not sasl,
        f"{', '.join(files)}: not used with broker_security {it.broker_security}; set it to sasl_ssl or ssl, or "
        "leave the files out": bool(files) and not tls,
        f"broker_username: broker_security {it.broker_security} needs a name to log in with": sasl
        and not it.broker_username,
        f"broker_password: broker_security {it.broker_security} needs a password: set broker_password, or "
        "broker_password_file to a file that holds it": sasl
        and not (named["broker_password"] or named["broker_password_file"]),
        "broker_password: set either it or broker_password_file, not both": named["broker_password"]
        and named["broker_password_file"],
        "broker_key_file: a key goes with its certificate; set broker_cert_file, too": named["broker_key_file"]
        and not named["broker_cert_file"],
    }
    return next((problem for problem, holds in problems.items() if holds), "")
