"""The API over Apache Kafka: what a customer, a store and a shop front do, and the log away and back.

The other tests of the folder run over the embedded log. Nothing in HTTP depends on the kind of log; the adapters below
it pass one suite on both. So a handful of flows is enough, and they run with the long tests.
"""

import json
import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bopis.access.roles import Role
from tests.engines import Engine, Engines
from tests.engines.choice import must_run
from tests.web.shop import OWN, SKUS, Shop

pytestmark = [pytest.mark.soak, pytest.mark.kafka]
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def log(engines: Engines) -> Engine:
    """Apache Kafka, of one node."""
    must_run("kafka")
    return engines.shared("kafka")


@pytest.fixture(scope="module")
def shop(log: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An installation on Apache Kafka that is not ready after 2 s without it."""
    settings = {
        "BOPIS_BROKER": f"kafka://{log.bootstrap}", "BOPIS_TOPIC_PREFIX": "web.", "BOPIS_WEB_AGE_SECONDS_MAX": "2",
        # An installation on a log of its own makes a key; one on a shared log has to have the key of the others.
        "BOPIS_MASTER_KEY": b64encode(os.urandom(32)).decode(),
    }  # fmt: skip
    shop = Shop(tmp_path_factory.mktemp("on-kafka") / "home", **settings)
    yield shop
    shop.close()


def command(shop: Shop, order: str, name: str, **body: Any) -> list[str]:
    """The types of the events that a command of the store caused."""
    answer = shop.ask("POST", f"/v1/orders/{order}/{name}", Role.STORE_MANAGER, json=body)
    assert answer.status_code == 200, answer.text
    return [it["type"] for it in answer.json()["events"]]


def state(shop: Shop, order: str) -> str:
    """The state of an order."""
    return str(shop.ask("GET", f"/v1/orders/{order}").json()["state"])


def units(shop: Shop, sku: str) -> tuple[int, int]:
    """Units on hand and held, once the read side has read what the log has."""
    terms = shop.ask("GET", f"/v1/stores/{OWN}/stock", params={"sku": sku}).json()["levels"][0]["terms"]
    return terms["on_hand"], terms["held"]


def test_an_order_is_placed_once_promised_prepared_and_collected(shop: Shop) -> None:
    on_hand, held = units(shop, SKUS[1])
    body = shop.basket(sku=SKUS[1], quantity=2)
    first = shop.place(body, "kafka-1", headers={"Prefer": "wait=10"})
    second = shop.place(body, "kafka-1")
    order = first.json()["order"]

    assert first.json()["outcome_type"] == "bopis.orders.order_promised.v1"
    assert (second.json()["order"], second.json()["repeated"]) == (order, True)
    shop.eventually(lambda: units(shop, SKUS[1]) == (on_hand, held + 2))

    command(shop, order, "acceptance")
    command(shop, order, "picks", lines=[{"line": 1, "picked": 2}])
    command(shop, order, "staging", location="A1")
    assert state(shop, order) == "ready"
    command(shop, order, "hand-over", document="passport")

    assert state(shop, order) == "handed_over"
    shop.eventually(lambda: units(shop, SKUS[1]) == (on_hand - 2, held))
    timeline = shop.ask("GET", f"/v1/orders/{order}/timeline").json()["events"]
    assert sum(it["type"] == "bopis.orders.order_placed.v1" for it in timeline) == 1


def test_a_stream_has_the_changes_of_an_order(shop: Shop) -> None:
    order = shop.promised()
    headers = {"Authorization": f"Bearer {shop.key_of(Role.HQ_OPERATOR)}"}
    opened, changes = threading.Event(), []

    def listen() -> None:
        with httpx.stream("GET", f"{shop.url}/v1/events?order={order}", headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                if line == "event: open":
                    opened.set()
                elif line.startswith("data:") and order in line:
                    changes.append(json.loads(line.removeprefix("data:")))
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert opened.wait(PATIENCE_S)
    assert shop.ask("POST", f"/v1/orders/{order}/cancellation", json={}).status_code == 200
    listener.join(PATIENCE_S)

    assert [it["order"] for it in changes] == [order]


def test_a_till_sells_and_availability_follows(shop: Shop) -> None:
    query = {"sku": SKUS[2], "store": OWN}

    def available() -> int:
        found = shop.ask("GET", "/v1/availability", Role.SHOP_FRONT, params=query).json()
        return int(found["stores"][0]["skus"][0]["available"])

    before = available()
    sale = {
        "specversion": "1.0", "type": "bopis.pos.sale.v1", "id": "1", "source": f"till/{OWN}/1", "subject": OWN,
        "time": datetime.now(UTC).isoformat(), "data": {"basket": "1", "lines": [{"sku": SKUS[2], "quantity": 3}]},
    }  # fmt: skip
    taken = [shop.ask("POST", "/v1/pos/baskets", Role.TILL, json=[sale]) for _ in range(2)]

    assert [it.status_code for it in taken] == [202, 202], taken[0].text
    shop.eventually(lambda: available() == before - 3)


def test_the_log_away_and_back_loses_no_order(shop: Shop, log: Engine) -> None:
    before = shop.promised()
    log.kill()
    try:
        shop.eventually(lambda: shop.ask("GET", "/readyz", None).status_code == 503, PATIENCE_S)
        live = shop.ask("GET", "/livez", None)
        read = shop.ask("GET", "/v1/availability", Role.SHOP_FRONT, params={"sku": SKUS[0]})
    finally:
        log.start()

    assert (live.status_code, read.status_code) == (200, 200)
    assert float(read.headers["Bopis-Age"]) > 1
    shop.eventually(lambda: shop.ask("GET", "/readyz", None).status_code == 200, PATIENCE_S)
    placed = shop.eventually(lambda: (it := shop.place(key="kafka-2")).status_code == 202 and it, PATIENCE_S)
    shop.eventually(lambda: shop.ask("GET", f"/v1/orders/{placed.json()['order']}").status_code == 200, PATIENCE_S)
    assert shop.place(key="kafka-2").json()["order"] == placed.json()["order"]
    assert shop.ask("GET", f"/v1/orders/{before}").status_code == 200
