"""What can go wrong on the way to the log. Each docstring is the message and says what to do next.

AdapterError
+-- NothingRuns         the embedded log is not up
+-- LogUnavailable      nobody answers at the log's address
+-- TopicMissing        the topic is not there
+-- RecordTooLarge      the log takes no record of this size
+-- NotAcknowledged     whether the record is in the log is not known
+-- LogRefused          the log answered with an error
+-- ReadStalled         the log stopped sending records
+-- BrokerAddressBroken the setting `broker` is no address
"""

from typing import ClassVar


class AdapterError(Exception):
    """Something outside did not do what was asked of it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class NothingRuns(AdapterError):
    """No log is running on {data_dir}. Start it with `bopis up`, or name another place with --data-dir or
    --broker."""

    exit_code = 69


class LogUnavailable(AdapterError):
    """The log at {address} does not answer ({cause}). Check that it runs (`bopis doctor`), then try again."""

    exit_code = 69


class TopicMissing(AdapterError):
    """Topic {topic} does not exist in the log. `bopis up` creates the topics; for another prefix give --prefix."""

    exit_code = 69


class RecordTooLarge(AdapterError):
    """The log takes no record of this size on topic {topic}. Send it in parts."""

    exit_code = 5


class NotAcknowledged(AdapterError):
    """The log did not acknowledge the record on topic {topic} in time, so it may or may not be there. Repeat the
    command with the same --id: what arrived already is not taken twice."""

    exit_code = 75


class LogRefused(AdapterError):
    """The log refused: {cause}. Look at the log's own messages, then try again."""


class ReadStalled(AdapterError):
    """The log has sent nothing for {seconds} s although records are missing up to offset {end} of {topic}
    partition {partition}. Check the log with `bopis doctor`, then try again."""

    exit_code = 75


class BrokerAddressBroken(AdapterError):
    """{broker!r} is no address of a log. Write 'embedded', or kafka://HOST:PORT[,HOST:PORT]."""

    exit_code = 2
