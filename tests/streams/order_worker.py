"""One real processor in a process of its own: ``order_worker.py orders|inventory BOOTSTRAP PREFIX PARTITIONS DIR``."""

import sys
from pathlib import Path

from streams.engine.connection import LogConnection
from streams.limits import StreamLimits
from streams.processors.inventory import InventoryProcessor
from streams.processors.orders import OrdersProcessor
from streams.workers.exact_worker import ExactWorker

PROCESSORS = {"orders": OrdersProcessor, "inventory": InventoryProcessor}


def main(name: str, bootstrap: str, prefix: str, partitions: str, data_dir: str) -> int:
    connection = LogConnection(
        bootstrap=bootstrap, prefix=prefix, partitions=int(partitions), data_dir=Path(data_dir), instance=f"{name}-1"
    )
    worker = ExactWorker(PROCESSORS[name](), connection, StreamLimits(), lambda ready: print("ready", flush=True))
    return worker.run_until_stopped()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
