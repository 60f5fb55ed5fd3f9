"""An order of another store looks like none."""

import re

import pytest

from bopis.access.roles import Role
from bopis.web.api import ENDPOINTS
from bopis.web.endpoint import Endpoint
from tests.web.shop import OTHER, OWN, Shop

OF_AN_ORDER = tuple(it for it in ENDPOINTS if "{order}" in it.path)


@pytest.fixture(scope="module")
def order(shop: Shop) -> str:
    """An order of the own store."""
    return shop.promised()


@pytest.mark.parametrize("endpoint", OF_AN_ORDER, ids=lambda it: it.name)
@pytest.mark.parametrize("role", [Role.STORE_MANAGER, Role.STORE_ASSOCIATE])
def test_staff_of_another_store_find_no_order(endpoint: Endpoint, role: Role, shop: Shop, order: str) -> None:
    path = re.sub(r"{order}", order, endpoint.path)
    options = {"json": {}} if endpoint.body is not None else {}

    answer = shop.ask(endpoint.method, path, role, key_store=OTHER, **options)

    # 422: the body was refused before the order was looked for.
    assert answer.status_code in (404, 403, 422), answer.text


def test_lists_have_the_own_stores_orders_only(shop: Shop, order: str) -> None:
    mine = shop.ask("GET", "/v1/orders", Role.STORE_ASSOCIATE, key_store=OWN).json()["orders"]
    theirs = shop.ask("GET", "/v1/orders", Role.STORE_ASSOCIATE, key_store=OTHER).json()["orders"]
    asked = shop.ask("GET", f"/v1/orders?store={OWN}", Role.STORE_ASSOCIATE, key_store=OTHER)

    assert order in {it["order"] for it in mine}
    assert order not in {it["order"] for it in theirs}
    assert asked.json()["code"] == "other-store"


def test_till_messages_of_another_store_are_refused_one_by_one(shop: Shop) -> None:
    def heartbeat(store: str) -> dict[str, object]:
        return {
            "specversion": "1.0", "id": f"beat-{store}", "source": "till/1", "type": "bopis.agent.heartbeat.v1",
            "time": "2026-01-01T00:00:00Z", "subject": store, "data": {},
        }  # fmt: skip

    answer = shop.ask("POST", "/v1/pos/baskets", Role.TILL, json=[heartbeat(OTHER), heartbeat(OWN)])

    refused = answer.json()["items"][0]
    assert (refused["status"], "does not reach store" in refused["problem"]) == ("refused", True)
