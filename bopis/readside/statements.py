"""Changes as SQL: the same text for SQLite and PostgreSQL but for the placeholders, many rows per call.

PostgreSQL takes large numbers of rows faster by COPY: appended rows go straight into their table, rows put under a
key go through a temporary table and are merged from there.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from bopis.readside.changes import Changes, Row
from bopis.readside.engine import SQLITE
from bopis.readside.errors import DatabaseAway
from bopis.readside.schema import metadata

COPY_ROWS_MIN = 64


def apply(connection: Connection, changes: Changes) -> None:
    """Write the changes in the transaction of the connection."""
    for name, rows in changes.appended.items():
        if rows:
            append(connection, metadata.tables[name], rows)
    for name, families in changes.replaced.items():
        table = metadata.tables[name]
        parent = tuple(column.name for column in table.primary_key)[: len(next(iter(families)))]
        run(connection, _delete(name, parent, connection.dialect.name), list(families))
        append(connection, table, [row for rows in families.values() for row in rows])
    for name, rows_by_key in changes.put.items():
        table = metadata.tables[name]
        put(connection, table, [row for row in rows_by_key.values() if row is not None])
        take_away(connection, table, [key for key, row in rows_by_key.items() if row is None])


def append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that cannot be there yet."""
    if connection.dialect.name != SQLITE and len(rows) >= COPY_ROWS_MIN:
        _copy(connection, f"COPY {_quoted(table.name)} ({columns(table.name)}) FROM STDIN", rows)
    else:
        run(connection, _insert(table.name, connection.dialect.name), rows)


def put(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or put them in the place of those with the same key."""
    if connection.dialect.name == SQLITE or len(rows) < COPY_ROWS_MIN:
        run(connection, _upsert(table.name, connection.dialect.name), rows)
        return
    name, incoming, names = _quoted(table.name), _quoted(f"incoming_{table.name}"), columns(table.name)
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {name}) ON COMMIT DELETE ROWS")
    _copy(connection, f"COPY {incoming} ({names}) FROM STDIN", rows)
    connection.exec_driver_sql(
        f"INSERT INTO {name} ({names}) SELECT {names} FROM {incoming} {_on_conflict(table.name)}"
    )
    connection.exec_driver_sql(f"DELETE FROM {incoming}")


def take_away(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete rows by their key."""
    key = tuple(column.name for column in table.primary_key)
    run(connection, _delete(table.name, key, connection.dialect.name), keys)


def run(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    """Execute a statement once per row."""
    if rows:
        connection.exec_driver_sql(statement, list(rows) if len(rows) > 1 else rows[0])


def _copy(connection: Connection, statement: str, rows: Iterable[Row]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.OperationalError as error:
        # SQLAlchemy did not see this call, so it has to be told that the connection is gone.
        connection.invalidate(error)
        raise DatabaseAway(cause=str(error)) from error


def _quoted(name: str) -> str:
    return f'"{name}"'


def _marks(count: int, dialect: str) -> str:
    return ", ".join(["?" if dialect == SQLITE else "%s"] * count)


@cache
def columns(table: str) -> str:
    """The columns of a table as SQL names them."""
    return ", ".join(_quoted(column.name) for column in metadata.tables[table].columns)


@cache
def _insert(table: str, dialect: str) -> str:
    marks = _marks(len(metadata.tables[table].columns), dialect)
    return f"INSERT INTO {_quoted(table)} ({columns(table)}) VALUES ({marks})"


@cache
def _upsert(table: str, dialect: str) -> str:
    return f"{_insert(table, dialect)} {_on_conflict(table)}"


@cache
def insert_absent(table: str, dialect: str) -> str:
    """The statement that inserts rows and leaves those alone that are there."""
    return f"{_insert(table, dialect)} ON CONFLICT DO NOTHING"


@cache
def _on_conflict(table: str) -> str:
    keys = [column.name for column in metadata.tables[table].primary_key]
    others = [column.name for column in metadata.tables[table].columns if column.name not in keys]
    new = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in others)
    return f"ON CONFLICT ({', '.join(map(_quoted, keys))}) DO UPDATE SET {new}"


@cache
def _delete(table: str, key: tuple[str, ...], dialect: str) -> str:
    mark = _marks(1, dialect)
    return f"DELETE FROM {_quoted(table)} WHERE {' AND '.join(f'{_quoted(name)} = {mark}' for name in key)}"
