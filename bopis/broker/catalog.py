"""The topics: loaded at start, changed by commits, and kept in memory as the file has them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator

from bopis.broker.codes import Code
from bopis.broker.database import OFFSET_MAX, row_id
from bopis.broker.errors import Refused
from bopis.broker.limits import BrokerLimits
from bopis.broker.partition import Partition, TailCache, Topic
from bopis.broker.topics import check_settings, policy_of
from bopis.broker.writer import Writer

_LAST_BATCH = "SELECT last_offset, top_timestamp FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"


class Catalog:
    """Every topic by name, every partition by its id."""

    def __init__(self, writer: Writer, cache: TailCache, limits: BrokerLimits) -> None:
        self._writer = writer
        self._cache = cache
        self._limits = limits
        self.topics: dict[str, Topic] = {}
        self.by_id: dict[int, Partition] = {}

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the topics and where each partition ends."""
        topics: dict[int, Topic] = {}
        for identity, name, text in connection.execute("SELECT id, name, settings FROM topic"):
            settings = json.loads(text)
            topics[identity] = self.topics[name] = Topic(identity, name, settings, policy_of(settings))
        rows = connection.execute(
            "SELECT id, topic_id, number, log_start, end_floor, cleaned_to FROM partition"
            " WHERE topic_id IS NOT NULL ORDER BY topic_id, number"
        ).fetchall()
        for identity, topic_id, number, log_start, end_floor, cleaned_to in rows:
            partition = self._adopt(topics[topic_id], identity, number)
            partition.log_start, partition.end, partition.cleaned_to = log_start, end_floor, cleaned_to
            last = connection.execute(_LAST_BATCH, (row_id(identity, 0), row_id(identity, OFFSET_MAX))).fetchone()
            if last is not None:
                partition.end = max(end_floor, last[0] + 1)
                partition.top_timestamp = last[1]

    def partition(self, topic: str, number: int) -> Partition | None:
        """The partition, if there is one."""
        found = self.topics.get(topic)
        if found is None or not 0 <= number < len(found.partitions):
            return None
        return found.partitions[number]

    def topic(self, name: str) -> Topic:
        """The topic, or the refusal that it does not exist."""
        found = self.topics.get(name)
        if found is None:
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
        return found

    def partitions(self) -> Iterator[Partition]:
        """All partitions, in the order of their creation."""
        yield from tuple(self.by_id.values())

    def check_room(self, name: str, count: int) -> None:
        """Refuse a topic that exists, or more partitions than this log holds."""
        if name in self.topics:
            raise Refused(Code.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        if len(self.topics) >= self._limits.topics_max:
            raise Refused(Code.POLICY_VIOLATION, f"This log holds at most {self._limits.topics_max} topics.")
        self._check_partitions(count, count)

    def _check_partitions(self, total: int, added: int) -> None:
        most = self._limits.partitions_per_topic_max
        if not 1 <= total <= most:
            raise Refused(Code.INVALID_PARTITIONS, f"A topic has 1 to {most} partitions.")
        if len(self.by_id) + added > self._limits.partitions_max:
            raise Refused(Code.POLICY_VIOLATION, f"This log holds at most {self._limits.partitions_max} partitions.")

    async def create(self, name: str, count: int, settings: dict[str, str]) -> Topic:
        """Add a topic."""

        def stage(connection: sqlite3.Connection) -> tuple[int, list[int]]:
            self.check_room(name, count)
            # Two clients may ask in the same turn: the second finds what the first has staged.
            if _stored(connection, name) is not None:
                raise Refused(Code.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
            row = (name, json.dumps(settings), time.time_ns() // 1_000_000)
            insert = "INSERT INTO topic (name, settings, created_ms) VALUES (?, ?, ?)"
            topic_id = connection.execute(insert, row).lastrowid
            assert topic_id is not None
            return topic_id, _insert_partitions(connection, topic_id, range(count))

        topic_id, partition_ids = await self._writer.change(stage)
        topic = self.topics[name] = Topic(topic_id, name, settings, policy_of(settings))
        for number, identity in enumerate(partition_ids):
            self._adopt(topic, identity, number)
        return topic

    async def extend(self, name: str, total: int, validate_only: bool) -> None:
        """Give a topic more partitions."""
        topic = self.topic(name)

        def check(have: int) -> range:
            if total <= have:
                raise Refused(Code.INVALID_PARTITIONS, f"The topic has {have} partitions; it can only get more.")
            self._check_partitions(total, total - have)
            return range(have, total)

        def stage(connection: sqlite3.Connection) -> list[int]:
            count = "SELECT count(*) FROM partition WHERE topic_id = ?"
            (have,) = connection.execute(count, (topic.id,)).fetchone()
            return _insert_partitions(connection, topic.id, check(have))

        check(len(topic.partitions))
        if validate_only:
            return
        for identity in await self._writer.change(stage):
            self._adopt(topic, identity, len(topic.partitions))

    async def delete(self, name: str) -> None:
        """Take a topic away. Its batches are removed later, in small steps."""

        def stage(connection: sqlite3.Connection) -> Topic:
            topic = self.topic(name)
            if _stored(connection, name) is None:
                raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
            connection.execute("UPDATE partition SET topic_id = NULL WHERE topic_id = ?", (topic.id,))
            connection.execute("DELETE FROM topic WHERE id = ?", (topic.id,))
            connection.execute("DELETE FROM group_offset WHERE topic = ?", (name,))
            return topic

        topic = await self._writer.change(stage)
        self.topics.pop(name, None)
        for partition in topic.partitions:
            partition.gone = True
            self.by_id.pop(partition.id, None)
            self._cache.forget(partition)
            partition.wake(-1)

    async def configure(self, name: str, change: dict[str, str | None], replace: bool) -> None:
        """Set, or with None reset, some of a topic's settings; `replace` drops all others."""
        checked = check_settings(change)

        def stage(connection: sqlite3.Connection) -> dict[str, str]:
            stored = _stored(connection, name)
            if stored is None:
                raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
            kept = {} if replace else {key: text for key, text in stored.items() if key not in change}
            settings = kept | checked
            connection.execute("UPDATE topic SET settings = ? WHERE name = ?", (json.dumps(settings), name))
            return settings

        settings = await self._writer.change(stage)
        topic = self.topics.get(name)
        if topic is not None:
            topic.settings, topic.policy = settings, policy_of(settings)

    async def advance_start(self, partition: Partition, offset: int) -> None:
        """Give up every record before this offset, for good."""

        def stage(connection: sqlite3.Connection) -> None:
            # The end is kept too: it may no longer be told from the batches that are left.
            connection.execute(
                "UPDATE partition SET log_start = max(log_start, ?), end_floor = max(end_floor, ?) WHERE id = ?",
                (offset, partition.end, partition.id),
            )

        await self._writer.change(stage)
        partition.log_start = max(partition.log_start, offset)

    async def note_cleaned(self, partition: Partition, offset: int) -> None:
        """Remember up to where compaction came."""
        update = "UPDATE partition SET cleaned_to = ? WHERE id = ?"
        await self._writer.change(lambda connection: connection.execute(update, (offset, partition.id)) and None)
        partition.cleaned_to = offset

    def _adopt(self, topic: Topic, identity: int, number: int) -> Partition:
        partition = Partition(identity, topic, number)
        topic.partitions.append(partition)
        self.by_id[identity] = partition
        return partition


def _stored(connection: sqlite3.Connection, name: str) -> dict[str, str] | None:
    row = connection.execute("SELECT settings FROM topic WHERE name = ?", (name,)).fetchone()
    return None if row is None else dict(json.loads(row[0]))


def _insert_partitions(connection: sqlite3.Connection, topic_id: int, numbers: range) -> list[int]:
    identities: list[int] = []
    for number in numbers:
        insert = "INSERT INTO partition (topic_id, number) VALUES (?, ?)"
        identity = connection.execute(insert, (topic_id, number)).lastrowid
        assert identity is not None
        identities.append(identity)
    return identities
