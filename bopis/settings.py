"""Settings, from flags, environment (``BOPIS_…``), file and defaults, in this order; frozen once read.

A setting may change where and how fast things run, never a decision of the core: decisions depend on policy, and
policy is state (see ``docs/concepts``).
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bopis.errors import SettingsFileInvalid, SettingUnknown
from bopis.settings_security import security_problem

EMBEDDED = "embedded"
FILE_NAME = "bopis.toml"
PREFIX = "BOPIS_"
# Variables that are no settings: of commands, of tests and benchmarks, and those that Kubernetes sets for a service of
# the name bopis.
OTHER_VARIABLES = re.compile(
    r"ACTOR|STORE|TRACEBACK|COMPLETE|(TEST|BENCH|FAULTS|SIMULATION|DEMO|SERVICE|PORT)(_|$)|LOG$"
)

# Values that break the type or the limits of a setting, as pydantic lists them.
SettingsError = ValidationError


class Settings(BaseSettings):
    """Places, connections and limits. The name of a limit ends with its unit."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        toml_file=FILE_NAME,
        frozen=True,
        # A misspelled setting in the file is an error, instead of ignored.
        extra="forbid",
        secrets_dir=None,
        # pydantic would print every input of the model, and one of them may be a password.
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(Path("bopis-data"), description="Directory of the embedded log and of the read side.")
    broker: str = Field(EMBEDDED, description="The log: 'embedded', or kafka://HOST:PORT[,HOST:PORT] for Apache Kafka.")
    broker_port: int = Field(19092, ge=0, le=65535, description="Port of the embedded log; 0 takes a free one.")
    database: str = Field("", description="SQLAlchemy URL of the read side; empty is SQLite in the data directory.")
    database_reader: str = Field(
        "", description="SQLAlchemy URL of the read side for commands that only read; empty: as database."
    )
    broker_security: str = Field(
        "plaintext",
        pattern="^(plaintext|ssl|sasl_plaintext|sasl_ssl)$",
        description="Security of connections to Apache Kafka: plaintext, ssl, sasl_plaintext or sasl_ssl.",
    )
    broker_sasl_mechanism: str = Field(
        "SCRAM-SHA-512",
        pattern="^(SCRAM-SHA-512|SCRAM-SHA-256|PLAIN)$",
        description="With sasl_*: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.",
    )
    broker_username: str = Field("", pattern="^[^,=]*$", description="With sasl_*: the username.")
    broker_password: SecretStr = Field(SecretStr(""), description="With sasl_*: the password; never shown.")
    broker_password_file: Path | None = Field(None, description="A file that contains only the password.")
    broker_ca_file: Path | None = Field(
        None, description="With ssl: PEM file of the trusted authorities; empty: those of this machine."
    )
    broker_cert_file: Path | None = Field(None, description="With ssl: PEM file of this client's own certificate.")
    broker_key_file: Path | None = Field(None, description="With ssl: PEM file of that certificate's key.")
    broker_check_hostname: bool = Field(True, description="With ssl: the certificate must name the host connected to.")
    topic_prefix: str = Field("bopis.", pattern=r"^[A-Za-z0-9._-]*$", description="Prefix of every topic's name.")
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of the keyed topics, fixed once created.")
    replication_factor: int = Field(1, ge=1, le=32, description="Copies of each topic; the embedded log has one.")
    min_insync_replicas: int = Field(
        1, ge=1, le=32, description="Copies that must have a record before it is acknowledged."
    )
    dead_letter_retention_days: int = Field(0, ge=0, le=36_500, description="Days to keep dead letters; 0: for ever.")
    tombstone_retention_hours: int = Field(
        168,
        ge=1,
        le=87_600,
        description="Hours that a reader of a compacted topic may be away without missing a deletion.",
    )
    compacted_segment_mebibytes: int = Field(
        128,
        ge=64,
        le=1024,
        description="Size of a compacted topic's segments; the active segment is never compacted.",
    )
    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Fixed name of this worker; empty: a number of its own on the embedded log, none on Apache Kafka.",
    )
    standby: int = Field(0, ge=0, le=8, description="Warm copies (standbys) of each partition that other workers keep.")
    leave_on_stop: bool = Field(
        True,
        description="A clean stop hands a named worker's partitions over at once; false: they wait for its return.",
    )
    session_timeout_seconds: float = Field(
        10.0, ge=1, description="Seconds without a heartbeat after which a worker is replaced."
    )
    heartbeat_seconds: float = Field(3.0, gt=0, description="Seconds between heartbeats of a worker to the log.")
    absence_seconds: float = Field(300.0, gt=0, description="Seconds that a worker waits for an unavailable log.")
    stall_seconds: float = Field(60.0, gt=0, description="A worker with lag that decides nothing for this long ends.")
    recovery_stall_seconds: float = Field(
        120.0, gt=0, description="A worker whose recovery loads nothing for this long ends."
    )
    commit_stall_seconds: float = Field(120.0, gt=0, description="A worker whose commit takes this long ends.")
    disk_free_mebibytes_min: int = Field(
        256, ge=0, description="Less free disk space than this is reported as an issue."
    )
    status_seconds: float = Field(
        5.0, gt=0, description="Seconds between status reports of a worker; see bopis status."
    )
    publish_timeout_seconds: float = Field(30.0, gt=0, description="Seconds that a command waits for the log.")
    read_wait_seconds: float = Field(
        10.0, gt=0, description="Seconds that a command waits until its effect is visible."
    )

    master_key: SecretStr = Field(
        SecretStr(""), description="32 bytes in base64 that decrypt customers' data; never shown."
    )
    master_key_file: Path | None = Field(
        None, description="A file with the master key; empty: master.key in the data directory."
    )
    keys_database: str = Field(
        "", description="SQLAlchemy URL of the table of customers' keys; empty: SQLite in the data directory."
    )
    keys_backup_days: int = Field(7, ge=0, le=3_650, description="Days to keep back-ups of customers' keys.")

    routing_rules: Path | None = Field(None, description="TOML file of the routing rules; empty: the standard rules.")
    routing_candidate_rules: Path | None = Field(
        None, description="TOML file of candidate rules, whose decisions are recorded and never acted on."
    )

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

    log_level: str = Field(
        "",
        pattern="^(|debug|info|warning|error)$",
        description="Lowest level of log lines, debug to error; empty: warning on a terminal, info elsewhere.",
    )

    @model_validator(mode="after")
    def _security_fits(self) -> Self:
        """Security settings must be complete: a partial set would be ignored silently, or fail later."""
        if problem := security_problem(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _copies_fit(self) -> Self:
        if self.embedded and self.replication_factor > 1:
            raise ValueError(
                "replication_factor: the embedded log has one copy; set it to 1, or set broker to an Apache Kafka"
            )
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError("min_insync_replicas: must not exceed replication_factor")
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
        """The URL of the read side for commands that only read."""
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
    """The settings with these flags; a flag of None was not given.

    Raises `SettingUnknown`, `SettingsFileInvalid` or `SettingsError`, which `explain` puts into words.
    """
    _check_names()
    return Settings(**{name: value for name, value in flags.items() if value is not None})


# The library's errors in the words of an operator.
IN_WORDS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}


def explain(error: SettingsError, flags: Mapping[str, Any]) -> str:
    """What is wrong with the settings, each with the source of its value."""
    problems = []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        field = Settings.model_fields.get(name)
        if problem["type"] in IN_WORDS:
            message = IN_WORDS[problem["type"]].format(**problem.get("ctx", {}))
        elif problem["type"] == "string_pattern_mismatch" and field is not None:
            # People read the description rather than a regular expression.
            example = f" (for example {field.default})" if field.default else ""
            message = f"does not fit its form: {str(field.description).rstrip('.')}{example}"
        # A problem between several settings has no one source: its message names them.
        problems.append(f"{name} (from {source_of(flags, name)}): {message}" if name else message)
    return "; ".join(problems)


def _check_names() -> None:
    """Raise `SettingUnknown` for a name in the environment or the file that is no setting: it would be ignored."""
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if (
            variable.startswith(PREFIX)
            and name.lower() not in Settings.model_fields
            and not OTHER_VARIABLES.match(name)
        ):
            raise SettingUnknown(name=variable, place="environment", hint=_hint(name.lower(), PREFIX))
    file = Path(FILE_NAME)
    try:
        names = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except UnicodeDecodeError as error:
        raise SettingsFileInvalid(file=file.resolve(), cause="it is not UTF-8") from error
    except (OSError, ValueError) as error:
        raise SettingsFileInvalid(file=file.resolve(), cause=error) from error
    for name in names:
        if name not in Settings.model_fields:
            raise SettingUnknown(name=name, place=str(file.resolve()), hint=_hint(name))


def _hint(name: str, prefix: str = "") -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, 1)
    return f"; did you mean {prefix + (close[0].upper() if prefix else close[0])}?" if close else "."


def source_of(flags: Mapping[str, Any], name: str) -> str:
    """The source of a setting's value: ``flag``, the environment variable or the file that has it, or ``default``."""
    if name in flags:
        return "flag"
    variable = f"BOPIS_{name.upper()}"
    if any(key.upper() == variable for key in os.environ):
        return f"environment {variable}"
    file = Path(FILE_NAME)
    if file.is_file() and name in tomllib.loads(file.read_text(encoding="utf-8")):
        return f"file {file.resolve()}"
    return "default"
