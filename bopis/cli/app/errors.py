"""Errors of commands. Each docstring is the message and says what to do next.

CommandError
+-- SchemaDiffers           1   the tables are not those of this version
+-- Usage                   2   the command line is wrong
|   +-- NotConfirmed            a dangerous action needs a yes
|   +-- LineUnreadable          a line is not SKU=NUMBER
|   +-- QuantityUnreadable      a quantity is not a whole number of the article's unit
|   +-- KitHasNoShelf           a kit where only its components are counted
|   +-- TimeUnreadable          a time cannot be parsed
+-- NotFound                3   the named thing does not exist
|   +-- StoreUnknown            no such store
|   +-- SkuUnknown              no message about this SKU in this store
|   +-- CustomerUnknown         no such customer, or an erased one
|   +-- DeadLetterUnknown       no such dead letter
|   +-- TopicUnknown            no such topic
+-- Conflict                4   refused in the current state
|   +-- TopicsDoNotFit          existing topics cannot be used
|   +-- SettingBarred           a topic needs another setting
|   +-- PortTaken               the port is in use
|   +-- RoleTooStrong           the role may do more than read
+-- InvalidInput            5   a file or value is invalid
|   +-- ArgumentUnclean         a word contains a control character
|   +-- RowsBroken              rows of a file are invalid
+-- Unavailable            69   a required service does not run
+-- SettingsBroken         78   a setting cannot be used
+-- ReadSideDamaged        69   the file of the read side is damaged
+-- ReadSideMissing        69   no read side, or one of another version
+-- ReadSideUnreachable    69   the database does not answer
+-- TryAgain               75   not done in time
    +-- NotSeenInTime           the read side did not show it in time
"""

from bopis.errors import CONFIGURATION, CONFLICT, INVALID_INPUT, NOT_FOUND, TRY_AGAIN, UNAVAILABLE, USAGE, BopisError


class CommandError(BopisError):
    """The command failed."""


class SchemaDiffers(CommandError):
    """The tables differ from those of this version: {differences}. Run `bopis db upgrade`; if that does not help,
    `bopis readside rebuild` builds them again from the log."""


class Usage(CommandError):
    """{problem}"""

    exit_code = USAGE


class NotConfirmed(Usage):
    """{refusal}. Add --yes to confirm."""

    def __init__(self, *, refusal: str) -> None:
        super().__init__(refusal=refusal[0].upper() + refusal[1:])


class SettingsBroken(CommandError):
    """A setting is not valid: {problems}. Correct it where it comes from."""

    exit_code = CONFIGURATION


class LineUnreadable(Usage):
    """{text!r} is not a line. Write SKU=NUMBER, for example 852159=24, or one SKU and its number."""


class QuantityUnreadable(Usage):
    """{sku}: {problem}."""


class KitHasNoShelf(Usage):
    """{sku} is a kit and has no shelf of its own; name its components: {components}."""


class TimeUnreadable(Usage):
    """{text!r} is not a time. Write 2026-03-01T14:00, 2026-03-01T14:00:00+01:00, 14:00 (today), "yesterday 14:00",
    "tomorrow 14:00", 90m, 3h, 2d (ago), or "in 2d"."""


class NotFound(CommandError):
    """Not found: {what}."""

    exit_code = NOT_FOUND


class StoreUnknown(NotFound):
    """No store {store!r}{hint}. `bopis stores list` lists the stores, `bopis stores import FILE` adds some."""


class SkuUnknown(NotFound):
    """No message about SKU {sku!r} in store {store}. Codes compare exactly; `bopis stock find {sku}` searches all
    stores."""


class CustomerUnknown(NotFound):
    """No customer {customer}; erased customers are not found."""


class DeadLetterUnknown(NotFound):
    """No dead letter {name!r}. `bopis dead-letters list --all` lists them."""


class TopicUnknown(NotFound):
    """No topic {topic!r}{hint}. `bopis topics list` lists them."""


class Conflict(CommandError):
    """Refused: {cause}."""

    exit_code = CONFLICT


class TopicsDoNotFit(Conflict):
    """{count} of the topics cannot be used as they are; none was created. Problems and their remedies:"""


class SettingBarred(Conflict):
    """{topic} needs {setting} {needed}, not {found}. Nothing was changed."""


class PortTaken(Conflict):
    """Port {port} cannot be used ({cause}). Stop the program that uses it, or give --port 0 for a free port."""


class RoleTooStrong(Conflict):
    """{role} may do more than read ({because}), so it cannot be a reader. Choose a new name for the reader."""


class InvalidInput(CommandError):
    """{problem}"""

    exit_code = INVALID_INPUT


class ArgumentUnclean(InvalidInput):
    """The word {word!r} on the command line contains {found}. Type it without."""


class RowsBroken(InvalidInput):
    """{file}: {bad} {verb} not valid, the first in line {line}; nothing was sent. Correct the file, or import the other
    rows with --skip-bad."""


class Unavailable(CommandError):
    """{what} is not available. {next}"""

    exit_code = UNAVAILABLE


class ReadSideMissing(CommandError):
    """The read side {url} does not exist or has another version ({cause}). `bopis up` creates it; `bopis db upgrade`
    brings it to this version."""

    exit_code = UNAVAILABLE


class ReadSideUnreachable(CommandError):
    """The read side {url} cannot be reached: {cause}. Check that the database runs and that `bopis config show`
    shows the right URL."""

    exit_code = UNAVAILABLE


class ReadSideDamaged(CommandError):
    """The read side {url} is damaged ({cause}). `bopis up` sets the file aside and builds it again from the log."""

    exit_code = UNAVAILABLE


class TryAgain(CommandError):
    """{what}"""

    exit_code = TRY_AGAIN


class NotSeenInTime(TryAgain):
    """The log has it ({where}), but the read side did not show it within {seconds:g} s, so its effect is not known
    yet. It will be processed once: check with `bopis status`, do not send it again."""
