"""The writing transaction of the projection, on the driver's own connection: text in, tuples out.

A transaction of a few baskets has about ten statements of a few rows each. Through SQLAlchemy's execution they cost
as much as the database itself, so here the pool and the failures are SQLAlchemy's and the statements go straight to
the driver.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from bopis.readside.changes import Row
from bopis.readside.engine import SQLITE, kind_of, may_pass
from bopis.readside.errors import DatabaseAway


class Transaction:
    """Statements of one transaction. ``dialect`` is ``sqlite`` or ``postgresql``."""

    __slots__ = ("_connection", "_cursor", "dialect")

    def __init__(self, connection: Any, dialect: str) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.dialect = dialect

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a query finds."""
        found: list[Any] = self._cursor.execute(statement, values).fetchall()
        return found

    def run(self, statement: str, rows: Sequence[Row]) -> None:
        """Execute a statement once per row."""
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
    """A transaction that is there as a whole afterwards, or not at all.

    Raises `DatabaseAway` when the database does not answer, but may later.
    """
    driver: Any = engine.dialect.loaded_dbapi
    connection: Any = None
    try:
        connection = engine.raw_connection()
        if kind_of(engine) == SQLITE:
            connection.driver_connection.execute("BEGIN IMMEDIATE")
        yield Transaction(connection.driver_connection, kind_of(engine))
        connection.commit()
    except BaseException as error:
        passing = isinstance(error, driver.OperationalError | driver.InterfaceError) and may_pass(error)
        if connection is not None:
            _undo(connection, broken=passing)
        if passing:
            raise DatabaseAway(cause=str(error)) from error
        raise
    connection.close()


def _undo(connection: Any, broken: bool) -> None:
    """Roll back by giving the connection up where it may be broken, and for use again where it is not."""
    if broken:
        connection.invalidate()
    else:
        # The pool rolls back what is given back unfinished.
        connection.close()
