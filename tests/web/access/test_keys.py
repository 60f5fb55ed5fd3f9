"""API keys: only a valid one gets in, with its own rights."""

import time

import msgspec
import pytest

from bopis.access.roles import Right, Role
from tests.web.shop import Shop, new_name

PATH = "/v1/availability?sku=4011"
FORGET_S = 5.5


def status(shop: Shop, credential: str, path: str = PATH) -> int:
    """The status of a request with this credential."""
    return shop.client.get(path, headers={"Authorization": credential}).status_code


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key.replace("bopis_", "other_", 1),
        lambda key: key.replace("bopis_", "", 1),
        lambda key: key.upper(),
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key.rsplit("_", 1)[0] + "_",
        lambda _: "bopis_000000000000_" + "A" * 43,
        lambda _: "x",
    ],
)
def test_a_key_that_is_not_exactly_right_is_refused(spoil: object, shop: Shop) -> None:
    key = shop.key_of(Role.SHOP_FRONT)

    assert status(shop, f"Bearer {key}") == 200
    assert status(shop, f"Bearer {spoil(key)}") == 401  # type: ignore[operator]  # a function of the table
    assert status(shop, f"Basic {key}") == 401


def test_an_expired_key_is_refused(shop: Shop) -> None:
    past = int(time.time() * 1000) - 1
    key = shop.key(Role.SHOP_FRONT, expires_ms=past)

    assert status(shop, f"Bearer {key}") == 401


def test_a_revoked_key_is_refused_within_seconds(shop: Shop) -> None:
    key = shop.key(Role.SHOP_FRONT)
    assert status(shop, f"Bearer {key}") == 200

    shop.change_key(key, lambda record: msgspec.structs.replace(record, revoked_ms=1))

    time.sleep(FORGET_S)
    assert status(shop, f"Bearer {key}") == 401


def test_a_scoped_key_has_its_scopes_only(shop: Shop) -> None:
    key = shop.key(Role.SHOP_FRONT, scopes=(Right.AVAILABILITY_READ,))

    assert status(shop, f"Bearer {key}") == 200
    assert status(shop, f"Bearer {key}", "/v1/orders") == 403
    assert status(shop, f"Bearer {key}", "/v1/catalogue") == 403


def test_a_scope_beyond_the_role_gives_nothing(shop: Shop) -> None:
    key = shop.key(Role.TILL, scopes=(Right.OPERATIONS_READ,))

    assert status(shop, f"Bearer {key}", "/metrics") == 403


def test_the_commands_create_list_rotate_and_revoke_keys(shop: Shop) -> None:
    name = new_name("shop")
    made = shop.bopis.ask("keys", "create", name, "--role", "shop-front", "--expires", "in 2d")
    rotated = shop.bopis.ask("keys", "rotate", made["id"], "--overlap", "1")
    listed = {it["id"]: it for it in shop.bopis.ask("keys", "list")["keys"]}

    assert status(shop, f"Bearer {made['key']}") == 200
    assert status(shop, f"Bearer {rotated['key']}") == 200
    assert {made["id"], rotated["id"]} <= set(listed)
    assert made["key"] not in shop.bopis("keys", "list", "--all", "--json").out
    assert shop.bopis("keys", "revoke", made["id"]).code == 0
    assert shop.bopis("keys", "revoke", made["id"]).code == 4
    assert shop.bopis("keys", "rotate", made["id"]).code == 4
    assert shop.bopis("keys", "revoke", "nothing").code == 3


def test_the_last_key_of_a_name_takes_its_webhooks_along(shop: Shop) -> None:
    name = new_name("subscriber")
    first = shop.bopis.ask("keys", "create", name, "--role", "shop-front")
    second = shop.bopis.ask("keys", "rotate", first["id"])
    headers = {"Authorization": f"Bearer {second['key']}"}
    body = {"url": "http://127.0.0.1:9/", "types": ["order.placed"]}
    made = shop.ask("POST", "/v1/webhooks", None, json=body, headers=headers).json()["webhook"]["id"]

    kept = shop.bopis.ask("keys", "revoke", first["id"])
    ended = shop.bopis.ask("keys", "revoke", second["id"])

    assert (kept["webhooks_paused"], ended["webhooks_paused"]) == ([], [made])
    view = shop.ask("GET", f"/v1/webhooks/{made}").json()
    assert (view["state"], name in view["reason"]) == ("paused", True)
    assert shop.bopis("webhooks", "resume", made).code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--role", "till"], "--store"),
        (["--role", "shop-front", "--store", "319"], "leave --store out"),
        (["--role", "customer"], "Roles are"),
        (["--role", "till", "--store", "319", "--scope", "orders:place"], "no right"),
        (["--role", "shop-front", "--expires", "2001-01-01"], "has passed"),
    ],
)
def test_keys_that_make_no_sense_are_not_created(words: list[str], says: str, shop: Shop) -> None:
    answer = shop.bopis("keys", "create", "x", *words)

    assert (answer.code, says in answer.err) == (2, True), answer.err


def test_a_key_for_a_store_that_does_not_exist_is_not_created(shop: Shop) -> None:
    assert shop.bopis("keys", "create", "x", "--role", "till", "--store", "31").code == 3
