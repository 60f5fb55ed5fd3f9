"""The topics of the new prefix: made for copying, filled, and switched to what they must be."""

import time

from bopis.ports import Log
from bopis.services.migration.errors import TargetMisfit
from bopis.services.migration.world import Keeper, Moving
from bopis.topics.plans import CREATE_TIME, FOR_EVER, TIMESTAMP_TYPE

QUIET_SECONDS = 1.0
QUIET_LOOKS_MAX = 30

# While it is filled, a topic keeps the time of each record and loses none. No worker starts on such a topic: it
# checks for the log's own time, so a move that was interrupted cannot be mistaken for one that has ended.
WHILE_FILLED = {
    TIMESTAMP_TYPE: CREATE_TIME,
    "cleanup.policy": "delete",
    "retention.ms": str(FOR_EVER),
    "retention.bytes": str(FOR_EVER),
    "message.timestamp.after.max.ms": str((1 << 63) - 1),
}


class Target:
    """The topics that are moved to."""

    def __init__(self, log: Log, keeper: Keeper, moving: list[Moving]) -> None:
        self._log = log
        self._keeper = keeper
        self._moving = moving
        self.unfinished: set[str] = set()

    def clear(self) -> list[str]:
        """Delete the topics that an attempt has begun to fill and not switched; returns their names."""
        states = self._keeper.states(it.plan.name for it in self._moving)
        begun = [name for name, it in states.items() if it.settings.get(TIMESTAMP_TYPE) == CREATE_TIME]
        self._keeper.delete(begun)
        return begun

    def open(self) -> dict[str, dict[int, int]]:
        """Make what is absent; returns how many records stand in each partition, by topic."""
        states = self._keeper.states(it.plan.name for it in self._moving)
        for it in self._moving:
            state = states.get(it.plan.name)
            if state is not None and state.partitions != it.plan.partitions:
                raise TargetMisfit(topic=it.plan.name, found=state.partitions, needed=it.plan.partitions)
        self._keeper.create((it.plan for it in self._moving if it.plan.name not in states), WHILE_FILLED)
        ends = self._quiet()
        for it in self._moving:
            state = states.get(it.plan.name)
            is_empty = not any(ends[it.topic.name].values())
            if state is None or state.settings.get(TIMESTAMP_TYPE) == CREATE_TIME:
                self.unfinished.add(it.topic.name)
            elif is_empty:
                self._keeper.alter(it.plan.name, WHILE_FILLED)
                self.unfinished.add(it.topic.name)
        return ends

    def _quiet(self) -> dict[str, dict[int, int]]:
        """Where the partitions end, once they stand still: what an attempt that was killed had sent last may still
        be on its way."""
        ends = self._ends()
        for _ in range(QUIET_LOOKS_MAX):
            if not any(offset for by_partition in ends.values() for offset in by_partition.values()):
                break
            time.sleep(QUIET_SECONDS)
            before, ends = ends, self._ends()
            if before == ends:
                break
        return ends

    def _ends(self) -> dict[str, dict[int, int]]:
        found = self._log.end_offsets([it.topic.name for it in self._moving])
        return {
            it.topic.name: {number: found[it.topic.name, number] for number in range(it.plan.partitions)}
            for it in self._moving
        }

    def finish(self) -> None:
        """Switch the topics to what they must be; the messages last, because it is they that workers ask for."""
        for it in reversed(self._moving):
            if it.topic.name in self.unfinished:
                self._keeper.alter(it.plan.name, it.plan.config())
