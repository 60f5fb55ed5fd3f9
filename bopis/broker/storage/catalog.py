"""The topics: loaded at the start, changed by commits; memory always equals the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from bopis.broker.clock import system_ms
from bopis.broker.error_codes import ErrorCode
from bopis.broker.errors import Refused
from bopis.broker.limits import BrokerLimits
from bopis.broker.storage.database import OFFSET_MAX, row_id
from bopis.broker.storage.partition import LogPartition, LogTopic, TailCache
from bopis.broker.storage.topic_settings import check_settings, policy_of
from bopis.broker.storage.writer import Writer

_LAST_BATCH = "SELECT last_offset, top_timestamp FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"


class TopicCatalog:
    """Every topic by name, every partition by its id. Changes raise `Refused` and return when they are committed."""

    def __init__(self, writer: Writer, cache: TailCache, limits: BrokerLimits) -> None:
        self._writer = writer
        self._cache = cache
        self._limits = limits
        self.topics: dict[str, LogTopic] = {}
        self.by_id: dict[int, LogPartition] = {}

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the topics, and the start and end of each partition."""
        topics: dict[int, LogTopic] = {}
        for identity, name, text in connection.execute("SELECT id, name, settings FROM topic"):
            settings = json.loads(text)
            topics[identity] = self.topics[name] = LogTopic(identity, name, settings, policy_of(settings))
        rows = connection.execute(
            "SELECT id, topic_id, number, log_start, end_floor, cleaned_to FROM partition"
            " WHERE topic_id IS NOT NULL ORDER BY topic_id, number"
        ).fetchall()
        for identity, topic_id, number, log_start, end_floor, cleaned_to in rows:
            partition = self._adopt(topics[topic_id], identity, number)
            partition.log_start, partition.end, partition.cleaned_to = log_start, end_floor, cleaned_to
            last = connection.execute(_LAST_BATCH, (row_id(identity, 0), row_id(identity, OFFSET_MAX))).fetchone()
            if last is not None:
                # Retention may have removed the newest batches: then the stored end is beyond the last batch.
                partition.end = max(end_floor, last[0] + 1)
                partition.top_timestamp = last[1]

    def partition(self, topic: str, number: int) -> LogPartition | None:
        """The partition; None when there is none."""
        known = self.topics.get(topic)
        if known is None or not 0 <= number < len(known.partitions):
            return None
        return known.partitions[number]

    def topic(self, name: str) -> LogTopic:
        """The topic. Raises `Refused` when it does not exist."""
        topic = self.topics.get(name)
        if topic is None:
            raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
        return topic

    def partitions(self) -> Iterator[LogPartition]:
        """All partitions, in the order of their creation; a copy, so topics may change while it is iterated."""
        yield from tuple(self.by_id.values())

    def check_capacity(self, name: str, count: int) -> None:
        """Raise `Refused` for a topic that exists, and for more topics or partitions than the limits allow."""
        if name in self.topics:
            raise Refused(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        if len(self.topics) >= self._limits.topics_max:
            raise Refused(ErrorCode.POLICY_VIOLATION, f"This log holds at most {self._limits.topics_max} topics.")
        self._check_partitions(count, count)

    def _check_partitions(self, total: int, added: int) -> None:
        most = self._limits.partitions_per_topic_max
        if not 1 <= total <= most:
            raise Refused(ErrorCode.INVALID_PARTITIONS, f"A topic has 1 to {most} partitions.")
        if len(self.by_id) + added > self._limits.partitions_max:
            raise Refused(
                ErrorCode.POLICY_VIOLATION, f"This log holds at most {self._limits.partitions_max} partitions."
            )

    async def create(self, name: str, count: int, settings: dict[str, str]) -> LogTopic:
        """Create a topic."""

        def stage(connection: sqlite3.Connection) -> tuple[int, list[int]]:
            self.check_capacity(name, count)
            # Two clients may ask in the same turn of the loop: the second finds the row that the first staged.
            if _stored(connection, name) is not None:
                raise Refused(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
            row = (name, json.dumps(settings), system_ms())
            insert = "INSERT INTO topic (name, settings, created_ms) VALUES (?, ?, ?)"
            topic_id = connection.execute(insert, row).lastrowid
            assert topic_id is not None
            return topic_id, _insert_partitions(connection, topic_id, range(count))

        topic_id, partition_ids = await self._writer.change(stage)
        topic = self.topics[name] = LogTopic(topic_id, name, settings, policy_of(settings))
        for number, identity in enumerate(partition_ids):
            self._adopt(topic, identity, number)
        return topic

    async def extend(self, name: str, total: int, validate_only: bool) -> None:
        """Extend a topic to `total` partitions."""
        topic = self.topic(name)

        def check(have: int) -> range:
            if total <= have:
                raise Refused(ErrorCode.INVALID_PARTITIONS, f"The topic has {have} partitions; it can only get more.")
            self._check_partitions(total, total - have)
            return range(have, total)

        def stage(connection: sqlite3.Connection) -> list[int]:
            count = "SELECT count(*) FROM partition WHERE topic_id = ?"
            (have,) = connection.execute(count, (topic.id,)).fetchone()
            return _insert_partitions(connection, topic.id, check(have))

        # Checked before the commit for validation, and in it because another request may have extended the topic.
        check(len(topic.partitions))
        if validate_only:
            return
        for identity in await self._writer.change(stage):
            self._adopt(topic, identity, len(topic.partitions))

    async def delete(self, name: str) -> None:
        """Delete a topic. Housekeeping removes its batches later, in small steps."""

        def stage(connection: sqlite3.Connection) -> LogTopic:
            topic = self.topic(name)
            if _stored(connection, name) is None:
                raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
            connection.execute("UPDATE partition SET topic_id = NULL WHERE topic_id = ?", (topic.id,))
            connection.execute("DELETE FROM topic WHERE id = ?", (topic.id,))
            # A later topic of this name starts at offset 0; an old committed offset would lie beyond its end.
            connection.execute("DELETE FROM group_offset WHERE topic = ?", (name,))
            return topic

        topic = await self._writer.change(stage)
        self.topics.pop(name, None)
        for partition in topic.partitions:
            # Fetches that wait for the partition look again and answer that it is unknown.
            partition.deleted = True
            self.by_id.pop(partition.id, None)
            self._cache.forget(partition)
            partition.wake(-1)

    async def configure(self, name: str, change: dict[str, str | None], replace: bool) -> None:
        """Set some of a topic's settings, or reset them (None); `replace` resets all others."""
        checked = check_settings(change)

        def stage(connection: sqlite3.Connection) -> dict[str, str]:
            stored = _stored(connection, name)
            if stored is None:
                raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no topic {name!r}.")
            kept = {} if replace else {key: text for key, text in stored.items() if key not in change}
            settings = kept | checked
            connection.execute("UPDATE topic SET settings = ? WHERE name = ?", (json.dumps(settings), name))
            return settings

        settings = await self._writer.change(stage)
        topic = self.topics.get(name)
        if topic is not None:
            topic.settings, topic.policy = settings, policy_of(settings)

    async def advance_start(self, partition: LogPartition, offset: int) -> None:
        """Delete every record before this offset."""

        def stage(connection: sqlite3.Connection) -> None:
            # The end is stored, too: the batches that are left may not reach it.
            connection.execute(
                "UPDATE partition SET log_start = max(log_start, ?), end_floor = max(end_floor, ?) WHERE id = ?",
                (offset, partition.end, partition.id),
            )

        await self._writer.change(stage)
        partition.log_start = max(partition.log_start, offset)

    async def note_cleaned(self, partition: LogPartition, offset: int) -> None:
        """Store the offset before which the partition is clean."""
        update = "UPDATE partition SET cleaned_to = ? WHERE id = ?"
        await self._writer.change(lambda connection: connection.execute(update, (offset, partition.id)) and None)
        partition.cleaned_to = offset

    def _adopt(self, topic: LogTopic, identity: int, number: int) -> LogPartition:
        partition = LogPartition(identity, topic, number)
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
