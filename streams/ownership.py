"""Which partitions this worker owns, and what happens when that changes."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog

from streams.batches import Chunk
from streams.partition import Partition, Reach
from streams.standby import Copy, Standbys
from streams.standing import Standing

log = structlog.get_logger("streams.ownership")

Ready = Callable[[dict[int, int]], None]


class Reader(Protocol):
    """The consumer, as ownership sees it."""

    async def place(self, offsets: dict[Any, int]) -> None:
        """Read these partitions from these offsets on."""

    def standbys(self) -> list[int]:
        """The partitions that this worker shall keep copies of."""


class Ownership:
    """The partitions of one worker, from claim to farewell."""

    def __init__(self, reach: Reach, ready: Ready) -> None:
        self._reach = reach
        self._ready = ready
        self._topic = reach.connection.topic(reach.processor.source)
        self._partitions: dict[int, Partition] = {}
        self._resting: dict[int, Partition] = {}
        self._begun: dict[int, Copy] = {}
        self._openings: dict[int, asyncio.Task[None]] = {}
        self._reader: Reader | None = None
        self._standbys = Standbys(reach.processor, reach.connection, reach.limits, reach.client)
        self._told_ready = False
        self.closed = False

    async def revoked(self) -> None:
        """A rebalance begins: bring everything into the log before others may claim."""
        for opening in self._openings.values():
            opening.cancel()
        self._openings.clear()
        partitions, self._partitions = self._partitions, {}
        # What a recovery has read is not read again, or rebalances in quick succession would never let it end.
        begun = {number: it.hand_back() for number, it in partitions.items() if not it.ready}
        self._begun |= {number: copy for number, copy in begun.items() if copy is not None}
        for number, settled in (await self._rest(partitions)).items():
            if settled:
                self._resting[number] = partitions[number]
            else:
                partitions[number].close()

    async def _rest(self, partitions: dict[int, Partition]) -> dict[int, bool]:
        opened = {number: partition for number, partition in partitions.items() if partition.ready}
        for number, partition in partitions.items():
            if number not in opened:
                partition.close()
        settled = await asyncio.gather(*(p.rest(self._reach.limits.drain_s_max) for p in opened.values()))
        return dict(zip(opened, settled, strict=True))

    def assigned(self, tps: Iterable[Any], reader: Reader) -> None:
        """A rebalance ended: claim and recover in the background, each partition on its own."""
        self._reader = reader
        numbers = sorted(tp.partition for tp in tps if tp.topic == self._topic)
        resting, self._resting = self._resting, {}
        copied = [number for number in reader.standbys() if number not in numbers]
        self._hand_on(resting, numbers, copied)
        log.info("partitions.assigned", processor=self._reach.processor.name, partitions=numbers, standby=copied)
        for number in numbers:
            kept, copy = resting.get(number), self._begun.pop(number, None) or self._standbys.take(number)
            partition = kept or Partition(number, self._reach, copy)
            self._partitions[number] = partition
            task = asyncio.get_running_loop().create_task(self._open(partition, kept is not None))
            self._openings[number] = task
        for number, copy in self._begun.items():
            self._standbys.adopt(number, copy)
        self._begun.clear()
        self._standbys.follow(copied)
        self._tell_ready()

    def _hand_on(self, resting: dict[int, Partition], numbers: list[int], copied: list[int]) -> None:
        """What was owned until now and is not any more ends here, or stays as a copy, without being read again."""
        for number, partition in resting.items():
            if number in numbers:
                continue
            copy = partition.hand_on()
            if copy is not None and number in copied:
                self._standbys.adopt(number, copy)

    def standings(self) -> list[Standing]:
        """How each partition and each copy stands."""
        owned = [partition.standing() for _, partition in sorted(self._partitions.items())]
        return [*owned, *self._standbys.standings()]

    async def _open(self, partition: Partition, kept: bool) -> None:
        try:
            await (partition.reopen() if kept else partition.open())
            self._openings.pop(partition.source.partition, None)
            if self._reader is not None:
                await self._reader.place({partition.source: partition.next_offset})
            self._tell_ready()
        except Exception as error:
            self._reach.failed(error)

    def _tell_ready(self) -> None:
        if not self._told_ready and not self._openings:
            self._told_ready = True
            self._ready({number: partition.rows for number, partition in self._partitions.items()})

    def next_offsets(self) -> dict[Any, int]:
        """Where to read: the partitions that are ready."""
        return {p.source: p.next_offset for p in self._partitions.values() if p.ready}

    def durable_offsets(self) -> dict[Any, int]:
        """What may be told to the group as done, for whoever watches its lag."""
        partitions = (*self._partitions.values(), *self._resting.values())
        return {p.source: p.durable_next_offset for p in partitions if p.durable_next_offset > 0}

    async def take(self, chunk: Chunk) -> None:
        """Decide one chunk. Never raises: whoever calls would take an exception for "done, next"."""
        partition = self._partitions.get(chunk.tp.partition)
        if partition is None or self.closed:
            return
        try:
            back_to = await partition.take(chunk)
            if back_to is not None and self._reader is not None:
                await self._reader.place({partition.source: back_to})
        except Exception as error:
            self.closed = True
            self._reach.failed(error)

    def flush(self) -> None:
        """Every chunk that was fetched is decided: what a backlog has gathered need not wait for more."""
        for partition in self._partitions.values():
            partition.flush()

    async def close(self) -> bool:
        """Stop deciding and bring everything into the log. True when nothing staged is left."""
        self.closed = True
        for opening in self._openings.values():
            opening.cancel()
        settled = await self._rest(self._partitions)
        await self._standbys.close()
        return all(settled.values())

    def abandon(self) -> None:
        """Stop at once: somebody else is the owner, or nothing more can be trusted here."""
        self.closed = True
        for opening in self._openings.values():
            opening.cancel()
        for partition in (*self._partitions.values(), *self._resting.values()):
            partition.close()
        self._standbys.abandon()
