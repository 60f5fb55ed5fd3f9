"""Sends the deliveries of the webhooks that this worker has, each receiver apart from the others.

A delivery is a row of the table from when its event was read until its receiver has taken it; an attempt only changes
its row. So a sender that is killed loses nothing, and may repeat an attempt under the same id.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import structlog

from bopis.adapters.secrets.errors import SecretError
from bopis.adapters.secrets.sealing import unwrap
from bopis.adapters.webhooks.errors import WebhookError, WebhookSecretUnreadable
from bopis.adapters.webhooks.posting import Network, PostLimits, Receiver
from bopis.adapters.webhooks.signing import signed_headers
from bopis.adapters.webhooks.table import WebhookTable
from bopis.services.worker_reports import Issue
from bopis.webhooks.records import EventDelivery, EventSubscription, SubscriptionState
from bopis.webhooks.schedule import AttemptResult, Spread, settle

log = structlog.get_logger("streams.workers.webhooks")

# How often changes that others make to the table are looked for.
POLL_S = 1.0
FORGET_EVERY_S = 3_600.0
DISABLED = "webhook.disabled"
# An order's store is asked of the read side, which may be behind; after this the delivery has failed.
STORE_RETRY_MS, STORE_WAIT_MS = 5_000, 600_000
Found = TypeVar("Found")


class SenderOptions(NamedTuple):
    """Limits of the sender, and what it needs of the installation.

    `sealing_key` opens the secrets. `stores_of` returns the stores of an order, None for an order that is not known
    yet; it blocks.
    """

    limits: PostLimits
    disable_days: int
    retention_ms: int
    sealing_key: Callable[[], bytes]
    stores_of: Callable[[str], frozenset[str] | None]
    now_ms: Callable[[], int]


class _Lane:
    """The receiver of one subscription, the deliveries that are on their way to it, and until when it wants none."""

    def __init__(self, network: Network) -> None:
        self.receiver = Receiver(network)
        self.running: dict[str, asyncio.Task[None]] = {}
        self.not_before_ms = 0


class WebhookSender:
    """Attempts deliveries of the subscriptions for which `is_mine` holds."""

    def __init__(
        self,
        table: WebhookTable,
        options: SenderOptions,
        is_mine: Callable[[EventSubscription], bool],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._table = table
        self._options = options
        self._is_mine = is_mine
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, "webhooks")
        self._network: Network | None = None
        self._lanes: dict[str, _Lane] = {}
        self._changed = asyncio.Event()
        # When the deliveries of a subscription are looked at again, in epoch milliseconds; one that is missing, now.
        self._looks: dict[str, int] = {}
        self._polled = self._forgot = -FORGET_EVERY_S
        # As of the last look at the table.
        self.subscriptions: dict[str, EventSubscription] = {}
        # Subscriptions that ended, for operators: `bopis status` and the pages show them.
        self.issues: dict[str, Issue] = {}

    def wake(self, subscriptions: Iterable[str]) -> None:
        """Look for deliveries of some subscriptions now: they may have become due."""
        for identity in subscriptions:
            self._looks.pop(identity, None)
            self._changed.set()

    async def asked(self, work: Callable[..., Found], *args: Any) -> Found:
        """The result of blocking work with the table, in the thread that has it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args))

    async def load(self) -> Sequence[EventSubscription]:
        """Read the subscriptions: every one that was answered to its owner before this call."""
        found = await self.asked(self._table.subscriptions)
        self.subscriptions = {it.id: it for it in found}
        return found

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._changed.clear()
            if time.monotonic() - self._polled >= POLL_S:
                await self._poll()
            wait_s = max(0.001, POLL_S - (time.monotonic() - self._polled))
            for subscription in self._mine():
                wait_s = min(wait_s, await self._look(subscription))
            try:
                async with asyncio.timeout(max(0.001, wait_s)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _poll(self) -> None:
        """Take over what others changed: subscriptions, tests, deliveries to be resent."""
        await self.load()
        self._looks.clear()
        self._polled = time.monotonic()
        if self.subscriptions and self._polled - self._forgot >= FORGET_EVERY_S:
            self._forgot = self._polled
            before_ms = self._options.now_ms() - self._options.retention_ms
            while await self.asked(self._table.forget, before_ms):
                await asyncio.sleep(0)
        self._note_disabled()
        mine = {it.id for it in self._mine()}
        for identity in [it for it, lane in self._lanes.items() if it not in mine and not lane.running]:
            await self._lanes.pop(identity).receiver.close()

    def _note_disabled(self) -> None:
        """Report the subscriptions that are disabled as issues of this worker."""
        ended = {
            f"{DISABLED} {it.id}": Issue(name=DISABLED, text=f"{it.url}: {it.reason}; `bopis webhooks resume {it.id}`")
            for it in self.subscriptions.values()
            if it.state is SubscriptionState.DISABLED and self._is_mine(it)
        }
        for name in [it for it in self.issues if it.startswith(DISABLED) and it not in ended]:
            del self.issues[name]
        self.issues |= ended

    def _mine(self) -> list[EventSubscription]:
        """The active subscriptions that this worker sends."""
        active = (it for it in self.subscriptions.values() if it.state is SubscriptionState.ACTIVE)
        return [it for it in active if self._is_mine(it)]

    async def _look(self, subscription: EventSubscription) -> float:
        """Begin attempts of deliveries that are due. Returns the seconds until others may be."""
        now_ms, identity = self._options.now_ms(), subscription.id
        if (wait_ms := self._looks.get(identity, 0) - now_ms) > 0:
            return wait_ms / 1000
        lane = self._lanes.get(identity)
        if lane is not None and lane.not_before_ms > now_ms:
            self._looks[identity] = lane.not_before_ms
            return (lane.not_before_ms - now_ms) / 1000
        running = () if lane is None else tuple(lane.running)
        if room := self._options.limits.concurrency - len(running):
            for delivery in await self.asked(self._table.due, identity, now_ms, room, running):
                self._begin(subscription, delivery)
        # An attempt that ends looks again; so does the poll.
        next_ms = await self.asked(self._table.soonest, identity, now_ms)
        self._looks[identity] = next_ms or now_ms + round(POLL_S * 1000)
        return (self._looks[identity] - now_ms) / 1000

    def _lane(self, identity: str) -> _Lane:
        if self._network is None:
            self._network = Network(self._options.limits)
        if identity not in self._lanes:
            self._lanes[identity] = _Lane(self._network)
        return self._lanes[identity]

    def _begin(self, subscription: EventSubscription, delivery: EventDelivery) -> None:
        lane = self._lane(subscription.id)
        task = asyncio.get_running_loop().create_task(self._attempt(lane, subscription, delivery))
        lane.running[delivery.id] = task

        def end(done: asyncio.Task[None]) -> None:
            lane.running.pop(delivery.id, None)
            self.wake((subscription.id,))
            if not done.cancelled() and (error := done.exception()) is not None:
                self._failed(error)

        task.add_done_callback(end)

    async def _attempt(self, lane: _Lane, subscription: EventSubscription, delivery: EventDelivery) -> None:
        """Attempt a delivery once, and store what came of it."""
        if not await self._is_wanted(subscription, delivery):
            return
        now_ms = self._options.now_ms()
        try:
            keys = [self._key(subscription, sealed) for sealed in subscription.sealed_secrets(now_ms)]
            headers = signed_headers(keys, delivery.id, now_ms // 1000, delivery.body)
            result = await lane.receiver.post(subscription.url, headers, delivery.body)
        except (WebhookError, SecretError) as error:
            result = AttemptResult(error=str(error))
        now_ms = self._options.now_ms()
        if result.retry_after_s:
            lane.not_before_ms = now_ms + round(result.retry_after_s * 1000)
        # Others may have succeeded or failed meanwhile.
        before = self.subscriptions.get(subscription.id, subscription)
        spread = Spread(chance=random.random(), disable_days=self._options.disable_days)
        settled = settle(delivery, before, result, now_ms, spread)
        self.subscriptions[subscription.id] = settled.subscription
        await self.asked(self._table.settle, settled, before)
        tried = settled.delivery
        facts = {"delivery": tried.id, "attempt": tried.attempts, "status": tried.status_code, "ms": tried.latency_ms}
        log.info("webhook.attempt", webhook=subscription.id, state=tried.state.value, error=tried.error, **facts)
        if settled.subscription.state is not before.state:
            log.error(
                "webhook.disabled", webhook=subscription.id, url=subscription.url, cause=settled.subscription.reason
            )

    async def _is_wanted(self, subscription: EventSubscription, delivery: EventDelivery) -> bool:
        """Whether a delivery is about a store of its subscription. One of another store is dropped; while the stores of
        its order are not known, it waits."""
        if not subscription.stores or delivery.store is not None or delivery.subject == delivery.id:
            return True
        stores = await asyncio.to_thread(self._options.stores_of, delivery.subject)
        if stores is not None:
            if not stores.isdisjoint(subscription.stores):
                return True
            await self.asked(self._table.drop, delivery)
            return False
        now_ms = self._options.now_ms()
        ends_ms = max(delivery.recorded_ms, delivery.attempted_ms) + STORE_WAIT_MS
        next_ms = now_ms + STORE_RETRY_MS if now_ms < ends_ms else 0
        await self.asked(self._table.postpone, delivery, next_ms, "the store of this order is not known")
        return False

    def _key(self, subscription: EventSubscription, sealed: bytes) -> bytes:
        try:
            return unwrap(self._options.sealing_key(), subscription.id, sealed)
        except SecretError:
            raise WebhookSecretUnreadable(webhook=subscription.id) from None

    async def drain(self, seconds: float) -> None:
        """Wait for the attempts that run; those that take longer are repeated by the next worker."""
        if running := self._running():
            await asyncio.wait(running, timeout=seconds)

    def _running(self) -> list[asyncio.Task[None]]:
        return [task for lane in self._lanes.values() for task in lane.running.values()]

    async def close(self) -> None:
        """Give up the attempts that still run, and close all connections."""
        for task in self._running():
            task.cancel()
        await asyncio.gather(*self._running(), return_exceptions=True)
        for lane in self._lanes.values():
            await lane.receiver.close()
        if self._network is not None:
            self._network.close()
        self._thread.shutdown(wait=True)
