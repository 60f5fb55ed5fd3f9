"""One owned partition: claim it, recover it, then decide what comes, and leave it."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog
from aiokafka.structs import TopicPartition

from streams.batches import NO_HEADERS, Chunk
from streams.changelog import CLAIM_KEY, Claim, encode_note
from streams.client import EARLIEST, LATEST, LogClient
from streams.commit import GroupCommit
from streams.connection import Connection
from streams.dead_letters import dead_letter
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated
from streams.limits import StreamLimits
from streams.processor import Output, Processor
from streams.recovery import Recovery
from streams.rules import NO_POSITION, Step, step
from streams.standby import Copy
from streams.standing import OPENING, OWNER, READY, Standing
from streams.table import Table
from streams.ticks import Ticker
from streams.writer import PartitionWriter

log = structlog.get_logger("streams.partition")

Failed = Callable[[BaseException], None]


class Reach(msgspec.Struct, frozen=True):
    """What every partition of one worker shares."""

    processor: Processor
    connection: Connection
    limits: StreamLimits
    client: LogClient
    failed: Failed


class Partition:
    """Claim, recover, decide, commit: the exact step around one partition of the source."""

    def __init__(self, number: int, reach: Reach, copy: Copy | None = None) -> None:
        processor, connection = reach.processor, reach.connection
        self.source = TopicPartition(connection.topic(processor.source), number)
        self._changelog = TopicPartition(connection.topic(processor.changelog), number)
        self._reach = reach
        self._warm_from = None if copy is None else copy.following
        self._table = Table(processor) if copy is None else copy.table
        self._recovery = Recovery(self._table, self._changelog, reach.client)
        identity = f"{connection.group(processor.name)}-{number}"
        self._writer = PartitionWriter(reach.client, identity, reach.limits)
        self._commits = GroupCommit(self._table, self._writer, self._changelog, reach.limits, reach.failed)
        self._ticker = Ticker(self._table.rows, self._writer, self.source, reach.processor, reach.limits)
        self._ticking: asyncio.Task[None] | None = None
        self._gap_seeks = 0
        self.ready = self._was_ready = False

    @property
    def next_offset(self) -> int:
        """The first offset of the source that is not decided yet."""
        return self._table.position + 1

    @property
    def durable_next_offset(self) -> int:
        """The first offset that is decided anew if this worker dies now."""
        return self._commits.durable + 1

    @property
    def rows(self) -> int:
        return len(self._table.rows)

    async def open(self) -> None:
        """Become the owner: nobody else can write after the claim, so what stands before it is everything."""
        began = time.monotonic()
        await self._writer.open()
        claim = await self._claim()
        table, reach = self._table, self._reach
        await self._recovery.run(claim, self._warm_from, (reach.connection, reach.limits))
        await self._check_source()
        self._start()
        log.info(
            "partition.recovered",
            processor=reach.processor.name,
            partition=self.source.partition,
            epoch=self._writer.epoch,
            position=table.position,
            rows=self.rows,
            records=self._recovery.records,
            warm=self._warm_from is not None,
            stale=table.stale,
            seconds=round(time.monotonic() - began, 3),
        )

    async def reopen(self) -> None:
        """Go on after a rebalance that left the partition here. The claim is what proves that nobody else was the
        owner in between: somebody else's claim would have fenced it off. So the rows are still true."""
        self._table.claim = await self._claim()
        self._start()

    @property
    def settled(self) -> bool:
        """Everything decided is in the log."""
        return self._commits.durable == self._table.position

    async def _claim(self) -> int:
        claim = Claim(self._reach.connection.instance, self._writer.epoch, int(time.time() * 1000))
        offset = await self._writer.atomically(self._changelog, [(CLAIM_KEY, encode_note(claim), NO_HEADERS)])
        self._commits.following = offset + 1
        return offset

    async def _check_source(self) -> None:
        """Does the source go on where the rows stop?"""
        client, table = self._reach.client, self._table
        earliest = await client.offset(self.source, EARLIEST)
        end = await client.offset(self.source, LATEST)
        facts = {"topic": self.source.topic, "partition": self.source.partition, "position": table.position}
        if table.position >= end:
            raise SourceReplaced(**facts, end=end)
        if table.position == NO_POSITION:
            table.position = earliest - 1
        elif earliest > table.position + 1:
            if not self._reach.limits.truncated_source_accepted:
                raise SourceTruncated(**facts, earliest=earliest)
            log.error("source.truncated", **facts, earliest=earliest)
            table.position = earliest - 1
        self._commits.durable = table.position
        # Ticks of an earlier owner may still stand in the source: they are met before this owner makes its own.
        self._ticker.wait_for(end - 1)

    def _start(self) -> None:
        self.ready = self._was_ready = True
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        try:
            await self._ticker.run(lambda: self._table.position)
        except Exception as error:
            self._reach.failed(error)

    async def take(self, chunk: Chunk) -> int | None:
        """Decide one chunk. Answers an offset to go back to if records before the chunk are missing."""
        if not self.ready:
            return None
        if chunk.start > self.next_offset:
            return await self._gap(chunk)
        self._gap_seeks = 0
        reach, table = self._reach, self._table
        size, bytes_max = reach.limits.slice_records_max, reach.limits.record_bytes_max
        backlog = len(chunk.records) > reach.limits.backlog_records
        for first in range(0, len(chunk.records), size):
            await self._commits.room()
            if not self.ready:
                return None
            records = chunk.records[first : first + size]
            done = step(reach.processor, table.rows, table.position, records, bytes_max)
            self._commits.stage(done.position, self._outputs(done), backlog)
            await asyncio.sleep(0)
        # Offsets without a record at the end of the chunk are done, too: the next fetch begins behind them.
        if self.ready and chunk.next > self.next_offset:
            self._commits.stage(chunk.next - 1, [])
        return None

    def flush(self) -> None:
        """No chunk waits to be decided: commit what is gathered."""
        self._commits.flush()

    async def _gap(self, chunk: Chunk) -> int:
        """Records were fetched while nobody listened. They are still in the log, so go back for them."""
        facts = {"topic": self.source.topic, "partition": self.source.partition, "position": self._table.position}
        earliest = await self._reach.client.offset(self.source, EARLIEST)
        if earliest > self.next_offset:
            raise SourceTruncated(**facts, earliest=earliest)
        self._gap_seeks += 1
        if self._gap_seeks > self._reach.limits.gap_seeks_max:
            raise PartitionStuck(**facts, fetched=chunk.start)
        log.warning("partition.gap", **facts, fetched=chunk.start, seeks=self._gap_seeks)
        return self.next_offset

    def _outputs(self, done: Step) -> list[Output]:
        """Name topics in full; parked records leave as outputs, so that they are safe before the position is."""
        reach = self._reach
        if not done.outputs and not done.parked:
            return []
        topic = reach.connection.topic
        outputs = [Output(topic(output.topic), output.key, output.value, output.headers) for output in done.outputs]
        for parked in done.parked:
            letter = dead_letter(parked, reach.processor.name, self.source)
            outputs.append(Output(topic(letter.topic), letter.key, letter.value, letter.headers))
            log.warning(
                "record.parked",
                processor=reach.processor.name,
                partition=self.source.partition,
                offset=parked.record.offset,
                cause=parked.cause,
            )
        return outputs

    async def rest(self, drain_s_max: float) -> bool:
        """Decide nothing more and bring what is staged into the log. True when all of it arrived."""
        self.ready = False
        if self._ticking is not None:
            self._ticking.cancel()
        try:
            await asyncio.wait_for(self._commits.drain(), drain_s_max)
        except TimeoutError:
            log.warning("partition.not_drained", partition=self.source.partition, seconds=drain_s_max)
        return self.settled

    def hand_on(self) -> Copy | None:
        """After `rest`: the table as a copy for whoever owns the partition next. None when it holds more, or other
        things, than the log does."""
        exact = self.settled and self._writer.exact and self._commits.following > 0
        self.close()
        return Copy(self._table, self._commits.following) if exact else None

    def hand_back(self) -> Copy | None:
        """While the partition is not ready: what of the changelog is in the table by now."""
        if self._was_ready:
            return self.hand_on()
        following = self._recovery.following or self._warm_from
        return Copy(self._table, following) if following else None

    def standing(self) -> Standing:
        """How the partition stands just now."""
        return Standing(
            topic=self.source.topic,
            partition=self.source.partition,
            role=OWNER,
            state=READY if self.ready else OPENING,
            epoch=self._writer.epoch,
            position=self._table.position,
            rows=self.rows,
            recovered=self._recovery.following,
            commits=self._commits.commits,
            committing=self._commits.busy,
        )

    def close(self) -> None:
        self.ready = False
        if self._ticking is not None:
            self._ticking.cancel()
        self._commits.stop()
