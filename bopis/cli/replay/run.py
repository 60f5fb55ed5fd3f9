"""One replay: read the file, publish its baskets, wait until they are processed, compare the stock with a plain sum."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bopis.adapters.barcodes import gtin14
from bopis.adapters.log import LogReader
from bopis.cli.app.context import CommandContext
from bopis.cli.app.own_engine import running
from bopis.cli.app.progress import bar
from bopis.cli.app.render import counted
from bopis.cli.app.row_files import refuse_rejected
from bopis.cli.master.stores import GivenStore, merged_stores
from bopis.cli.replay.books import ReadSideBooks, stock_ends, wait_until_taken
from bopis.names import DEAD_LETTERS_TOPIC
from bopis.services.replay.baskets import TillBasket, source_prefix
from bopis.services.replay.comparison import CellMismatch, by_article, mismatches
from bopis.services.replay.fingerprint import ReadingFingerprint, check_reading
from bopis.services.replay.intake import IntakeOptions, IntakeResult, RejectedRows, columns_text, read_export
from bopis.services.replay.mapped import mapped_sum, read_mapped
from bopis.services.replay.plain_sum import Cell, PlainSumOptions, plain_sum
from bopis.services.replay.sending import Pace, SendCounts, send
from bopis.services.replay.staging import Staging
from bopis.services.replay.times import zone_named
from bopis.services.store_directory import StoreRecord, publish_store, read_directory
from bopis.tables.source import TableFile

REJECTED_SHOWN_MAX = 10
MISMATCHES_SHOWN_MAX = 20
MESSAGES_PER_REPORT = 100
LINGER_MS = 20
READING, PUBLISHING, TAKING_IN = "reading", "publishing", "processing"


class ReplaySource(NamedTuple):
    """The export, how to read it, the stores to import first, the options given, and the file for rejected rows."""

    export: TableFile
    reading: IntakeOptions
    stores: list[GivenStore]
    options: dict[str, str]
    rejects: Path | None


class ReplayOutcome(NamedTuple):
    """The messages sent, the time it took, and the comparison with the read side."""

    sent: SendCounts
    seconds: float
    gaps: int
    dead_letters: int
    cells: int
    mismatches: list[CellMismatch]


def replayed(ctx: CommandContext, source: ReplaySource, pace: Pace) -> dict[str, Any]:
    """Replay one file; returns the result as a document."""
    with Staging() as staging, ExitStack() as opened:
        if any("time_zone" not in it.values for it in source.stores):
            # Local times are in the zones that the stores have in the log.
            opened.enter_context(running(ctx))
            source = _with_zones(ctx, source)
        began = time.monotonic()
        taken = _taken_in(ctx, source, staging)
        reading_seconds = time.monotonic() - began
        digest = source.export.digest
        with running(ctx):
            check_reading(ctx.settings.data_dir, digest, ReadingFingerprint(staging.content, source.options))
            _publish_stores(ctx, source)
            outcome = _settled(ctx, source, taken, staging, pace)
        seconds = reading_seconds + outcome.seconds
        totals = taken.totals
        return {
            "lines": totals.lines,
            "baskets": totals.baskets,
            "units": totals.units,
            "stores": staging.stores,
            "skus": staging.skus,
            "duplicates": totals.duplicates,
            "rejected": taken.rejected,
            "gaps": outcome.gaps,
            "dead_letters": outcome.dead_letters,
            "seconds": round(seconds, 3),
            "lines_per_second": round(totals.lines / seconds) if seconds else 0,
            "mismatches": len(outcome.mismatches),
            "cells": outcome.cells,
            "messages": totals.messages,
            "messages_known": outcome.sent.known,
            "left_out": taken.left_out,
            "columns": taken.columns.taken,
            "other_columns": taken.columns.others,
            "source": f"replay/{digest[:16]}",
            "differing": outcome.mismatches[:MISMATCHES_SHOWN_MAX],
        }


def _taken_in(ctx: CommandContext, source: ReplaySource, staging: Staging) -> IntakeResult:
    rejected = 0

    def note_rejected(line: int, cause: str) -> None:
        nonlocal rejected
        rejected += 1
        if rejected <= REJECTED_SHOWN_MAX:
            ctx.note(f"Rejected: line {line}: {cause}")

    with ExitStack() as opened:
        parked = source.rejects
        into = opened.enter_context(parked.open("w", encoding="utf-8", newline="")) if parked else None
        size = source.export.size_bytes
        advance = opened.enter_context(bar(ctx, READING, size))
        done = 0

        def on_read(read_bytes: int) -> None:
            nonlocal done
            advance(read_bytes - done)
            done = read_bytes

        rejects, mapping = RejectedRows(into, note_rejected), source.reading.mapping
        if mapping is not None:
            taken = read_mapped(source.export, mapping, staging, rejects, on_read)
        else:
            taken = read_export(source.export, source.reading, staging, rejects, on_read)
    ctx.note(f"Mapping: {mapping.name}." if mapping else f"Columns: {columns_text(taken.columns)}.")
    for field, others in taken.columns.others.items():
        found = " or ".join(others)
        ctx.note(f"Warning: the {field} could also be {found}; --column {field}=NAME takes another column.")
    if taken.rejected:
        where = f"written to {parked}" if parked else "skipped; --rejects FILE keeps them"
        ctx.note(f"Warning: {counted(taken.rejected, 'rejected row')} {where}.")
    return taken


def _with_zones(ctx: CommandContext, source: ReplaySource) -> ReplaySource:
    times = source.reading.times
    zones = {it.store_id: zone_named(it.time_zone, "time_zone") for it in _merged_stores(ctx, source)}
    reading = msgspec.structs.replace(source.reading, times=times.in_zones(zones))
    return source._replace(reading=reading)


def _merged_stores(ctx: CommandContext, source: ReplaySource) -> list[StoreRecord]:
    """The stores of the file, with the values that it does not give as they are in the log. Raises `RowsBroken`."""
    with ctx.reader() as reader:
        records, rejected = merged_stores(source.stores, read_directory(reader))
    refuse_rejected(ctx, Path(source.options["--stores"]), rejected, len(records), skip_bad=False)
    return records


def _publish_stores(ctx: CommandContext, source: ReplaySource) -> None:
    if not source.stores:
        return
    records = _merged_stores(ctx, source)
    with ctx.publisher(LINGER_MS) as publisher:
        for record in records:
            publish_store(publisher, record)
        publisher.flush()


def _settled(
    ctx: CommandContext, source: ReplaySource, taken: IntakeResult, staging: Staging, pace: Pace
) -> ReplayOutcome:
    """Publish, wait until the read side has everything, and compare it with a plain sum."""
    prefix = source_prefix(source.export.digest)
    with ctx.engine() as engine:
        books = ReadSideBooks(engine)
        began = time.monotonic()
        sent = _sent(ctx, source, staging, pace, books.marks(prefix))
        with ctx.reader() as reader:
            ends = stock_ends(reader)
            with bar(ctx, TAKING_IN, books.left(ends)) as advance:
                wait_until_taken(books, ends, advance)
            seconds = time.monotonic() - began
            parked = _parked(reader, prefix)
        with ctx.err.status("comparing every cell") if ctx.err.is_terminal else nullcontext():
            plain = by_article(_plain(source, taken), ctx.catalogue, gtin14)
            found = list(mismatches(plain, books.booked(prefix)))
        return ReplayOutcome(sent, seconds, books.gaps(prefix), parked, len(plain), found)


def _sent(
    ctx: CommandContext, source: ReplaySource, staging: Staging, pace: Pace, marks: Mapping[str, int]
) -> SendCounts:
    total = staging.totals.messages
    with ctx.publisher(LINGER_MS) as publisher, bar(ctx, PUBLISHING, total) as advance:

        def shown() -> Iterator[TillBasket]:
            for number, basket in enumerate(staging.baskets(), start=1):
                yield basket
                if number % MESSAGES_PER_REPORT == 0 or number == total:
                    advance(number % MESSAGES_PER_REPORT or MESSAGES_PER_REPORT)

        return send(shown(), source.export.digest, publisher, pace, marks)


def _parked(reader: LogReader, prefix: str) -> int:
    """The number of dead letters of this file."""
    topics = [DEAD_LETTERS_TOPIC]
    needle = f'"source":"{prefix}'.encode()
    records = reader.read(reader.start_offsets(topics), reader.end_offsets(topics))
    return sum(needle in (record.value or b"") for record in records)


def _plain(source: ReplaySource, taken: IntakeResult) -> dict[Cell, int]:
    if source.reading.mapping is not None:
        return mapped_sum(source.export, source.reading.mapping)
    options = PlainSumOptions(
        columns=taken.columns,
        encoding=source.export.encoding,
        store=source.reading.store,
        time_format=source.reading.times.format,
        rejected_lines=frozenset(taken.rejected_lines),
        rules=source.reading.rules,
        header=taken.header,
    )
    return plain_sum(source.export.open(), options)
