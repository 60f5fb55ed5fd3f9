"""`bopis readside rebuild`: fill the read side from the log's beginning, as the projection does.

Rows and position are written in one transaction, so a projection that runs at the same time is harmless: the second of
the two finds the records consumed. When the command is interrupted, the projection continues from its position.
"""

import time
from collections.abc import Iterable, Iterator

import typer
from sqlalchemy import Engine

from bopis.adapters.log import LogReader
from bopis.cli.app.context import AsJson, CommandContext, Yes, open_context
from bopis.cli.app.progress import bar
from bopis.cli.app.render import counted, print_line
from bopis.names import READ_SIDE_TOPICS, STOCK_TOPIC
from bopis.ports import Offsets, Record
from bopis.readside import migrate
from bopis.readside.writer import Batch, Projection

RECORDS_PER_TRANSACTION = 5_000


def rebuild(context: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Empty the tables and fill them again from the log, from its beginning.

    The projection may run meanwhile. Queries are incomplete until it is done; tills and orders are not affected, since
    only reading depends on these tables.

    Examples:
        bopis readside rebuild
        bopis readside rebuild --yes
    """
    ctx = open_context(context, as_json)
    with ctx.reader() as reader:
        starts, ends = reader.start_offsets(READ_SIDE_TOPICS), reader.end_offsets(READ_SIDE_TOPICS)
        records = sum(ends[where] - starts[where] for where in ends)
        ctx.confirm(
            f"empty the read side and build it again from {counted(records, 'record')}", "nothing was rebuilt", yes
        )
        began = time.monotonic()
        with ctx.engine(create=True) as engine:
            migrate.empty(engine)
            read = refill(ctx, engine, reader, starts, ends)
    seconds = round(time.monotonic() - began, 1)
    ctx.print_result(
        {"records": read, "seconds": seconds},
        lambda out: print_line(out, f"Built again from {counted(read, 'record')} in {seconds} s"),
    )


def refill(ctx: CommandContext, engine: Engine, reader: LogReader, starts: Offsets, ends: Offsets) -> int:
    """Write every record of the read side's topics between two offsets; returns the number of records."""
    projection = Projection(engine, partitions=sum(topic == STOCK_TOPIC for topic, _ in ends))
    next_offsets: dict[tuple[str, int], int] = {}
    read = 0
    with bar(ctx, "building", sum(end - starts[where] for where, end in ends.items())) as advance:
        for records in _portions(reader.read(starts, ends)):
            projection.write_many(_batches(records, next_offsets))
            read += len(records)
            advance(len(records))
    return read


def _portions(records: Iterable[Record]) -> Iterator[list[Record]]:
    portion: list[Record] = []
    for record in records:
        portion.append(record)
        if len(portion) == RECORDS_PER_TRANSACTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _batches(records: list[Record], next_offsets: dict[tuple[str, int], int]) -> Iterator[Batch]:
    """The records by partition; each batch begins where the previous one ended, as the log may have holes."""
    parts: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        parts.setdefault((record.topic, record.partition), []).append(record)
    for (topic, partition), part in parts.items():
        start = next_offsets.get((topic, partition), 0)
        next_offsets[topic, partition] = part[-1].offset + 1
        yield Batch(topic, partition, part, start, part[-1].offset + 1)
