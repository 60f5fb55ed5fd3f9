"""Settings: flags over environment (``BOPIS_…``) over file over default, frozen once read.

A setting may change where and how fast things run, never what the core decides: that is policy, and policy is
state (see ``docs/concepts``).
"""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

EMBEDDED = "embedded"
FILE_NAME = "bopis.toml"


class Settings(BaseSettings):
    """Where things are and how much they may take. Each limit has its unit in its name."""

    model_config = SettingsConfigDict(
        env_prefix="BOPIS_", toml_file=FILE_NAME, frozen=True, extra="forbid", secrets_dir=None
    )

    data_dir: Path = Field(Path("bopis-data"), description="Where the embedded log and the read side are kept.")
    broker: str = Field(EMBEDDED, description="The log: 'embedded', or kafka://HOST:PORT[,HOST:PORT] for Apache Kafka.")
    broker_port: int = Field(19092, ge=0, le=65535, description="Port of the embedded log; 0 takes a free one.")
    database: str = Field("", description="SQLAlchemy URL of the read side; empty is SQLite in the data directory.")
    topic_prefix: str = Field("bopis.", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic's name.")
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of the keyed topics, fixed once created.")
    instance: str = Field("", description="Name of this worker for static membership; empty joins dynamically.")
    session_timeout_seconds: float = Field(10.0, ge=1, description="After this a silent worker is replaced.")
    heartbeat_seconds: float = Field(3.0, gt=0, description="How often a worker tells the log that it is there.")
    publish_timeout_seconds: float = Field(30.0, gt=0, description="How long a command waits for the log.")
    read_wait_seconds: float = Field(10.0, gt=0, description="How long a command waits for its effect to be seen.")

    log_level: str = Field(
        "", pattern="^(|debug|info|warning|error)$", description="What processes say; empty: warning on a terminal."
    )

    @property
    def embedded(self) -> bool:
        """Whether the log is the embedded one."""
        return self.broker == EMBEDDED

    @property
    def database_url(self) -> str:
        """The URL of the read side."""
        return self.database or f"sqlite:///{self.data_dir / 'readside.sqlite3'}"

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
