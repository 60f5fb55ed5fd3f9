"""Books of a store that an earlier version split: found in the inventory's changelog, and mended.

Versions that did not check the partition of a record decided a store's messages wherever a client had put them, so a
second set of rows began there. Mending publishes those messages where they belong, each once, and then drops the rows
in the wrong partition by a command, whose event is the record of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bopis.domain.inventory.messages import HOLD_COMMANDS, MISPLACED_ROWS_MAX, DropMisplacedRows, MisplacedRow
from bopis.domain.inventory.rows import NO_STORE, Level, split_key
from bopis.domain.message import Message
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.ports import Log, Publisher, Record, RecordMetadata
from bopis.services import dead_letters
from bopis.services.exchange import Author
from bopis.wire.changelog import ChangelogReader, decode_level_row
from bopis.wire.errors import WireError
from bopis.wire.placement import partition_of
from bopis.wire.stock import STOCK

MENDED = "published where it belongs; the books of its store were mended"


class SplitBooks(NamedTuple):
    """Rows of a store in a partition that it does not belong in, and the partition that it belongs in."""

    store: str
    home: int
    partition: int
    rows: tuple[MisplacedRow, ...]


class Mended(NamedTuple):
    """Messages that were published where they belong, those that were there already, the rows that a command drops,
    and the place of the last record for each partition."""

    published: int
    repeats: int
    dropped: int
    placed: tuple[RecordMetadata, ...]


def split_books(log: Log) -> list[SplitBooks]:
    """Every store with rows in a partition that it does not belong in, by store and partition."""
    ends = log.end_offsets([LEVELS_TOPIC])
    readers: dict[int, ChangelogReader] = defaultdict(lambda: ChangelogReader(decode=decode_level_row))
    found: dict[tuple[str, int], dict[str, MisplacedRow]] = defaultdict(dict)
    for record in log.read(log.start_offsets([LEVELS_TOPIC]), ends):
        if not readers[record.partition].is_row(record):
            continue
        key = (record.key or b"").decode()
        store = split_key(key)[1]
        if store == NO_STORE or partition_of(store.encode(), len(ends)) == record.partition:
            continue
        if record.value:
            row = decode_level_row(key, record.value)
            on_hand = row.on_hand if isinstance(row, Level) else None
            found[store, record.partition][key] = MisplacedRow(key=key, on_hand=on_hand)
        else:
            found[store, record.partition].pop(key, None)
    return [
        SplitBooks(store, partition_of(store.encode(), len(ends)), partition, tuple(rows.values()))
        for (store, partition), rows in sorted(found.items())
        if rows
    ]


def mend(log: Log, publisher: Publisher, store: str, author: Author, prefix: str) -> Mended:
    """Publish a store's misplaced messages where they belong, and drop its rows elsewhere.

    After a crash in between, another run publishes only what is missing: a message is recognised by source and id.
    """
    letters = {(it.partition, it.offset): it for it in dead_letters.letters(log, prefix) if it.topic == STOCK_TOPIC}
    messages, present = _messages_of(log, store)
    placed: dict[int, RecordMetadata] = {}
    published = repeats = 0
    for record, message in messages:
        letter = letters.get((record.partition, record.offset))
        if letter is not None and letter.mark is not None:
            continue  # an operator has retried or discarded it
        if (message.source, message.id) in present:
            repeats += 1
        else:
            metadata = publisher.publish(STOCK_TOPIC, store, record.value).wait()
            placed[metadata.partition] = metadata
            present.add((message.source, message.id))
            published += 1
        if letter is not None:
            dead_letters.mark_retried(publisher, letter, author.actor, author.now(), MENDED)
    dropped = 0
    for split in split_books(log):
        if split.store == store:
            dropped += len(split.rows)
            for command in _drop_commands(split, author):
                metadata = publisher.publish(STOCK_TOPIC, key_for(split.partition, _partitions(log)), command).wait()
                placed[metadata.partition] = metadata
    return Mended(published, repeats, dropped, tuple(placed.values()))


def key_for(partition: int, partitions: int) -> str:
    """A key of no store that belongs in a partition."""
    number = 0
    while partition_of(f"{NO_STORE}{number}".encode(), partitions) != partition:
        number += 1
    return f"{NO_STORE}{number}"


def _messages_of(log: Log, store: str) -> tuple[list[tuple[Record, Message]], set[tuple[str, str]]]:
    """The misplaced reports of a store in the order of the log, and (source, id) of those that are where they belong.

    Commands about holds are left out: an order asks again for what it needs, and an old answer is of no use.
    """
    home = partition_of(store.encode(), _partitions(log))
    misplaced: list[tuple[Record, Message]] = []
    present: set[tuple[str, str]] = set()
    for record, message in _decoded(log):
        if message.subject != store or isinstance(message.data, HOLD_COMMANDS):
            continue
        if record.partition == home:
            present.add((message.source, message.id))
        else:
            misplaced.append((record, message))
    return sorted(misplaced, key=lambda it: (it[0].timestamp_ms, it[0].partition, it[0].offset)), present


def _decoded(log: Log) -> Iterator[tuple[Record, Message]]:
    for record in log.read(log.start_offsets([STOCK_TOPIC]), log.end_offsets([STOCK_TOPIC])):
        try:
            yield record, STOCK.decode(record.value or b"")
        except WireError:
            continue


def _partitions(log: Log) -> int:
    return len(log.end_offsets([STOCK_TOPIC]))


def _drop_commands(split: SplitBooks, author: Author) -> Iterable[bytes]:
    for first in range(0, len(split.rows), MISPLACED_ROWS_MAX):
        body = DropMisplacedRows(store=split.store, rows=split.rows[first : first + MISPLACED_ROWS_MAX])
        yield STOCK.encode(
            Message(
                id=author.new_id(),
                source=author.source,
                time=author.now(),
                subject=NO_STORE,
                data=body,
                actor=author.actor,
            )
        )
