"""One replay from file to verdict: read, publish, wait until the books have it, judge them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from bopis.adapters.log import LogReader
from bopis.commands.own_engine import running
from bopis.commands.progress import bar
from bopis.commands.replay_books import ReadSideBooks, stock_ends, wait_until_taken
from bopis.commands.shell import Shell
from bopis.services.directory import StoreRecord, publish_store
from bopis.services.outcomes import DEAD_LETTERS_TOPIC
from bopis.services.replay.baskets import Basket, source_prefix
from bopis.services.replay.export import Export
from bopis.services.replay.intake import Reading, Rejects, Taken, take_in
from bopis.services.replay.judge import Cell, Mismatch, mismatches
from bopis.services.replay.memory import Remembered, remember
from bopis.services.replay.plain_sum import Told, plain_sum
from bopis.services.replay.sending import Pace, Sent, send
from bopis.services.replay.staging import Staging

REJECTED_TOLD_MAX = 10
MISMATCHES_TOLD_MAX = 20
MESSAGES_PER_REPORT = 100
LINGER_MS = 20
READING, PUBLISHING, TAKING_IN = "reading", "publishing", "into the books"


class Source(NamedTuple):
    """The export, how to read it, what comes before it, what was said about it, and where rejected rows go."""

    export: Export
    reading: Reading
    stores: list[StoreRecord]
    options: dict[str, str]
    rejects: Path | None


class Outcome(NamedTuple):
    """What was done, and what the books say of it."""

    sent: Sent
    seconds: float
    gaps: int
    dead_letters: int
    cells: int
    mismatches: list[Mismatch]


def replayed(shell: Shell, source: Source, pace: Pace) -> dict[str, Any]:
    """Do it all; returns the document that tells what came of it."""
    with Staging() as staging:
        began = time.monotonic()
        taken = _taken_in(shell, source, staging)
        reading_seconds = time.monotonic() - began
        digest = source.export.digest
        with running(shell):
            remember(shell.settings.data_dir, digest, Remembered(staging.content, source.options))
            _publish_stores(shell, source.stores)
            outcome = _settled(shell, source, taken, staging, pace)
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
            "source": f"replay/{digest[:16]}",
            "differing": outcome.mismatches[:MISMATCHES_TOLD_MAX],
        }


def _taken_in(shell: Shell, source: Source, staging: Staging) -> Taken:
    told = 0

    def tell(line: int, cause: str) -> None:
        nonlocal told
        told += 1
        if told <= REJECTED_TOLD_MAX:
            shell.say(f"Rejected: line {line}: {cause}")

    with ExitStack() as opened:
        parked = source.rejects
        into = opened.enter_context(parked.open("w", encoding="utf-8", newline="")) if parked else None
        size = source.export.size_bytes
        advance = opened.enter_context(bar(shell, READING, size))
        done = 0

        def on_read(read_bytes: int) -> None:
            nonlocal done
            advance(read_bytes - done)
            done = read_bytes

        taken = take_in(source.export, source.reading, staging, Rejects(into, tell), on_read)
    if taken.rejected:
        where = f"parked in {parked}" if parked else "left out; --rejects FILE keeps them"
        shell.say(f"Warning: {taken.rejected} rows were rejected and {where}.")
    return taken


def _publish_stores(shell: Shell, records: list[StoreRecord]) -> None:
    if not records:
        return
    with shell.publisher(LINGER_MS) as publisher:
        for record in records:
            publish_store(publisher, record)
        publisher.flush()


def _settled(shell: Shell, source: Source, taken: Taken, staging: Staging, pace: Pace) -> Outcome:
    """Publish, wait until the books have it, and judge them."""
    prefix = source_prefix(source.export.digest)
    with shell.engine() as engine:
        books = ReadSideBooks(engine)
        began = time.monotonic()
        sent = _sent(shell, source, staging, pace, books.marks(prefix))
        with shell.reader() as reader:
            ends = stock_ends(reader)
            with bar(shell, TAKING_IN, books.left(ends)) as advance:
                wait_until_taken(books, ends, advance)
            seconds = time.monotonic() - began
            parked = _parked(reader, prefix)
        with shell.err.status("checking every cell") if shell.err.is_terminal else nullcontext():
            plain = _plain(source, taken)
            found = list(mismatches(plain, books.booked(prefix)))
        return Outcome(sent, seconds, books.gaps(prefix), parked, len(plain), found)


def _sent(shell: Shell, source: Source, staging: Staging, pace: Pace, marks: Mapping[str, int]) -> Sent:
    total = staging.totals.messages
    with shell.publisher(LINGER_MS) as publisher, bar(shell, PUBLISHING, total) as advance:

        def shown() -> Iterator[Basket]:
            for number, basket in enumerate(staging.baskets(), start=1):
                yield basket
                if number % MESSAGES_PER_REPORT == 0 or number == total:
                    advance(number % MESSAGES_PER_REPORT or MESSAGES_PER_REPORT)

        return send(shown(), source.export.digest, publisher, pace, marks)


def _parked(reader: LogReader, prefix: str) -> int:
    """How many dead letters are of this file."""
    topics = [DEAD_LETTERS_TOPIC]
    needle = f'"source":"{prefix}'.encode()
    records = reader.read(reader.start_offsets(topics), reader.end_offsets(topics))
    return sum(needle in (record.value or b"") for record in records)


def _plain(source: Source, taken: Taken) -> dict[Cell, int]:
    told = Told(
        columns=taken.columns,
        encoding=source.export.encoding,
        store=source.reading.store,
        time_format=source.reading.times.format,
        rejected_lines=frozenset(taken.rejected_lines),
    )
    return plain_sum(source.export.open(), told)
