"""Settings to a connection, and names to processors: the one place where streams meet the product."""

import json
from collections.abc import Callable
from pathlib import Path

from bopis.settings import Settings
from bopis.topics.known import plans
from streams.connection import Connection
from streams.errors import LogNotRunning
from streams.limits import StreamLimits
from streams.worker import Ready, run

BROKER_FILE = "broker.json"
SHORT_NAMES = ("inventory", "projection")

Told = Callable[[Ready], None]


def bootstrap(settings: Settings) -> str:
    """HOST:PORT of the log: of the embedded one as it tells in the data directory, else as set."""
    if not settings.embedded:
        return settings.broker.removeprefix("kafka://")
    try:
        told = json.loads((settings.data_dir / BROKER_FILE).read_text())
        return f"{told['host']}:{told['port']}"
    except (OSError, ValueError, KeyError):
        raise LogNotRunning(data_dir=settings.data_dir) from None


def connection(settings: Settings, name: str) -> Connection:
    """The connection of one worker. On one machine each processor runs once, so it has a lasting name there and
    gets its partitions back at once after a crash."""
    return Connection(
        bootstrap=bootstrap(settings),
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        data_dir=Path(settings.data_dir),
        plans=plans(settings),
        instance=settings.instance or (f"{name}-1" if settings.embedded else ""),
    )


def limits(settings: Settings) -> StreamLimits:
    """The limits of a worker by the settings."""
    return StreamLimits(
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_ms=int(settings.heartbeat_seconds * 1000),
    )


def run_processor(name: str, settings: Settings, told: Told) -> int:
    """Run one processor in this process until it is told to stop; the exit code is the answer."""
    way, bounds = connection(settings, name), limits(settings)
    if name == "inventory":
        from streams.inventory import InventoryProcessor

        return run(InventoryProcessor(), way, bounds, told)
    from streams.projection import run as run_projection

    return run_projection(way, bounds, settings.database_url, told)
