"""The fenced writer of one partition.

The log knows a writer by (producer id, epoch). Asking for an id under the partition's own name raises the epoch;
from the first batch of the new epoch on, the log refuses every batch of an older one. So a worker that slept
through a takeover cannot write, without any transaction on the hot path.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka.errors import BrokerResponseError, DuplicateSequenceNumber, InvalidProducerEpoch
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.structs import TopicPartition

from bopis.wire.placement import partition_of
from streams.engine.batches import NO_HEADERS, BatchEntry, Batches, EncodedBatch
from streams.engine.log_client import LATEST, LogClient
from streams.engine.log_refusals import check
from streams.engine.processor import Output
from streams.engine.retry import Retry
from streams.errors import CommitTooLarge, Fenced, LogRefused
from streams.limits import StreamLimits

ACKS_ALL = -1
# aiokafka has no class for it. Source: https://kafka.apache.org/protocol#protocol_error_codes
PRODUCER_FENCED_CODE = 90
FENCED_CODES = frozenset({InvalidProducerEpoch.errno, PRODUCER_FENCED_CODE})
SEQUENCE_AFTER_MAX = 1 << 31
TRANSACTION_TIMEOUT_MS = 60_000  # The protocol wants one; no transaction is ever begun.


class PartitionWriter:
    """Writes everything that the owner of one partition writes, to any topic, under the partition's identity."""

    def __init__(self, client: LogClient, identity: str, limits: StreamLimits, now_ms: Callable[[], int]) -> None:
        self._client = client
        self._identity = identity
        self._limits = limits
        self._now_ms = now_ms
        self._producer_id = -1
        self.epoch = -1
        # Whether every offset came from the log, and none was computed from the end of a partition.
        self.exact = True
        self._sequences: dict[TopicPartition, int] = defaultdict(int)
        self._locks: dict[TopicPartition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._partition_counts: dict[str, int] = {}

    async def open(self) -> None:
        """Take the identity over: the log raises its epoch. Raises `RightMissing`."""

        async def attempt() -> Any:
            request = InitProducerIdRequest(self._identity, TRANSACTION_TIMEOUT_MS)
            reply = await self._client.to_coordinator(self._identity, request)
            check(reply.error_code, f"WRITE on transactional id {self._identity}")
            return reply

        reply = await self._client.patiently("writer identity", attempt)
        self._producer_id, self.epoch = reply.producer_id, reply.producer_epoch
        # The log counts the batches of a new epoch from 0 again.
        self._sequences.clear()

    async def atomically(self, tp: TopicPartition, entries: Sequence[BatchEntry]) -> int:
        """Append entries as one batch, all or nothing; the offset of the first one. Raises `CommitTooLarge`."""
        bytes_max = self._limits.commit_bytes_max
        batches = Batches(bytes_max, self._now_ms).encode(entries)
        size = sum(builder.size() for builder, _ in batches)
        if len(batches) != 1 or size > bytes_max:
            raise CommitTooLarge(topic=tp.topic, records=len(entries), bytes=size, bytes_max=bytes_max)
        async with self._locks[tp]:
            return (await self._append({tp: batches[0]}))[tp]

    async def append(self, tp: TopicPartition, entries: Iterable[BatchEntry]) -> None:
        """Append entries in order, in as many batches as needed."""
        async with self._locks[tp]:
            for batch in Batches(self._limits.output_batch_bytes_max, self._now_ms).encode(entries):
                await self._append({tp: batch})

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Append outputs (topics with prefix) to the partitions that their keys choose; all acknowledged."""
        by_partition: dict[TopicPartition, list[BatchEntry]] = defaultdict(list)
        for output in outputs:
            if output.topic not in self._partition_counts:
                self._partition_counts[output.topic] = await self._client.partitions(output.topic)
            # The same rule as every other client of the log, so that a key has one home.
            partition = partition_of(output.key, self._partition_counts[output.topic])
            headers = list(output.headers) if output.headers else NO_HEADERS
            by_partition[TopicPartition(output.topic, partition)].append((output.key, output.value, headers))
        batches = Batches(self._limits.output_batch_bytes_max, self._now_ms)
        waiting = {tp: deque(batches.encode(entries)) for tp, entries in by_partition.items()}
        async with AsyncExitStack() as held:
            # In a fixed order, so that two calls that need the same locks cannot wait for each other.
            for tp in sorted(waiting):
                await held.enter_async_context(self._locks[tp])
            while waiting:
                await self._append({tp: rest.popleft() for tp, rest in waiting.items()})
                waiting = {tp: rest for tp, rest in waiting.items() if rest}

    async def _append(self, batches: Mapping[TopicPartition, EncodedBatch]) -> dict[TopicPartition, int]:
        """One batch for each partition, sent with the same sequence until the log has it exactly once; the offsets."""
        built: dict[TopicPartition, bytes] = {}
        for tp, (builder, _) in batches.items():
            builder.set_producer_state(self._producer_id, self.epoch, self._sequences[tp])
            built[tp] = bytes(builder.build())
        parts = in_requests(built, self._limits.request_bytes_max)
        offsets = {tp: it for sent in await asyncio.gather(*map(self._send, parts)) for tp, it in sent.items()}
        # Only now: a batch that is sent again keeps its sequence, by which the log recognises it.
        for tp, (_, count) in batches.items():
            self._sequences[tp] = (self._sequences[tp] + count) % SEQUENCE_AFTER_MAX
            if offsets[tp] < 0:
                # The batch was there already and the log no longer knows where; the end is at or beyond it.
                offsets[tp] = await self._client.offset(tp, LATEST) - count
                self.exact = False
            if offsets[tp] < 0:
                raise LogRefused(request="append", topic=tp.topic, partition=tp.partition)
        return offsets

    async def _send(self, left: dict[TopicPartition, bytes]) -> dict[TopicPartition, int]:
        """Send batches until the log has all of them; those that it has taken are not sent again."""
        offsets: dict[TopicPartition, int] = {}

        async def to_leader_of(tps: list[TopicPartition]) -> None:
            reply = await self._client.to_leader(tps[0], self._request({tp: left[tp] for tp in tps}))
            failed: Exception | None = None
            for topic, partitions in reply.topics:
                for number, code, offset, *_ in partitions:
                    tp = TopicPartition(topic, number)
                    try:
                        offsets[tp] = self._taken(tp, code, offset)
                        del left[tp]
                    except BrokerResponseError as error:
                        failed = failed or error
            if failed is not None:
                raise failed

        async def attempt() -> None:
            sends = [to_leader_of(tps) for tps in self._client.by_leader(left)]
            for failed in await asyncio.gather(*sends, return_exceptions=True):
                if failed is not None:
                    raise failed
            if left:
                raise Retry(f"the log has not answered for {', '.join(f'{it.topic}/{it.partition}' for it in left)}")

        names = [f"{tp.topic}/{tp.partition}" for tp in left]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        await self._client.patiently(f"append to {names[0]}{more}", attempt)
        return offsets

    def _request(self, built: Mapping[TopicPartition, bytes]) -> Any:
        by_topic: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for tp, batch in built.items():
            by_topic[tp.topic].append((tp.partition, batch))
        return ProduceRequest(None, ACKS_ALL, self._limits.request_timeout_ms, [*by_topic.items()])

    def _taken(self, tp: TopicPartition, code: int, offset: int) -> int:
        """The offset at which the log took a batch; -1 when it had the batch already and no longer knows where."""
        if code in FENCED_CODES:
            raise Fenced(topic=tp.topic, partition=tp.partition, epoch=self.epoch)
        if code == DuplicateSequenceNumber.errno:
            return -1
        check(code, f"WRITE on topic {tp.topic}")
        return int(offset)


def in_requests(built: Mapping[TopicPartition, bytes], bytes_max: int) -> list[dict[TopicPartition, bytes]]:
    """Batches grouped into requests: as many together as fit, because a request costs as much as many records do. A
    lone batch may be larger than the limit."""
    parts: list[dict[TopicPartition, bytes]] = []
    room = 0
    for tp, batch in built.items():
        if len(batch) > room:
            parts.append({})
            room = bytes_max
        parts[-1][tp] = batch
        room -= len(batch)
    return parts
