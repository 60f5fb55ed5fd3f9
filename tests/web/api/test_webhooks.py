"""Webhooks over the API and at the keyboard, from the order to a receiver that verifies."""

import json
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook as Standard

from bopis.access.roles import Right, Role
from bopis.web.answers import encode_cursor
from tests.web.shop import OTHER, OWN, Shop, new_name
from tests.webhooks.conftest import ReceiverProcess

FRONT = Role.SHOP_FRONT
PATH = "/v1/webhooks"
PLACED = ["order.placed", "order.promised"]


def create(shop: Shop, url: str, role: Role = FRONT, **fields: Any) -> dict[str, Any]:
    """A new webhook, with its secret."""
    answer = shop.ask("POST", PATH, role, json={"url": url, "types": PLACED} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"{PATH}/{made['webhook']['id']}"
    return made


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def deliveries(shop: Shop, identity: str, **params: Any) -> list[dict[str, Any]]:
    answer = shop.ask("GET", f"{PATH}/{identity}/deliveries", FRONT, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def test_an_order_is_told_to_its_subscriber(shop: Shop, receiver: ReceiverProcess) -> None:
    path = f"/ok/{new_name('shop')}"
    made = create(shop, receiver.url(path), stores=[OWN])
    identity = made["webhook"]["id"]

    order = shop.promised()
    shop.promised(body=shop.basket(store=OTHER))
    done = shop.eventually(lambda: [it for it in deliveries(shop, identity) if it["state"] == "delivered"][1:])

    assert done
    mine = [it for it in receiver.got(path) if order in it["body"]]
    told = []
    for it in mine:
        headers = {f"webhook-{name}": it[name] for name in ("id", "timestamp", "signature")}
        told.append(Standard(made["secret"]).verify(it["body"], headers))
    assert [it["type"] for it in told] == PLACED
    assert {it["data"]["store"] for it in told} == {OWN}
    assert not [it for it in receiver.got(path) if f'"{OTHER}"' in it["body"]]
    assert {it["id"] for it in deliveries(shop, identity)} >= {it["id"] for it in mine}


def test_the_secret_is_shown_once_and_stored_sealed(shop: Shop) -> None:
    made = create(shop, "https://a.example/")
    identity, secret = made["webhook"]["id"], made["secret"]

    read = shop.ask("GET", f"{PATH}/{identity}", FRONT)
    listed = shop.ask("GET", PATH, FRONT)

    assert secret.startswith("whsec_")
    assert read.json() == made["webhook"]
    assert secret.removeprefix("whsec_") not in read.text + listed.text
    stored = b"".join(file.read_bytes() for file in shop.home.glob("webhooks.sqlite3*"))
    assert identity.encode() in stored
    assert secret.removeprefix("whsec_").encode() not in stored


def test_a_test_is_sent_paged_and_resent_and_a_rotated_secret_signs(shop: Shop, receiver: ReceiverProcess) -> None:
    path = f"/ok/{new_name('test')}"
    made = create(shop, receiver.url(path))
    place = f"{PATH}/{made['webhook']['id']}"
    rotated = shop.ask("POST", f"{place}/secret", FRONT, json={"overlap_hours": 2})
    sent = [shop.ask("POST", f"{place}/test", FRONT) for _ in range(3)]
    shop.eventually(lambda: len(deliveries(shop, made["webhook"]["id"], state="delivered")) == 3)

    first = shop.ask("GET", f"{place}/deliveries", FRONT, params={"limit": 2}).json()
    second = shop.ask("GET", f"{place}/deliveries", FRONT, params={"limit": 2, "cursor": first["cursor"]}).json()
    again = shop.ask("POST", f"{place}/deliveries/{sent[0].json()['id']}/resend", FRONT)
    shop.eventually(lambda: len(receiver.got(path)) == 4)
    one = shop.eventually(lambda: _attempted_twice(shop, f"{place}/deliveries/{sent[0].json()['id']}"))

    assert {it.status_code for it in (*sent, again)} == {202}
    far = encode_cursor({"recorded_ms": 1 << 62, "id": "msg_1"})
    assert code(shop.ask("GET", f"{place}/deliveries", FRONT, params={"cursor": far})) == (400, "cursor-invalid")
    assert (len(first["deliveries"]), len(second["deliveries"]), second["cursor"]) == (2, 1, "")
    assert {it["id"] for it in first["deliveries"] + second["deliveries"]} == {it.json()["id"] for it in sent}
    assert (one["status_code"], one["error"], one["payload"]["type"]) == (200, "", "webhook.test")
    got = receiver.got(path)[-1]
    headers = {f"webhook-{name}": got[name] for name in ("id", "timestamp", "signature")}
    assert got["id"] == sent[0].json()["id"]
    for secret in (made["secret"], rotated.json()["secret"]):
        assert Standard(secret).verify(got["body"], headers)


def _attempted_twice(shop: Shop, place: str) -> dict[str, Any] | None:
    found: dict[str, Any] = shop.ask("GET", place, FRONT).json()
    return found if found["attempts"] == 2 else None


def test_a_webhook_is_changed_paused_and_deleted(shop: Shop) -> None:
    identity = create(shop, "https://a.example/", description="before")["webhook"]["id"]
    place = f"{PATH}/{identity}"

    changed = shop.ask("PATCH", place, FRONT, json={"url": "https://b.example/", "state": "paused"}).json()
    untouched = shop.ask("PATCH", place, FRONT, json={}).json()
    active = shop.ask("PATCH", place, FRONT, json={"state": "active", "types": ["order.ready"]}).json()
    disabled = shop.ask("PATCH", place, FRONT, json={"state": "disabled"})
    deleted = shop.ask("DELETE", place, FRONT)

    assert (changed["url"], changed["state"], changed["description"]) == ("https://b.example/", "paused", "before")
    assert untouched == changed
    assert (active["state"], active["types"], active["url"]) == ("active", ["order.ready"], "https://b.example/")
    assert code(disabled) == (422, "state-invalid")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert code(shop.ask("GET", place, FRONT)) == (404, "webhook-unknown")
    assert code(shop.ask("DELETE", place, FRONT)) == (404, "webhook-unknown")


def test_a_webhook_is_its_owners_and_the_operators(shop: Shop) -> None:
    identity = create(shop, "https://a.example/")["webhook"]["id"]
    place = f"{PATH}/{identity}"
    other = {"Authorization": f"Bearer {shop.key(FRONT, name=new_name('other'))}"}

    for method, path, body in [
        ("GET", place, None), ("PATCH", place, {}), ("DELETE", place, None), ("POST", f"{place}/secret", {}),
        ("POST", f"{place}/test", None), ("GET", f"{place}/deliveries", None),
        ("POST", f"{place}/deliveries/msg_1/resend", None),
    ]:  # fmt: skip
        assert code(shop.client.request(method, path, headers=other, json=body)) == (404, "webhook-unknown")
    mine = shop.client.get(PATH, headers=other).json()["webhooks"]
    assert mine == []
    assert shop.ask("GET", place, Role.HQ_OPERATOR).status_code == 200
    assert identity in {it["id"] for it in shop.ask("GET", PATH, Role.HQ_OPERATOR).json()["webhooks"]}


def test_no_type_is_subscribed_that_the_key_may_not_read(shop: Shop) -> None:
    body = {"url": "https://a.example/", "types": ["order.ready"]}
    scoped = {"Authorization": f"Bearer {shop.key(FRONT, scopes=(Right.WEBHOOKS_CHANGE,))}"}

    books = shop.ask("POST", PATH, FRONT, json=body | {"types": ["stock.shortfall"]})

    assert code(books) == (403, "right-missing")
    assert code(shop.client.post(PATH, headers=scoped, json=body)) == (403, "right-missing")
    assert create(shop, "https://a.example/", Role.HQ_OPERATOR, types=["stock.shortfall"])


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"url": "ftp://a.example/"}, 422, "url-barred"),
        ({"url": "https://user:word@a.example/"}, 422, "url-barred"),
        ({"url": "https://a.example/#x"}, 422, "url-barred"),
        ({"types": []}, 422, "body-invalid"),
        ({"types": ["order.unknown"]}, 422, "body-invalid"),
        ({"types": ["webhook.test"]}, 422, "type-invalid"),
        ({"description": "a\x00b"}, 422, "body-invalid"),
        ({"more": 1}, 422, "body-invalid"),
    ],
)
def test_a_webhook_that_cannot_be_used_is_refused(body: dict[str, Any], status: int, name: str, shop: Shop) -> None:
    answer = shop.ask("POST", PATH, FRONT, json={"url": "https://a.example/", "types": PLACED} | body)

    assert code(answer) == (status, name), json.dumps(answer.json())


def test_an_operator_has_all_of_it_at_the_keyboard(shop: Shop, receiver: ReceiverProcess) -> None:
    path = f"/status/410/{new_name('gone')}"
    identity = create(shop, receiver.url(path))["webhook"]["id"]
    bopis = shop.bopis

    paused = bopis.ask("webhooks", "pause", identity)
    barred = bopis("webhooks", "test", identity)
    resumed = bopis.ask("webhooks", "resume", identity)
    tested = bopis("webhooks", "test", identity, "--json")
    listed = {it["id"]: it for it in bopis.ask("webhooks", "list")["webhooks"]}
    rows = bopis.ask("webhooks", "deliveries", identity, "--state", "failed")["deliveries"]
    refused = bopis("webhooks", "resend", identity, rows[0]["id"])
    bopis.ask("webhooks", "resume", identity)
    again = bopis.ask("webhooks", "resend", identity, rows[0]["id"])
    shown = bopis.ask("webhooks", "show", identity)
    kept = bopis("webhooks", "delete", identity)

    assert (paused["state"], barred.code, resumed["state"]) == ("paused", 4, "active")
    assert (tested.code, tested.document["status_code"], tested.document["state"]) == (1, 410, "failed")
    assert (listed[identity]["state"], listed[identity]["failed"]) == ("disabled", 1)
    assert "410" in listed[identity]["reason"]
    assert (refused.code, again["state"], shown["url"]) == (4, "pending", receiver.url(path))
    assert kept.code == 2
    assert bopis("webhooks", "delete", identity, "--yes").code == 0
    assert bopis("webhooks", "show", identity).code == 3
    assert bopis("webhooks", "list").code == 0
    assert bopis("webhooks", "resend", identity, "x").code == 3
