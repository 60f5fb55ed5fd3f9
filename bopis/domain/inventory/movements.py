"""The books: signed movements and counts, exact in any order of arrival.

After everything has arrived, on hand = (what the newest count found, plus what was staged then) + all
movements after that count. A movement that happened before the count was seen by it and changes nothing, even
when it arrives later; a count that arrives late leaves later movements standing.
"""

from bisect import bisect_right
from struct import Struct, unpack

from bopis.domain.inventory.rows import Level
from bopis.domain.values import DAY_MS, EPOCH_MS_MAX, EPOCH_MS_MIN

ENTRY_BYTES = 10  # six of time in milliseconds, four of signed change, big-endian
_ENTRY = Struct(">HIi")
_TIME_ONLY = "6s4x"
MOVES_MAX = 64
MOVES_BYTES_MAX = MOVES_MAX * ENTRY_BYTES
MOVES_KEPT = 32
RATE_WINDOW_MS = 7 * DAY_MS
_WINDOWS = {
    number: number * RATE_WINDOW_MS for number in range(EPOCH_MS_MIN // RATE_WINDOW_MS, EPOCH_MS_MAX // RATE_WINDOW_MS)
}


def move(level: Level, at_ms: int, change: int) -> int:
    """Book a change that happened at a time; returns what it changed: 0 if a newer count has seen it."""
    if at_ms <= level.counted_ms:
        return 0
    level.on_hand += change
    level.moves += packed_time(at_ms) + packed_change(change)
    if len(level.moves) > MOVES_BYTES_MAX:
        forget_oldest(level)
    return change


def packed_time(at_ms: int) -> bytes:
    """The first half of an entry."""
    return at_ms.to_bytes(6, "big")


def packed_change(change: int) -> bytes:
    """The second half of an entry."""
    return change.to_bytes(4, "big", signed=True)


def forget_oldest(level: Level) -> None:
    """Keep the newest movements only; a count older than those forgotten can no longer be placed."""
    level.moves, forgotten_ms = newest(level.moves)
    level.floor_ms = max(level.floor_ms, forgotten_ms)


def move_staged(level: Level, at_ms: int, change: int) -> int:
    """Set units aside or give them up; returns the change of on hand, which only a shelf count can cause.

    A count of the shelf did not see what was staged, so on hand = counted + staged at that time: news about
    what was staged then corrects it.
    """
    level.staged += change
    level.staged_moves += packed_time(at_ms) + packed_change(change)
    if len(level.staged_moves) > MOVES_BYTES_MAX:
        level.staged_moves, forgotten_ms = newest(level.staged_moves)
        level.staged_floor_ms = max(level.staged_floor_ms, forgotten_ms)
    if at_ms <= level.counted_ms and not level.staged_counted:
        level.on_hand += change
        return change
    return 0


def count(level: Level, at_ms: int, counted: int, counted_by: str, staged_counted: bool) -> int | None:
    """Place a count at its own time; returns what it changed, or None if it lies too far back to be placed.

    A count older than the newest one is superseded and changes nothing. Of two counts of the same instant the
    one with the greater id stands, so that their order of arrival does not matter.
    """
    if (at_ms, counted_by) <= (level.counted_ms, level.counted_by):
        return 0
    if at_ms < level.floor_ms or at_ms < level.staged_floor_ms:
        return None
    staged = 0 if staged_counted else level.staged - sum_after(level.staged_moves, at_ms)
    on_hand = counted + staged + sum_after(level.moves, at_ms)
    change = on_hand - level.on_hand
    level.on_hand = on_hand
    level.counted_ms = at_ms
    level.counted_by = counted_by
    level.staged_counted = staged_counted
    level.moves = after(level.moves, at_ms)
    if level.doubted_ms <= at_ms:
        level.in_doubt = 0
    return change


def window_start(at_ms: int) -> int:
    """Where the selling window of an instant begins: always the same object, so that `is` finds it at once."""
    number = at_ms // RATE_WINDOW_MS
    start = _WINDOWS.get(number)
    return number * RATE_WINDOW_MS if start is None else start


def sold(level: Level, at_ms: int, quantity: int) -> None:
    """Note a sale for the selling rate: units of the newest window of seven days, and of the one before it."""
    start, since_ms = window_start(at_ms), level.sold_since_ms
    if start == since_ms:
        level.sold += quantity
    elif start > since_ms:
        level.sold_before = level.sold if start - since_ms == RATE_WINDOW_MS else 0
        level.sold = quantity
    elif since_ms - start == RATE_WINDOW_MS:
        level.sold_before += quantity
    if start >= since_ms:
        level.sold_since_ms = start


def sold_per_week(level: Level, at_ms: int) -> int:
    """Units sold in the seven days up to an instant, the older window taken in proportion."""
    elapsed = at_ms - level.sold_since_ms
    if elapsed < RATE_WINDOW_MS:
        return level.sold + level.sold_before * (RATE_WINDOW_MS - max(0, elapsed)) // RATE_WINDOW_MS
    if elapsed < 2 * RATE_WINDOW_MS:
        return level.sold * (2 * RATE_WINDOW_MS - elapsed) // RATE_WINDOW_MS
    return 0


def entries(moves: bytes) -> list[tuple[int, int]]:
    """The movements as (at_ms, change), in order of arrival."""
    return [(high << 32 | low, change) for high, low, change in _ENTRY.iter_unpack(moves)]


def sum_after(moves: bytes, at_ms: int) -> int:
    """Sum of the changes that happened after an instant."""
    return sum(change for moved_ms, change in entries(moves) if moved_ms > at_ms)


def after(moves: bytes, at_ms: int) -> bytes:
    """The movements that happened after an instant."""
    return b"".join(
        packed_time(moved_ms) + packed_change(change) for moved_ms, change in entries(moves) if moved_ms > at_ms
    )


def newest(moves: bytes) -> tuple[bytes, int]:
    """The newest movements by their own time, and the time up to which the others are forgotten.

    Movements of one instant are kept or forgotten together, or a count of that instant would be ambiguous.
    """
    # Big-endian times sort as bytes do, so nothing needs to be unpacked when they arrived in order.
    times = unpack(_TIME_ONLY * (len(moves) // ENTRY_BYTES), moves)
    ordered = sorted(times)
    forgotten: bytes = ordered[-MOVES_KEPT - 1]
    forgotten_ms = int.from_bytes(forgotten, "big")
    if list(times) == ordered:
        return moves[bisect_right(ordered, forgotten) * ENTRY_BYTES :], forgotten_ms
    return after(moves, forgotten_ms), forgotten_ms
