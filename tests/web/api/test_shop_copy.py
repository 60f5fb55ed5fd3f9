"""A shop without its centre, for real: an agent's process, a network that is cut, and the books afterwards."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bopis.access.roles import Role
from bopis.adapters.agent_process import HttpsOptions
from bopis.journal.actions import Actions
from bopis.journal.journal import Journal
from bopis.journal.status import status_of
from tests.faults.proxy import Proxy, Weather
from tests.store_agent.agents import AgentUnderTest, options_for, wait_until
from tests.web.shop import OTHER, OWN, SKUS, Shop

SKU = SKUS[1]
COPY = f"/v1/stores/{OWN}/shop-copy"


class Counter:
    """Staff at the agent of the store."""

    def __init__(self, agent: AgentUnderTest) -> None:
        self._agent = agent

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._agent.port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def act(self, order: str, kind: str, key: str = "", **fields: Any) -> tuple[int, Any]:
        action = {"id": key or f"{order}/{kind}", "kind": kind, "actor": "lee", **fields}
        return self.ask("POST", f"/v1/pickup/orders/{order}/actions", action)

    def orders(self) -> dict[str, str]:
        status, queue = self.ask("GET", "/v1/pickup/queue")
        return {it["order"]: it["state"] for it in queue["orders"]} if status == 200 else {}


@pytest.fixture
def network(shop: Shop) -> Iterator[Proxy]:
    """The way from the shop to the centre."""
    with Proxy(framed=False) as proxy:
        proxy.lead_to(int(shop.url.rpartition(":")[2]))
        yield proxy


def command(shop: Shop, order: str, path: str, **body: Any) -> None:
    answer = shop.ask("POST", f"/v1/orders/{order}/{path}", json=body)
    assert answer.status_code == 200, answer.text


def promised(shop: Shop) -> str:
    """An order for two units that the store has promised."""
    order = shop.promised(body=shop.basket(sku=SKU, quantity=2))
    shop.eventually(lambda: state(shop, order) == "promised", 120)
    return order


def ready(shop: Shop) -> str:
    """An order for two units that is ready."""
    order = promised(shop)
    command(shop, order, "acceptance")
    command(shop, order, "picks", lines=[{"line": 1, "picked": 2}])
    command(shop, order, "staging", location="A1")
    return order


def books(shop: Shop) -> tuple[int, int]:
    """Units on hand and held."""
    terms = shop.ask("GET", f"/v1/stores/{OWN}/stock", params={"sku": SKU}).json()["levels"][0]["terms"]
    return terms["on_hand"], terms["held"]


def handed_over(order: str, quantity: int) -> dict[str, Any]:
    """The report of a hand-over, as the agent of the store sends it."""
    return {
        "specversion": "1.0",
        "type": "bopis.order.goods_handed_over.v1",
        "id": f"{order}/x",
        "time": "2026-01-01T00:00:00Z",
        "source": f"store-agent/{OWN}/x",
        "subject": order,
        "data": {"store": OWN, "lines": [{"line": 1, "sku": SKU, "quantity": quantity}], "proof": "identity"},
    }


def state(shop: Shop, order: str) -> str:
    return str(shop.ask("GET", f"/v1/orders/{order}").json()["state"])


def test_goods_go_out_without_the_centre_and_leave_the_books_once(shop: Shop, network: Proxy, tmp_path: Path) -> None:
    on_hand, held = books(shop)
    plain, cancelled = ready(shop), ready(shop)
    unpicked = promised(shop)
    key = tmp_path / "key"
    key.write_text(shop.key(Role.STORE_AGENT))
    https = HttpsOptions(url=f"http://127.0.0.1:{network.port}", key_file=key, ca_file=None)
    options = options_for(tmp_path / "agent", "", "", kafka=None, https=https, copy_seconds=0.2, timeout_seconds=30.0)
    with shop.vault() as vault:
        code = {it: vault.codes.code(it, 1) for it in (plain, cancelled)}

    with AgentUnderTest(options, tmp_path) as agent:
        counter = Counter(agent)
        wait_until(lambda: {plain, cancelled, unpicked} <= set(counter.orders()), agent.talk)
        network.change(Weather.CUT)
        wrong = counter.act(plain, "hand-over", "wrong", code=f"{(int(code[plain]) + 1) % 10**6:06d}")
        first = counter.act(plain, "hand-over", code=code[plain])
        for kind, fields in (
            ("accept", {}), ("pick", {}), ("stage", {"location": "B2"}), ("hand-over", {"document": "passport"}),
        ):  # fmt: skip
            assert counter.act(unpicked, kind, **fields)[0] == 200
        command(shop, cancelled, "cancellation")
        late = counter.act(cancelled, "hand-over", code=code[cancelled])
        agent.kill()
        agent.start()
        again = counter.act(plain, "hand-over", code=code[plain])
        twice = counter.act(plain, "hand-over", "another", document="passport")
        before = state(shop, plain)
        network.change(Weather.FINE)
        with Journal(options.directory) as journal:
            wait_until(lambda: Actions(journal).open_count() == 0, agent.talk)
            status = status_of(journal).offline
            [unfit] = Actions(journal).unfit(10)
        wait_until(lambda: not {plain, cancelled, unpicked} & set(counter.orders()), agent.talk)

    assert (wrong[0], first[0], late[0], again[1]["is_repeat"]) == (409, 200, 200, True)
    assert (twice[0], before) == (409, "ready")
    assert [state(shop, it) for it in (plain, cancelled, unpicked)] == ["handed_over"] * 3
    shop.eventually(lambda: books(shop) == (on_hand - 6, held), 120)
    assert unfit.order == cancelled
    assert unfit.answer is not None
    assert unfit.answer.rule == "cancelled"
    assert (status.open_actions, status.conflicts) == (0, 1)
    events = shop.ask("GET", f"/v1/orders/{cancelled}/timeline").json()["events"]
    assert [it["actor"] for it in events if "without the centre" in it["text"]] == ["lee"]


def test_the_copy_is_of_one_store_and_has_neither_codes_nor_customers(shop: Shop) -> None:
    order = ready(shop)
    with shop.vault() as vault:
        code, token = vault.codes.code(order, 1), vault.codes.token(order, 1)

        def in_copy() -> Any:
            return order in {it["order"] for it in shop.ask("GET", COPY, Role.STORE_AGENT).json()["orders"]}

        shop.eventually(in_copy)
    answer = shop.ask("GET", COPY, Role.STORE_AGENT)
    same = shop.ask("GET", COPY, Role.STORE_AGENT, headers={"If-None-Match": answer.headers["ETag"]})
    theirs = shop.ask("GET", COPY, Role.STORE_AGENT, key_store=OTHER)
    own = shop.ask("GET", COPY.replace(OWN, OTHER), Role.STORE_AGENT, key_store=OTHER)

    found = next(it for it in answer.json()["orders"] if it["order"] == order)
    assert (same.status_code, theirs.status_code) == (304, 403)
    assert found["code"]["digits"]
    assert code not in answer.text
    assert token not in answer.text
    assert "Anna" not in answer.text
    assert own.json()["key"] != answer.json()["key"]
    command(shop, order, "hand-over", document="passport")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"source": f"store-agent/{OTHER}/x"}, 403),
        ({"source": "till-1"}, 403),
        ({"type": "bopis.order.cancel.v1", "data": {"by": "staff"}}, 422),
        ({"data": {"store": OTHER, "lines": [{"line": 1, "sku": SKU, "quantity": 2}], "proof": "identity"}}, 403),
        ({"subject": "ZZZZZZZZ"}, 404),
        ({"data": {"store": OWN, "lines": [], "proof": "identity"}}, 422),
    ],
)
def test_an_agent_reports_hand_overs_of_its_own_store_and_nothing_else(
    shop: Shop, changes: dict[str, Any], status: int
) -> None:
    order = promised(shop)
    message = handed_over(order, 2)

    answer = shop.ask("POST", f"/v1/stores/{OWN}/actions", Role.STORE_AGENT, json={"message": message | changes})

    assert answer.status_code == status, answer.text
    assert state(shop, order) == "promised"
    command(shop, order, "cancellation")


def test_an_agent_reports_nothing_about_an_order_of_another_store(shop: Shop) -> None:
    order = shop.promised(body=shop.basket(OTHER, sku=SKU, quantity=1))
    shop.eventually(lambda: state(shop, order) == "promised", 120)
    message = handed_over(order, 1)

    answer = shop.ask("POST", f"/v1/stores/{OWN}/actions", Role.STORE_AGENT, json={"message": message})

    assert (answer.status_code, answer.json()["code"]) == (404, "order-unknown")
    assert state(shop, order) == "promised"
