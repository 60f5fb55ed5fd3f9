"""Options of an agent's process. `bopis agent run` makes them from the settings, and passes them in a pipe: secrets
stand neither in the command line nor in the environment, and the process needs no library of settings."""

import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bopis.adapters.security import Security
from bopis.journal.limits import JournalLimits

OPTIONS_BYTES_MAX = 60_000  # less than a pipe takes without a reader


class Folder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder into which a till drops files. Without a mapping they have messages of the log's own format."""

    name: str
    path: Path
    mapping: str = ""


class GrowingFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that a till appends to, one record per line. Without a mapping they are messages of the log's own
    format."""

    name: str
    path: Path
    mapping: str = ""


class Sources(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of sources: tables `[[folder]]` and `[[file]]`, each with a lasting name and a path, and a mapping
    (the name of a shipped one, or the path of a TOML file) for files of the till's own format."""

    folder: tuple[Folder, ...] = ()
    file: tuple[GrowingFile, ...] = ()


class KafkaOptions(Struct, frozen=True, kw_only=True):
    """The log itself: its address, or the directory of an embedded one; the prefix of its topics, and the login."""

    bootstrap: str
    embedded_in: Path | None
    prefix: str
    security: Security


class HttpsOptions(Struct, frozen=True, kw_only=True):
    """The centre over HTTP: its URL, the file with the store's key, and the trusted authorities."""

    url: str
    key_file: Path
    ca_file: Path | None


class AgentOptions(Struct, frozen=True, kw_only=True):
    """Everything that an agent needs to know. Exactly one of `kafka` and `https` is set."""

    store: str
    directory: Path
    version: str
    port: int
    limits: JournalLimits
    sources: Sources = Sources()
    kafka: KafkaOptions | None = None
    https: HttpsOptions | None = None
    timeout_seconds: float = 30.0
    heartbeat_seconds: float = 60.0
    ledger_seconds: float = 900.0
    poll_seconds: float = 2.0
    settle_seconds: float = 5.0
    pause_seconds_max: float = 60.0
    copy_seconds: float = 10.0
    offline_hours: float = 12.0


def _to_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(repr(value))


def _from_json(kind: type, value: Any) -> Any:
    return kind(value)


def encoded(options: AgentOptions) -> bytes:
    """The options in JSON."""
    return msgspec.json.encode(options, enc_hook=_to_json)


def as_file(options: AgentOptions) -> str:
    """A file that exists only for programs that this process starts or becomes."""
    content = encoded(options)
    assert len(content) <= OPTIONS_BYTES_MAX, "the options must fit into a pipe"
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    os.set_inheritable(reading, True)
    return f"/dev/fd/{reading}"


def from_file(file: str) -> AgentOptions:
    """The options in a file."""
    return msgspec.json.decode(Path(file).read_bytes(), type=AgentOptions, dec_hook=_from_json)


def read_sources(content: bytes) -> Sources:
    """The sources in a TOML file. Raises `ValueError` with the cause."""
    found = msgspec.toml.decode(content, type=Sources, dec_hook=_from_json)
    names = [*(it.name for it in found.folder), *(it.name for it in found.file)]
    if twice := sorted({it for it in names if names.count(it) > 1}):
        raise ValueError(f"two sources have the name {twice[0]!r}")
    if not all(names):
        raise ValueError("a source has an empty name")
    return found
