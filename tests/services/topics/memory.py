"""A log in memory under two prefixes, and an inventory that decides on it: for moves by the thousand."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bopis.domain.message import Message
from bopis.ports import Offsets, Record, RecordCopy
from bopis.services.migration.move import Move, MoveReport
from bopis.services.migration.ports import Advance, MoveConnections, MovedTopic
from bopis.settings import load
from bopis.topics.definitions import TOPICS, MigrationRule, TopicDefinition, plan
from bopis.topics.plans import TopicPlan, TopicState
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, Claim, Position, encode_note
from bopis.wire.placement import ANYWHERE, Placement
from bopis.wire.placement import partition_of as home_of
from bopis.wire.stock import STOCK
from streams.engine.dead_letters import dead_letter
from streams.engine.exact_step import NO_POSITION, step
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor

OLD, NEW = "old.", "new."
BYTES_MAX = 1 << 20


class Killed(Exception):
    """The process that moves has died."""


class MemoryLog:
    """Every topic by its full name; also the keeper of topics."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, int], list[Record]] = {}
        self.states_by_name: dict[str, TopicState] = {}

    def add(self, name: str, partition: int, copy: tuple[bytes | None, bytes | None, Any, int]) -> int:
        records = self.parts[name, partition]
        key, value, headers, timestamp_ms = copy
        records.append(Record(name, partition, len(records), timestamp_ms, key, value, tuple(headers)))
        return len(records) - 1

    def states(self, names: Iterable[str]) -> dict[str, TopicState]:
        return {name: self.states_by_name[name] for name in names if name in self.states_by_name}

    def create(self, plans: Iterable[TopicPlan], other: Mapping[str, str] | None = None) -> None:
        for it in plans:
            if it.name not in self.states_by_name:
                settings = {**it.config(), **(other or {})}
                self.states_by_name[it.name] = TopicState(
                    partitions=it.partitions, replication_factor=1, settings=settings
                )
                self.parts.update({(it.name, number): [] for number in range(it.partitions)})

    def alter(self, name: str, settings: Mapping[str, str]) -> None:
        self.states_by_name[name].settings.update(settings)

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            del self.states_by_name[name]
            self.parts = {where: records for where, records in self.parts.items() if where[0] != name}


class Side:
    """The log as one prefix sees it."""

    def __init__(self, log: MemoryLog, prefix: str) -> None:
        self._log = log
        self._prefix = prefix

    def start_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        return dict.fromkeys(self.end_offsets(topics), 0)

    def end_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        wanted = {self._prefix + it: it for it in topics}
        return {
            (wanted[name], number): len(records)
            for (name, number), records in self._log.parts.items()
            if name in wanted
        }

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> dict[tuple[str, int], int]:
        raise AssertionError("no caller asks for times here")

    def read(self, first: Offsets, end: Offsets) -> Iterator[Record]:
        for (topic, number), start in first.items():
            yield from self._log.parts[self._prefix + topic, number][start : end[topic, number]]


class Copier:
    """Appends, and dies after `lives` records; as on a real log, the first records have arrived."""

    def __init__(self, log: MemoryLog, lives: int) -> None:
        self._log = log
        self._lives = lives

    def append(self, topic: str, offset: int, copy: RecordCopy) -> None:
        if self._lives == 0:
            raise Killed
        self._lives -= 1
        assert self._log.add(NEW + topic, copy.partition, copy[1:]) == offset

    def flush(self) -> None:
        pass


class Inventory:
    """The inventory worker of the old prefix: decides every message, in the order of its partition."""

    def __init__(self, log: MemoryLog, partitions: int) -> None:
        self.log = log
        self.partitions = partitions
        self.log.create(plan(it, settings_of(OLD, partitions)) for it in TOPICS)
        self._processor = InventoryProcessor()
        self._rows = [PartitionRows(self._processor.decode, self._processor.encode) for _ in range(partitions)]
        for number, rows in enumerate(self._rows):
            rows.placement = Placement(number, partitions)
        self._positions = [NO_POSITION] * partitions
        self.now_ms = 1_800_000_000_000

    def take_all(self) -> None:
        for rows in self._rows:
            rows.placement = ANYWHERE

    def say(self, message: Message, key: str = "") -> None:
        self.put((key or message.subject).encode(), STOCK.encode(message))

    def put(self, key: bytes | None, value: bytes | None) -> None:
        number = 0 if key is None else home_of(key, self.partitions)
        self._put(number, key, value)

    def _put(self, number: int, key: bytes | None, value: bytes | None) -> None:
        self.log.add(OLD + "stock", number, (key, value, (), self.now_ms))

    def decide(self) -> None:
        """Decide every message and the messages that follow, and commit each partition."""
        while any(self._decide(number) for number in range(self.partitions)):
            pass

    def tick(self) -> None:
        """Append a tick to every partition that has something due."""
        for number, rows in enumerate(self._rows):
            if rows.due(self.now_ms):
                for key, value in self._processor.tick(rows, self.now_ms):
                    self._put(number, key, value)
        self.decide()

    def _decide(self, number: int) -> bool:
        records = [_Seen(it) for it in self.log.parts[OLD + "stock", number]]
        done = step(self._processor, self._rows[number], self._positions[number], records, BYTES_MAX)
        if done.position == self._positions[number]:
            return False
        self._positions[number] = done.position
        for output in done.outputs:
            self._output(output.topic, output.key, output.value, ())
        for parked in done.parked:
            letter = dead_letter(parked, "inventory", _Source(OLD + "stock", number))
            self._output(letter.topic, letter.key, letter.value, letter.headers)
        name = OLD + "inventory-levels"
        claim = Claim("memory", 1, self.now_ms)
        at = self.log.add(name, number, (CLAIM_KEY, encode_note(claim), (), self.now_ms))
        position = Position(done.position, at)
        self.log.add(name, number, (POSITION_KEY, encode_note(position), (), self.now_ms))
        for key, row in self._rows[number].changes():
            self.log.add(name, number, (key, row, (), self.now_ms))
        return True

    def _output(self, topic: str, key: bytes, value: bytes | None, headers: Any) -> None:
        self.log.add(OLD + topic, home_of(key, self.partitions), (key, value, headers, self.now_ms))


class _Seen:
    """A record with the names that a processor reads."""

    def __init__(self, it: Record) -> None:
        self.offset, self.timestamp, self.key = it.offset, it.timestamp_ms, it.key
        self.value, self.headers = it.value, it.headers


class _Source:
    def __init__(self, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition


def settings_of(prefix: str, partitions: int) -> Any:
    return load(topic_prefix=prefix, partitions=partitions)


@contextmanager
def _show(words: str, total: int) -> Iterator[Advance]:
    yield lambda _: None


def move(
    log: MemoryLog, partitions: int, lives: int = -1, *, topics: tuple[TopicDefinition, ...] = TOPICS, **asked: Any
) -> MoveReport:
    """Move from the old prefix to the new one; `lives` is how many records are copied before the process dies."""
    anew, working = asked.get("anew", False), asked.get("working")
    settings = settings_of(NEW, partitions)
    moving = [
        MovedTopic(topic=it, old_name=OLD + it.name, plan=plan(it, settings))
        for it in topics
        if it.migration is not MigrationRule.NOTHING
    ]
    connections = MoveConnections(
        old=Side(log, OLD),
        new=Side(log, NEW),
        keeper=log,
        copier=Copier(log, lives),
        working=working or list,
        show=_show,
    )
    moved = Move(connections, moving, OLD, NEW)
    moved.look()
    return moved.run(anew)


def decided_anew(log: MemoryLog, prefix: str, partitions: int) -> tuple[dict[str, bytes], set[tuple[bytes, bytes]]]:
    """The rows and conclusions of the messages of a prefix, decided from the first to the last."""
    rows: dict[str, bytes] = {}
    said: set[tuple[bytes, bytes]] = set()
    for number in range(partitions):
        processor = InventoryProcessor()
        table = PartitionRows(processor.decode, processor.encode)
        records = [_Seen(it) for it in log.parts[prefix + "stock", number]]
        outputs = step(processor, table, NO_POSITION, records, BYTES_MAX).outputs
        said |= {(it.key, it.value) for it in outputs if it.topic == "inventory-events"}
        rows |= {key: processor.encode(key, row) for key, row in table.items()}
    return rows, said
