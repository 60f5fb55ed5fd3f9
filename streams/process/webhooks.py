"""Settings to the worker of webhooks."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache

from sqlalchemy.exc import SQLAlchemyError

from bopis.adapters.secrets.vault import open_vault
from bopis.adapters.webhooks.posting import PostLimits
from bopis.adapters.webhooks.table import WebhookTable, webhooks_url
from bopis.domain.values import DAY_MS
from bopis.readside.opening import ReadSide
from bopis.settings import Settings
from streams.engine.connection import LogConnection
from streams.limits import StreamLimits
from streams.workers.webhook_sender import SenderOptions
from streams.workers.webhooks import WebhookWorker
from streams.workers.worker import ReadyCallback


@contextmanager
def webhook_worker(
    settings: Settings, log: LogConnection, limits: StreamLimits, ready: ReadyCallback | None
) -> Iterator[WebhookWorker]:
    """The worker of webhooks, with its table. Raises `WebhooksUnavailable`."""
    with (
        closing(ReadSide(settings.database_reader_url)) as read_side,
        closing(WebhookTable(webhooks_url(settings))) as table,
    ):
        options = SenderOptions(
            limits=PostLimits(
                settings.webhook_concurrency, settings.webhook_timeout_seconds, settings.webhook_private_addresses
            ),
            disable_days=settings.webhook_disable_days,
            retention_ms=settings.webhook_retention_days * DAY_MS,
            sealing_key=_sealing_key(settings),
            stores_of=_stores_of(read_side),
            now_ms=log.now_ms,
        )
        yield WebhookWorker(log, limits, table, options, ready)


def _sealing_key(settings: Settings) -> Callable[[], bytes]:
    """The key of secrets, read when it is needed first: without subscriptions no master key is needed here."""

    @cache
    def key() -> bytes:
        with closing(open_vault(settings)) as vault:
            return vault.webhook_key

    return key


def _stores_of(read_side: ReadSide) -> Callable[[str], frozenset[str] | None]:
    """The stores of an order by the read side; None while it does not know the order."""

    def stores(order: str) -> frozenset[str] | None:
        orders = read_side.projection()
        if orders is None:
            return None  # It is away, or not built yet: the delivery waits.
        try:
            with orders.snapshot() as snapshot:
                found = snapshot.get(order)
        except SQLAlchemyError:
            return None  # It went away just now.
        return None if found is None else frozenset({found.store, *(it.store for it in found.lines if it.store)})

    return stores
