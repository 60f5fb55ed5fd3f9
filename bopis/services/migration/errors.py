"""Why a move is refused. Each docstring is the message and says what to do next.

MigrationError
+-- PrefixTaken         the new prefix is the old one
+-- NothingToMove       there is no stock topic under the old prefix
+-- WorkersRunning      somebody still works on the topics
+-- NotDecided          the inventory has not decided every message
+-- HistoryCut          the stock topic has lost its beginning
+-- StoresSplit         messages of a store stand in several partitions
+-- BooksDiffer         the rows are not what the messages come to
+-- TickTooLarge        a moved tick would be larger than a message may be
+-- TargetMisfit        a topic of the new prefix has another number of partitions
+-- TargetInUse         a topic of the new prefix holds something else
+-- TargetDiffers       what was copied is not what it must be
+-- OldMoved            the old topics have changed meanwhile
"""

from typing import ClassVar


class MigrationError(Exception):
    """The topics were not moved."""

    exit_code: ClassVar[int] = 4

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class PrefixTaken(MigrationError):
    """The new prefix {prefix!r} is the one in use. Give another one with --to-prefix, for example {prefix}v2."""

    exit_code = 2


class NothingToMove(MigrationError):
    """No topic {topic} is there, so nothing can be moved. Name the old prefix with --prefix; for a new installation
    set `partitions` and start it."""

    exit_code = 3


class WorkersRunning(MigrationError):
    """{groups} still works on the log. Stop `bopis up` and every `bopis worker` first (the log itself stays up:
    `bopis broker`), and whatever publishes to it; then repeat."""


class NotDecided(MigrationError):
    """The inventory has not decided {records} messages of {topic} yet. Stop what publishes, run `bopis worker
    inventory` until `bopis status` shows no lag, stop it, then repeat."""


class HistoryCut(MigrationError):
    """{topic} partition {partition} begins at offset {first}, so which stores its ticks were about is not known any
    more. Restore the topic from a backup."""


class StoresSplit(MigrationError):
    """Messages of store {stores} stand in more than one partition of {topic}: they were published under another key
    than the store's code, and were decided apart. No order of them all gives the same answers, so the topics stay as
    they are. Mend the publisher."""


class BooksDiffer(MigrationError):
    """The rows of {topic} partition {partition} are not what its messages come to, first at {key!r}. Run `bopis
    verify` and report it with a copy of the log; nothing was moved."""


class TickTooLarge(MigrationError):
    """The tick at {topic} partition {partition} offset {offset} ended more promises of store {store} than one message
    can name. Report it with a copy of the log; it cannot be moved."""


class TargetMisfit(MigrationError):
    """{topic} is there with {found} partitions, {needed} were asked for. Ask for {found}, choose another prefix, or
    repeat with --anew to delete an unfinished attempt."""


class TargetInUse(MigrationError):
    """{topic} partition {partition} holds {found} records, at most {expected} were expected: the new prefix is in use
    already, or somebody else has written to it. If the move had finished, there is nothing more to do: set
    topic_prefix to it. Otherwise choose another prefix, or repeat with --anew to delete an unfinished attempt."""


class TargetDiffers(MigrationError):
    """{topic} partition {partition} does not hold what was to be copied: somebody else has written to it, or the old
    topics have changed since an earlier attempt. Nothing was switched. Repeat with --anew to begin again."""


class OldMoved(MigrationError):
    """{records} records came to {topic} during the move, so it is not complete. Stop who writes to the old prefix, let
    the inventory decide them (`bopis worker inventory`), stop it, and repeat with --anew."""
