"""Admission: each message once, by the sequence of its device or else by its id, and the holes between sequences."""

from struct import Struct as PackedFormat
from typing import Any, cast
from zlib import crc32

from msgspec import Struct, msgpack

from bopis.domain.inventory.events import Event, GapClosed, GapFilled, GapFound
from bopis.domain.inventory.messages import PosReturn, PosSale, StockAdjusted
from bopis.domain.inventory.rows import Device, Seen, StockRows, Store, device_key, put_timed, seen_key, store_key
from bopis.domain.inventory.staleness import COUNTED_EVERY, count_basket
from bopis.domain.message import Message
from bopis.domain.values import CLOCK_AHEAD_MS_MAX, DAY_MS, EPOCH_MS_MAX, EPOCH_MS_MIN, ID_LENGTH_MAX, Clocks

SEEN_MEMORY_MS = 30 * DAY_MS
MOVED_MEMORY_MS = 366 * DAY_MS
ORDERS = "orders"
DIGESTS_KEPT = 64
HOLES_MAX = 1_000
_DIGEST = PackedFormat(">I")
_DIGEST_BYTES = _DIGEST.size
_put_digest = _DIGEST.pack_into
_pack = msgpack.Encoder().encode


class Rejected(Exception):
    """A message cannot be true; it is parked with this cause."""


class Admission(Struct, frozen=True, gc=False):
    """Whether a message is new, and the events about holes that its arrival causes."""

    is_new: bool
    gaps: tuple[Event, ...]


NEW = Admission(True, ())
DUPLICATE = Admission(False, ())


def check_plausible(message: Message, at_ms: int, recorded_at_ms: int) -> None:
    """Raise `Rejected` for a store code that would break keys, an id that is too long, or an impossible time."""
    store = message.subject
    if "|" in store or store[0] == "@":
        raise Rejected(f"store code {store!r} may not contain '|' nor start with '@'")
    if len(message.id) > ID_LENGTH_MAX:
        raise Rejected(f"id of {len(message.id)} characters; at most {ID_LENGTH_MAX} are allowed")
    if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} lies outside 2000 to 2100; set the device's clock")
    if at_ms > recorded_at_ms + CLOCK_AHEAD_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} is more than a day ahead of the log; set the device's clock")


def content_digest(body: Any) -> int:
    """CRC-32 of a decoded body: equal however the JSON of the message was written."""
    return crc32(_pack(body))


def is_same_content(remembered: int, digest: int, value: bytes) -> bool:
    """Whether a remembered digest is that of a content. Earlier versions remembered the CRC-32 of the bytes."""
    return remembered == digest or remembered == crc32(value)


def admit(rows: StockRows, message: Message, clocks: Clocks, time_ms: int, value: bytes) -> Admission:
    """Admit a device's message once; a new one is remembered. ``time_ms`` is its own time, ``value`` its bytes.

    An event that a device sends again under a new sequence is a duplicate, and the sequence is accepted. Raises
    `Rejected` when the same sequence or id arrives with other content.
    """
    sequence: int = message.seq  # type: ignore[assignment]  # the caller's check
    message_id = message.id
    key = f"@device|{message.subject}|{message.source}"  # `device_key`, written out: nine of ten messages pass here
    device: Device | None = rows.get(key)  # type: ignore[assignment]  # the key tells the type
    # The time belongs to the content: a device that lost its counter sends old numbers with new times.
    digest, identity = crc32(_pack(message.data), time_ms), crc32(message_id.encode())
    events: tuple[Event, ...] = ()
    is_repeat, is_greatest = False, True
    if device is None:
        device = _introduce(rows, message)
    elif len(message_id) < len(device.greatest_id) or (
        message_id <= device.greatest_id and len(message_id) == len(device.greatest_id)
    ):  # most devices count in their ids, so few ids need to be searched for
        is_greatest, is_repeat = False, _is_repeat_by_id(device, message, identity, digest)
    if sequence == device.mark + 1 and not device.ranges:  # the common case: no holes, next number
        device.mark = sequence
    elif is_accepted(device, sequence):
        _check_same_content(device, message, clocks, digest, value)
        return DUPLICATE
    else:
        events = _place(device, message.source, sequence)
    if is_greatest:
        device.greatest_id = message_id
    device.top = top = sequence if sequence > device.top else device.top
    if clocks.at_ms > device.heard_ms:
        device.heard_ms = clocks.at_ms
    if sequence > top - DIGESTS_KEPT:
        slot = sequence % DIGESTS_KEPT * _DIGEST_BYTES
        _put_digest(device.digests, slot, digest)
        _put_digest(device.ids, slot, identity)
    if sequence % COUNTED_EVERY == 1 and type(message.data) is PosSale and not is_repeat:
        count_basket(device, clocks.at_ms)
    rows.put(key, device)
    return NEW if not events and not is_repeat else Admission(not is_repeat, events)


def close_gaps(rows: StockRows, store: str, at_ms: int) -> tuple[Event, ...]:
    """Close the open holes of every device of a store whose last message is older than the count."""
    closed: list[Event] = []
    known = cast(Store | None, rows.get(store_key(store)))
    for source in known.devices if known else ():
        key = device_key(store, source)
        device = cast(Device, rows.get(key))
        # It has reported since the count, so a message that is still missing may be newer than the count.
        if device.heard_ms > at_ms:
            continue
        holes = [hole for hole in open_holes(device) if hole not in device.closed]
        closed += [GapClosed(device=source, first=first, last=last) for first, last in holes]
        if holes:
            device.closed = device.closed + holes
            rows.put(key, device)
    return tuple(closed)


def holes_of(device: Device) -> list[list[int]]:
    """Ranges of missing sequences below a later one, closed by a count or not."""
    holes = []
    last = device.mark
    for low, high in device.ranges:
        holes.append([last + 1, low - 1])
        last = high
    return holes


def open_holes(device: Device) -> list[list[int]]:
    """Holes that no count has closed."""
    return [hole for hole in holes_of(device) if not _covered(device.closed, hole)]


def admit_by_id(rows: StockRows, message: Message, clocks: Clocks, value: bytes) -> Admission:
    """Admit a message without a sequence once. Raises `Rejected` when its id arrives with other content, or when it is
    older than the memory of ids."""
    key = seen_key(message.subject, message.source, message.id)
    seen = cast(Seen | None, rows.get(key))
    # Not the time: a person who repeats a message under its id repeats it at another time.
    digest = content_digest(message.data)
    if seen is not None:
        if not is_same_content(seen.digest, digest, value):
            raise _used_before(message)
        return DUPLICATE
    known_ms = memory_ms(message)
    # A repeat could come after its id was forgotten, so an older message is not accepted at all.
    if clocks.at_ms < clocks.recorded_at_ms - known_ms:
        raise Rejected(
            f"a message without a sequence may be at most {known_ms // DAY_MS} days old, or a repeat of it could not "
            "be recognised; send older facts from a device with a sequence"
        )
    put_timed(rows, key, Seen(digest=digest), clocks.recorded_at_ms + known_ms)
    return NEW


def memory_ms(message: Message) -> int:
    """How long the id of a message is remembered, and so the highest age at which the message is accepted.

    An order's corrections and returns are few, and true however late they arrive: the orders worker may have been down
    for longer than any till is offline.
    """
    moved = message.source == ORDERS and isinstance(message.data, StockAdjusted | PosReturn)
    return MOVED_MEMORY_MS if moved else SEEN_MEMORY_MS


def _introduce(rows: StockRows, message: Message) -> Device:
    """The row of a new device, which the store's staleness follows from now on."""
    key = store_key(message.subject)
    known = cast(Store | None, rows.get(key)) or Store()
    known.devices.append(message.source)
    rows.put(key, known)
    return Device(digests=bytearray(DIGESTS_KEPT * _DIGEST_BYTES))


def _is_repeat_by_id(device: Device, message: Message, identity: int, digest: int) -> bool:
    """Whether one of the device's newest events has this id. Raises `Rejected` when its content was another one."""
    found = device.ids.find(_DIGEST.pack(identity))
    while found % _DIGEST_BYTES and found >= 0:  # between two entries
        found = device.ids.find(_DIGEST.pack(identity), found + 1)
    if found < 0:
        return False
    if _DIGEST.unpack_from(device.digests, found) == (digest,):
        return True
    # Under an accepted sequence the finding is about the sequence.
    if not is_accepted(device, cast(int, message.seq)):
        raise _used_before(message)
    return False


def is_accepted(device: Device, sequence: int) -> bool:
    """Whether a sequence of a device was accepted."""
    return sequence <= device.mark or _within(device.ranges, sequence)


def _used_before(message: Message) -> Rejected:
    return Rejected(f"id {message.id!r} of {message.source!r} was used before with other content")


def _within(ranges: list[list[int]], sequence: int) -> bool:
    return any(low <= sequence <= high for low, high in ranges)


def _covered(ranges: list[list[int]], hole: list[int]) -> bool:
    return any(low <= hole[0] and hole[1] <= high for low, high in ranges)


def _check_same_content(device: Device, message: Message, clocks: Clocks, digest: int, value: bytes) -> None:
    sequence = cast(int, message.seq)
    if sequence > device.top - DIGESTS_KEPT:
        [remembered] = _DIGEST.unpack_from(device.digests, sequence % DIGESTS_KEPT * _DIGEST_BYTES)
        if is_same_content(remembered, digest, value):
            return
    # The digest of an older sequence is gone. A device that lost its counter sends old numbers with new times.
    elif clocks.at_ms <= device.heard_ms:
        return
    raise Rejected(
        f"sequence {sequence} of {message.source!r} was used before with other content; a device that lost "
        "its counter must take a new source name"
    )


def _place(device: Device, source: str, sequence: int) -> tuple[Event, ...]:
    """Place a sequence that does not follow the newest one: it opens a hole, or fills one."""
    # Behind an open hole the newest range grows.
    if sequence == device.top + 1 and device.ranges:
        device.ranges[-1][1] = sequence
        return ()
    if sequence > device.top:
        # Bounds the row: a broken device must not fill the store's state.
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
    # The oldest hole is filled: the mark moves up to the next one.
    if ranges[0][0] == device.mark + 1:
        device.mark = ranges.pop(0)[1]
    device.ranges = ranges
    device.closed = [hole for hole in device.closed if hole[1] > device.mark]
    return () if covered else (GapFilled(device=source, sequence=sequence),)
