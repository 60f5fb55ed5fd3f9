"""Changes as SQL: the same text for SQLite and PostgreSQL but for the placeholders, many rows per call.

PostgreSQL takes large numbers of rows faster by COPY: appended rows go straight into their table, rows put under a
key go through a temporary table and are merged from there.
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
    for name, families in changes.replaced.items():
        parent = _key(name)[: len(next(iter(families)))]
        transaction.run(_delete(name, parent, transaction.dialect), list(families))
        append(transaction, name, [row for rows in families.values() for row in rows])
    for name, noted in changes.noted.items():
        transaction.run(insert_absent(name, transaction.dialect), list(noted.values()))
    for name, rows_by_key in changes.put.items():
        put(transaction, name, [row for row in rows_by_key.values() if row is not None])
        take_away(transaction, name, [key for key, row in rows_by_key.items() if row is None])


def append(transaction: Transaction, table: str, rows: Sequence[Row]) -> None:
    """Insert rows that cannot be there yet."""
    if len(rows) >= COPY_ROWS_MIN and transaction.dialect != SQLITE:
        transaction.copy(f"COPY {_quoted(table)} ({columns(table)}) FROM STDIN", rows)
    elif rows:
        transaction.run(_insert(table, transaction.dialect), rows)


def put(transaction: Transaction, table: str, rows: Sequence[Row]) -> None:
    """Insert rows, or put them in the place of those with the same key."""
    if len(rows) < COPY_ROWS_MIN or transaction.dialect == SQLITE:
        if rows:
            transaction.run(_upsert(table, transaction.dialect), rows)
        return
    name, incoming, names = _quoted(table), _quoted(f"incoming_{table}"), columns(table)
    transaction.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {name}) ON COMMIT DELETE ROWS", [()])
    transaction.copy(f"COPY {incoming} ({names}) FROM STDIN", rows)
    transaction.run(f"INSERT INTO {name} ({names}) SELECT {names} FROM {incoming} {_on_conflict(table)}", [()])
    transaction.run(f"DELETE FROM {incoming}", [()])


def take_away(transaction: Transaction, table: str, keys: Sequence[Row]) -> None:
    """Delete rows by their key."""
    if keys:
        transaction.run(_delete(table, _key(table), transaction.dialect), keys)


@cache
def _key(table: str) -> tuple[str, ...]:
    return tuple(column.name for column in metadata.tables[table].primary_key)


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
