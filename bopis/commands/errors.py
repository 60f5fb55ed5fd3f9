"""What a command can say instead of an answer. Each docstring is the message and says what to do next.

CommandError
+-- Usage           2   the words on the command line do not fit
+-- NotFound        3   what was named is not there
+-- Conflict        4   refused, as things stand
+-- InvalidInput    5   a file or value is not sound
+-- Unavailable    69   something that is needed does not run
+-- TryAgain       75   it did not happen in time
"""

from typing import ClassVar

EXIT_CODES = {
    0: "ok",
    1: "error, or a check found something",
    2: "usage: the words on the command line do not fit",
    3: "not found",
    4: "conflict, or refused as things stand",
    5: "invalid input",
    69: "unavailable: something that is needed does not run",
    70: "internal fault; what was acknowledged is safe",
    75: "try again: it did not happen in time",
    78: "configuration: a topic or a limit does not fit, starting again would not help",
    80: "a worker stood still and ended itself; it may be started again",
    81: "the log refused what a worker wrote or asked; its name is told",
    130: "interrupted",
}


class CommandError(Exception):
    """The command failed."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class SchemaDiffers(CommandError):
    """The tables differ from what this version needs: {differences}. `bopis db upgrade` brings them to it; if that
    does not help, `bopis readside rebuild` makes them anew from the log."""


class Usage(CommandError):
    """{problem}"""

    exit_code = 2


class NotConfirmed(Usage):
    """Not done: {action} needs a yes. Give --yes to say it in advance."""


class SettingsBroken(Usage):
    """A setting is not sound: {problems}. Correct it where it comes from."""


class LineUnreadable(Usage):
    """{text!r} is no line. Write SKU=NUMBER, for example 852159=24, or one SKU and its number."""


class TimeUnreadable(Usage):
    """{text!r} is no time. Write 2026-03-01T14:00, 2026-03-01T14:00:00+01:00, 14:00 (today), "yesterday 14:00",
    "tomorrow 14:00", 90m, 3h, 2d (ago), or "in 2d"."""


class NotFound(CommandError):
    """Not found: {what}."""

    exit_code = 3


class StoreUnknown(NotFound):
    """No store {store!r} is known{hint}. `bopis stores list` names them, `bopis stores import FILE` adds some."""


class SkuUnknown(NotFound):
    """Nothing was ever said about SKU {sku!r} in store {store}. Codes compare exactly; `bopis stock find {sku}`
    looks in all stores."""


class DeadLetterUnknown(NotFound):
    """No dead letter {name!r}. `bopis dead-letters list --all` names them."""


class TopicUnknown(NotFound):
    """No topic {topic!r}{hint}. `bopis topics list` names them."""


class Conflict(CommandError):
    """Refused: {cause}."""

    exit_code = 4


class Parked(Conflict):
    """Not taken: {cause}. The message waits in `bopis dead-letters show {name}`."""


class TopicsDoNotFit(Conflict):
    """{count} of the topics cannot be used as they are, nothing was created. What is wrong and what mends it:"""


class SettingBarred(Conflict):
    """{topic} needs {setting} {needed}, not {found}. Nothing was set."""


class PortTaken(Conflict):
    """Port {port} cannot be used ({cause}). Stop who has it, or give --port 0 for a free one."""


class RoleTooStrong(Conflict):
    """{role} may do more than read ({because}), so it is no reader. Choose a new name for it."""


class InvalidInput(CommandError):
    """{problem}"""

    exit_code = 5


class FileUnreadable(InvalidInput):
    """{file}: {cause}. Check the path and that the file is CSV or NDJSON in UTF-8."""


class RowsBroken(InvalidInput):
    """{file}: {bad} of {rows} rows are not sound, nothing was sent. Correct them, or import the rest with
    --skip-bad."""


class Unavailable(CommandError):
    """{what} is not available. {next}"""

    exit_code = 69


class ReadSideMissing(CommandError):
    """The read side {url} is not there or not at this version ({cause}). `bopis up` makes it; `bopis db upgrade`
    brings it to this version."""

    exit_code = 69


class ReadSideUnreachable(CommandError):
    """The read side {url} cannot be reached: {cause}. Check that the database runs and that `bopis config show`
    names the right one."""

    exit_code = 69


class TryAgain(CommandError):
    """{what}"""

    exit_code = 75


class NotSeenInTime(TryAgain):
    """The log has it ({where}), but the read side did not show it within {seconds:g} s, so its effect is
    not known yet. It will be taken once, later: look with `bopis status`, do not send it again."""
