"""What a warm copy costs its keeper, as a command.

python -m tests.faults.standby_cost [--engine embedded|kafka] [--seconds 20]

Two workers share the partitions; tills sell only in stores of the first one's. Prints one JSON document: processor
seconds of the owner, and of the other worker, which has nothing to decide: with copies of the owner's partitions
(`keeper`), and in a second run without any (`bystander`).
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import psutil
from aiokafka.partitioner import murmur2

from tests.engines import Engine
from tests.engines.choice import ENGINES, make
from tests.faults.crew import PARTITIONS, Crew, Hand
from tests.faults.load import Load
from tests.faults.resume_parts import event

PAUSE_S = 0.001
STORES = 8


def stores_of(owner: Hand) -> list[str]:
    """Stores whose partitions this worker owns."""
    mine = set(event(owner, "partitions.assigned")["partitions"])
    names = (f"S{number}" for number in range(1_000))
    return [it for it in names if (murmur2(it.encode()) & 0x7FFFFFFF) % PARTITIONS in mine][:STORES]


def cpu_s(hand: Hand) -> float:
    spent = psutil.Process(hand.process.pid).cpu_times()
    return spent.user + spent.system


def run(engine: Engine, home: Path, seconds: float, standby: int) -> tuple[float, float, int]:
    """Processor seconds of the owner and of the other one, and how many messages there were."""
    home.mkdir()
    with Crew(engine, home, standby=standby, session_timeout_seconds=20) as crew:
        owner, other = crew.start("one"), crew.start("two")
        crew.wait(
            lambda: len(event(owner, "partitions.assigned")["partitions"]) == PARTITIONS // 2, "the work is shared"
        )
        load = Load(crew, 1, PAUSE_S, stores_of(owner))
        with load.running():
            time.sleep(3)
            before = cpu_s(owner), cpu_s(other)
            time.sleep(seconds)
            spent = cpu_s(owner) - before[0], cpu_s(other) - before[1]
        return *spent, len(load.acknowledged())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.standby_cost")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = make(asked.engine, Path(folder) / "log")
        engine.start()
        try:
            owner, keeper, messages = run(engine, Path(folder) / "with", asked.seconds, 1)
            alone, bystander, others = run(engine, Path(folder) / "without", asked.seconds, 0)
        finally:
            engine.stop()
    told = {"owner": owner, "keeper": keeper, "owner_without_copies": alone, "bystander": bystander}
    told |= {"keeper_share": keeper / owner, "bystander_share": bystander / alone}
    facts = {"engine": asked.engine, "messages": messages, "messages_without_copies": others}
    print(json.dumps(facts | {name: round(value, 3) for name, value in told.items()}))


if __name__ == "__main__":
    main()
