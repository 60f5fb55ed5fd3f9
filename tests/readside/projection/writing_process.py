"""Writes records of a file into a database, in small transactions, until it is done or killed.

Run as ``python -m tests.readside.projection.writing_process URL FILE``; says "written N" after each transaction.
"""

import pickle
import sys

from bopis.readside.engine import connect
from bopis.readside.writer import Batch, Projection

RECORDS_PER_TRANSACTION = 7


def main(url: str, path: str) -> None:
    """Go on from the position in the database, as the worker does."""
    with open(path, "rb") as file:
        feeds = pickle.load(file)
    engine = connect(url)
    projection = Projection(engine)
    positions = projection.positions()
    for (topic, partition), records in feeds.items():
        first = positions.get((topic, partition), -1) + 1
        for at in range(first, len(records), RECORDS_PER_TRANSACTION):
            projection.write_many([Batch(topic, partition, records[at : at + RECORDS_PER_TRANSACTION])])
            print("written", at, flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
