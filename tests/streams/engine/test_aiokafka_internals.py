"""Every private part of aiokafka that is used exists, a closed transport is a lost connection, and no routine of the
Kafka client dies unseen."""

import ast
import asyncio
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from faust.transport.drivers import aiokafka as driver

from streams.engine import aiokafka_internals, faust_transport
from streams.engine.aiokafka_internals import ROUTINES, watch_routines
from streams.engine.connection import LogConnection
from streams.engine.event_loop import loop_factory
from streams.engine.log_client import LogClient
from streams.errors import RoutineDied
from streams.limits import StreamLimits
from tests.engines import Engine
from tests.house.reading import Module, modules
from tests.streams.stream_world import World

MODULES = ("client", "consumer.fetcher", "consumer.group_coordinator", "producer.sender")
WATCHFUL = {"watch_s": 0.3, "status_s": 1.0}
STALLED = 80

# Every attribute of aiokafka's own classes that `aiokafka_internals` relies on, also those without an underscore:
# aiokafka promises none of them.
USED: dict[type, tuple[str, ...]] = {
    AIOKafkaConsumer: ("_closed", "_coordinator", "_fetcher", "_subscription"),
    Fetcher: (
        "_closed",
        "_create_fetch_waiter",
        "_fetch_max_wait_ms",
        "_fetch_min_bytes",
        "_notify",
        "_records",
        "_subscriptions",
        "_wait_consume_future",
    ),
    FetchResult: ("_assignment", "_partition_records", "check_assignment", "has_more"),
    FetchError: ("check_raise",),
    PartitionRecords: ("_records", "next_fetch_offset"),
    SubscriptionState: (
        "fetch_context",
        "is_assigned",
        "reassignment_in_progress",
        "subscription",
        "wait_for_assignment",
    ),
    Assignment: ("state_value",),
    TopicPartitionState: ("consumed_to",),
    GroupCoordinator: ("_group_instance_id", "_pending_exception", "generation", "need_rejoin"),
    AIOKafkaClient: ("_sync_task", "force_metadata_update"),
    AIOKafkaConnection: ("_send_sasl_token", "close", "send"),
}
OF_PYTHON = {("os", "_exit"), ("sys", "_current_frames")}


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in USED.items() for name in names], ids=lambda it: str(it)
)
def test_the_installed_aiokafka_has_each_attribute_that_is_used(owner: type, name: str) -> None:
    assert hasattr(owner, name) or name in assigned_attributes(owner)


def assigned_attributes(owner: type) -> set[str]:
    """Attributes that the methods of a class set on its instances."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def test_every_private_attribute_that_is_used_is_in_the_table() -> None:
    [module] = [it for it in modules() if it.name == aiokafka_internals.__name__]

    used = {name for _, name in private_reaches(module)}

    assert used == {name for names in USED.values() for name in names if name.startswith("_")}


def test_no_other_module_of_streams_reaches_into_a_library() -> None:
    found = [
        f"{module.place}: {owner}.{name}"
        for module in modules()
        if module.name.startswith("streams.") and module.name != aiokafka_internals.__name__
        for owner, name in private_reaches(module)
        if (owner, name) not in OF_PYTHON
    ]

    assert found == []


def private_reaches(module: Module) -> Iterator[tuple[str, str]]:
    """Private attributes that are asked of anything but the module's own objects."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = ast.unparse(node.value)
            if owner not in {"self", "cls", "super()"}:
                yield owner, node.attr


@pytest.mark.parametrize(
    ("ours", "theirs", "added"),
    [
        (faust_transport.ConsumerThread, driver.AIOKafkaConsumerThread, {"check_group", "place"}),
        (
            faust_transport.Consumer,
            driver.Consumer,
            {"_place", "_watch_group", "place", "standbys", "taken"},
        ),
        (faust_transport.Producer, driver.Producer, set()),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_the_installed_faust_has_each_method_that_is_replaced(ours: type, theirs: type, added: set[str]) -> None:
    replaced = {name for name, value in vars(ours).items() if callable(value)} - added

    assert {name for name in replaced if not name.startswith("__") and not hasattr(theirs, name)} == set()


def connection(engine: Engine, home: Path) -> LogConnection:
    return LogConnection(bootstrap=engine.bootstrap, prefix="internals.", partitions=1, data_dir=home)


def test_a_transport_closed_between_look_and_write_is_a_lost_connection(any_engine: Engine, tmp_path: Path) -> None:
    """Under uvloop such a write raises RuntimeError, with which aiokafka's metadata routine used to end for good."""
    failures: list[BaseException] = []

    async def write_to_a_closed_transport() -> tuple[bool, Any, bool]:
        loop = asyncio.get_running_loop()
        watch_routines(loop, failures.append)
        client = LogClient(connection(any_engine, tmp_path), StreamLimits())
        await client.start()
        library: Any = client._client
        await library.fetch_all_metadata()
        [known] = library._conns.values()
        written: asyncio.Future[tuple[bool, Any]] = loop.create_future()

        def write() -> None:
            looked = known.connected()
            try:
                written.set_result((looked, known.send(MetadataRequest([]))))
            except Exception as error:
                written.set_result((looked, error))

        lost = known._protocol.connection_lost

        def reset(_: Any) -> None:
            # Before the reading routine hears of it, and after the transport has closed.
            loop.call_soon(write)
            lost(ConnectionResetError())

        known._protocol.connection_lost = reset
        known._writer.transport.abort()
        looked_alive, outcome = await asyncio.wait_for(written, 10)
        updated = await asyncio.wait_for(library.force_metadata_update(), 10)
        await client.stop()
        return looked_alive, outcome, bool(updated)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        looked_alive, outcome, updated = runner.run(write_to_a_closed_transport())

    assert looked_alive
    assert isinstance(outcome, KafkaConnectionError)
    assert updated
    assert failures == []


def test_a_routine_that_dies_is_reported_by_name(any_engine: Engine, tmp_path: Path) -> None:
    async def break_metadata() -> BaseException:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[BaseException] = loop.create_future()
        watch_routines(loop, failed.set_result)
        client = LogClient(connection(any_engine, tmp_path), StreamLimits())
        await client.start()
        library: Any = client._client

        async def bug(*_: Any) -> bool:
            raise RuntimeError("a bug")

        library._metadata_update = bug
        library.force_metadata_update()
        try:
            return await asyncio.wait_for(failed, 10)
        finally:
            library._sync_task = None
            await client.stop()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        failure = runner.run(break_metadata())

    assert isinstance(failure, RoutineDied)
    assert failure.exit_code == STALLED
    assert "AIOKafkaClient._md_synchronizer" in str(failure)
    assert "a bug" in str(failure)


@pytest.mark.parametrize("name", sorted(ROUTINES))
def test_the_installed_aiokafka_has_each_watched_routine(name: str) -> None:
    owner, method = name.split(".")
    owners = [getattr(importlib.import_module(f"aiokafka.{it}"), owner, None) for it in MODULES]

    assert any(asyncio.iscoroutinefunction(getattr(it, method, None)) for it in owners if it is not None)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("outcast", '"watchdog.out_of_group"'),
        ("heartless", "Unexpected error during coordination"),
        ("lost", "RoutineDied"),
    ],
)
async def test_a_worker_that_cannot_come_back_into_its_group_ends(any_world: World, fault: str, named: str) -> None:
    worker = any_world.worker(fault, group_stall_s=3.0, fault=fault, **WATCHFUL)

    code = await asyncio.to_thread(worker.process.wait, 40)

    assert code == STALLED, worker.text[-3000:]
    assert named in worker.text
