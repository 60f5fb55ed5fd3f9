"""All that is in the tables, to be compared row by row."""

from typing import Any

import msgspec
from sqlalchemy import Engine, select

from bopis.domain.inventory.rows import row_type
from bopis.readside.schema import metadata

# When a row was written is nobody's fact.
NOT_COMPARED = {"consumed": {"updated_ms"}}


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, sorted; folded rows are told as what they hold."""
    found = {}
    with engine.connect() as connection, connection.begin():
        for name, table in metadata.tables.items():
            columns = [column for column in table.columns if column.name not in NOT_COMPARED.get(name, set())]
            rows = [tuple(row) for row in connection.execute(select(*columns))]
            if name == "fold_rows":
                rows = [(partition, key, _held(key, blob), due_ms) for partition, key, blob, due_ms in rows]
            found[name] = sorted(rows, key=repr)
    return found


def folded(engine: Engine) -> dict[tuple[int, str], str]:
    """Every row of the second fold, told as what it holds."""
    return {(partition, key): held for partition, key, held, _ in contents(engine)["fold_rows"]}


def _held(key: str, blob: bytes) -> str:
    return repr(msgspec.msgpack.decode(bytes(blob), type=row_type(key)))


def emptied(engine: Engine) -> None:
    """Take every row away, so that the next story begins with nothing."""
    with engine.begin() as connection:
        for table in metadata.tables.values():
            connection.execute(table.delete())
