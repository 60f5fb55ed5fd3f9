"""Settings of the log, its topics, its workers, and the read side."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

EMBEDDED = "embedded"


class LogSettings(BaseModel):
    """Where the log and the read side are, and how workers treat them."""

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
