"""The agent is killed at random, and cut off from the log at random, while tills sell: the centre's books are the
tills' own totals, each basket once, each source in its order."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bopis.adapters.agent_process import Folder, GrowingFile, Sources
from bopis.adapters.log import LogReader
from bopis.domain.inventory.events import GapFound
from bopis.domain.inventory.messages import AgentHeartbeat
from bopis.domain.inventory.rows import Level, split_key
from bopis.domain.message import Message
from bopis.wire.stock import INVENTORY_EVENTS, STOCK
from streams.engine.exact_step import NO_POSITION, step
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor
from tests.engines.embedded import QUICK, EmbeddedEngine
from tests.engines.wire import Wire
from tests.faults.proxy import Proxy, Weather
from tests.services.notices.post import free_port
from tests.store_agent.agents import STORE, AgentUnderTest, as_lines, options_for, post, sale, wait_until

PREFIX = "bopis."
SKUS = ("4011", "852159", "94225")
RECORD_BYTES_MAX = 8 << 20
CUTS = (Weather.CUT, Weather.SILENT, Weather.HALF_OPEN, Weather.FINE)
TILLS = 2


class Tills:
    """Tills that sell until they are told to stop, and know their own totals."""

    def __init__(self, agent: AgentUnderTest, home: Path, seed: int) -> None:
        self._agent, self._home = agent, home
        self._chance = random.Random(seed)
        self._stopped = threading.Event()
        self._abandoned = False
        self.drop, self.growing = home / "drop", home / "till.ndjson"
        self.drop.mkdir()
        self.totals: Counter[str] = Counter()
        self.baskets: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._sell, args=(f"till-{it}",)) for it in range(TILLS)]
        self._threads.append(threading.Thread(target=self._write_files))

    def start(self) -> None:
        for it in self._threads:
            it.start()

    def stop(self) -> None:
        self._stopped.set()
        for it in self._threads:
            it.join()

    def abandon(self) -> None:
        """Stop, also without an agent: the test has failed."""
        self._abandoned = True
        self.stop()

    def _basket(self, source: str, number: int) -> dict[str, object]:
        with self._lock:
            lines = {sku: self._chance.randint(-1, 3) for sku in SKUS[: self._chance.randint(1, 3)]}
            self.totals.update({sku: -units for sku, units in lines.items()})
            self.baskets[source] += 1
        return sale(source, number, lines)

    def _sell(self, source: str) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            message = self._basket(source, number)
            # Also when everything has stopped: the customer has left with the goods.
            while not self._sent(message) and not self._abandoned:
                time.sleep(0.05)
            if number % 5 == 0:
                self._sent(message)

    def _sent(self, message: object) -> bool:
        try:
            return post(self._agent.port, message)[0] == 202
        except (OSError, http.client.HTTPException):
            return False

    def _write_files(self) -> None:
        number = 0
        last: list[object] = []
        while not self._stopped.wait(0.1):
            number += 1
            new = [self._basket("files", number * 10 + it) for it in range(3)]
            # Exports overlap: the last file is a part of this one.
            draft = self.drop / f".{number}"
            draft.write_bytes(as_lines([*last, *new]))
            draft.rename(self.drop / f"{number:05}.ndjson")
            last = list(new)
            with self.growing.open("ab") as file:
                line = as_lines([self._basket("growing", number)])
                half = len(line) // 2
                file.write(line[:half])
                file.flush()
                file.write(line[half:])


class Books:
    """What the centre makes of the log: the inventory's own step, over all records of the stock topic."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.messages: list[Message] = []
        self.on_hand: dict[str, int] = {}
        self.gaps = 0
        with LogReader(bootstrap, PREFIX) as log:
            records = list(log.read(log.start_offsets(["stock"]), log.end_offsets(["stock"])))
        self.partitions = {it.partition for it in records}
        processor = InventoryProcessor()
        for number in range(partitions):
            mine = [it for it in records if it.partition == number]
            rows = PartitionRows(processor.decode, processor.encode)
            outputs = step(processor, rows, NO_POSITION, mine, RECORD_BYTES_MAX).outputs if mine else ()
            assert not [it for it in outputs if it.topic == "dead-letters"]
            events = [INVENTORY_EVENTS.decode(it.value) for it in outputs if it.topic == "inventory-events"]
            self.gaps += sum(isinstance(it.data, GapFound) for it in events)
            self.on_hand |= {split_key(key)[2]: row.on_hand for key, row in rows.items() if isinstance(row, Level)}
            self.messages += [STOCK.decode(it.value or b"") for it in mine]

    def first_sequences(self) -> dict[str, list[int]]:
        """The sequences of each source, in the order in which they first appear."""
        found: dict[str, dict[int, None]] = {}
        for it in self.messages:
            assert isinstance(it.seq, int)
            found.setdefault(it.source, {})[it.seq] = None
        return {source: list(numbers) for source, numbers in found.items()}


@pytest.fixture
def wire_of(tmp_path: Path) -> Iterator[tuple[EmbeddedEngine, Proxy]]:
    """A log behind a proxy."""
    with Proxy() as proxy:
        engine = EmbeddedEngine(tmp_path / "log", (*QUICK, f"advertised_port={proxy.port}"), listen=free_port())
        proxy.lead_to(engine.listens_at)
        engine.start()
        with Wire(("127.0.0.1", engine.listens_at)) as wire:
            assert wire.create_topic(f"{PREFIX}stock", 4, {}) == 0
        yield engine, proxy
        engine.stop()


def kill_and_compare(wire_of: tuple[EmbeddedEngine, Proxy], home: Path, kills: int, seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    proxy = wire_of[1]
    bootstrap = f"127.0.0.1:{proxy.port}"
    sources = Sources(
        folder=(Folder(name="drop", path=home / "drop"),),
        file=(GrowingFile(name="growing", path=home / "till.ndjson"),),
    )
    options = options_for(home / "agent", bootstrap, PREFIX, sources=sources)
    with ExitStack() as stack:
        agent = stack.enter_context(AgentUnderTest(options, home))
        tills = Tills(agent, home, seed)
        tills.start()
        stack.callback(tills.abandon)
        for number in range(kills):
            if number % 4 == 0:
                proxy.change(CUTS[number // 4 % len(CUTS)])
            time.sleep(chance.uniform(0.02, 0.25))
            agent.kill()
            agent.start()
        proxy.change(Weather.FINE)
        tills.stop()
        wait_until(lambda: not list(tills.drop.glob("*.ndjson")), agent.talk)
        agent.wait_sent()
        assert agent.stop() == 0, agent.talk()

    books = Books(bootstrap, 4)
    assert {sku: units for sku, units in books.on_hand.items() if units} == {
        sku: units for sku, units in tills.totals.items() if units
    }
    reported = [it for it in books.messages if not isinstance(it.data, AgentHeartbeat)]
    baskets = {(it.source, it.seq): it.data.basket for it in reported}
    assert len(baskets) == len(set(baskets.values())) == sum(tills.baskets.values())
    assert {it.subject for it in books.messages} == {STORE}
    assert len(books.partitions) == 1
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in books.first_sequences().values())
    assert books.gaps == 0


def test_forty_kills_under_load_lose_nothing_and_double_nothing(
    wire_of: tuple[EmbeddedEngine, Proxy], tmp_path: Path
) -> None:
    kill_and_compare(wire_of, tmp_path, kills=40, seed=random.randrange(2**32))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(6))
def test_three_hundred_kills_under_load_lose_nothing_and_double_nothing(
    wire_of: tuple[EmbeddedEngine, Proxy], tmp_path: Path, part: int
) -> None:
    kill_and_compare(wire_of, tmp_path, kills=50, seed=random.randrange(2**32) + part)
