"""python -m tests.simulation --seeds 2000: runs so many seeds; a failure prints how to repeat it, cut short."""

import argparse
import json
import sys
import time

from tests.simulation.search import first_failure, one


def main() -> int:
    """Exit 0 when every seed holds, 1 when one does not."""
    told = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    told.add_argument("--seeds", type=int, default=1, help="how many seeds to run")
    told.add_argument("--seed", type=int, default=0, help="the first seed")
    told.add_argument("--only", default="", help="numbers of steps to keep of one seed, as a failure prints them")
    told.add_argument("--jobs", type=int, default=1, help="processes that share the seeds")
    told.add_argument("--json", action="store_true", help="one document instead of lines")
    asked = told.parse_args()
    began = time.perf_counter()
    only = [int(it) for it in asked.only.split(",") if it]
    failed = one(asked.seed, only) if only else first_failure(asked.seed, asked.seeds, asked.jobs)
    seconds = round(time.perf_counter() - began, 2)
    if asked.json:
        sys.stdout.write(json.dumps({"seeds": asked.seeds, "seconds": seconds, "failed": failed}) + "\n")
    else:
        sys.stdout.write(f"{failed}\n" if failed else f"{asked.seeds} seeds hold ({seconds} s)\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
