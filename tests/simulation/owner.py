"""One partition of a processor: the real step over the real rows and the real group commit, driven by hand.

Nothing runs by itself. The simulation says when records are taken, when a commit goes one append further, when the
timer looks at the clock, and when the process is gone with all that it had not written.
"""

from collections.abc import Coroutine, Generator
from random import Random
from typing import Any

from aiokafka.structs import TopicPartition

from bopis.wire.changelog import CLAIM_KEY, Claim, encode_note
from streams.engine.commit import GroupCommit
from streams.engine.dead_letters import dead_letter
from streams.engine.exact_step import step
from streams.engine.processor import Output, Processor
from streams.engine.table import PartitionTable
from streams.errors import Fenced
from streams.limits import StreamLimits
from tests.simulation.log import Log

LIMITS = StreamLimits()
DRIVEN: Any = object()  # stands where a task would be, so that the group commit starts none


class Pause:
    """A place where a process may be interrupted, or end."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Writer:
    """What a worker writes, one append after the other, each under the owner's epoch."""

    def __init__(self, log: Log, identity: str, dice: Random) -> None:
        self._log = log
        self._identity = identity
        self._dice = dice
        self.epoch = log.take_over(identity)

    async def publish(self, outputs: list[Output]) -> None:
        """Outputs reach the log partition by partition, in any order of partitions, and not all at once."""
        by_partition: dict[tuple[str, int], list[Output]] = {}
        for it in outputs:
            by_partition.setdefault((it.topic, self._log.home(it.topic, it.key)), []).append(it)
        places = list(by_partition)
        self._dice.shuffle(places)
        for place in places:
            for it in by_partition[place]:
                if self._dice.random() < 0.4:
                    await Pause()
                self._log.check(self._identity, self.epoch)
                self._log.append(*place, (it.key, it.value), it.headers)

    async def atomically(self, tp: TopicPartition, entries: list[Any]) -> int:
        """All entries or none; the answer may be lost after they were kept."""
        await Pause()
        self._log.check(self._identity, self.epoch)
        first = len(self._log.topics[tp.topic][tp.partition])
        for key, value, _ in entries:
            self._log.append(tp.topic, tp.partition, (key, value))
        await Pause()
        return first


class Owner:
    """Claimed, recovered, and then as far as the simulation lets it come."""

    def __init__(self, processor: Processor, number: int, log: Log, dice: Random) -> None:
        self.processor, self.number = processor, number
        self._log, self._dice = log, dice
        self._source = log.topics[processor.source][number]
        self._changelog = TopicPartition(processor.changelog, number)
        self.table = PartitionTable(processor)
        self._writer = Writer(log, f"{processor.name}-{number}", dice)
        kept = log.topics[processor.changelog][number]
        claim = log.append(
            processor.changelog, number, (CLAIM_KEY, encode_note(Claim("it", self._writer.epoch, log.now_ms)))
        )
        self.table.load(kept[: claim + 1])
        self.table.loaded(claim)
        writer: Any = self._writer
        self._commits = GroupCommit(self.table, writer, self._changelog, LIMITS, _fell)
        self._commits.durable = self.table.position
        self._commits._runner = DRIVEN
        self._commit: Coroutine[Any, Any, None] | None = None
        self._awaited = len(self._source) - 1
        self._dead = False

    @property
    def rests(self) -> bool:
        """Everything that the source has is decided and written."""
        return self._commit is None and not self._unwritten and self.table.position >= len(self._source) - 1

    @property
    def _unwritten(self) -> bool:
        return bool(self._commits._outputs) or self._commits.durable < self.table.position

    def take(self, count: int) -> None:
        """Decide the next records. Whatever was delivered before may be delivered again."""
        if self._dead:
            return
        begin = self.table.position + 1
        again = self._dice.randrange(3) if self._dice.random() < 0.1 else 0
        records = self._source[max(0, begin - again) : begin + count]
        if not records:
            return
        done = step(self.processor, self.table.rows, self.table.position, records, LIMITS.record_bytes_max)
        source = TopicPartition(self.processor.source, self.number)
        letters = [dead_letter(it, self.processor.name, source) for it in done.parked]
        self._commits.stage(done.position, done.outputs + letters)

    def commit(self) -> None:
        """One append further. Raises `Fenced` when somebody else owns the partition by now."""
        if self._dead:
            return
        if self._commit is None:
            if not self._unwritten:
                return
            self._commit = self._commits._commit_once()
        try:
            self._commit.send(None)
        except StopIteration:
            self._commit = None
        except Fenced:
            self._commit = None
            raise

    def look_at_the_clock(self) -> None:
        """Say what is due, but not while an earlier tick is on its way."""
        if self._dead:
            return
        deadline_ms, now_ms = self.table.rows.next_deadline(), self._log.now_ms
        if deadline_ms is None or deadline_ms > now_ms or self.table.position < self._awaited:
            return
        for key, value in self.processor.tick(self.table.rows, now_ms):
            self._log.check(f"{self.processor.name}-{self.number}", self._writer.epoch)
            self._awaited = self._log.append(self.processor.source, self.number, (key, value))

    def die(self) -> None:
        """Gone with all that was not written."""
        self._dead = True
        if self._commit is not None:
            self._commit.close()


def _fell(error: BaseException) -> None:
    raise error
