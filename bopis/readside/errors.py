"""What can go wrong on the read side. Each docstring is the message: it says what to do next.

ReadSideError
+-- RecordsMissing      records between the position and the batch were not handed over
+-- TopicUnknown        nothing is projected from this topic
+-- SchemaAbsent        the tables are not there, or are of another version
+-- DatabaseAway        the database does not answer; it may when asked again
    +-- UrlUnsupported      neither SQLite nor PostgreSQL
+-- RolesUnsupported    the database knows no roles
+-- RoleNameUnfit       no name for a role
+-- RoleTooStrong       the role may do more than read
+-- StoreUnknown        no such store
+-- CellUnknown         nothing was ever said about this SKU in this store
+-- OrderUnknown        no such order
+-- OrderUnclear        several orders begin so
+-- CursorInvalid       the cursor did not come from the page before
"""


class ReadSideError(Exception):
    """The read side cannot answer or go on."""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        words = " ".join((type(self).__doc__ or "").split())
        told = ", ".join(f"{name}={value!r}" for name, value in facts.items())
        super().__init__(f"{words} [{told}]" if told else words)


class RecordsMissing(ReadSideError):
    """Records between the position in the database and this batch were not handed over, so nothing was written.
    Read the partition again from the position + 1; if the log itself has a hole there, say where the read began."""

    def __init__(self, *, topic: str, partition: int, position: int, offset: int) -> None:
        super().__init__(topic=topic, partition=partition, position=position, offset=offset)
        self.topic = topic
        self.partition = partition
        self.position = position


class TopicUnknown(ReadSideError):
    """Nothing is projected from this topic. Check the topic prefix of this installation."""


class SchemaAbsent(ReadSideError):
    """The tables of the read side are not there, or are of another version. Run `bopis db upgrade`."""


class DatabaseAway(ReadSideError):
    """The database did not answer, so nothing was written. Start it, or free the disk or the lock that it waits
    for; a worker tries again by itself and goes on where it stopped."""


class UrlUnsupported(ReadSideError):
    """The read side is kept in SQLite or PostgreSQL. Use a URL that begins with sqlite:/// or
    postgresql+psycopg://."""


class RolesUnsupported(ReadSideError):
    """SQLite knows no roles. Give the reader's account the right to read the file and its directory, or keep the
    read side in PostgreSQL."""


class RoleNameUnfit(ReadSideError):
    """A role's name has small letters, digits and underscores, begins with a letter or underscore but not with
    pg_, and is at most 63 characters long. Choose another one."""


class RoleTooStrong(ReadSideError):
    """The role may do more than read, by what it owns, belongs to or is. Choose a new name for the reader."""


class StoreUnknown(ReadSideError):
    """No store has this id. Look it up with `bopis stores list`, or import the stores first."""


class CellUnknown(ReadSideError):
    """Nothing was ever said about this SKU in this store. Check the codes: they compare exactly."""


class OrderUnknown(ReadSideError):
    """No order has this number, or begins so. Check it, or find it with `bopis order list`."""

    exit_code = 3


class OrderUnclear(ReadSideError):
    """Several orders begin so. Give more characters of the number."""

    exit_code = 3


class CursorInvalid(ReadSideError):
    """The cursor did not come from the page before. Ask again without a cursor."""
