"""One real processor in a process of its own: ``order_worker.py orders|inventory BOOTSTRAP PREFIX PARTITIONS DIR``."""

import sys
from pathlib import Path

from streams import worker
from streams.connection import Connection
from streams.inventory import InventoryProcessor
from streams.limits import StreamLimits
from streams.orders import OrdersProcessor

PROCESSORS = {"orders": OrdersProcessor, "inventory": InventoryProcessor}


def main(name: str, bootstrap: str, prefix: str, partitions: str, data_dir: str) -> int:
    connection = Connection(
        bootstrap=bootstrap, prefix=prefix, partitions=int(partitions), data_dir=Path(data_dir), instance=f"{name}-1"
    )
    return worker.run(PROCESSORS[name](), connection, StreamLimits(), lambda ready: print("ready", flush=True))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
