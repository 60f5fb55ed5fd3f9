"""Up to when a store had been heard from, at any past instant of the log. Pure.

A device's message says that the store has told everything up to the message's time. Staleness at an instant needs
the newest such time as it was known then. Keeping it for every message would double the history, but it matters
only while the store was silent for longer than its grace time: so only those silences are kept, each with the
instants of the log between which it lasted and the time up to which the store had been heard.
"""

from typing import NamedTuple

from bopis.domain.values import MINUTE_MS
from bopis.readside.changes import Changes


class Heard(NamedTuple):
    """What a store has last told: everything up to ``heard_ms``, learned by the log at ``since_ms``."""

    heard_ms: int
    since_ms: int
    source: str
    message_id: str


class Silence:
    """Follows when the stores of one partition were heard from."""

    def __init__(self, partition: int, heard: dict[str, Heard]) -> None:
        self._partition = partition
        self._heard = heard

    def hear(self, store: str, now: Heard, grace_minutes: int, offset: int, changes: Changes) -> None:
        """A device has told more than was known; the silence before it is kept if it outlasted the grace time."""
        before = self._heard.get(store)
        if before is not None:
            if now.heard_ms <= before.heard_ms:
                return
            self._keep(store, before, (now.since_ms, grace_minutes), offset, changes)
        self._set(store, now, changes)

    def change_grace(self, store: str, at_ms: int, grace_minutes: int, offset: int, changes: Changes) -> None:
        """The grace time changes: until now the old one was in force."""
        before = self._heard.get(store)
        if before is not None:
            self._keep(store, before, (at_ms, grace_minutes), offset, changes)
            self._set(store, before._replace(since_ms=at_ms), changes)

    def _keep(self, store: str, before: Heard, until: tuple[int, int], offset: int, changes: Changes) -> None:
        until_ms, grace_minutes = until
        if until_ms > before.since_ms and until_ms - before.heard_ms > grace_minutes * MINUTE_MS:
            kept = (self._partition, offset, store, before.since_ms, until_ms, before.heard_ms)
            changes.append("silences").append(kept)

    def _set(self, store: str, now: Heard, changes: Changes) -> None:
        self._heard[store] = now
        kept = (store, self._partition, now.heard_ms, now.since_ms, now.source, now.message_id)
        changes.set("heard", (store,), kept)
