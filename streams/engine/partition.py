"""One owned partition: claim it, recover it, then decide its records, and give it up."""

import asyncio
import time
from collections.abc import Sequence

import structlog
from aiokafka.structs import TopicPartition

from bopis.wire.changelog import CLAIM_KEY, Claim, encode_note
from bopis.wire.placement import Placement
from streams.engine.batches import NO_HEADERS, BatchEntry, Chunk
from streams.engine.commit import GroupCommit
from streams.engine.dead_letters import dead_letter
from streams.engine.exact_step import NO_POSITION, StepResult, step
from streams.engine.log_client import EARLIEST, LATEST
from streams.engine.partition_status import OPENING, OWNER, READY, PartitionStatus
from streams.engine.processor import Output
from streams.engine.recovery import Recovery
from streams.engine.standby import StandbyTable
from streams.engine.table import PartitionTable
from streams.engine.ticks import Feeder, Ticker
from streams.engine.worker_context import WorkerContext
from streams.engine.writer import PartitionWriter
from streams.errors import PartitionStuck, SourceReplaced, SourceTruncated

log = structlog.get_logger("streams.engine.partition")


class OwnedPartition:
    """Claim, recover, decide, commit: the exact step around one partition of the source."""

    def __init__(self, number: int, context: WorkerContext, standby: StandbyTable | None = None) -> None:
        processor, connection = context.processor, context.connection
        self.source = TopicPartition(connection.topic(processor.source), number)
        self._changelog = TopicPartition(connection.topic(processor.changelog), number)
        self._context = context
        self._warm_from = None if standby is None else standby.following
        self._table = PartitionTable(processor) if standby is None else standby.table
        self._recovery = Recovery(self._table, self._changelog, context)
        identity = f"{connection.group(processor.name)}-{number}"
        self._writer = PartitionWriter(context.client, identity, context.limits, connection.now_ms)
        self._commits = GroupCommit(self._table, self._writer, self._changelog, context.limits, context.failed)
        self._ticker = Ticker(self._table.rows, self._writer, self.source, processor, context.limits)
        self._feeder: Feeder | None = None
        if context.feed is not None:
            feed = context.feed.of_partition()
            self._feeder = Feeder(self._table.rows, self._writer, self.source, feed, context.limits)
        self._ticking: asyncio.Task[None] | None = None
        self._gap_seeks = 0
        self.ready = self._was_ready = False

    @property
    def next_offset(self) -> int:
        """The first offset of the source that is not decided yet."""
        return self._table.position + 1

    @property
    def durable_next_offset(self) -> int:
        """The first offset that is decided again if this worker dies now."""
        return self._commits.durable + 1

    @property
    def rows(self) -> int:
        """How many rows the partition has."""
        return len(self._table.rows)

    async def open(self) -> None:
        """Become the owner and recover the table: no other worker can write after the claim, so the changelog up to it
        is complete. Raises `SourceReplaced` or `SourceTruncated` where the source does not fit the table."""
        began = time.monotonic()
        partitions = await self._context.client.partitions(self.source.topic)
        self._table.rows.placement = Placement(self.source.partition, partitions)
        # The order is the fence: a new epoch, a claim under it, and only then reading what others wrote.
        await self._writer.open()
        await self._recovery.run(await self._claim(), self._warm_from)
        await self._check_source()
        self._start()
        for it in self._table.skipped:
            log.warning(
                "changelog.skipped",
                topic=self._changelog.topic,
                partition=self.source.partition,
                offset=it.offset,
                key=it.key.decode(errors="replace"),
                cause=it.cause,
            )
        log.info(
            "partition.recovered",
            processor=self._context.processor.name,
            partition=self.source.partition,
            epoch=self._writer.epoch,
            position=self._table.position,
            rows=self.rows,
            records=self._recovery.records,
            warm=self._warm_from is not None,
            stale=self._table.stale,
            seconds=round(time.monotonic() - began, 3),
        )

    async def reopen(self) -> None:
        """Go on after a rebalance that left the partition here, without recovery. The second claim under the same epoch
        proves that the rows are still true: the claim of another owner in between would have fenced it off."""
        self._table.claim = await self._claim()
        self._start()

    @property
    def settled(self) -> bool:
        """Whether everything decided is in the log."""
        return self._commits.durable == self._table.position

    async def _claim(self) -> int:
        claim = Claim(self._context.connection.instance, self._writer.epoch, int(time.time() * 1000))
        offset = await self._writer.atomically(self._changelog, [(CLAIM_KEY, encode_note(claim), NO_HEADERS)])
        self._commits.following = offset + 1
        return offset

    async def _check_source(self) -> None:
        """Check that the source has the record after the table's position."""
        client, table = self._context.client, self._table
        earliest = await client.offset(self.source, EARLIEST)
        end = await client.offset(self.source, LATEST)
        facts = {"topic": self.source.topic, "partition": self.source.partition, "position": table.position}
        if table.position >= end:
            raise SourceReplaced(**facts, end=end)
        if table.position == NO_POSITION:
            table.position = earliest - 1
        elif earliest > table.position + 1:
            if not self._context.limits.truncated_source_accepted:
                raise SourceTruncated(**facts, earliest=earliest)
            log.error("source.truncated", **facts, earliest=earliest)
            table.position = earliest - 1
        self._commits.durable = table.position
        # The source may still hold messages of an earlier owner: they are decided before this owner makes its own.
        self._ticker.wait_for(end - 1)
        if self._feeder is not None:
            self._feeder.wait_for(end - 1)

    def _start(self) -> None:
        self.ready = self._was_ready = True
        self._context.pulse.add(self._beat)

    def _stop_ticking(self) -> None:
        self._context.pulse.remove(self._beat)
        if self._ticking is not None:
            self._ticking.cancel()

    def _beat(self) -> None:
        """Append what is due, unless something is still on its way."""
        if self._ticking is not None and not self._ticking.done():
            return
        try:
            position = self._table.position
            lacking = () if self._feeder is None else self._feeder.lacking(position)
            if lacking or self._ticker.is_due(position, self._context.connection.now_ms):
                self._ticking = asyncio.get_running_loop().create_task(self._append(lacking))
        except Exception as error:
            self._context.failed(error)

    async def _append(self, lacking: Sequence[BatchEntry]) -> None:
        now_ms = self._context.connection.now_ms
        try:
            if self._ticker.is_due(self._table.position, now_ms):
                await self._ticker.append(now_ms())
            if lacking and self._feeder is not None:
                await self._feeder.append(lacking)
        except Exception as error:
            self._context.failed(error)

    async def take(self, chunk: Chunk) -> int | None:
        """Decide one chunk. Returns an offset to go back to when records before the chunk are missing."""
        if not self.ready:
            return None
        if chunk.start > self.next_offset:
            return await self._gap(chunk)
        self._gap_seeks = 0
        context, table = self._context, self._table
        size, bytes_max = context.limits.slice_records_max, context.limits.record_bytes_max
        backlog = len(chunk.records) > context.limits.backlog_records
        for first in range(0, len(chunk.records), size):
            await self._commits.room()
            if not self.ready:
                return None
            records = chunk.records[first : first + size]
            result = step(context.processor, table.rows, table.position, records, bytes_max)
            self._commits.stage(result.position, self._outputs(result), backlog)
            # Commits, ticks and the health monitor share this loop: they run between two slices.
            await asyncio.sleep(0)
        # Offsets without a record at the end of the chunk are done, too: the next fetch begins behind them.
        if self.ready and chunk.next > self.next_offset:
            self._commits.stage(chunk.next - 1, [])
        return None

    def flush(self) -> None:
        """Commit what is gathered: no chunk waits to be decided."""
        self._commits.flush()

    async def _gap(self, chunk: Chunk) -> int:
        """The offset to go back to: records were fetched while the partition was not read, and the log has them still.

        Raises `SourceTruncated` when it has not, `PartitionStuck` when going back does not help.
        """
        facts = {"topic": self.source.topic, "partition": self.source.partition, "position": self._table.position}
        earliest = await self._context.client.offset(self.source, EARLIEST)
        if earliest > self.next_offset:
            raise SourceTruncated(**facts, earliest=earliest)
        self._gap_seeks += 1
        if self._gap_seeks > self._context.limits.gap_seeks_max:
            raise PartitionStuck(**facts, fetched=chunk.start)
        log.warning("partition.gap", **facts, fetched=chunk.start, seeks=self._gap_seeks)
        return self.next_offset

    def _outputs(self, result: StepResult) -> list[Output]:
        """Name topics in full. Parked records leave as outputs, so that they are in the log before the position is."""
        if not result.outputs and not result.parked:
            return []
        processor, topic = self._context.processor, self._context.connection.topic
        letters = [dead_letter(parked, processor.name, self.source) for parked in result.parked]
        for parked in result.parked:
            log.warning(
                "record.parked",
                processor=processor.name,
                partition=self.source.partition,
                offset=parked.record.offset,
                cause=parked.cause,
            )
        return [Output(topic(it.topic), it.key, it.value, it.headers) for it in (*result.outputs, *letters)]

    async def rest(self, drain_s_max: float) -> bool:
        """Decide nothing more and commit what is staged. Returns whether all of it is in the log."""
        self.ready = False
        self._stop_ticking()
        try:
            await asyncio.wait_for(self._commits.drain(), drain_s_max)
        except TimeoutError:
            log.warning("partition.not_drained", partition=self.source.partition, seconds=drain_s_max)
        return self.settled

    def hand_on(self) -> StandbyTable | None:
        """After `rest`: the table as a standby of the partition's next owner. None when it holds more, or other things,
        than the log does."""
        exact = self.settled and self._writer.exact and self._commits.following > 0
        self.close()
        return StandbyTable(self._table, self._commits.following) if exact else None

    def hand_back(self) -> StandbyTable | None:
        """While the partition is not ready: the part of the changelog that is in the table by now."""
        if self._was_ready:
            return self.hand_on()
        following = self._recovery.following or self._warm_from
        return StandbyTable(self._table, following) if following else None

    def status(self) -> PartitionStatus:
        """The status of the partition now."""
        return PartitionStatus(
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
        """Stop at once; what is staged is decided again by the next owner."""
        self.ready = False
        self._stop_ticking()
        self._commits.stop()
