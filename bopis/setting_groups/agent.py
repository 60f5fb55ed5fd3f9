"""Settings of the store agent: its store, its sources, its way to the centre, and the limits of its journal."""

from pathlib import Path

from pydantic import BaseModel, Field


class AgentSettings(BaseModel):
    """The store agent on this machine."""

    agent_store: str = Field("", max_length=64, description="Store of the agent on this machine.")
    agent_url: str = Field(
        "",
        pattern=r"^(|https://[^\s\"<>?#]+[^\s\"<>?#/]|http://(127\.0\.0\.1|localhost)(:\d+)?)$",
        description="URL of the centre's API, with https; empty: the agent sends to the log itself.",
    )
    agent_key_file: Path | None = Field(
        None,
        description="With agent_url: file with only the API key of the store (role store-agent; till: no copy).",
    )
    agent_ca_file: Path | None = Field(
        None, description="With agent_url: PEM file of the trusted authorities; empty: those of this machine."
    )
    agent_port: int = Field(8181, ge=0, le=65535, description="Port of the loopback for tills; 0 takes a free one.")
    agent_sources: Path | None = Field(None, description="TOML file of the drop folders and growing files of tills.")
    agent_poll_seconds: float = Field(2.0, gt=0, le=3_600, description="Seconds between two looks at the sources.")
    agent_settle_seconds: float = Field(
        5.0, ge=0, le=3_600, description="Seconds that a file in a drop folder must be unchanged before it is read."
    )
    agent_heartbeat_seconds: float = Field(60.0, gt=0, le=3_600, description="Seconds between heartbeats of the agent.")
    agent_copy_seconds: float = Field(
        10.0, ge=0, le=3_600, description="With agent_url: seconds between two looks at the shop's orders; 0: no copy."
    )
    agent_offline_hours: float = Field(
        12.0, ge=0, le=72, description="Hours since the shop's copy was current, for work on orders without the centre."
    )
    agent_pickup: str = Field(
        "auto",
        pattern=r"^(auto|centre|agent)$",
        description="Where bopis pickup works: centre, agent (of this machine), auto (agent while the centre is away).",
    )
    agent_ledger_minutes: float = Field(
        15.0,
        ge=0,
        le=1_440,
        description="With agent_url: minutes between comparisons of the journal with the centre's books; 0: none.",
    )
    agent_journal_mebibytes_max: int = Field(
        1024, ge=16, description="Size of the agent's journal; half of it is reported as a warning."
    )
    agent_kept_days: int = Field(
        7, ge=0, le=3_650, description="Days that the agent keeps messages that were acknowledged."
    )
