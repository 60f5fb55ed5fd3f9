"""Positions of a processor in its source, read from its changelog: each commit begins with one."""

from collections import defaultdict

from bopis.names import (
    LEVELS_TOPIC,
    NOTICE_STATE_TOPIC,
    NOTICES_TOPIC,
    ORDER_STATE_TOPIC,
    ORDERS_TOPIC,
    STOCK_TOPIC,
)
from bopis.ports import Log
from bopis.wire.changelog import NO_POSITION, ChangelogReader

# Records to read back from the end, in turn, until the newest commit's position is among them. Most commits are small.
LOOK_BACK_RECORDS = (64, 2_048, 65_536)
# Source topic of each exact processor, and the changelog that holds its position.
EXACT = {
    "inventory": (STOCK_TOPIC, LEVELS_TOPIC),
    "orders": (ORDERS_TOPIC, ORDER_STATE_TOPIC),
    "notices": (NOTICES_TOPIC, NOTICE_STATE_TOPIC),
}


def decided_positions(log: Log, changelog: str = LEVELS_TOPIC) -> dict[int, int]:
    """By partition the offset of the last decided record of the source (of `stock` for the inventory's changelog).
    Partitions without a commit are omitted."""
    start, end = log.start_offsets([changelog]), log.end_offsets([changelog])
    found: dict[int, int] = {}
    for look_back in LOOK_BACK_RECORDS:
        first = {where: max(start[where], offset - look_back) for where, offset in end.items() if where[1] not in found}
        readers: dict[int, ChangelogReader] = defaultdict(ChangelogReader)
        for record in log.read(first, end):
            readers[record.partition].is_row(record)
        found |= {partition: it.position for partition, it in readers.items() if it.position != NO_POSITION}
    return found


def lag(log: Log, topic: str, positions: dict[int, int]) -> int:
    """The number of records of a topic that are not decided yet. `positions` are the last decided offsets."""
    start, end = log.start_offsets([topic]), log.end_offsets([topic])
    return sum(max(0, offset - max(positions.get(where[1], -1) + 1, start[where])) for where, offset in end.items())


def exact_lags(log: Log) -> dict[str, int]:
    """The number of records that each exact processor has not decided yet."""
    return {name: lag(log, source, decided_positions(log, changelog)) for name, (source, changelog) in EXACT.items()}
