"""Settings to a connection, and names to processors: the one place where streams meet the product."""

from collections.abc import Callable
from pathlib import Path

from bopis.adapters.address import embedded_log, remote_address
from bopis.adapters.security import security_of
from bopis.settings import Settings
from bopis.topics.known import plans
from streams.connection import Connection
from streams.errors import ChannelsUnsound, LogNotRunning, RulesUnsound
from streams.limits import StreamLimits
from streams.seats import numbered
from streams.worker import Ready, run

SHORT_NAMES = ("inventory", "orders", "routing", "notices", "notifier", "projection")

Told = Callable[[Ready], None]


def bootstrap(settings: Settings) -> str:
    """HOST:PORT of the log: of the embedded one as it tells in the data directory, else as set.

    It need not answer yet: a worker waits for its log.
    """
    if not settings.embedded:
        return remote_address(settings.broker)
    told = embedded_log(settings.data_dir)
    if told is None:
        raise LogNotRunning(data_dir=settings.data_dir)
    return told.address


def connection(settings: Settings, name: str) -> Connection:
    """The connection of one worker."""
    return Connection(
        bootstrap=bootstrap(settings),
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        data_dir=Path(settings.data_dir),
        plans=plans(settings),
        security=security_of(settings),
        instance=settings.instance or (numbered(settings.data_dir, name) if settings.embedded else ""),
    )


def limits(settings: Settings) -> StreamLimits:
    """The limits of a worker by the settings."""
    return StreamLimits(
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_ms=int(settings.heartbeat_seconds * 1000),
        absence_s_max=settings.absence_seconds,
        standby=settings.standby,
        leave_on_stop=settings.leave_on_stop,
        tombstones_kept_s=settings.tombstone_retention_hours * 3600 / 2,
        stall_s=settings.stall_seconds,
        recovery_stall_s=settings.recovery_stall_seconds,
        commit_stall_s=settings.commit_stall_seconds,
        disk_free_bytes_min=settings.disk_free_mebibytes_min << 20,
        status_s=settings.status_seconds,
    )


def run_processor(name: str, settings: Settings, told: Told) -> int:
    """Run one processor in this process until it is told to stop; the exit code is the answer."""
    way, bounds = connection(settings, name), limits(settings)
    if name == "inventory":
        from streams.inventory import InventoryProcessor

        return run(InventoryProcessor(), way, bounds, told)
    if name == "orders":
        from streams.orders import OrdersProcessor

        return run(OrdersProcessor(), way, bounds, told)
    if name == "notices":
        from streams.notices import NoticesProcessor

        return run(NoticesProcessor(), way, bounds, told)
    if name == "routing":
        return _run_routing(settings, told)
    if name == "notifier":
        return _run_notifier(settings, told)
    from streams.projection import run as run_projection

    return run_projection(way, bounds, settings.database_url, told)


def _run_routing(settings: Settings, told: Told) -> int:
    from bopis.adapters.opening_hours import OsmHours
    from bopis.services.routing.errors import RulesUnreadable
    from bopis.services.routing.live import LiveRouting
    from bopis.services.routing.rulefile import read_rules
    from streams.routing import run as run_routing

    try:
        files = (settings.routing_rules, settings.routing_candidate_rules)
        rules, candidate = (None if it is None else read_rules(it) for it in files)
    except RulesUnreadable as error:
        raise RulesUnsound(cause=str(error)) from error
    routing = LiveRouting(OsmHours(), rules or read_rules(None), candidate)
    return run_routing(connection(settings, "routing"), limits(settings), routing, told)


def _run_notifier(settings: Settings, told: Told) -> int:
    from bopis.adapters.notices.channels import senders
    from bopis.adapters.notices.errors import NoticeError
    from bopis.adapters.notices.wording import Wording
    from bopis.adapters.opening_hours import OsmHours
    from bopis.adapters.secrets.errors import SecretError
    from bopis.adapters.secrets.vault import open_vault
    from bopis.services.notifier.notifier import Notifier, Tools
    from bopis.services.notifier.quiet import read_quiet_hours
    from streams.notifier import run as run_notifier

    try:
        ways, vault = senders(settings), open_vault(settings)
    except (NoticeError, SecretError) as error:
        raise ChannelsUnsound(cause=str(error)) from error
    wording = Wording(settings.notice_templates, settings.notice_language)
    tools = Tools(vault, wording, OsmHours(), ways, read_quiet_hours(settings.notice_quiet_hours))
    way, bounds = connection(settings, "notifier"), limits(settings)
    try:
        return run_notifier(way, bounds, Notifier(tools), settings.notice_concurrency, told)
    finally:
        vault.close()
