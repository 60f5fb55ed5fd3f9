"""Column builders of the read side, and the metadata of its tables."""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String

NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}

metadata = MetaData(naming_convention=NAMES)


def key(name: str, kind: Any = String) -> Column[Any]:
    """A column of the primary key."""
    return Column(name, kind, primary_key=True, autoincrement=False)


def required(name: str, kind: Any = String) -> Column[Any]:
    """A column without nulls."""
    return Column(name, kind, nullable=False)


def optional(name: str, kind: Any = String) -> Column[Any]:
    """A column with nulls."""
    return Column(name, kind, nullable=True)


def log_position() -> tuple[Column[Any], ...]:
    """The key of rows made from a record: its place in the log, and the number of the row among those of the record."""
    return key("partition", Integer), key("offset", BigInteger), key("line", Integer)


def clocks() -> tuple[Column[Any], ...]:
    """The time when it happened, and the append time in the log."""
    return required("occurred_ms", BigInteger), required("recorded_ms", BigInteger)


def origin() -> tuple[Column[Any], ...]:
    """The device, the person and the id of the message behind a row."""
    return required("source"), optional("actor"), required("message_id")
