"""Changes for open streams: who listens to which order, store or SKU, and bounded queues for slow listeners."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

# Changes that wait for one listener. One that is slower loses the oldest, and is told to read again.
QUEUE_MAX = 256


class Change(NamedTuple):
    """What changed: ``order``, ``store`` and ``sku`` are empty where they do not apply. `is_lost`: some changes were
    dropped before this one."""

    kind: str
    order: str = ""
    store: str = ""
    sku: str = ""
    is_lost: bool = False


class Listener:
    """The changes of some keys since it was opened, each key at most once while it waits."""

    def __init__(self, hub: "Hub", keys: frozenset[str]) -> None:
        self._hub = hub
        self.keys = keys
        self._waiting: dict[Change, None] = {}
        self._is_lost = False
        self._arrived = asyncio.Event()

    def offer(self, change: Change) -> None:
        """Queue a change. One that waits already is not queued again: it is read when it is sent."""
        if change in self._waiting:
            return
        if len(self._waiting) >= QUEUE_MAX:
            self._waiting.pop(next(iter(self._waiting)))
            self._is_lost = True
        self._waiting[change] = None
        self._arrived.set()

    async def next(self, seconds: float) -> Change | None:
        """The next change; None if none comes in time."""
        if not self._waiting:
            try:
                await asyncio.wait_for(self._arrived.wait(), seconds)
            except TimeoutError:
                return None
        change = next(iter(self._waiting))
        del self._waiting[change]
        if not self._waiting:
            self._arrived.clear()
        is_lost, self._is_lost = self._is_lost, False
        return change._replace(is_lost=is_lost)

    def close(self) -> None:
        """Stop listening."""
        self._hub.remove(self)


class Hub:
    """Listeners by key: ``order/N``, ``store/S``, ``sku/K``, and ``*`` for everything. Use it on the loop only."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = defaultdict(set)
        self.count = 0

    def listen(self, keys: Iterable[str]) -> Listener:
        """Open a listener for some keys."""
        listener = Listener(self, frozenset(keys))
        for key in listener.keys:
            self._listeners[key].add(listener)
        self.count += 1
        return listener

    def remove(self, listener: Listener) -> None:
        """Close a listener; again is harmless."""
        was_open = False
        for key in listener.keys:
            found = self._listeners.get(key)
            if found is not None and listener in found:
                was_open = True
                found.discard(listener)
                if not found:
                    del self._listeners[key]
        self.count -= was_open

    def level_changed(self, store: str, sku: str) -> None:
        """Tell listeners of a store or SKU that a level changed."""
        if self._listeners:
            self._offer(Change("level", store=store, sku=sku), f"store/{store}", f"sku/{sku}")

    def order_changed(self, order: str, stores: Iterable[str] = ()) -> None:
        """Tell listeners of an order, and of its stores, that it changed."""
        if self._listeners:
            self._offer(Change("order", order=order), f"order/{order}", *(f"store/{it}" for it in stores))

    def _offer(self, change: Change, *keys: str) -> None:
        for key in (*keys, "*"):
            for listener in self._listeners.get(key, ()):
                listener.offer(change)
