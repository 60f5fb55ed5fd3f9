"""HTTP: availability, placing and streams of events, over one web process and real workers; the table of stock.

* ``single``, ``bulk``: as many availability reads as the process answers (16 connections): one SKU in one store, and 50
  SKUs in one store;
* ``placing``: orders at a constant rate, from the request to the 202 that says that the log has it; each with a key of
  its own;
* ``events``: clients with an open stream, each of one store, while tills sell: from sending a basket until a client has
  the event;
* ``tables``: the page of the stock of all stores over a large read side, on SQLite and PostgreSQL: filters, searches,
  orders, a page from the middle; and ``paint``: when Chromium shows first content of the dashboard and of that table
  (`benchmarks.http.tables`).

The load generator is one more process on the same cores.
"""

import argparse
import asyncio
import json
import os
import random
import time
from contextlib import AsyncExitStack
from typing import Any

from kafka import KafkaProducer

from benchmarks.engines import add_engine_option, running_log
from benchmarks.http.client import Connection, Load, at_rate, closed_loop
from benchmarks.http.site import START_SECONDS_MAX, Site, serving
from benchmarks.http.tables import DATABASES, LOADS, REQUESTS, ROWS, Repeats, measure_tables
from benchmarks.measure import machine_line, median, report, versions
from benchmarks.orders_world import World

PREFIX = "http."
PARTS = ("load", "tables")
CONNECTIONS = 16
BULK_SKUS = 50
PLACING_RATE = 200
STREAMS = 2_000
BASKETS_PER_S = 20
SECONDS = 10.0
SETTLE_SECONDS = 2.0


def main() -> None:
    """Measure every kind of request over one log per run; report medians over the runs."""
    options = _options()
    runs = []
    for number in range(options.runs if "load" in options.parts else 0):
        world = World(options.stores, options.skus)
        with running_log(options.engine) as log, serving(log, f"{PREFIX}{number}.", world, world.opening()) as site:
            runs.append(asyncio.run(_measure(site, options)))
    document = {
        "machine": machine_line(),
        "versions": versions("starlette", "uvicorn", "msgspec", "sse-starlette"),
        "engine": options.engine,
        "runs": options.runs,
        "stores": options.stores,
        "skus_per_store": options.skus,
        "streams": options.streams,
        "placing_rate": options.rate,
        "load_1min": round(os.getloadavg()[0], 1),
        **(
            {kind: {name: median(run[kind][name] for run in runs) for name in runs[0][kind]} for kind in runs[0]}
            if runs
            else {}
        ),
    }
    if "tables" in options.parts:
        document["tables"] = measure_tables(options.databases, options.rows, Repeats(options.requests, options.loads))
    report(document, options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--runs", type=int, default=3, help="runs of everything; medians are printed")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each kind of load")
    parser.add_argument("--rate", type=float, default=PLACING_RATE, help="orders placed per second")
    parser.add_argument("--streams", type=int, default=STREAMS, help="open streams of events")
    parser.add_argument("--stores", type=int, default=200, help="stores")
    parser.add_argument("--skus", type=int, default=500, help="SKUs per store")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="levels in the read side, for tables")
    parser.add_argument(
        "--databases", nargs="+", choices=DATABASES, default=DATABASES, help="the read side, for tables"
    )
    parser.add_argument("--requests", type=int, default=REQUESTS, help="requests of each kind, for tables")
    parser.add_argument("--loads", type=int, default=LOADS, help="loads of each page in Chromium, for tables")
    add_engine_option(parser)
    return parser.parse_args()


async def _measure(site: Site, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(site.connection()) for _ in range(CONNECTIONS)]
        await _until_filled(connections[0], site.world)
        single = await closed_loop(connections, lambda it, n: _single(it, site.world, n), options.seconds)
        bulk = await closed_loop(connections, lambda it, n: _bulk(it, site.world, n), options.seconds)
        more = [await stack.enter_async_context(site.connection()) for _ in range(4 * CONNECTIONS)]
        placing = await at_rate(more, lambda it, n: _place(it, site.world, n), options.rate, options.seconds)
    events = await _events(site, options)
    return {"single": single.figures(), "bulk": bulk.figures(), "placing": placing.figures(), "events": events}


async def _until_filled(connection: Connection, world: World) -> None:
    """Wait until the memory has the stock of the last store."""
    end = time.monotonic() + START_SECONDS_MAX
    path = f"/v1/availability?sku={world.codes[-1]}&store={world.stores[-1]}"
    while time.monotonic() < end:
        answer = await connection.request("GET", path)
        if answer.status == 200 and json.loads(answer.body)["stores"][0]["skus"][0]["available"]:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the stock did not appear: {answer}")


async def _single(connection: Connection, world: World, number: int) -> Any:
    store, sku = world.stores[number % len(world.stores)], world.codes[number % len(world.codes)]
    return await connection.request("GET", f"/v1/availability?sku={sku}&store={store}")


async def _bulk(connection: Connection, world: World, number: int) -> Any:
    first = number % (len(world.codes) - BULK_SKUS)
    body = {"skus": world.codes[first : first + BULK_SKUS], "stores": [world.stores[number % len(world.stores)]]}
    return await connection.request("POST", "/v1/availability", json.dumps(body).encode())


async def _place(connection: Connection, world: World, number: int) -> Any:
    chance = random.Random(number)
    lines = [{"sku": sku, "quantity": 1, "unit_price": 299} for sku in chance.sample(world.codes, 3)]
    customer = {"name": f"Customer {number}"}
    body = {"store": chance.choice(world.stores), "lines": lines, "currency": "USD", "customer": customer}
    headers = f"Idempotency-Key: order-{number}\r\n"
    return await connection.request("POST", "/v1/orders", json.dumps(body).encode(), headers)


async def _events(site: Site, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds from sending a basket to its event at each client that listens to its store."""
    waits: list[float] = []
    sold: dict[str, float] = {}
    producer = KafkaProducer(bootstrap_servers=site.bootstrap, linger_ms=0)

    def taker(store: str) -> Any:
        def take(data: bytes) -> None:
            if b"event: level" in data and store in sold:
                waits.append((time.perf_counter() - sold[store]) * 1000)

        return take

    async with AsyncExitStack() as stack:
        streams = []
        for number in range(options.streams):
            store = site.world.stores[number % len(site.world.stores)]
            connection = await stack.enter_async_context(site.connection())
            streams.append(asyncio.create_task(connection.stream(f"/v1/events?store={store}", taker(store))))
        await asyncio.sleep(SETTLE_SECONDS)
        end = time.monotonic() + options.seconds
        for basket in site.world.baskets(int(BASKETS_PER_S * options.seconds)):
            store = basket.key.decode()
            sold[store] = time.perf_counter()
            producer.send(f"{os.environ['BOPIS_TOPIC_PREFIX']}{basket.topic}", key=basket.key, value=basket.value)
            await asyncio.sleep(1 / BASKETS_PER_S)
        await asyncio.sleep(max(SETTLE_SECONDS, end - time.monotonic()))
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    producer.close()
    figures = Load(sorted(waits), options.seconds, 0).figures() if waits else {}
    return {name: it for name, it in figures.items() if name in ("p50_ms", "p99_ms")} | {"events": len(waits)}


if __name__ == "__main__":
    main()
