"""The manifest of a back-up, ``backup.json``: what the back-up is of, where the log was cut, and the checksum of each
file. It is written last, so a folder without it has no complete back-up.

The file with customers' keys is not among the checksums: an erasure changes it. It has a checksum of its own.
"""

import os
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from bopis.adapters.backup.errors import BackupDamaged, BackupUnfit, BackupUnreadable
from bopis.settings import Settings

FILE_NAME = "backup.json"
FORMAT = 1
CHUNK_BYTES = 4 << 20
# Settings that decide which topic and partition a key is in: a log of other ones would be another log.
SAME_SETTINGS = ("topic_prefix", "partitions")

Read = Callable[[int], None]
Cut = dict[str, dict[int, int]]


class FileSum(msgspec.Struct, frozen=True):
    """Size in bytes, and SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A back-up. `log` is ``embedded`` or ``kafka``; `cut`: by topic and partition the offset after the last record
    that belongs to it; `groups`: by group the committed offsets as ``topic/partition``, on Apache Kafka only;
    `keys`: name of the file with customers' keys, empty where nobody has one."""

    format: int
    version: str
    made_at: datetime
    log: str
    topic_prefix: str
    partitions: int
    cut: Cut
    groups: dict[str, dict[str, int]]
    files: dict[str, FileSum]
    keys: str
    has_master_key: bool

    @property
    def records(self) -> int:
        """The sum of all offsets of the cut: how many records were ever appended."""
        return sum(offset for ends in self.cut.values() for offset in ends.values())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest; from then on the back-up is complete."""
    write_private(folder / FILE_NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    # The names of the files are on the disk, too, when the command ends.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a complete back-up. Raises `BackupUnreadable`."""
    try:
        manifest = msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Manifest)
    except OSError as error:
        raise BackupUnreadable(folder=folder, cause=f"{FILE_NAME}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise BackupUnreadable(folder=folder, cause=f"{FILE_NAME}: {error}") from error
    if manifest.format != FORMAT:
        raise BackupUnreadable(folder=folder, cause=f"it has format {manifest.format}, this version reads {FORMAT}")
    return manifest


def require_fit(manifest: Manifest, settings: Settings) -> None:
    """Raise `BackupUnfit` where the settings are not those of the installation that was backed up."""
    here = {name: getattr(settings, name) for name in SAME_SETTINGS} | {"broker": kind_of_log(settings)}
    found = {name: getattr(manifest, name) for name in SAME_SETTINGS} | {"broker": manifest.log}
    for name, value in found.items():
        if value != here[name]:
            raise BackupUnfit(name=name, found=repr(value), here=repr(here[name]))


def kind_of_log(settings: Settings) -> str:
    """``embedded`` or ``kafka``."""
    return "embedded" if settings.embedded else "kafka"


def sum_of(path: Path, read: Read) -> FileSum:
    """Size and checksum of a file; `read` is called with the bytes read since its last call."""
    digest, size = sha256(), 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            read(len(chunk))
    return FileSum(size, digest.hexdigest())


def require_sum(folder: Path, name: str, wanted: FileSum, read: Read) -> None:
    """Raise `BackupDamaged` unless a file has its size and checksum."""
    try:
        found = sum_of(folder / name, read)
    except OSError as error:
        raise BackupDamaged(file=folder / name, cause=f"cannot be read ({error.strerror})") from error
    if found != wanted:
        cause = f"has {found.bytes} bytes instead of {wanted.bytes}" if found.bytes != wanted.bytes else "was changed"
        raise BackupDamaged(file=folder / name, cause=cause)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(path)
