"""Every use of private parts of aiokafka, and two repairs of it, for all clients of a worker.

An upgrade of aiokafka is checked here: `tests/streams/engine/test_aiokafka_internals.py` finds each private attribute
in the installed library. No other module of `streams` may reach into a client.

Repair 1: a write to a transport that has just closed is a lost connection. asyncio's transports only warn of it;
uvloop's raise `RuntimeError`, which aiokafka takes for a bug of its caller, and the routine that wrote would end with
it.

Repair 2: a routine that ends is reported. aiokafka keeps metadata, membership, fetches and sends going in background
tasks whose results nothing awaits; when one of them has died, everything that needs it waits for ever.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, KafkaConnectionError
from aiokafka.structs import TopicPartition

from streams.engine.batches import Chunk
from streams.engine.processor import LogRecord
from streams.errors import RoutineDied

# Routines that live as long as their client, by the qualified names of their coroutines. A heartbeat that ends is
# reported by the coordination routine, as an error of the group (`raise_group_error`).
ROUTINES = frozenset(
    {
        "AIOKafkaClient._md_synchronizer",
        "Fetcher._fetch_requests_routine",
        "GroupCoordinator._coordination_routine",
        "NoGroupCoordinator._reset_committed_routine",
        "Sender._sender_routine",
    }
)

Write = Callable[..., Any]


# --- Fetching


async def fetch_chunks(
    consumer: AIOKafkaConsumer, partitions: Collection[Any] | None, timeout_s: float
) -> dict[Any, Chunk]:
    """Like `AIOKafkaConsumer.getmany`, but one `Chunk` per partition and no object of ours per record.

    `partitions`: the only ones to read; None reads all that are assigned. Waits up to `timeout_s` seconds for records.
    Raises `ConsumerStoppedError` once the consumer is stopped, and what the log refused.
    """
    fetcher = consumer._fetcher
    if consumer._closed or fetcher._closed:
        raise ConsumerStoppedError
    # Tells the group's coordinator that this consumer is polled: it would be dropped from the group otherwise.
    with fetcher._subscriptions.fetch_context():
        return await _fetched(fetcher, partitions, timeout_s)


async def _fetched(fetcher: Any, partitions: Collection[Any] | None, timeout_s: float) -> dict[Any, Chunk]:
    end = time.monotonic() + timeout_s
    while True:
        # Until a new assignment is complete, what was fetched may belong to another member.
        if fetcher._subscriptions.reassignment_in_progress:
            await fetcher._subscriptions.wait_for_assignment()
        chunks = _drain(fetcher, partitions)
        left = end - time.monotonic()
        if chunks or left <= 0:
            return chunks
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=left)
        if not done:
            waiter.cancel()
            return {}
        if fetcher._closed:
            return {}
        waiter.result()


def _drain(fetcher: Any, partitions: Collection[Any] | None) -> dict[Any, Chunk]:
    chunks: dict[Any, Chunk] = {}
    for tp in list(fetcher._records):
        if partitions is not None and tp not in partitions:
            if not fetcher._subscriptions.is_assigned(tp):
                del fetcher._records[tp]
            continue
        fetched = fetcher._records[tp]
        if type(fetched) is not FetchResult and chunks:
            break  # An error of one partition waits for the next call; the others' records go first.
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
        if type(fetched) is not FetchResult:
            fetched.check_raise()
        elif fetched.check_assignment(tp) and fetched.has_more():
            chunk = parse(tp, fetched._partition_records)
            fetched._assignment.state_value(tp).consumed_to(chunk.next)
            if chunk.next > chunk.start:
                chunks[tp] = chunk
    return chunks


def parse(tp: TopicPartition, fetched: Any) -> Chunk:
    """The records of aiokafka's unread `PartitionRecords`. Raises `CorruptRecordException` for a bad checksum."""
    start = following = fetched.next_fetch_offset
    raw = fetched._records
    records: list[LogRecord] = []
    while raw.has_next():
        batch = raw.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException(f"bad checksum in {tp} near offset {following}")
        if not batch.is_control_batch:
            records += batch
        following = batch.next_offset
    # A fetch from the middle of a batch brings the whole batch.
    if records and records[0].offset < start:
        records = [record for record in records if record.offset >= start]
    return Chunk(tp, start, following, records)


def set_fetch_sizes(consumer: AIOKafkaConsumer, bytes_min: int, wait_ms: int) -> None:
    """From the next fetch on, the log answers once it has `bytes_min` bytes, and after `wait_ms` at the latest."""
    consumer._fetcher._fetch_min_bytes = bytes_min
    consumer._fetcher._fetch_max_wait_ms = wait_ms


# --- Membership


def is_member(consumer: AIOKafkaConsumer) -> bool | None:
    """Whether a consumer has joined its group and holds a valid assignment. None: it has not asked to join yet."""
    coordinator, subscription = consumer._coordinator, consumer._subscription.subscription
    if coordinator is None or subscription is None:
        return None
    return coordinator.generation > 0 and not coordinator.need_rejoin(subscription)


def raise_group_error(consumer: AIOKafkaConsumer) -> None:
    """Raise the error for which aiokafka has stopped coordinating, if there is one.

    aiokafka continues once its user has polled for that error. It is only read here, because each such error ends
    the worker: waiting would keep it out of its group for ever. May be called from another thread.
    """
    coordinator = consumer._coordinator
    if coordinator is not None and coordinator._pending_exception is not None:
        raise coordinator._pending_exception


def leave_for_good(consumer: AIOKafkaConsumer) -> None:
    """Let a static member leave its group when it is stopped; aiokafka would let its session time out instead."""
    if consumer._coordinator is not None:
        consumer._coordinator._group_instance_id = None


# --- Clients


def refresh_metadata(client: AIOKafkaClient) -> None:
    """Ask soon who leads what; nothing to do for a client that has not started yet."""
    if client._sync_task is not None:
        client.force_metadata_update()


def _closing_when_closed(write: Write) -> Write:
    """A method of a connection that writes; raises `KafkaConnectionError` where the transport is closed already."""

    def guarded(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return write(self, *arguments, **options)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error

    return guarded


AIOKafkaConnection.send = _closing_when_closed(AIOKafkaConnection.send)
AIOKafkaConnection._send_sasl_token = _closing_when_closed(AIOKafkaConnection._send_sasl_token)


def watch_routines(loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], object]) -> None:
    """Report each routine of aiokafka that is started on `loop` from now on and ends with an error, as `RoutineDied`.

    `failed` is called on `loop`.
    """

    def ended(task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            failed(RoutineDied(routine=_name(task.get_coro()), error=repr(error)))

    def create(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        if _name(coroutine) in ROUTINES:
            task.add_done_callback(ended)
        return task

    loop.set_task_factory(create)


def _name(coroutine: Any) -> str:
    return str(getattr(coroutine, "__qualname__", ""))
