"""The write transaction of the projection, on the driver's own connection: text in, tuples out.

A transaction of a few baskets has about ten statements of a few rows each. Through SQLAlchemy's execution they cost as
much as the database itself (decision 9), so the pool and the failures are SQLAlchemy's and the statements go straight
to the driver.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from bopis.readside.changes import Row
from bopis.readside.engine import SQLITE, is_transient, kind_of
from bopis.readside.errors import DatabaseAway, TextNotStorable

# A NUL as the driver refuses it, and as the server does in a COPY.
NUL_SIGNS = ("NUL (0x00)", 'byte sequence for encoding "UTF8": 0x00')


class Transaction:
    """Statements of one transaction. `dialect` is ``sqlite`` or ``postgresql``."""

    __slots__ = ("_connection", "_cursor", "dialect")

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.dialect = dialect

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query."""
        found: list[Any] = self._cursor.execute(statement, values).fetchall()
        return found

    def execute(self, statement: str, rows: Sequence[Row]) -> None:
        """Execute a statement once per row of values."""
        if len(rows) > 1:
            self._cursor.executemany(statement, rows)
        elif rows:
            self._cursor.execute(statement, rows[0])

    def copy(self, statement: str, rows: Iterable[Row]) -> None:
        """Send rows by COPY; PostgreSQL only."""
        with self._cursor.copy(statement) as copy:
            write = copy.write_row
            for row in rows:
                write(row)


@contextmanager
def transaction(engine: Engine) -> Iterator[Transaction]:
    """A transaction that is committed as a whole at the end, or rolled back.

    Raises `DatabaseAway` when the database does not answer and a retry may succeed, and `TextNotStorable` for a text
    with a NUL in PostgreSQL.
    """
    driver: Any = engine.dialect.loaded_dbapi
    connection: Any = None
    try:
        connection = engine.raw_connection()
        if kind_of(engine) == SQLITE:
            # A deferred transaction could read first and then fail to get the write lock.
            connection.driver_connection.execute("BEGIN IMMEDIATE")
        yield Transaction(connection.driver_connection, kind_of(engine))
        connection.commit()
    except BaseException as error:
        # The driver is used without SQLAlchemy's wrapping, so its own exceptions arrive here.
        transient = isinstance(error, driver.OperationalError | driver.InterfaceError) and is_transient(error)
        if connection is not None:
            _roll_back(connection, broken=transient)
        if transient:
            raise DatabaseAway(cause=str(error)) from error
        if isinstance(error, driver.DataError) and any(sign in str(error) for sign in NUL_SIGNS):
            raise TextNotStorable(cause=str(error)) from error
        raise
    connection.close()


def _roll_back(connection: Any, broken: bool) -> None:
    """Discard a connection that may be broken; return any other to the pool, which rolls it back."""
    if broken:
        connection.invalidate()
    else:
        connection.close()
