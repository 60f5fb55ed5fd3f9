"""Every endpoint under every role, for the caller's own store and for another one."""

import re
from itertools import product

import pytest

from bopis.access.roles import OWN_STORES, RIGHTS, Role
from bopis.web.api import ENDPOINTS
from bopis.web.endpoint import Endpoint
from tests.web.shop import OTHER, OWN, Shop

KEY_ROLES = tuple(role for role in Role if role is not Role.CUSTOMER)
GUARDED = tuple(it for it in ENDPOINTS if it.right is not None)
DENIED = {401, 403}
STREAM = "get-v1-events"


def path_of(endpoint: Endpoint, store: str) -> str:
    """The path with a store, and with things that do not exist: what is let in finds nothing, and changes nothing."""
    return re.sub(r"{(\w+)}", lambda it: store if it[1] == "store" else "ZZZZ-ZZZZ", endpoint.path)


def options_of(endpoint: Endpoint) -> dict[str, object]:
    """A body that no endpoint accepts, so that no request changes anything."""
    if endpoint.body is not None or endpoint.raw_body:
        return {"content": b"{", "headers": {"Content-Type": "application/json"}}
    return {}


def is_allowed(endpoint: Endpoint, role: Role, store: str) -> bool:
    """What the tables of rights and endpoints say."""
    assert endpoint.right is not None
    own = role not in OWN_STORES or not endpoint.store or store == OWN
    return endpoint.right in RIGHTS[role] and own


@pytest.mark.parametrize("endpoint", GUARDED, ids=lambda it: it.name)
def test_a_role_reaches_what_the_tables_say_and_nothing_else(endpoint: Endpoint, shop: Shop) -> None:
    wrong = []
    for role, store in product(KEY_ROLES, (OWN, OTHER)):
        if endpoint.name == STREAM and is_allowed(endpoint, role, store):
            continue  # a stream does not end; without a key it is asked below
        answer = shop.ask(endpoint.method, path_of(endpoint, store), role, **options_of(endpoint))
        allowed = answer.status_code not in DENIED or (answer.json()["code"] == "other-store" and not endpoint.store)
        if allowed is not is_allowed(endpoint, role, store):
            wrong.append((role.value, store, answer.status_code, answer.text))
        assert answer.status_code < 500 or answer.status_code == 503, answer.text

    assert not wrong


@pytest.mark.parametrize("endpoint", GUARDED, ids=lambda it: it.name)
def test_without_a_credential_nothing_is_reached(endpoint: Endpoint, shop: Shop) -> None:
    answer = shop.ask(endpoint.method, path_of(endpoint, OWN), None, **options_of(endpoint))

    assert (answer.status_code, answer.json()["code"]) == (401, "credential-missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_only_these_endpoints_are_open_to_everybody() -> None:
    opened = {it.path for it in ENDPOINTS if it.right is None}
    signed = {it.path for it in ENDPOINTS if it.is_signed}

    assert opened == {"/livez", "/readyz", "/openapi.json", "/docs"} | signed
    assert signed == {"/v1/payments/callbacks/{gateway}"}


def test_every_endpoint_with_a_store_in_its_path_is_limited_to_the_callers_stores() -> None:
    # What shop fronts read of any store is public: where it is, when it is open.
    public = {"get-v1-stores-store"}

    unlimited = {it.name for it in ENDPOINTS if "{store}" in it.path and it.store != "store"}

    assert unlimited == public
