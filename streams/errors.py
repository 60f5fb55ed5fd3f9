"""What can go wrong in a stream worker. Each docstring is the message: it says what to do next.

StreamError
+-- Fenced              another worker owns the partition: leave
+-- Overslept           this process did not run for longer than its session: leave
+-- LogAbsent           the log did not answer for too long
+-- LogNotRunning       the data directory has no running log
+-- LogRefused          the log gave an error that retrying does not mend
|   +-- RightMissing    the log's access rules do not allow it
|   +-- LogShut         the log does not let this worker in
+-- SeatsTaken          no name is left for a further worker on this machine
+-- Stalled             something stands still that should move
|   +-- NoProgress      records to decide, and none is
|   +-- CommitStalled   a commit does not come back
|   +-- RecoveryStalled a recovery loads nothing
|   +-- LoopBlocked     a step does not come back
+-- CommitTooLarge      one commit does not fit into one batch
+-- TopicMismatch       a topic exists, but not as needed
+-- RulesUnsound        a rules file of routing cannot be read
+-- ChannelsUnsound     a way to customers, or the key to their data, cannot be used
+-- SourceTruncated     records were removed before they were decided
+-- SourceReplaced      the source is younger than the changelog
+-- ChangelogBroken     the changelog contradicts itself
+-- ChangelogMoved      the changelog's beginning moved under a recovery
+-- PartitionStuck      seeking back does not close a gap
+-- ProcessorBroken     a bug in a processor
"""

from typing import ClassVar


class StreamError(Exception):
    """A stream worker cannot go on."""

    exit_code: ClassVar[int] = 70

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        words = " ".join((type(self).__doc__ or "").split())
        told = ", ".join(f"{name}={value!r}" for name, value in facts.items())
        super().__init__(f"{words} [{told}]" if told else words)


class Fenced(StreamError):
    """Another worker has taken this partition over, so nothing more may be written here. Nothing is lost: the
    other worker decides from the same log. Start this worker again if it should take part."""

    exit_code = 75


class Overslept(StreamError):
    """This process did not run for so long (stopped, or its machine was) that the group may have given its partitions
    to others. It leaves instead of guessing. Nothing is lost: whoever owns them decides from the same log. Start this
    worker again if it should take part."""

    exit_code = 75


class LogAbsent(StreamError):
    """The log did not answer for longer than `absence_s_max`. Start the log, then this worker; it goes on where
    it stopped."""


class LogNotRunning(StreamError):
    """Nothing serves the log of this data directory. Start it with "bopis up" or "bopis broker", or name another
    one with --broker."""

    exit_code = 69


class LogRefused(StreamError):
    """The log answered with an error that retrying does not mend. Look its name up in the protocol's list, mend
    the log, then start this worker again."""

    exit_code = 81


class RightMissing(LogRefused):
    """The log's access rules do not give this worker's user a right that it needs. Grant it (`bopis topics acls`
    shows what each part needs, with --commands how to say it), then start this worker again."""

    exit_code = 78


class LogShut(LogRefused):
    """The log does not let this worker in, and trying again would not change that. Mend what the cause names, then
    start this worker again."""

    exit_code = 78


class SeatsTaken(StreamError):
    """More workers of one processor run on this data directory than there are names for. Stop some, or give each
    further one a name of its own with --instance."""

    exit_code = 75


class Stalled(StreamError):
    """A worker stands still."""

    exit_code = 80


class NoProgress(Stalled):
    """Nothing was decided for longer than `stall_seconds`, although there are records to decide. The worker ends so
    that it can be started anew; if it stands still again at the same position, look at that record."""


class CommitStalled(Stalled):
    """A commit was on its way for longer than `commit_stall_seconds`. Nothing is lost: it is decided again after a
    start. Look whether the log takes writes: its disk, its replicas, its limits."""


class RecoveryStalled(Stalled):
    """Recovery loaded nothing for longer than `recovery_stall_seconds`, although it has not reached its claim. Look
    whether the log answers reads of the changelog, then start this worker again."""


class LoopBlocked(Stalled):
    """The worker's loop stood still for longer than `stall_seconds`: a step does not come back. It is a bug in the
    processor or in a library; the place is told."""


class CommitTooLarge(StreamError):
    """One commit does not fit into one batch of the changelog. Lower `commit_rows_max` or `slice_records_max`, or
    raise `commit_bytes_max` and the changelog's `max.message.bytes`."""


class TopicMismatch(StreamError):
    """A topic exists, but not as this worker needs it. Mend it as told, or choose another prefix."""

    exit_code = 78


class RulesUnsound(StreamError):
    """Routing cannot run with the rules that a setting names. Mend the file as told, or take the setting out."""

    exit_code = 78


class ChannelsUnsound(StreamError):
    """The notifier cannot run with its settings. Mend what is named, or take the setting out."""

    exit_code = 78


class SourceTruncated(StreamError):
    """Retention removed records of the source before they were decided. Restore them from a backup, or set
    `truncated_source_accepted` to go on with the oldest record that is left."""

    exit_code = 78


class SourceReplaced(StreamError):
    """The source ends before the position that the changelog holds: it is another topic than the one the rows
    were made from. Restore the source, or delete the changelog topic to decide everything anew."""

    exit_code = 78


class ChangelogBroken(StreamError):
    """The changelog contradicts itself, so the rows cannot be trusted. Delete the changelog topic: the rows are
    then made anew from the source."""

    exit_code = 78


class ChangelogMoved(StreamError):
    """Records of the changelog were removed while they were read. Nothing is lost: start this worker again, and it
    reads the changelog from its new beginning."""


class PartitionStuck(StreamError):
    """The log keeps giving records from beyond the position, however often it is asked to go back. Check the
    source topic's offsets, then start this worker again."""


class ProcessorBroken(StreamError):
    """A processor raised, which is a bug in it; the record was not skipped. Mend the processor and start it again:
    it meets the same record first."""
