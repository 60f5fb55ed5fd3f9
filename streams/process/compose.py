"""Settings to a connection, and names to workers: the one place where streams meet the product."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bopis.adapters.address import embedded_log, remote_address
from bopis.adapters.security import security_of
from bopis.names import WEBHOOKS_PROCESSOR
from bopis.settings import Settings
from bopis.topics.definitions import plans
from streams.clock import system_ms
from streams.engine.connection import LogConnection
from streams.engine.processor import Processor
from streams.engine.ticks import Feed
from streams.errors import ChannelsUnsound, LogNotRunning, RulesUnsound
from streams.limits import StreamLimits
from streams.process.errors import GatewaysUnsound
from streams.process.instance_names import leased_name
from streams.workers.worker import ReadyCallback, Worker

if TYPE_CHECKING:
    from bopis.services.notifier.notifier import Notifier
    from bopis.services.payments.runner import PaymentRunner
    from bopis.services.routing.live import LiveRouting


def bootstrap(settings: Settings) -> str:
    """HOST:PORT of the log: the embedded one's as in its note in the data directory, else the setting.

    It need not answer yet: a worker waits for its log. Raises `LogNotRunning`.
    """
    if not settings.embedded:
        return remote_address(settings.broker)
    note = embedded_log(settings.data_dir)
    if note is None:
        raise LogNotRunning(data_dir=settings.data_dir)
    return note.address


def connection(settings: Settings, name: str, now_ms: Callable[[], int] = system_ms) -> LogConnection:
    """The connection of one worker."""
    return LogConnection(
        bootstrap=bootstrap(settings),
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        data_dir=Path(settings.data_dir),
        plans=plans(settings),
        security=security_of(settings),
        instance=settings.instance or (leased_name(settings.data_dir, name) if settings.embedded else ""),
        now_ms=now_ms,
    )


def limits(settings: Settings) -> StreamLimits:
    """The limits of a worker by the settings."""
    return StreamLimits(
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_ms=int(settings.heartbeat_seconds * 1000),
        absence_s_max=settings.absence_seconds,
        standby=settings.standby,
        leave_on_stop=settings.leave_on_stop,
        # Half of it: a standby that lagged for less has missed no tombstone.
        tombstones_kept_s=settings.tombstone_retention_hours * 3600 / 2,
        stall_s=settings.stall_seconds,
        recovery_stall_s=settings.recovery_stall_seconds,
        commit_stall_s=settings.commit_stall_seconds,
        disk_free_bytes_min=settings.disk_free_mebibytes_min << 20,
        status_s=settings.status_seconds,
    )


def run_processor(name: str, settings: Settings, ready: ReadyCallback, now_ms: Callable[[], int] = system_ms) -> int:
    """Run one processor's worker by the clock `now_ms` in this process until it is stopped; returns the exit code."""
    with worker(name, settings, ready, now_ms) as built:
        return built.run_until_stopped()


@contextmanager
def worker(
    name: str, settings: Settings, ready: ReadyCallback, now_ms: Callable[[], int] = system_ms
) -> Iterator[Worker]:
    """The worker of a processor with everything that it needs, which is closed at the end.

    Each kind is imported when it is asked for: a worker of one kind starts sooner and stays smaller without the others.
    """
    log, bounds = connection(settings, name, now_ms), limits(settings)
    with ExitStack() as open_until_the_end:
        if name == "routing":
            from streams.workers.routing import RoutingWorker

            yield RoutingWorker(log, bounds, routing(settings), ready)
        elif name == "notifier":
            from streams.workers.notifier import NotifierWorker

            sender = open_until_the_end.enter_context(notifier(settings))
            yield NotifierWorker(log, bounds, sender, settings.notice_concurrency, ready)
        elif name == "payment-runner":
            from streams.workers.payment_runner import PaymentRunnerWorker

            yield PaymentRunnerWorker(log, bounds, payment_runner(settings), ready)
        elif name == "projection":
            from streams.workers.projection import ProjectionWorker
            from streams.workers.projection_database import connected

            database = open_until_the_end.enter_context(connected(settings.database_url, log, bounds))
            yield ProjectionWorker(log, bounds, database, ready)
        elif name == WEBHOOKS_PROCESSOR:
            from streams.process.webhooks import webhook_worker

            yield open_until_the_end.enter_context(webhook_worker(settings, log, bounds, ready))
        else:
            from streams.workers.exact_worker import ExactWorker

            yield ExactWorker(processor(name), log, bounds, ready, feed(name))


def processor(name: str) -> Processor:
    """The processor of this name that runs with the exact step."""
    match name:
        case "inventory":
            from streams.processors.inventory import InventoryProcessor

            return InventoryProcessor()
        case "orders":
            from streams.processors.orders import OrdersProcessor

            return OrdersProcessor()
        case "payments":
            from streams.processors.payments import PaymentsProcessor

            return PaymentsProcessor()
        case "notices":
            from streams.processors.notices import NoticesProcessor

            return NoticesProcessor()
    raise ValueError(f"no processor is called {name}")


def feed(name: str) -> Feed | None:
    """The topics that the partitions of this processor are fed from."""
    if name != "inventory":
        return None
    from streams.processors.catalogue_feed import CatalogueFeed

    return CatalogueFeed()


def routing(settings: Settings) -> "LiveRouting":
    """Routing by the rules that the settings name. Raises `RulesUnsound`."""
    from bopis.adapters.opening_hours import OsmHours
    from bopis.services.routing.errors import RulesUnreadable
    from bopis.services.routing.live import LiveRouting
    from bopis.services.routing.rules_file import read_rules

    try:
        files = (settings.routing_rules, settings.routing_candidate_rules)
        rules, candidate = (None if file is None else read_rules(file) for file in files)
    except RulesUnreadable as error:
        raise RulesUnsound(cause=str(error)) from error
    return LiveRouting(OsmHours(), rules or read_rules(None), candidate, settings.partitions)


@contextmanager
def notifier(settings: Settings) -> "Iterator[Notifier]":
    """The notifier with its channels and the key to customers' data. Raises `ChannelsUnsound` or
    `SecretError`."""
    from bopis.adapters.notices.brand import brand_of
    from bopis.adapters.notices.channels import senders
    from bopis.adapters.notices.errors import NoticeError
    from bopis.adapters.notices.rendering import TemplateRenderer
    from bopis.adapters.opening_hours import OsmHours
    from bopis.adapters.secrets.vault import open_vault
    from bopis.services.notifier.notifier import Notifier, NotifierDependencies
    from bopis.services.notifier.quiet_hours import read_quiet_hours

    try:
        channels, brand = senders(settings), brand_of(settings)
    except NoticeError as error:
        raise ChannelsUnsound(cause=str(error)) from error
    vault = open_vault(settings)
    renderer = TemplateRenderer(settings.notice_templates, settings.notice_language, brand)
    # A shop with a page of its own for orders has one; else the pages of the web process are it.
    pages_url = "" if settings.shop_url else settings.web_url
    quiet = read_quiet_hours(settings.notice_quiet_hours)
    tools = NotifierDependencies(vault, renderer, OsmHours(), channels, quiet, pages_url)
    try:
        yield Notifier(tools)
    finally:
        vault.close()


def payment_runner(settings: Settings) -> "PaymentRunner":
    """The payment runner with its gateways. Raises `GatewaysUnsound`."""
    from bopis.adapters.gateways.errors import GatewayError
    from bopis.adapters.gateways.installed import installed_gateways
    from bopis.services.payments.lanes import LaneLimits
    from bopis.services.payments.runner import PaymentRunner

    bounds = LaneLimits(
        concurrency=settings.payment_concurrency,
        rate=settings.payment_rate,
        endpoint_rate=settings.payment_endpoint_rate,
    )
    try:
        gateways = installed_gateways(settings)
    except GatewayError as error:
        raise GatewaysUnsound(cause=str(error)) from error
    return PaymentRunner(gateways, settings.payment_gateway, bounds)
