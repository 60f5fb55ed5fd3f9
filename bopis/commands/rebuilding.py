"""Filling the read side from the log's beginning, as the projection does, with a progress bar.

Rows and position go into one transaction, so a projection that runs at the same time is harmless: who comes second
finds the records consumed. Whatever stops this in the middle, the projection goes on from where it stopped.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bopis.commands.progress import bar
from bopis.commands.shell import Shell

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from bopis.adapters.log import LogReader
    from bopis.ports import Offsets, Record
    from bopis.readside.writer import Batch

FEEDS = ("stock", "inventory-levels", "stores", "orders", "order-state", "order-events", "notice-state")
RECORDS_PER_TRANSACTION = 5_000


def empty(engine: "Engine") -> None:
    """Leave the tables of this version without a row.

    Where they are of this version already, they are emptied and not dropped: who reads meanwhile finds nothing, but
    does not fall.
    """
    from bopis.readside import migrate
    from bopis.readside.engine import writing
    from bopis.readside.schema import metadata

    if migrate.check(engine):
        migrate.drop(engine)
        migrate.upgrade(engine)
        return
    with writing(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())


def refill(shell: Shell, engine: "Engine", reader: "LogReader", span: "tuple[Offsets, Offsets]") -> int:
    """Write every record of the feeds; returns how many there were."""
    from bopis.readside.writer import Projection

    starts, ends = span
    projection = Projection(engine)
    following: dict[tuple[str, int], int] = {}
    read = 0
    with bar(shell, "building", sum(end - starts[where] for where, end in ends.items())) as advance:
        for records in _portions(reader.read(starts, ends)):
            projection.write_many(_batches(records, following))
            read += len(records)
            advance(len(records))
    return read


def _portions(records: "Iterable[Record]") -> "Iterator[list[Record]]":
    portion: list[Record] = []
    for record in records:
        portion.append(record)
        if len(portion) == RECORDS_PER_TRANSACTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _batches(records: "list[Record]", following: dict[tuple[str, int], int]) -> "Iterator[Batch]":
    """The records by partition, each batch beginning where the one before ended: offsets between are holes."""
    from bopis.readside.writer import Batch

    parts: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        parts.setdefault((record.topic, record.partition), []).append(record)
    for (topic, partition), part in parts.items():
        start = following.get((topic, partition), 0)
        following[topic, partition] = part[-1].offset + 1
        yield Batch(topic, partition, part, start, part[-1].offset + 1)
