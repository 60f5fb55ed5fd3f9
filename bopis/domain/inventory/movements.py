"""Books of a SKU: signed movements and counts, exact in any order of arrival.

Once everything has arrived, on hand = units found by the newest count + units staged then + every later movement. The
count includes each movement before it, so such a movement changes nothing even when it arrives later; a count that
arrives late keeps the movements after it.
"""

from bisect import bisect_right
from struct import Struct, unpack

from bopis.domain.inventory.rows import Level
from bopis.domain.values import DAY_MS

# A movement is packed as six bytes of epoch milliseconds and four of signed change, both big-endian.
ENTRY_BYTES = 10
_ENTRY = Struct(">HIi")
_TIME_ONLY = "6s4x"
MOVES_MAX = 64
MOVES_BYTES_MAX = MOVES_MAX * ENTRY_BYTES
MOVES_KEPT = 32
RATE_WINDOW_MS = 7 * DAY_MS


def move(level: Level, at_ms: int, change: int) -> int:
    """Book a change at its own time. Returns the change of on hand: 0 when a newer count already includes it."""
    # The newest count was made after this movement and has already seen it.
    if at_ms <= level.counted_ms:
        return 0
    level.on_hand += change
    level.moves += packed_time(at_ms) + packed_change(change)
    if len(level.moves) > MOVES_BYTES_MAX:
        forget_oldest(level)
    return change


def packed_time(at_ms: int) -> bytes:
    """Bytes of an entry's time."""
    return at_ms.to_bytes(6, "big")


def packed_change(change: int) -> bytes:
    """Bytes of an entry's signed change."""
    return change.to_bytes(4, "big", signed=True)


def forget_oldest(level: Level) -> None:
    """Keep the newest movements. A count older than a forgotten one can no longer be placed."""
    level.moves, forgotten_ms = newest(level.moves)
    level.floor_ms = max(level.floor_ms, forgotten_ms)


def move_staged(level: Level, at_ms: int, change: int) -> int:
    """Stage units, or with a negative change unstage them. Returns the change of on hand.

    Staging moves units from the shelf without changing on hand, with one exception. A shelf count does not include
    staged units, so on hand = counted + staged at that time: a late report of units staged by then corrects it.
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
    """Place a count at its own time. Returns the change of on hand, or None when it is too old to be placed.

    A count older than the newest one changes nothing. Of two counts of one instant the greater ``counted_by`` wins, so
    that their order of arrival does not matter.
    """
    # Also true for the count itself when it comes again.
    if (at_ms, counted_by) <= (level.counted_ms, level.counted_by):
        return 0
    # Movements after the count may have been forgotten: its change could not be computed.
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
    # The count saw the shelf after the last short pick: nothing is in doubt any more.
    if level.doubted_ms <= at_ms:
        level.in_doubt = 0
    return change


def window_start(at_ms: int) -> int:
    """Start of the seven-day selling window that an instant lies in; windows are counted from the epoch."""
    return at_ms // RATE_WINDOW_MS * RATE_WINDOW_MS


def add_sold(level: Level, at_ms: int, quantity: int) -> None:
    """Add sold units to the selling rate: to the newest window of seven days, or to the one before it."""
    start, since_ms = window_start(at_ms), level.sold_since_ms
    if start == since_ms:
        level.sold += quantity
    # A new window begins; the one before it counts only if it is adjacent.
    elif start > since_ms:
        level.sold_before = level.sold if start - since_ms == RATE_WINDOW_MS else 0
        level.sold = quantity
    # A late sale of the previous window. Older ones are outside of the rate.
    elif since_ms - start == RATE_WINDOW_MS:
        level.sold_before += quantity
    if start >= since_ms:
        level.sold_since_ms = start


def sold_per_week(level: Level, at_ms: int) -> int:
    """Units sold in the seven days up to an instant, the previous window in proportion to its overlap."""
    elapsed = at_ms - level.sold_since_ms
    if elapsed < RATE_WINDOW_MS:
        return level.sold + level.sold_before * (RATE_WINDOW_MS - max(0, elapsed)) // RATE_WINDOW_MS
    if elapsed < 2 * RATE_WINDOW_MS:
        return level.sold * (2 * RATE_WINDOW_MS - elapsed) // RATE_WINDOW_MS
    return 0


def entries(moves: bytes) -> list[tuple[int, int]]:
    """Movements as (at_ms, change), in order of arrival."""
    return [(high << 32 | low, change) for high, low, change in _ENTRY.iter_unpack(moves)]


def sum_after(moves: bytes, at_ms: int) -> int:
    """Sum of the changes after an instant."""
    return sum(change for moved_ms, change in entries(moves) if moved_ms > at_ms)


def after(moves: bytes, at_ms: int) -> bytes:
    """Packed movements after an instant."""
    return b"".join(
        packed_time(moved_ms) + packed_change(change) for moved_ms, change in entries(moves) if moved_ms > at_ms
    )


def newest(moves: bytes) -> tuple[bytes, int]:
    """The newest movements by their own time, and the time up to which older ones are forgotten.

    Movements of one instant are kept or forgotten together: a count of that instant would be ambiguous otherwise.
    """
    # Big-endian times sort like bytes, so movements that arrived in order need no unpacking.
    times = unpack(_TIME_ONLY * (len(moves) // ENTRY_BYTES), moves)
    ordered = sorted(times)
    forgotten: bytes = ordered[-MOVES_KEPT - 1]
    forgotten_ms = int.from_bytes(forgotten, "big")
    if list(times) == ordered:
        return moves[bisect_right(ordered, forgotten) * ENTRY_BYTES :], forgotten_ms
    return after(moves, forgotten_ms), forgotten_ms
