"""Where the time goes from `kill -9` of a worker until it decides again, as a command.

python -m tests.faults.resume_parts [--engine embedded|kafka] [--times 5]

One worker under load is killed and started again under its name, as its supervisor would. Prints one JSON document:
medians in seconds of starting Python and reading the code, of preparing and joining the group, of recovering the
partitions, of the first decision; and of the whole. `cpu` is the processor time of the worker until it was ready.
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.engines.choice import ENGINES, make
from tests.faults.crew import Crew, Hand, Watch
from tests.faults.load import Load

PAUSE_S = 0.004


def event(hand: Hand, name: str) -> dict[str, Any]:
    """The last thing that a worker said under a name."""
    told = [json.loads(line) for line in hand.text.splitlines() if line.startswith("{")]
    return next(it for it in reversed(told) if it.get("event") == name)


def instant(told: dict[str, Any]) -> float:
    return datetime.fromisoformat(told["timestamp"]).timestamp()


def parts(crew: Crew, watch: Watch) -> dict[str, float]:
    """Kill, start again, wait; the seconds of each part."""
    crew.hands["one"].kill()
    began = time.time()
    hand = crew.start("one", wait=False)
    whole = watch.seconds_until_all_go_on()
    crew.wait(lambda: hand.is_ready, "it says that it is ready")
    cpu = psutil.Process(hand.process.pid).cpu_times()
    ready, assigned = event(hand, "worker.ready"), event(hand, "partitions.assigned")
    read = instant(ready) - ready["seconds"]
    return {
        "python": read - began,
        "join": instant(assigned) - read,
        "recover": instant(ready) - instant(assigned),
        "decide": began + whole - instant(ready),
        "whole": whole,
        "cpu": cpu.user + cpu.system,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.resume_parts")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        engine = make(asked.engine, home / "log")
        engine.start()
        try:
            with Crew(engine, home) as crew:
                crew.start("one")
                with Watch(crew) as watch, Load(crew, 1, PAUSE_S).running():
                    watch.seconds_until_all_go_on()
                    found = [parts(crew, watch) for _ in range(asked.times)]
        finally:
            engine.stop()
    told = {name: round(statistics.median(it[name] for it in found), 2) for name in found[0]}
    longest = round(max(it["whole"] for it in found), 2)
    print(json.dumps({"engine": asked.engine, "times": asked.times, **told, "whole_max": longest}))


if __name__ == "__main__":
    main()
