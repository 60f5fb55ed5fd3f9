"""The books: signed movements and counts, exact in any order of arrival.

After everything has arrived, on hand = (what the newest count found, plus what was staged then) + all
movements after that count. A movement that happened before the count was seen by it and changes nothing, even
when it arrives later; a count that arrives late leaves later movements standing.
"""

from bopis.domain.inventory.rows import Level
from bopis.domain.values import DAY_MS

MOVES_MAX = 128  # entries of a flat list, two per movement
MOVES_KEPT = 64
RATE_WINDOW_MS = 7 * DAY_MS


def move(level: Level, at_ms: int, change: int) -> int:
    """Book a change that happened at a time; returns what it changed: 0 if a newer count has seen it."""
    if at_ms <= level.counted_ms:
        return 0
    level.on_hand += change
    moves = level.moves
    moves += (at_ms, change)
    if len(moves) > MOVES_MAX:
        forget_oldest(level)
    return change


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
    level.staged_moves += (at_ms, change)
    if len(level.staged_moves) > MOVES_MAX:
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


def sold(level: Level, at_ms: int, quantity: int) -> None:
    """Note a sale for the selling rate, kept as two windows of seven days."""
    since_ms = level.sold_since_ms
    if not since_ms:
        level.sold_since_ms, level.sold = at_ms, quantity
    elif at_ms - since_ms >= RATE_WINDOW_MS:
        passed = (at_ms - since_ms) // RATE_WINDOW_MS
        level.sold_before = level.sold if passed == 1 else 0
        level.sold = quantity
        level.sold_since_ms = since_ms + passed * RATE_WINDOW_MS
    elif at_ms >= since_ms:
        level.sold += quantity
    elif at_ms >= since_ms - RATE_WINDOW_MS:
        level.sold_before += quantity


def sold_per_week(level: Level, at_ms: int) -> int:
    """Units sold in the seven days up to an instant, the older window taken in proportion."""
    elapsed = at_ms - level.sold_since_ms
    if elapsed < RATE_WINDOW_MS:
        return level.sold + level.sold_before * (RATE_WINDOW_MS - max(0, elapsed)) // RATE_WINDOW_MS
    if elapsed < 2 * RATE_WINDOW_MS:
        return level.sold * (2 * RATE_WINDOW_MS - elapsed) // RATE_WINDOW_MS
    return 0


def sum_after(moves: list[int], at_ms: int) -> int:
    """Sum of the changes that happened after an instant."""
    return sum(moves[i + 1] for i in range(0, len(moves), 2) if moves[i] > at_ms)


def after(moves: list[int], at_ms: int) -> list[int]:
    """The movements that happened after an instant."""
    kept: list[int] = []
    for i in range(0, len(moves), 2):
        if moves[i] > at_ms:
            kept += (moves[i], moves[i + 1])
    return kept


def newest(moves: list[int]) -> tuple[list[int], int]:
    """The newest movements by their own time, and the time up to which the others are forgotten.

    Movements of one instant are kept or forgotten together, or a count of that instant would be ambiguous.
    """
    pairs = sorted((moves[i], moves[i + 1]) for i in range(0, len(moves), 2))
    forgotten_ms = pairs[-MOVES_KEPT // 2 - 1][0]
    kept: list[int] = []
    for at_ms, change in pairs:
        if at_ms > forgotten_ms:
            kept += (at_ms, change)
    return kept, forgotten_ms
