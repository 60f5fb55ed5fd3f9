"""Errors of a migration of topics. Each docstring is the message.

MigrationError
+-- PrefixTaken         the new prefix is the old one
+-- NothingToMove       there is no stock topic under the old prefix
+-- WorkersRunning      workers still run on the topics
+-- NotDecided          the inventory has not decided every message
+-- HistoryCut          the first records of the stock topic are gone
+-- StoresSplit         messages of a store are in several partitions
+-- BooksDiffer         the rows are not the result of the messages
+-- TickTooLarge        a copied tick would exceed the limit of a message
+-- TargetMisfit        a topic of the new prefix has another number of partitions
+-- TargetInUse         a topic of the new prefix has other records
+-- TargetDiffers       the copy differs from the old topics
+-- OldMoved            the old topics have changed during the migration
"""

from bopis.errors import CONFLICT, NOT_FOUND, USAGE, BopisError


class MigrationError(BopisError):
    """The topics were not migrated."""

    exit_code = CONFLICT


class PrefixTaken(MigrationError):
    """The new prefix {prefix!r} is the current one. Give another prefix with --to-prefix, for example {prefix}v2."""

    exit_code = USAGE


class NothingToMove(MigrationError):
    """Topic {topic} does not exist, so there is nothing to migrate. Give the old prefix with --prefix; for a new
    installation set `partitions` and start it."""

    exit_code = NOT_FOUND


class WorkersRunning(MigrationError):
    """Workers still run: {groups}. Stop `bopis up` and every `bopis worker` (the log itself stays up: `bopis broker`),
    and every program that publishes to the log; then repeat."""


class NotDecided(MigrationError):
    """The inventory has not decided {records} messages of {topic} yet. Stop every program that publishes, run `bopis
    worker inventory` until `bopis status` shows no lag, stop it, then repeat."""


class HistoryCut(MigrationError):
    """{topic} partition {partition} begins at offset {first}. Without its first records the stores that its ticks
    affected cannot be found. Restore the topic from a backup."""


class StoresSplit(MigrationError):
    """Rows of store {stores} are in a partition of {topic} that the store does not belong in: an older version accepted
    messages that were published under another key than the store's code. Nothing was changed. Correct the publisher
    and mend the books first: `bopis stock mend-split STORE`."""


class BooksDiffer(MigrationError):
    """The rows of {topic} partition {partition} are not the result of its messages, first at {key!r}. Nothing was
    migrated. Run `bopis verify` and report it with a copy of the log."""


class TickTooLarge(MigrationError):
    """The tick at {topic} partition {partition} offset {offset} ended more holds of store {store} than one message can
    name, so it cannot be migrated. Report it with a copy of the log."""


class TargetMisfit(MigrationError):
    """{topic} exists with {found} partitions instead of {needed}. Use --partitions {found}, choose another prefix, or
    repeat with --restart to delete an unfinished attempt."""


class TargetInUse(MigrationError):
    """{topic} partition {partition} has {found} records, at most {expected} were expected: the new prefix is in use
    already, or another program has written to it. If an earlier migration finished, set topic_prefix to the new prefix;
    nothing more is needed. Otherwise choose another prefix, or delete an unfinished attempt with --restart."""


class TargetDiffers(MigrationError):
    """{topic} partition {partition} differs from the records to copy: another program has written to it, or the old
    topics have changed since an earlier attempt. Nothing was switched. Repeat with --restart to start over."""


class OldMoved(MigrationError):
    """{records} records were appended to {topic} during the migration, so it is incomplete. Stop every program that
    writes to the old prefix, let the inventory decide them (`bopis worker inventory`), stop it, and repeat with
    --restart."""
