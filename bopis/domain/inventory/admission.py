"""Each message once: sequences of devices, ids of everybody else, and the holes between them."""

from enum import Enum
from struct import Struct
from typing import cast

from msgspec import UNSET

from bopis.domain.inventory.events import Event, GapClosed, GapFilled, GapFound
from bopis.domain.inventory.messages import PosReturn, StockAdjusted
from bopis.domain.inventory.rows import Device, Rows, Seen, Store, device_key, put_timed, seen_key, store_key
from bopis.domain.message import Message
from bopis.domain.values import CLOCK_AHEAD_MS_MAX, DAY_MS, EPOCH_MS_MAX, EPOCH_MS_MIN, ID_LENGTH_MAX, Clocks

SEEN_MEMORY_MS = 30 * DAY_MS
MOVED_MEMORY_MS = 366 * DAY_MS
ORDERS = "orders"
DIGESTS_KEPT = 64
HOLES_MAX = 1_000
_DIGEST = Struct(">I")


class Rejected(Exception):
    """The message cannot be true as it stands; it is to be parked with this cause."""


class Admission(Enum):
    """Whether a message says something new."""

    NEW = "new"
    DUPLICATE = "duplicate"


NEW, DUPLICATE = Admission
Noted = tuple[Admission, tuple[Event, ...]]
_NOTHING_ELSE: Noted = (NEW, ())
_AGAIN: Noted = (DUPLICATE, ())


def check_plausible(message: Message, at_ms: int, recorded_at_ms: int) -> None:
    """Reject what cannot be: a store code that would break keys, a clock that was never set or runs ahead."""
    store = message.subject
    if "|" in store or store[0] == "@":
        raise Rejected(f"store code {store!r} may not contain '|' nor start with '@'")
    if len(message.id) > ID_LENGTH_MAX:
        raise Rejected(f"id of {len(message.id)} characters; at most {ID_LENGTH_MAX} are allowed")
    if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} lies outside 2000 to 2100; set the device's clock")
    if at_ms > recorded_at_ms + CLOCK_AHEAD_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} is more than a day ahead of the log; set the device's clock")


def admit(rows: Rows, message: Message, clocks: Clocks, digest: int) -> Noted:
    """Whether the message is new, and what its arrival says about holes; remembers it if it is new.

    ``digest`` is the CRC-32 of the message's bytes. Raises `Rejected` when the same sequence or id arrives
    with other content.
    """
    seq = message.seq
    if seq is UNSET:
        return _admit_by_id(rows, message, clocks, digest), ()
    sequence: int = seq
    key = device_key(message.subject, message.source)
    device: Device | None = rows.get(key)  # type: ignore[assignment]  # the key tells the type
    events: tuple[Event, ...] = ()
    if device is None:
        device = Device(digests=bytearray(DIGESTS_KEPT * _DIGEST.size))
        _introduce(rows, message.subject, message.source)
        if sequence != 1:
            events = _place(device, message.source, sequence)
        else:
            device.mark = 1
    elif sequence == device.mark + 1 and not device.ranges:
        device.mark = sequence
    elif sequence <= device.mark or _within(device.ranges, sequence):
        _check_same_content(device, message, sequence, clocks.at_ms, digest)
        return _AGAIN
    elif sequence == device.top + 1:
        device.ranges[-1][1] = sequence
    else:
        events = _place(device, message.source, sequence)
    top = device.top
    if sequence > top:
        device.top = top = sequence
    if clocks.at_ms > device.heard_ms:
        device.heard_ms = clocks.at_ms
    if sequence > top - DIGESTS_KEPT:
        _DIGEST.pack_into(device.digests, sequence % DIGESTS_KEPT * _DIGEST.size, digest)
    rows.put(key, device)
    return (NEW, events) if events else _NOTHING_ELSE


def close_gaps(rows: Rows, store: str, at_ms: int) -> tuple[Event, ...]:
    """Close the open holes of all devices of a store that were heard from before the count was made."""
    closed: list[Event] = []
    known = cast(Store | None, rows.get(store_key(store)))
    for source in known.devices if known else ():
        key = device_key(store, source)
        device = cast(Device, rows.get(key))
        if device.heard_ms > at_ms:
            continue
        holes = [hole for hole in open_holes(device) if hole not in device.closed]
        closed += [GapClosed(device=source, first=first, last=last) for first, last in holes]
        if holes:
            device.closed = device.closed + holes
            rows.put(key, device)
    return tuple(closed)


def holes_of(device: Device) -> list[list[int]]:
    """Ranges of sequences that have not arrived although later ones have, whether closed or not."""
    holes = []
    last = device.mark
    for low, high in device.ranges:
        holes.append([last + 1, low - 1])
        last = high
    return holes


def open_holes(device: Device) -> list[list[int]]:
    """Holes that no count has closed."""
    return [hole for hole in holes_of(device) if not _covered(device.closed, hole)]


def _admit_by_id(rows: Rows, message: Message, clocks: Clocks, digest: int) -> Admission:
    key = seen_key(message.subject, message.source, message.id)
    seen = cast(Seen | None, rows.get(key))
    if seen is not None:
        if seen.digest != digest:
            raise Rejected(f"id {message.id!r} of {message.source!r} was used before with other content")
        return DUPLICATE
    known_ms = memory_ms(message)
    if clocks.at_ms < clocks.recorded_at_ms - known_ms:
        raise Rejected(
            f"a message without a sequence may be at most {known_ms // DAY_MS} days old, or a repeat of it could not "
            "be told; send older facts from a device with a sequence"
        )
    put_timed(rows, key, Seen(digest=digest), clocks.recorded_at_ms + known_ms)
    return NEW


def memory_ms(message: Message) -> int:
    """How long the id of a message is known, and so how old the message may be when it arrives.

    Goods that an order moved beside its holds, corrections and returns, are few and true whenever the worker of orders
    comes to say so: it may have been away for longer than any till is.
    """
    moved = message.source == ORDERS and isinstance(message.data, StockAdjusted | PosReturn)
    return MOVED_MEMORY_MS if moved else SEEN_MEMORY_MS


def _introduce(rows: Rows, store: str, source: str) -> None:
    key = store_key(store)
    known = cast(Store | None, rows.get(key)) or Store()
    known.devices.append(source)
    rows.put(key, known)


def _within(ranges: list[list[int]], sequence: int) -> bool:
    return any(low <= sequence <= high for low, high in ranges)


def _covered(ranges: list[list[int]], hole: list[int]) -> bool:
    return any(low <= hole[0] and hole[1] <= high for low, high in ranges)


def _check_same_content(device: Device, message: Message, sequence: int, at_ms: int, digest: int) -> None:
    if sequence > device.top - DIGESTS_KEPT:
        if _DIGEST.unpack_from(device.digests, sequence % DIGESTS_KEPT * _DIGEST.size) == (digest,):
            return
    elif at_ms <= device.heard_ms:
        return
    raise Rejected(
        f"sequence {sequence} of {message.source!r} was used before with other content; a device that lost "
        "its counter must take a new source name"
    )


def _place(device: Device, source: str, sequence: int) -> tuple[Event, ...]:
    """Place a sequence that does not follow the newest one: it opens a hole or fills one."""
    if sequence > device.top:
        if len(device.ranges) >= HOLES_MAX:
            raise Rejected(f"device {source!r} has {HOLES_MAX} holes; count the store and close them first")
        device.ranges.append([sequence, sequence])
        return (GapFound(device=source, first=device.top + 1, last=sequence - 1),)
    covered = _within(device.closed, sequence)
    merged = sorted([*device.ranges, [sequence, sequence]])
    ranges: list[list[int]] = []
    for low, high in merged:
        if ranges and low == ranges[-1][1] + 1:
            ranges[-1][1] = high
        else:
            ranges.append([low, high])
    if ranges[0][0] == device.mark + 1:
        device.mark = ranges.pop(0)[1]
    device.ranges = ranges
    device.closed = [hole for hole in device.closed if hole[1] > device.mark]
    return () if covered else (GapFilled(device=source, sequence=sequence),)
