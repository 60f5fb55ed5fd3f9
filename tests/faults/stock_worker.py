"""Stock Faust, as its guide shows it: an agent, a Table, at least once. Counts what comes, by key."""

import sys
from typing import Any

PARTITIONS = 4
SESSION_SECONDS = 4.0


def main(bootstrap: str, name: str, home: str) -> None:
    """Run one worker until it is ended."""
    import faust

    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        topic_partitions=PARTITIONS,
        store="memory://",
        datadir=home,
        consumer_auto_offset_reset="earliest",
        # As patient as the worker beside it; the default of 60 s would only make it slower.
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=1.0,
        broker_request_timeout=15.0,
    )
    topic = app.topic(f"{name}-sales", key_type=str, value_type=bytes, value_serializer="raw")
    totals = app.Table("totals", default=int, partitions=PARTITIONS)

    @app.agent(topic)
    async def count(sales: Any) -> None:
        async for key, _ in sales.items():
            totals[key] += 1

    sys.argv = ["stock", "worker", "--without-web", "-l", "warn"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
