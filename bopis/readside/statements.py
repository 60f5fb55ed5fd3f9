"""Changes as SQL: one text for SQLite and PostgreSQL except for the placeholders, many rows per call.

PostgreSQL takes large numbers of rows faster by COPY: appended rows go straight into their table, upserted rows go
through a temporary table and are merged from there.
"""

from collections.abc import Sequence
from functools import cache

from bopis.readside.changes import Changes, Row
from bopis.readside.engine import SQLITE
from bopis.readside.schema import metadata
from bopis.readside.transaction import Transaction

COPY_ROWS_MIN = 64


def apply(transaction: Transaction, changes: Changes) -> None:
    """Write the changes in the transaction."""
    for name, rows in changes.appended.items():
        append(transaction, name, rows)
    # A family is deleted as a whole first: rows that are not in it any more have no key to delete them by.
    for name, families in changes.replaced.items():
        parent = _key(name)[: len(next(iter(families)))]
        transaction.execute(_delete(name, parent, transaction.dialect), list(families))
        append(transaction, name, [row for rows in families.values() for row in rows])
    for name, new in changes.inserted.items():
        transaction.execute(insert_absent(name, transaction.dialect), list(new.values()))
    for name, rows_by_key in changes.upserted.items():
        upsert(transaction, name, [row for row in rows_by_key.values() if row is not None])
        delete(transaction, name, [key for key, row in rows_by_key.items() if row is None])


def append(transaction: Transaction, table: str, rows: Sequence[Row]) -> None:
    """Insert rows whose keys cannot exist yet."""
    # Below this, setting up a COPY costs more than it saves.
    if len(rows) >= COPY_ROWS_MIN and transaction.dialect != SQLITE:
        transaction.copy(f"COPY {_quoted(table)} ({columns(table)}) FROM STDIN", rows)
    elif rows:
        transaction.execute(_insert(table, transaction.dialect), rows)


def upsert(transaction: Transaction, table: str, rows: Sequence[Row]) -> None:
    """Insert rows, or update those with the same key."""
    if len(rows) < COPY_ROWS_MIN or transaction.dialect == SQLITE:
        if rows:
            transaction.execute(_upsert(table, transaction.dialect), rows)
        return
    name, incoming, names = _quoted(table), _quoted(f"incoming_{table}"), columns(table)
    transaction.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {name}) ON COMMIT DELETE ROWS", [()])
    transaction.copy(f"COPY {incoming} ({names}) FROM STDIN", rows)
    transaction.execute(f"INSERT INTO {name} ({names}) SELECT {names} FROM {incoming} {_on_conflict(table)}", [()])
    transaction.execute(f"DELETE FROM {incoming}", [()])


def delete(transaction: Transaction, table: str, keys: Sequence[Row]) -> None:
    """Delete rows by their key."""
    if keys:
        transaction.execute(_delete(table, _key(table), transaction.dialect), keys)


@cache
def _key(table: str) -> tuple[str, ...]:
    return tuple(column.name for column in metadata.tables[table].primary_key)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _marks(count: int, dialect: str) -> str:
    return ", ".join(["?" if dialect == SQLITE else "%s"] * count)


@cache
def columns(table: str) -> str:
    """The columns of a table, quoted and separated by commas."""
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
    """The statement that inserts rows unless their keys exist."""
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
