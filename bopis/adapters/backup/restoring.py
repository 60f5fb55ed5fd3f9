"""Restores a back-up into an installation that has lost its log, its keys, or both.

Everything is checked first. The log takes its name last: until then an interrupted restore leaves an installation
without a log, and can be repeated.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from bopis.adapters.backup.errors import BackupDamaged, LogNotCopied, RestoreTargetUsed, TopicsBehindBackup
from bopis.adapters.backup.making import ACCESS_FILE, cut_of
from bopis.adapters.backup.manifest import Cut, Manifest, Read, require_sum, write_private
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.errors import MasterKeyMissing
from bopis.adapters.secrets.master import FILE_NAME as MASTER_FILE
from bopis.adapters.secrets.vault import keys_url, master_key_of, open_vault
from bopis.broker.errors import BrokerError
from bopis.broker.files import LOG_FILE
from bopis.broker.storage.copying import check_copy
from bopis.broker.storage.directory_lock import DirectoryLock
from bopis.ports import Offsets
from bopis.settings import Settings

# SQLite would apply a write-ahead log that is left of another file.
LEFT_OVERS = ("", "-wal", "-shm", "-journal")
PLACES_SHOWN = 5


class RestoredSecrets(NamedTuple):
    """How many keys of customers, and records of access, were missing and are restored."""

    customers: int
    access: int


def check_files(folder: Path, manifest: Manifest, read: Read) -> None:
    """Compare every file of a back-up with its checksum. Raises `BackupDamaged`."""
    for name, wanted in manifest.files.items():
        require_sum(folder, name, wanted, read)
    if manifest.keys and not (folder / manifest.keys).exists():
        raise BackupDamaged(file=folder / manifest.keys, cause="is missing")


@contextmanager
def log_restored(folder: Path, manifest: Manifest, data_dir: Path, read: Read) -> Iterator[None]:
    """Copy the embedded log of a back-up into a data directory that has none; it gets its name when the block ends
    without an error. Meanwhile no log can start there.

    Raises `RestoreTargetUsed`, `BackupDamaged` or `LogNotCopied`.
    """
    target, part = data_dir / LOG_FILE, data_dir / f"{LOG_FILE}.restoring"
    try:
        with DirectoryLock(data_dir):
            used = [f"{LOG_FILE}{end}" for end in LEFT_OVERS if (data_dir / f"{LOG_FILE}{end}").exists()]
            if used:
                raise RestoreTargetUsed(folder=data_dir, files=" and ".join(used))
            part.unlink(missing_ok=True)
            _copy(folder / LOG_FILE, part)
            # The copy is checked rather than the original: what counts is what arrived on this disk.
            require_sum(data_dir, part.name, manifest.files[LOG_FILE], read)
            if cut_of(check_copy(part)) != manifest.cut:
                raise BackupDamaged(file=folder / LOG_FILE, cause="has another cut than the manifest")
            yield
            part.replace(target)
            _sync(data_dir)
    except BrokerError as error:
        raise LogNotCopied(cause=error) from error
    except OSError as error:
        raise LogNotCopied(
            cause=f"{error.filename or data_dir}: {error.strerror}. Free some space, or check the disk."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def require_cut(cut: Cut, ends: Offsets, prefix: str) -> None:
    """Raise `TopicsBehindBackup` unless topics reach the cut of a back-up; `ends` are without the prefix."""
    behind = [
        f"{topic}/{partition} at {ends.get((topic.removeprefix(prefix), partition), 0)} of {offset}"
        for topic, offsets in cut.items()
        for partition, offset in offsets.items()
        if ends.get((topic.removeprefix(prefix), partition), 0) < offset
    ]
    if behind:
        more = f" and {len(behind) - PLACES_SHOWN} more" if len(behind) > PLACES_SHOWN else ""
        raise TopicsBehindBackup(places=", ".join(behind[:PLACES_SHOWN]) + more)


def restore_secrets(settings: Settings, folder: Path, manifest: Manifest) -> RestoredSecrets:
    """Restore the keys of customers and the access over HTTP that are missing; what is there already stays.

    Customers who were erased stay erased, as far as the installation or the back-up knows. Raises `MasterKeyMissing`,
    `MasterKeyDiffers` or `KeyBackupInvalid`.
    """
    customers = 0
    if manifest.keys:
        place = settings.master_key_file or settings.data_dir / MASTER_FILE
        if master_key_of(settings) is None:
            if not manifest.has_master_key:
                raise MasterKeyMissing(path=place)
            write_private(place, (folder / MASTER_FILE).read_bytes())
        with closing(open_vault(settings)) as vault:
            customers = vault.keys.restore(folder / manifest.keys)
    with closing(AccessTable(keys_url(settings))) as access:
        return RestoredSecrets(customers, access.restore((folder / ACCESS_FILE).read_bytes()))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o644)
    _sync(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
