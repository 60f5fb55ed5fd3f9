"""Orders placed while web, orders and log are killed: one order per key, whatever was repeated or lost."""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bopis.access.roles import Role
from bopis.adapters.supervision import STATE_FILE, ChildStatus, read_status
from bopis.adapters.web_process import web_process
from bopis.domain.orders.events import OrderPlaced
from bopis.names import ORDER_EVENTS_TOPIC
from bopis.wire.orders import ORDER_EVENTS
from tests.web.shop import OWN, SKUS, Shop

VICTIMS = ("web", "orders", "broker")
CLIENTS = 3
PARALLEL = 2
PAUSE_S = 0.05
PATIENCE_S = 180.0
SKU = SKUS[1]
# What a client repeats: the gate of time, and a caller's rate.
AGAIN = (503, 429)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An installation whose processes the tests kill."""
    shop = Shop(tmp_path_factory.mktemp("kills") / "home")
    yield shop
    shop.close()


class Customers:
    """Clients that place orders until they are stopped, each under a new key, sent twice at a time and again after an
    error until it is answered with 202."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._headers = {"Authorization": f"Bearer {shop.key_of(Role.SHOP_FRONT)}"}
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._changing = threading.Lock()
        # By key the numbers of the orders in answers of 202.
        self.orders: dict[str, set[str]] = defaultdict(set)
        self.others: Counter[str] = Counter()
        self.repeats = 0

    def run(self) -> None:
        """Place orders until `stop`; an order that was begun is placed to its end."""
        with ThreadPoolExecutor(PARALLEL) as duplicates:
            while not self._over.wait(PAUSE_S):
                with self._changing:
                    key = f"kills-{next(self._numbers)}"
                self._place(key, duplicates)

    def stop(self) -> None:
        """Begin no more orders."""
        self._over.set()

    def send(self, key: str) -> bool:
        """Send the order of a key once. Returns whether it was answered with 202."""
        found = web_process(self._shop.home)
        if found is None:
            return False
        try:
            answer = httpx.post(
                f"{found.url}/v1/orders", json=self._shop.basket(sku=SKU), timeout=20,
                headers=self._headers | {"Idempotency-Key": key},
            )  # fmt: skip
        except httpx.TransportError:
            return False
        with self._changing:
            if answer.status_code == 202:
                self.orders[key].add(answer.json()["order"])
            elif answer.status_code not in AGAIN:
                self.others[answer.text] += 1
        return answer.status_code == 202

    def _place(self, key: str, duplicates: ThreadPoolExecutor) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not any(list(duplicates.map(self.send, [key] * PARALLEL))):
            assert time.monotonic() < give_up, f"{key} was not placed in time"
            with self._changing:
                self.repeats += 1
            time.sleep(PAUSE_S)


def child(shop: Shop, name: str) -> ChildStatus:
    """A process that `bopis up` keeps running."""
    return next(it for it in read_status(shop.home / STATE_FILE).children if it.name == name)


def kill(shop: Shop, name: str) -> None:
    """Kill a process, and wait until another one is ready in its place."""
    pid = child(shop, name).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        found = child(shop, name)
        return found.state == "ready" and found.pid != pid

    shop.eventually(is_back, PATIENCE_S)
    if name == "web":
        shop.find_web()


def placed(shop: Shop) -> dict[str, set[str]]:
    """By order the ids of the events that placed it. After a crash an event may be in the log twice, under one id."""
    found: dict[str, set[str]] = defaultdict(set)
    with shop.bopis_reader() as reader:
        topics = [ORDER_EVENTS_TOPIC]
        for record in reader.read(reader.start_offsets(topics), reader.end_offsets(topics)):
            event = ORDER_EVENTS.decode(record.value or b"")
            if isinstance(event.data, OrderPlaced):
                found[event.subject].add(event.id)
    return found


def held(shop: Shop) -> int:
    """Units that orders hold of the SKU in the store."""
    answer = shop.ask("GET", f"/v1/stores/{OWN}/stock", params={"sku": SKU})
    return int(answer.json()["levels"][0]["terms"]["held"]) if answer.status_code == 200 else -1


def listed(shop: Shop, orders: set[str]) -> list[str]:
    """The numbers of these orders as the lists have them, a page at a time."""
    found, cursor = [], ""
    while True:
        page = shop.ask("GET", "/v1/orders", params={"ended": True, "limit": 500, "cursor": cursor}).json()
        found += [it["order"] for it in page["orders"] if it["order"] in orders]
        cursor = page["cursor"]
        if not cursor:
            return found


def place_and_kill(shop: Shop, victims: list[str], seed: int) -> None:
    chance, customers = random.Random(seed), Customers(shop)
    before, held_before = set(placed(shop)), held(shop)
    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(customers.run) for _ in range(CLIENTS)]
        try:
            for name in victims:
                time.sleep(chance.uniform(0.1, 0.5))
                kill(shop, name)
        finally:
            customers.stop()
        for it in running:
            it.result()
    numbers = {number for found in customers.orders.values() for number in found}
    shop.eventually(lambda: shop.ask("GET", "/readyz", None).status_code == 200, PATIENCE_S)
    shop.eventually(lambda: held(shop) - held_before >= len(numbers), PATIENCE_S)
    after = {order: ids for order, ids in placed(shop).items() if order not in before}

    assert not customers.others, f"seed {seed}"
    assert customers.repeats, "nothing was killed in the middle of a request"
    assert {key for key, found in customers.orders.items() if len(found) != 1} == set(), f"seed {seed}"
    assert len(numbers) == len(customers.orders), f"seed {seed}: two keys have one order"
    assert set(after) == numbers, f"seed {seed}"
    assert {order for order, ids in after.items() if len(ids) != 1} == set(), f"seed {seed}"
    assert held(shop) - held_before == len(numbers), f"seed {seed}"
    assert sorted(listed(shop, numbers)) == sorted(numbers), f"seed {seed}"
    again = next(iter(customers.orders))
    assert customers.send(again)
    assert len(customers.orders[again]) == 1


def test_each_key_has_one_order_though_web_orders_and_log_are_killed(own: Shop) -> None:
    seed = random.randrange(2**32)

    place_and_kill(own, random.Random(seed).sample(VICTIMS, len(VICTIMS)), seed)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(5))
def test_each_key_has_one_order_through_many_kills(own: Shop, part: int) -> None:
    seed = random.randrange(2**32) + part

    place_and_kill(own, random.Random(seed).choices(VICTIMS, k=12), seed)
