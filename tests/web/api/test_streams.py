"""Streams of events: many at a time, and a reader that does not read."""

import asyncio
import socket
import time

import httpx
import pytest

from bopis.access.roles import Role
from tests.web.shop import OWN, Shop

STREAMS, SOAK_STREAMS = 200, 2_000
# Streams that are opened at a time.
OPENING = 100


def last_of(shop: Shop, streams: int) -> float:
    """Seconds from the cancellation of an order until the last of so many open streams has it, while one more reader
    does not read."""
    headers = {"Authorization": f"Bearer {shop.key_of(Role.STORE_MANAGER)}"}
    host, port = shop.url.removeprefix("http://").split(":")
    sleeper = socket.create_connection((host, int(port)))
    sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    line = f"GET /v1/events?store={OWN} HTTP/1.1\r\nHost: x\r\nAuthorization: {headers['Authorization']}\r\n\r\n"
    sleeper.sendall(line.encode())

    number = shop.promised()

    async def listen(client: httpx.AsyncClient, opened: asyncio.Semaphore, opening: asyncio.Semaphore) -> float:
        await opening.acquire()
        async with client.stream("GET", f"/v1/events?order={number}", headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream"), answer.status_code
            async for line in answer.aiter_lines():
                if line == "event: open":
                    opened.release()
                    opening.release()
                if number in line:
                    return time.monotonic()
        raise AssertionError("the stream ended")

    async def all_of_them() -> float:
        opened, opening = asyncio.Semaphore(0), asyncio.Semaphore(OPENING)
        limits = httpx.Limits(max_connections=streams)
        async with httpx.AsyncClient(base_url=shop.url, timeout=60, limits=limits) as client:
            tasks = [asyncio.create_task(listen(client, opened, opening)) for _ in range(streams)]
            for _ in range(streams):
                await opened.acquire()
            began = time.monotonic()
            cancelled = await asyncio.to_thread(shop.ask, "POST", f"/v1/orders/{number}/cancellation", json={})
            assert cancelled.status_code == 200, cancelled.text
            return max(await asyncio.gather(*tasks)) - began

    try:
        return asyncio.run(all_of_them())
    finally:
        sleeper.close()


def test_many_streams_get_an_order_and_a_reader_that_sleeps_hurts_nobody(shop: Shop) -> None:
    assert last_of(shop, STREAMS) < 30
    assert shop.eventually(lambda: " 0.0" in streams_line(shop)), "a stream that ended is still counted"


@pytest.mark.soak
def test_two_thousand_streams_get_an_order_and_hurt_nobody(shop: Shop) -> None:
    assert last_of(shop, SOAK_STREAMS) < 60
    assert shop.eventually(lambda: " 0.0" in streams_line(shop)), "a stream that ended is still counted"


def streams_line(shop: Shop) -> str:
    """The figure of open streams."""
    text = shop.ask("GET", "/metrics").text
    return next(it for it in text.splitlines() if it.startswith("bopis_http_streams"))


def test_a_stream_of_another_stores_changes_is_refused(shop: Shop) -> None:
    for query in ("store=367", "all=true", "sku=4011"):
        answer = shop.ask("GET", f"/v1/events?{query}", Role.STORE_ASSOCIATE)

        assert (answer.status_code, answer.json()["code"]) == (403, "other-store")
