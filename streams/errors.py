"""Errors of a stream worker. Each docstring is the message: it says what to do next.

StreamError
+-- Fenced              another worker owns the partition: leave
+-- Overslept           this process did not run for longer than its session: leave
+-- LogAbsent           the log did not answer for too long
+-- LogNotRunning       the data directory has no running log
+-- LogRefused          the log gave an error that retrying does not mend
|   +-- RightMissing    the log's access rules do not allow it
|   +-- AccessRefused   the log refuses this worker's connections
+-- InstanceNamesTaken  no name is left for a further worker on this machine
+-- Stalled             something that should make progress makes none
|   +-- NoProgress      there are records to decide, and none is decided
|   +-- CommitStalled   a commit does not return
|   +-- RecoveryStalled a recovery loads nothing
|   +-- LoopBlocked     a step does not return
|   +-- OutOfGroup      the worker is not a member of its group, although the log answers
+-- RoutineDied         a background routine of the Kafka client ended
+-- CommitTooLarge      one commit does not fit into one batch
+-- TopicMismatch       a topic exists, but not as needed
+-- RulesUnsound        a rules file of routing cannot be read
+-- ChannelsUnsound     a channel to customers, or the key to their data, cannot be used
+-- ReadSideUnsound     the read side's tables are not those of this version
+-- ReadSideDamaged     the file of the read side was damaged and set aside
+-- ReadSideReplaced    the tables of the read side were dropped and made again
+-- SourceTruncated     records were removed before they were decided
+-- SourceReplaced      the source is younger than the changelog
+-- ChangelogBroken     the changelog contradicts itself
+-- ChangelogMoved      the changelog's beginning moved under a recovery
+-- PartitionStuck      seeking back does not close a gap
+-- ProcessorBroken     a bug in a processor
"""

from bopis.errors import CONFIGURATION, INTERNAL_FAULT, LOG_REFUSED, STALLED, TRY_AGAIN, UNAVAILABLE, BopisError


class StreamError(BopisError):
    """A stream worker cannot continue."""

    exit_code = INTERNAL_FAULT
    shows_facts = True


class Fenced(StreamError):
    """Another worker has taken this partition over, so nothing more may be written here. Nothing is lost: the
    other worker decides from the same log. Start this worker again if it should take part."""

    exit_code = TRY_AGAIN


class Overslept(StreamError):
    """This process did not run for so long (stopped, or its machine was) that the group may have given its partitions
    to others. It leaves instead of guessing. Nothing is lost: their owner decides from the same log. Start this worker
    again if it should take part."""

    exit_code = TRY_AGAIN


class LogAbsent(StreamError):
    """The log did not answer for longer than `absence_s_max`. Start the log, then this worker; it continues
    where it stopped."""


class LogNotRunning(StreamError):
    """Nothing serves the log of this data directory. Start it with "bopis up" or "bopis broker", or name another
    one with --broker."""

    exit_code = UNAVAILABLE


class LogRefused(StreamError):
    """The log answered with an error that retrying does not mend. Look its name up in the protocol's list, mend
    the log, then start this worker again."""

    exit_code = LOG_REFUSED


class RightMissing(LogRefused):
    """The log's access rules do not give this worker's user a right that it needs. Grant it (`bopis topics acls`
    shows the rights of each part, with --commands the commands that grant them), then start this worker again."""

    exit_code = CONFIGURATION


class AccessRefused(LogRefused):
    """The log refuses this worker's connections, and trying again would not change that. Mend what the cause names,
    then start this worker again."""

    exit_code = CONFIGURATION


class InstanceNamesTaken(StreamError):
    """More workers of one processor run on this data directory than there are names for. Stop some, or give each
    further one a name of its own with --instance."""

    exit_code = TRY_AGAIN


class Stalled(StreamError):
    """A worker makes no progress."""

    exit_code = STALLED


class NoProgress(Stalled):
    """Nothing was decided for longer than `stall_seconds`, although there are records to decide. The worker ends so
    that it can be started again; if it stalls again at the same position, look at that record."""


class CommitStalled(Stalled):
    """A commit was in flight for longer than `commit_stall_seconds`. Nothing is lost: its records are decided
    again after a start. Check whether the log takes writes: its disk, its replicas, its limits."""


class RecoveryStalled(Stalled):
    """Recovery loaded nothing for longer than `recovery_stall_seconds`, although it has not reached its claim. Check
    whether the log answers reads of the changelog, then start this worker again."""


class LoopBlocked(Stalled):
    """The worker's event loop did not run for longer than `stall_seconds`: a step does not return. It is a bug in the
    processor or in a library; the place is named."""


class OutOfGroup(Stalled):
    """This worker was not a member of its group for longer than `group_stall_s`, although the log answers. Nothing is
    lost. The worker ends and joins again after a restart; if that repeats, check the group's other members."""


class RoutineDied(StreamError):
    """A background routine of the Kafka client ended with an error, so everything that needs it would wait for ever.
    Nothing is lost. The worker ends and starts again; report the error if it repeats."""

    exit_code = STALLED


class CommitTooLarge(StreamError):
    """One commit does not fit into one batch of the changelog. Lower `commit_rows_max` or `slice_records_max`, or
    raise `commit_bytes_max` and the changelog's `max.message.bytes`."""


class TopicMismatch(StreamError):
    """A topic exists, but not as this worker needs it. Mend it as shown, or choose another prefix."""

    exit_code = CONFIGURATION


class RulesUnsound(StreamError):
    """Routing cannot run with the rules that a setting names. Mend the file as shown, or remove the setting."""

    exit_code = CONFIGURATION


class ChannelsUnsound(StreamError):
    """The notifier cannot run with its settings. Mend what is named, or remove the setting."""

    exit_code = CONFIGURATION


class ReadSideUnsound(StreamError):
    """The projection cannot write to the read side as it is. Do what the cause says, then start it again."""

    exit_code = CONFIGURATION


class ReadSideDamaged(StreamError):
    """The file of the read side was damaged. It was set aside; the next start fills a new one from the log, and nothing
    is lost."""

    exit_code = TRY_AGAIN


class ReadSideReplaced(StreamError):
    """The tables of the read side were dropped and made again. The next start fills them from the log, and nothing is
    lost."""

    exit_code = TRY_AGAIN


class SourceTruncated(StreamError):
    """Retention removed records of the source before they were decided. Restore them from a backup, or set
    `truncated_source_accepted` to continue with the oldest record that is left."""

    exit_code = CONFIGURATION


class SourceReplaced(StreamError):
    """The source ends before the position that the changelog holds: it is another topic than the one the rows
    were made from. Restore the source, or delete the changelog topic to decide everything again."""

    exit_code = CONFIGURATION


class ChangelogBroken(StreamError):
    """The changelog contradicts itself, so the rows cannot be trusted. Delete the changelog topic: the rows are
    then made again from the source."""

    exit_code = CONFIGURATION


class ChangelogMoved(StreamError):
    """Records of the changelog were removed while they were read. Nothing is lost: start this worker again, and it
    reads the changelog from its new beginning."""


class PartitionStuck(StreamError):
    """The log returns records from beyond the position, however often the worker seeks back. Check the source topic's
    offsets, then start this worker again."""


class ProcessorBroken(StreamError):
    """A processor raised, which is a bug in it; the record was not skipped. Mend the processor and start it again:
    it decides the same record first."""
