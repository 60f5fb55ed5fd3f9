"""The time up to which a store had reported, at any past instant of the log. Pure.

A message of a device reports everything up to its own time. Staleness at a past instant needs the newest such time that
was known then. Recording it for every message would double the history. It matters only while a store was silent beyond
its grace time, so only those silences are recorded: from when to when on the log's clock, and the time up to which the
store had reported. The hours in which a store sells change once a week and device, and each change is recorded.
"""

from typing import NamedTuple

from msgspec import json

from bopis.domain.inventory.rows import Device
from bopis.domain.inventory.staleness import hours_of
from bopis.domain.values import MINUTE_MS
from bopis.readside.changes import Changes


class LastMessage(NamedTuple):
    """The newest report of a store: everything up to `heard_ms`, in the log since `since_ms`."""

    heard_ms: int
    since_ms: int
    source: str
    message_id: str


class MessagePlace(NamedTuple):
    """Where a message of a device is in the log."""

    partition: int
    offset: int
    store: str
    source: str
    recorded_ms: int


def record_hours(device: Device, before: bytes, place: MessagePlace, changes: Changes) -> None:
    """Record a device's baskets by hour when a message has put those of another week into effect."""
    if device.hours_in_effect != before:
        hours = json.encode(hours_of(device)).decode()
        row = (place.partition, place.offset, place.store, place.source, place.recorded_ms, hours)
        changes.append("basket_hours").append(row)


class SilenceRecorder:
    """Records the last message and the silences of the stores of one partition."""

    def __init__(self, partition: int, last: dict[str, LastMessage]) -> None:
        self._partition = partition
        self._last = last

    def record(self, store: str, message: LastMessage, grace_minutes: int, offset: int, changes: Changes) -> None:
        """Record a message of a device. A message that reports nothing newer than another one ends no silence."""
        before = self._last.get(store)
        if before is not None:
            if message.heard_ms <= before.heard_ms:
                return
            if _outlasted(before, message.since_ms, grace_minutes):
                self._append(store, before, message.since_ms, offset, changes)
        self._set(store, message, changes)

    def change_grace(self, store: str, at_ms: int, grace_minutes: int, offset: int, changes: Changes) -> None:
        """The grace time changes at `at_ms`; until then it was `grace_minutes`."""
        before = self._last.get(store)
        if before is not None:
            if _outlasted(before, at_ms, grace_minutes):
                self._append(store, before, at_ms, offset, changes)
            self._set(store, before._replace(since_ms=at_ms), changes)

    def _append(self, store: str, last: LastMessage, until_ms: int, offset: int, changes: Changes) -> None:
        row = (self._partition, offset, store, last.since_ms, until_ms, last.heard_ms)
        changes.append("silences").append(row)

    def _set(self, store: str, last: LastMessage, changes: Changes) -> None:
        self._last[store] = last
        row = (store, self._partition, last.heard_ms, last.since_ms, last.source, last.message_id)
        changes.set("heard", (store,), row)


def _outlasted(last: LastMessage, until_ms: int, grace_minutes: int) -> bool:
    """Whether the silence after a message outlasted the grace time at an instant of the log."""
    return until_ms > last.since_ms and until_ms - last.heard_ms > grace_minutes * MINUTE_MS
