"""Makes a back-up of an installation, also while it runs.

The log is copied first, then the keys: whoever ordered before the cut has a key in the back-up, unless erased since.
"""

import os
import shutil
from contextlib import closing
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bopis.adapters.backup.errors import BackupFolderUsed, BackupUnwritable, LogNotCopied, NothingToBackUp
from bopis.adapters.backup.manifest import (
    FORMAT,
    Cut,
    FileSum,
    Manifest,
    Read,
    kind_of_log,
    sum_of,
    write_manifest,
    write_private,
)
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.master import FILE_NAME as MASTER_FILE
from bopis.adapters.secrets.vault import keys_url, master_key_of, open_vault
from bopis.broker.errors import BrokerError
from bopis.broker.files import LOG_FILE
from bopis.broker.storage.copying import PartitionEnd, copy_log
from bopis.settings import Settings

ACCESS_FILE = "access.json"
SETTINGS_FILE = "settings.json"
# Beside the log itself, room for the small files.
SPARE_BYTES = 16 << 20


class LogPart(NamedTuple):
    """The part of a back-up that is about the log: its cut, and on Apache Kafka the committed offsets of groups."""

    cut: Cut
    groups: dict[str, dict[str, int]]


def prepare_folder(folder: Path) -> None:
    """Make the folder of a back-up, for its owner only. Raises `BackupFolderUsed` or `BackupUnwritable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise BackupFolderUsed(folder=folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise BackupUnwritable(folder=folder, cause="no right to write")
    except OSError as error:
        raise BackupUnwritable(folder=folder, cause=error.strerror) from error


def copy_embedded(settings: Settings, folder: Path, copied: Read) -> LogPart:
    """Copy the embedded log into a back-up's folder; `copied` is called with the bytes copied since its last call.

    Raises `NothingToBackUp`, `BackupUnwritable` or `LogNotCopied`.
    """
    source = settings.data_dir / LOG_FILE
    if not source.exists():
        raise NothingToBackUp(folder=settings.data_dir)
    size, free = source.stat().st_size, shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise BackupUnwritable(folder=folder, cause=f"{free} bytes are free, the log has {size}")
    done = 0

    def show(left: int, total: int) -> None:
        nonlocal done
        now = size * (total - left) // max(total, 1)
        copied(now - done)
        done = now

    try:
        target = folder / LOG_FILE
        target.touch(mode=0o600)
        return LogPart(cut_of(copy_log(source, target, show)), {})
    except BrokerError as error:
        raise LogNotCopied(cause=error) from error


def cut_of(ends: list[PartitionEnd]) -> Cut:
    """Ends of partitions by topic."""
    cut: Cut = {}
    for it in ends:
        cut.setdefault(it.topic, {})[it.partition] = it.offset
    return cut


def finish(
    settings: Settings, folder: Path, log: LogPart, shown_settings: list[dict[str, Any]], *, with_master_key: bool
) -> Manifest:
    """Add keys, access and settings to a back-up whose log is done, and complete it.

    `shown_settings` are the settings without secrets. Raises `BackupUnwritable` and the errors of the master key and of
    the keys' table.
    """
    try:
        keys = _back_up_keys(settings, folder, with_master_key=with_master_key)
        with closing(AccessTable(keys_url(settings))) as access:
            write_private(folder / ACCESS_FILE, access.exported())
        write_private(folder / SETTINGS_FILE, msgspec.json.format(msgspec.json.encode(shown_settings, enc_hook=str)))
        manifest = Manifest(
            format=FORMAT,
            version=metadata.version("bopis"),
            made_at=datetime.now(UTC),
            log=kind_of_log(settings),
            topic_prefix=settings.topic_prefix,
            partitions=settings.partitions,
            cut=log.cut,
            groups=log.groups,
            files=_sums(folder),
            keys=keys,
            has_master_key=(folder / MASTER_FILE).exists(),
        )
        write_manifest(folder, manifest)
        if keys:
            with closing(open_vault(settings)) as vault:
                vault.keys.note_whole(folder)
    except OSError as error:
        raise BackupUnwritable(folder=folder, cause=error.strerror) from error
    return manifest


def _back_up_keys(settings: Settings, folder: Path, *, with_master_key: bool) -> str:
    """Write the keys of customers, and the master key where it is wanted. Returns the name of the keys' file."""
    if master_key_of(settings) is None:
        return ""  # no customer has ordered yet
    with closing(open_vault(settings)) as vault:
        if with_master_key:
            write_private(folder / MASTER_FILE, vault.master.text)
        return vault.keys.back_up(folder, settings.keys_backup_days).name


def _sums(folder: Path) -> dict[str, FileSum]:
    """The checksums of the files that never change."""
    names = (LOG_FILE, ACCESS_FILE, SETTINGS_FILE, MASTER_FILE)
    return {name: sum_of(folder / name, lambda _: None) for name in names if (folder / name).exists()}
