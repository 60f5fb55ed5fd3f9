"""How columns of the read side are written down: one metadata for all tables, and words for the usual columns."""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String

NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}

metadata = MetaData(naming_convention=NAMES)


def key(name: str, kind: Any = String) -> Column[Any]:
    """A column of the primary key."""
    return Column(name, kind, primary_key=True, autoincrement=False)


def must(name: str, kind: Any = String) -> Column[Any]:
    """A column that every row has."""
    return Column(name, kind, nullable=False)


def may(name: str, kind: Any = String) -> Column[Any]:
    """A column that not every row has."""
    return Column(name, kind, nullable=True)


def place() -> tuple[Column[Any], ...]:
    """Where the record stands in the log, and which of the rows made from it this one is."""
    return key("partition", Integer), key("offset", BigInteger), key("line", Integer)


def clocks() -> tuple[Column[Any], ...]:
    """When it happened there, and when the log learned it."""
    return must("occurred_ms", BigInteger), must("recorded_ms", BigInteger)


def said() -> tuple[Column[Any], ...]:
    """Who said what caused this."""
    return must("source"), may("actor"), must("message_id")
