"""How far a processor has decided, read from its changelog: each commit opens with the position it stands for."""

import msgspec

from bopis.ports import Log

CHANGELOG_TOPIC = "inventory-levels"
POSITION_KEY = b"\x00position"
# The newest position stands at the head of the newest commit; small commits are the rule, this is the largest.
LOOKS_BACK = (64, 2_048, 65_536)


class _Position(msgspec.Struct):
    position: int


_decode = msgspec.json.Decoder(_Position).decode


def decided_positions(log: Log, changelog: str = CHANGELOG_TOPIC) -> dict[int, int]:
    """The newest offset of the source (of `stock`, for the inventory's changelog) that is in the rows, by partition;
    partitions without a commit are left out."""
    start, end = log.start_offsets([changelog]), log.end_offsets([changelog])
    found: dict[int, int] = {}
    for look_back in LOOKS_BACK:
        first = {where: max(start[where], offset - look_back) for where, offset in end.items() if where[1] not in found}
        for record in log.read(first, end):
            if record.key == POSITION_KEY and record.value:
                found[record.partition] = _decode(record.value).position
    return found


def lag(log: Log, topic: str, positions: dict[int, int]) -> int:
    """Records of a topic that were not taken yet; a position is the newest offset that was."""
    start, end = log.start_offsets([topic]), log.end_offsets([topic])
    return sum(max(0, offset - max(positions.get(where[1], -1) + 1, start[where])) for where, offset in end.items())
