"""The real routing over the simulated log: tables that lag behind, answers that may be said again after a crash."""

from bopis.adapters.opening_hours import OsmHours
from bopis.domain.sourcing.rules import RuleSet
from bopis.names import ORDER_EVENTS_TOPIC
from bopis.services.routing.live import TABLE_TOPICS, LiveRouting
from bopis.services.routing.router import RoutingMessage
from tests.simulation.log import Log

HOURS = OsmHours()
RULES = RuleSet()


class SimulatedRouting:
    """One routing worker. It reads its tables whole at the start and each topic at its own pace afterwards."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._live = LiveRouting(HOURS, RULES)
        self._read = {(name, number): 0 for name in TABLE_TOPICS for number in range(log.partitions)}
        for place in self._read:
            self.follow(place, len(log.topics[place[0]][place[1]]))
        self._live.assign(range(log.partitions))
        self._heard = {number: log.offsets.get((ORDER_EVENTS_TOPIC, number), 0) for number in range(log.partitions)}
        self.speak()

    @property
    def places(self) -> list[tuple[str, int]]:
        """Partitions of tables that have more than was read."""
        return [it for it, read in self._read.items() if read < len(self._log.topics[it[0]][it[1]])]

    @property
    def questions(self) -> list[int]:
        """Partitions with events that were not looked at."""
        return [it for it, heard in self._heard.items() if heard < len(self._log.topics[ORDER_EVENTS_TOPIC][it])]

    def follow(self, place: tuple[str, int], count: int) -> None:
        """Fold the next records of one table."""
        topic, number = place
        begin = self._read[place]
        for record in self._log.topics[topic][number][begin : begin + count]:
            self._live.take(topic, record, number)
            self._read[place] += 1

    def speak(self) -> None:
        """Say what the tables mean for orders."""
        self._put(self._live.follow_up(self._log.now_ms))

    def answer(self, number: int, count: int) -> None:
        """Answer the next questions of one partition."""
        begin = self._heard[number]
        for record in self._log.topics[ORDER_EVENTS_TOPIC][number][begin : begin + count]:
            self._put(self._live.answer(record.value or b"", self._log.now_ms))
            self._heard[number] += 1

    def commit(self) -> None:
        """Tell the group how far everything is answered."""
        for number, heard in self._heard.items():
            self._log.offsets[ORDER_EVENTS_TOPIC, number] = heard

    def _put(self, said: list[RoutingMessage]) -> None:
        for topic, key, value in said:
            self._log.put(topic, key.encode(), value)
