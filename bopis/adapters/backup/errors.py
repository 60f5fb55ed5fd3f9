"""Errors of back-ups. Each docstring is the message.

BackupError
+-- BackupFolderUsed     the folder for a back-up has something in it
+-- BackupUnwritable     the folder for a back-up cannot be written
+-- NothingToBackUp      there is no log to back up
+-- LogNotCopied         the log cannot be copied
+-- BackupUnreadable     the folder has no complete back-up
+-- BackupDamaged        a file of the back-up is not as it was written
+-- BackupUnfit          the back-up is of an installation with other settings
+-- RestoreTargetUsed    a restore would overwrite something
+-- TopicsBehindBackup   the topics of Apache Kafka end before the cut of the back-up
"""

from bopis.errors import CONFIGURATION, CONFLICT, INVALID_INPUT, NOT_FOUND, BopisError


class BackupError(BopisError):
    """The back-up was not made, or not restored."""


class BackupFolderUsed(BackupError):
    """{folder} is not empty. Each back-up has a folder of its own: name a new one."""

    exit_code = CONFLICT


class BackupUnwritable(BackupError):
    """{folder} cannot be written ({cause}). Choose another folder, or free some space; remove what is in it before you
    try again."""


class NothingToBackUp(BackupError):
    """{folder} has no log. Give the directory of an installation with --data-dir."""

    exit_code = NOT_FOUND


class LogNotCopied(BackupError):
    """The log was not copied: {cause}"""


class BackupUnreadable(BackupError):
    """{folder} has no complete back-up ({cause}). Use another back-up; one that was interrupted has no backup.json."""

    exit_code = INVALID_INPUT


class BackupDamaged(BackupError):
    """The back-up is damaged: {file} {cause}. Nothing was restored; use another back-up."""

    exit_code = INVALID_INPUT


class BackupUnfit(BackupError):
    """The back-up is of an installation with {name} {found}, here it is {here}. Set {name} as it was; nothing was
    restored."""

    exit_code = CONFIGURATION


class RestoreTargetUsed(BackupError):
    """{folder} has {files}, which a restore would overwrite. Move that away, or give another --data-dir."""

    exit_code = CONFLICT


class TopicsBehindBackup(BackupError):
    """The topics end before the cut of the back-up: {places}. Restore them with the tools of Apache Kafka first; no key
    was restored."""

    exit_code = CONFLICT
