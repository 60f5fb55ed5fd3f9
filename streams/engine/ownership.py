"""The partitions that this worker owns, and what a rebalance does to them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import structlog

from streams.engine.batches import Chunk
from streams.engine.partition import OwnedPartition
from streams.engine.partition_status import PartitionStatus
from streams.engine.standby import StandbyTable, StandbyTables
from streams.engine.worker_context import WorkerContext

log = structlog.get_logger("streams.engine.ownership")


class SourceConsumer(Protocol):
    """The member of the group that reads the source."""

    async def place(self, offsets: dict[Any, int]) -> None:
        """Read these partitions from these offsets on."""

    def standbys(self) -> list[int]:
        """The partitions of which this worker keeps standby tables, by the group's assignment."""


class OwnedPartitions:
    """The partitions of one worker, from their claim until they are given up.

    `ready` is called once, with the number of rows by partition, when all partitions of the first assignment are ready.
    """

    def __init__(self, context: WorkerContext, ready: Callable[[dict[int, int]], None]) -> None:
        self._context = context
        self._ready = ready
        self._topic = context.connection.topic(context.processor.source)
        self._partitions: dict[int, OwnedPartition] = {}
        # Given up in a rebalance that has not ended: if they stay here, they need no recovery.
        self._resting: dict[int, OwnedPartition] = {}
        # Tables whose recovery a rebalance has interrupted.
        self._begun: dict[int, StandbyTable] = {}
        self._openings: dict[int, asyncio.Task[None]] = {}
        self._consumer: SourceConsumer | None = None
        self._standbys = StandbyTables(context)
        self._reported_ready = False
        self.closed = False

    async def revoked(self) -> None:
        """A rebalance begins: commit everything before others may claim."""
        self._cancel_openings()
        self._openings.clear()
        partitions, self._partitions = self._partitions, {}
        # The part of a changelog that a recovery has read is kept, or rebalances in quick succession would never let it
        # end.
        begun = {number: it.hand_back() for number, it in partitions.items() if not it.ready}
        self._begun |= {number: table for number, table in begun.items() if table is not None}
        for number, settled in (await self._rest(partitions)).items():
            if settled:
                self._resting[number] = partitions[number]
            else:
                partitions[number].close()

    async def _rest(self, partitions: Mapping[int, OwnedPartition]) -> dict[int, bool]:
        """Bring partitions to rest; of each that was ready, whether everything decided is in the log."""
        opened = {number: partition for number, partition in partitions.items() if partition.ready}
        for number, partition in partitions.items():
            if number not in opened:
                partition.close()
        settled = await asyncio.gather(*(p.rest(self._context.limits.drain_s_max) for p in opened.values()))
        return dict(zip(opened, settled, strict=True))

    def assigned(self, tps: Iterable[Any], consumer: SourceConsumer) -> None:
        """A rebalance ended: claim and recover in the background, each partition on its own."""
        if self.closed:
            # A worker that is leaving may still be given partitions. Claiming them would fence their next owner off.
            return
        self._consumer = consumer
        numbers = sorted(tp.partition for tp in tps if tp.topic == self._topic)
        resting, self._resting = self._resting, {}
        standbys = [number for number in consumer.standbys() if number not in numbers]
        self._hand_on(resting, numbers, standbys)
        log.info("partitions.assigned", processor=self._context.processor.name, partitions=numbers, standby=standbys)
        for number in numbers:
            kept, standby = resting.get(number), self._begun.pop(number, None) or self._standbys.take(number)
            partition = kept or OwnedPartition(number, self._context, standby)
            self._partitions[number] = partition
            task = asyncio.get_running_loop().create_task(self._open(partition, kept is not None))
            self._openings[number] = task
        # Recoveries that were begun for partitions that are another worker's now serve as their standbys.
        for number, table in self._begun.items():
            self._standbys.adopt(number, table)
        self._begun.clear()
        self._standbys.keep(standbys)
        self._report_ready()

    def _hand_on(self, resting: Mapping[int, OwnedPartition], numbers: list[int], standbys: list[int]) -> None:
        """Close the partitions that went to others; where this worker keeps the standby, the table stays as it is."""
        for number, partition in resting.items():
            if number in numbers:
                continue
            table = partition.hand_on()
            if table is not None and number in standbys:
                self._standbys.adopt(number, table)

    def statuses(self) -> list[PartitionStatus]:
        """The status of each partition and of each standby."""
        owned = [partition.status() for _, partition in sorted(self._partitions.items())]
        return [*owned, *self._standbys.statuses()]

    async def _open(self, partition: OwnedPartition, kept: bool) -> None:
        try:
            await (partition.reopen() if kept else partition.open())
            self._openings.pop(partition.source.partition, None)
            if self._consumer is not None:
                await self._consumer.place({partition.source: partition.next_offset})
            self._report_ready()
        except Exception as error:
            self._context.failed(error)

    def _report_ready(self) -> None:
        if not self._reported_ready and not self._openings:
            self._reported_ready = True
            self._ready({number: partition.rows for number, partition in self._partitions.items()})

    def next_offsets(self) -> dict[Any, int]:
        """The offset to read from, of each partition that is ready."""
        return {p.source: p.next_offset for p in self._partitions.values() if p.ready}

    def durable_offsets(self) -> dict[Any, int]:
        """The offsets to commit in the group: only its lag is read from them, never a position."""
        partitions = (*self._partitions.values(), *self._resting.values())
        return {p.source: p.durable_next_offset for p in partitions if p.durable_next_offset > 0}

    async def take(self, chunk: Chunk) -> None:
        """Decide one chunk. Never raises: Faust would take an exception for "done, next"."""
        partition = self._partitions.get(chunk.tp.partition)
        if partition is None or self.closed:
            return
        try:
            back_to = await partition.take(chunk)
            if back_to is not None and self._consumer is not None:
                await self._consumer.place({partition.source: back_to})
        except Exception as error:
            self.closed = True
            self._context.failed(error)

    def flush(self) -> None:
        """Commit what a backlog has gathered: every chunk that was fetched is decided."""
        for partition in self._partitions.values():
            partition.flush()

    async def close(self) -> bool:
        """Stop deciding and commit everything. Returns whether nothing staged is left."""
        self.closed = True
        self._cancel_openings()
        settled = await self._rest(self._partitions)
        await self._standbys.close()
        return all(settled.values())

    def abandon(self) -> None:
        """Stop at once: another worker is the owner, or nothing more can be trusted here."""
        self.closed = True
        self._cancel_openings()
        for partition in (*self._partitions.values(), *self._resting.values()):
            partition.close()
        self._standbys.abandon()

    def _cancel_openings(self) -> None:
        for opening in self._openings.values():
            opening.cancel()
