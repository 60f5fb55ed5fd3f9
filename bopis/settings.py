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
from bopis.setting_groups.agent import AgentSettings
from bopis.setting_groups.log import EMBEDDED, LogSettings
from bopis.setting_groups.notices import NoticeSettings
from bopis.setting_groups.payments import PaymentSettings
from bopis.setting_groups.security import security_problem
from bopis.setting_groups.web import WebSettings
from bopis.setting_groups.webhooks import WebhookSettings

FILE_NAME = "bopis.toml"
PREFIX = "BOPIS_"
# Variables that are no settings: of commands, of tests and benchmarks, and those that Kubernetes sets for a service of
# the name bopis.
OTHER_VARIABLES = re.compile(
    r"ACTOR|STORE|TRACEBACK|COMPLETE|(TEST|BENCH|FAULTS|SIMULATION|DEMO|SERVICE|PORT)(_|$)|LOG$"
)

# Values that break the type or the limits of a setting, as pydantic lists them.
SettingsError = ValidationError


class Settings(AgentSettings, WebhookSettings, WebSettings, PaymentSettings, NoticeSettings, LogSettings, BaseSettings):
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
