"""Errors of the journal. Each docstring is the message.

JournalError
+-- JournalFull            no space is left, or the journal reached its limit
+-- JournalBusy            another program writes into the journal
+-- JournalDamaged         the file cannot be read
+-- JournalFailed          the disk failed
+-- JournalFormatUnknown   the file is of another version
+-- JournalOfAnotherStore  the directory has the journal of another store
+-- JournalMissing         the directory has no journal
+-- ChangeUnknown          no changed basket has this number
+-- ChangeNotBookable      the difference of a changed basket cannot be computed
+-- NotKept                messages to send again are no longer in the journal
+-- ActionChanged          the id of an action was used with other content
FileRefused                a file of a source cannot be read on; its message is the cause
"""

from bopis.errors import CONFIGURATION, CONFLICT, NOT_FOUND, TRY_AGAIN, UNAVAILABLE, BopisError


class JournalError(BopisError):
    """The journal cannot be used."""

    exit_code = UNAVAILABLE


class JournalFull(JournalError):
    """The journal {path} takes no more messages: {cause}. Nothing of this message was stored; send it again later. Free
    disk space, or let the agent send: `bopis agent status` shows what waits."""

    exit_code = TRY_AGAIN


class JournalBusy(JournalError):
    """Another program has been writing into the journal {path} for {seconds} s. Try again; a message that is repeated
    counts once."""

    exit_code = TRY_AGAIN


class JournalDamaged(JournalError):
    """The journal {path} is damaged: {cause}. Move it away and start again: a new journal has names of its own for its
    sources. Keep the damaged file, and drop the tills' files of the last days once more."""


class JournalFailed(JournalError):
    """The journal {path} cannot be written: {cause}. Check the disk and the rights on its directory, then start
    again."""


class JournalFormatUnknown(JournalError):
    """The journal {path} has format {found}, and this version knows {known}. Use the version that wrote it."""

    exit_code = CONFIGURATION


class JournalOfAnotherStore(JournalError):
    """The journal {path} is of {found}, not of {wanted}. Give the right store, or another directory: what is in a
    journal cannot change its store."""

    exit_code = CONFIGURATION


class JournalMissing(JournalError):
    """There is no journal in {directory}. Start the agent with `bopis agent run --store STORE`, or give its directory
    with --data-dir."""

    exit_code = NOT_FOUND


class ChangeUnknown(JournalError):
    """No changed basket has the number {number}. `bopis agent rejects` lists them."""

    exit_code = NOT_FOUND


class ChangeNotBookable(JournalError):
    """The difference of changed basket {number} cannot be booked: {cause}. Correct the books with `bopis stock adjust`
    or a count, then discard it: bopis agent accept {number} --discard"""

    exit_code = CONFLICT


class NotKept(JournalError):
    """The journal keeps acknowledged messages from position {first} on; {wanted} is no longer there. Name a later
    position."""

    exit_code = NOT_FOUND


class ActionChanged(JournalError):
    """The id {id} was used before for something else. Nothing was done; send it under an id of its own."""

    exit_code = CONFLICT


class FileRefused(Exception):
    """A file of a source that cannot be read on; the message is the cause. Other files do not wait for it."""
