"""Errors of the read side. Each docstring is the message and says what to do next.

ReadSideError
+-- RecordsMissing      records between the position and the batch were not passed
+-- TopicNotProjected   the topic is not projected
+-- SchemaAbsent        the tables do not exist, or are of another version
+-- DatabaseAway        the database does not answer; a retry may succeed
+-- TextNotStorable     a text contains a NUL, which PostgreSQL cannot store
+-- UrlUnsupported      neither SQLite nor PostgreSQL
+-- RolesUnsupported    the database has no roles
+-- RoleNameUnfit       no name for a role
+-- RoleNotReadOnly     the role may do more than read
+-- StoreAbsent         no such store
+-- CellUnknown         no message about this SKU in this store
+-- CursorInvalid       the cursor is not from the previous page
"""

from bopis.errors import BopisError


class ReadSideError(BopisError):
    """The read side failed."""

    shows_facts = True


class RecordsMissing(ReadSideError):
    """Records between the position in the database and this batch were not passed, so nothing was written. Read the
    partition again from the position + 1; if the log itself has a hole there, say where the read began."""

    def __init__(self, *, topic: str, partition: int, position: int, offset: int) -> None:
        super().__init__(topic=topic, partition=partition, position=position, offset=offset)
        self.topic = topic
        self.partition = partition
        self.position = position


class TopicNotProjected(ReadSideError):
    """This topic is not projected. Check the topic prefix of this installation."""


class SchemaAbsent(ReadSideError):
    """The tables of the read side do not exist, or are of another version. Run `bopis db upgrade`."""


class DatabaseAway(ReadSideError):
    """The database did not answer, so nothing was written. Start it, or free the disk or the lock that it waits
    for; a worker retries by itself and resumes where it stopped."""


class TextNotStorable(ReadSideError):
    """A text contains a NUL, which PostgreSQL cannot store. It is written again with another character in its place."""


class UrlUnsupported(ReadSideError):
    """The read side is kept in SQLite or PostgreSQL. Use a URL that begins with sqlite:/// or
    postgresql+psycopg://."""


class RolesUnsupported(ReadSideError):
    """SQLite has no roles. Give the reader's account the right to read the file and its directory, or keep the
    read side in PostgreSQL."""


class RoleNameUnfit(ReadSideError):
    """A role's name has small letters, digits and underscores, begins with a letter or underscore but not with
    pg_, and is at most 63 characters long. Choose another one."""


class RoleNotReadOnly(ReadSideError):
    """The role may do more than read, through its attributes, its tables or its roles. Choose a new name for the
    reader."""


class StoreAbsent(ReadSideError):
    """No store has this id. Look it up with `bopis stores list`, or import the stores first."""


class CellUnknown(ReadSideError):
    """There is no message about this SKU in this store. Check the codes: they compare exactly."""


class CursorInvalid(ReadSideError):
    """The cursor is not from the previous page. Ask again without a cursor."""
