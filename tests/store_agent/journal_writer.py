"""A program that writes into a journal, and prints the baskets that are on the disk: ``DIRECTORY NAME``."""

import sys
from pathlib import Path

from bopis.journal.journal import Journal
from tests.store_agent.agents import STORE
from tests.store_agent.baskets import sold

if __name__ == "__main__":
    with Journal(Path(sys.argv[1]), STORE) as journal:
        for number in range(100_000):
            journal.take("till", [sold(f"{sys.argv[2]}-{number}", sku=1)])
            print(f"{sys.argv[2]}-{number}", flush=True)
            if number % 7 == 0:
                journal.acknowledge(journal.last_position() - 3)
