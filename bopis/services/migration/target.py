"""The new topics: created for copying, filled, and switched to their planned settings."""

import time

from bopis.ports import Log
from bopis.services.migration.errors import TargetMisfit
from bopis.services.migration.ports import Keeper, MovedTopic
from bopis.topics.plans import CREATE_TIME, FOR_EVER, TIMESTAMP_TYPE

QUIET_SECONDS = 1.0
QUIET_CHECKS_MAX = 30

# While a topic is filled, it keeps the timestamp of each record and loses none. A worker does not start on such a
# topic, because it requires the log's append time: so an interrupted migration cannot be taken for a finished one.
WHILE_FILLED = {
    TIMESTAMP_TYPE: CREATE_TIME,
    "cleanup.policy": "delete",
    "retention.ms": str(FOR_EVER),
    "retention.bytes": str(FOR_EVER),
    "message.timestamp.after.max.ms": str((1 << 63) - 1),
}


class Target:
    """The new topics of a migration."""

    def __init__(self, log: Log, keeper: Keeper, moving: list[MovedTopic]) -> None:
        self._log = log
        self._keeper = keeper
        self._moving = moving
        self.unfinished: set[str] = set()

    def clear(self) -> list[str]:
        """Delete the topics that an earlier attempt has begun to fill and not switched; returns their names."""
        states = self._keeper.states(moved.plan.name for moved in self._moving)
        begun = [name for name, state in states.items() if state.settings.get(TIMESTAMP_TYPE) == CREATE_TIME]
        self._keeper.delete(begun)
        return begun

    def open(self) -> dict[str, dict[int, int]]:
        """Create the topics that do not exist; returns the end offset of each partition, by topic.

        Raises `TargetMisfit` when a topic exists with another number of partitions.
        """
        states = self._keeper.states(moved.plan.name for moved in self._moving)
        for moved in self._moving:
            state = states.get(moved.plan.name)
            if state is not None and state.partitions != moved.plan.partitions:
                raise TargetMisfit(topic=moved.plan.name, found=state.partitions, needed=moved.plan.partitions)
        self._keeper.create((moved.plan for moved in self._moving if moved.plan.name not in states), WHILE_FILLED)
        ends = self._settled_ends()
        for moved in self._moving:
            state = states.get(moved.plan.name)
            is_empty = not any(ends[moved.topic.name].values())
            if state is None or state.settings.get(TIMESTAMP_TYPE) == CREATE_TIME:
                self.unfinished.add(moved.topic.name)
            elif is_empty:
                self._keeper.alter(moved.plan.name, WHILE_FILLED)
                self.unfinished.add(moved.topic.name)
        return ends

    def _settled_ends(self) -> dict[str, dict[int, int]]:
        """End offsets that no longer grow: the last records of a killed attempt may still be on their way."""
        ends = self._ends()
        for _ in range(QUIET_CHECKS_MAX):
            if not any(offset for by_partition in ends.values() for offset in by_partition.values()):
                break
            time.sleep(QUIET_SECONDS)
            before, ends = ends, self._ends()
            if before == ends:
                break
        return ends

    def _ends(self) -> dict[str, dict[int, int]]:
        found = self._log.end_offsets([moved.topic.name for moved in self._moving])
        return {
            moved.topic.name: {number: found[moved.topic.name, number] for number in range(moved.plan.partitions)}
            for moved in self._moving
        }

    def finish(self) -> None:
        """Switch the topics to their planned settings, the stock topic last: workers check that one first."""
        for moved in reversed(self._moving):
            if moved.topic.name in self.unfinished:
                self._keeper.alter(moved.plan.name, moved.plan.config())
