"""The customer's page: its link opens one order only, in the customer's language, and changes what it may."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import AcceptPick, RecordPick, ReissueCode
from bopis.domain.orders.state import LineState
from bopis.services.counter.code_check import is_link_of
from tests.services.checkout.live import counter
from tests.web.counter.world import World, associate, form_values


async def opened(client: httpx.AsyncClient, world: World, number: str) -> str:
    answer = await client.get(f"/o/{number}/{world.token(number)}", follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_link_opens_the_page_and_leaves_the_address(world: World) -> None:
    number = world.place()
    async with world.browser() as client:
        first = await client.get(f"/o/{number}/{world.token(number)}")
        page = await client.get(first.headers["location"])

    cookie = first.headers["set-cookie"]
    assert (first.status_code, first.headers["location"]) == (303, f"/o/{number}")
    assert all(it in cookie for it in ("bopis_order=", "HttpOnly", "SameSite=lax", f"Path=/o/{number}"))
    for answer in (first, page):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    assert "Your order is confirmed" in page.text


@pytest.mark.parametrize("case", ["unknown order", "wrong", "of another order", "short", "before a reissue"])
async def test_a_link_that_is_not_valid_looks_like_one_of_no_order(case: str, world: World) -> None:
    number, other = world.place(), world.place(key="k2")
    token = {"wrong": "A" * 26, "of another order": world.token(other), "short": "A"}.get(case, world.token(number))
    if case == "before a reissue":
        code_hash, token_hash = world.vault.codes.hashes(number, 2)
        counter(world.log).command(number, ReissueCode(version=2, code_hash=code_hash, token_hash=token_hash))
    async with world.browser() as client:
        answer = await client.get(f"/o/{'AAAAAAAA' if case == 'unknown order' else number}/{token}")
        unknown = await client.get(f"/o/4K7P92QX/{'B' * 26}")
        newest = await client.get(f"/o/{number}/{world.token(number, 2)}")

    assert (answer.status_code, answer.text) == (404, unknown.text)
    assert "set-cookie" not in answer.headers
    assert (newest.status_code == 303) is (case == "before a reissue")


async def test_many_wrong_links_are_locked_and_others_are_not(world: World) -> None:
    number, other = world.place(), world.place(key="k2")
    async with world.browser() as client:
        statuses = [(await client.get(f"/o/{number}/{'A' * 26}")).status_code for _ in range(6)]
        right = await client.get(f"/o/{number}/{world.token(number)}")
        elsewhere = await client.get(f"/o/{other}/{world.token(other)}")

    assert statuses == [404] * 5 + [429]
    assert (right.status_code, elsewhere.status_code) == (429, 303)


async def test_the_link_still_opens_after_the_code_was_used(world: World) -> None:
    number = world.place()
    world.ready(number)
    code = world.vault.codes.code(number, 1)
    async with world.browser() as client:
        page_before = await opened(client, world, number)
    async with world.browser(associate()) as staff:
        page = await staff.get("/counter", params={"store": "S1", "order": number})
        fields = form_values(page.text, "hand-over") | {"code": code}
        await staff.post("/counter/act", data=fields)
    async with world.browser() as client:
        page_after = await opened(client, world, number)

    assert "You have collected your order" in page_after
    assert code in digits_shown(page_before)
    assert code not in digits_shown(page_after)


def digits_shown(page: str) -> str:
    """The digits that a page shows, one after the other: a code is shown in groups."""
    return re.sub(r"<[^>]*>|\D", "", page.partition("<main")[2])


def test_a_row_without_hashes_has_the_same_valid_token(world: World) -> None:
    from msgspec.structs import replace

    order = world.log.order(world.place())
    row = replace(order, code=replace(order.code, code_hash="", token_hash=""))

    assert [is_link_of(world.vault.codes, it, world.token(order.order)) for it in (order, row)] == [True, True]
    assert not is_link_of(world.vault.codes, row, world.token(order.order, 2))


@pytest.mark.parametrize("path", ["", "/part", "/events"])
async def test_a_page_without_its_cookie_is_not_there(path: str, world: World) -> None:
    number, other = world.place(), world.place(key="k2")
    async with world.browser() as nobody, world.browser(associate()) as staff:
        await opened(nobody, world, other)
        answers = [await it.get(f"/o/{number}{path}") for it in (nobody, staff)]

    assert [it.status_code for it in answers] == [404, 404]


async def test_an_associate_stays_signed_in_beside_a_customers_page(world: World) -> None:
    number = world.place()
    async with world.browser(associate()) as client:
        await opened(client, world, number)
        answer = await client.get("/counter?store=S1")

    assert answer.status_code == 200


async def test_a_cookie_of_one_order_opens_no_other_one(world: World) -> None:
    number, other = world.place(), world.place(key="k2")
    async with world.browser() as client:
        await opened(client, world, number)
        stolen = next(it.value for it in client.cookies.jar)
        client.cookies.clear()
        answer = await client.get(f"/o/{other}", headers={"Cookie": f"bopis_order={stolen}"})
        api = await client.get(f"/v1/orders/{other}", headers={"Cookie": f"bopis_session={stolen}"})

    assert (answer.status_code, api.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("action", "fields", "answer", "state"),
    [
        ("arrival", {"where": "bay", "spot": "7"}, "done=arrival", LineState.ARRIVED),
        ("extension", {"until": "soon"}, "refused=invalid", LineState.READY),
        ("extension", {"until": "2060-01-01T00:00:00+00:00"}, "refused=too_late", LineState.READY),
        ("cancellation", {}, "refused=invalid", LineState.READY),
        ("cancellation", {"confirm": "yes"}, "done=cancellation", LineState.CANCELLED),
        ("substitute", {"line": "1", "accept": "yes"}, "refused=too_late", LineState.READY),
        ("alternative", {"attempt": "9", "store": "S2"}, "refused=unknown_offer", LineState.READY),
        ("hand-over", {"document": "passport"}, "refused=invalid", LineState.READY),
        ("picks", {"line": "1"}, "refused=invalid", LineState.READY),
        ("methods", {"token": ""}, "refused=invalid", LineState.READY),
    ],
)
async def test_a_customer_changes_what_is_allowed(
    action: str, fields: dict[str, Any], answer: str, state: LineState, world: World
) -> None:
    number = world.place()
    world.ready(number)
    async with world.browser() as client:
        page = await opened(client, world, number)
        sent = form_values(page, "arrival") | {"store": "S1"} | fields
        response = await client.post(f"/o/{number}/{action}", data=sent)
        after = await client.get(response.headers["location"])

    assert response.headers["location"] == f"/o/{number}?{answer}"
    assert world.log.order(number).state is state
    assert 'class="note ' in after.text


@pytest.mark.parametrize(
    ("lines", "meanwhile", "answer", "store"),
    [
        ((("A", 2),), None, "done=store", "S2"),
        ((("MUG", 1),), None, "refused=no_stock", "S1"),
        ((("A", 2),), AcceptPick(store="S1"), "done=store", "S2"),
        ((("A", 2),), RecordPick(store="S1", lines=(PickedLine(line=1, picked=1),)), "refused=too_late", "S1"),
    ],
    ids=["in time", "not in stock there", "accepted", "being picked"],
)
async def test_a_customer_changes_the_store_or_keeps_it(
    lines: Any, meanwhile: Any, answer: str, store: str, world: World
) -> None:
    number = world.place(*lines)
    for said in (AcceptPick(store="S1"), meanwhile) if isinstance(meanwhile, RecordPick) else (meanwhile,):
        if said is not None:
            counter(world.log).command(number, said)
    async with world.browser() as client:
        page = await opened(client, world, number)
        sent = form_values(page, "cancellation") | {"store": "S2"}
        response = await client.post(f"/o/{number}/store", data=sent)
        again = await client.post(f"/o/{number}/store", data=sent)
        after = await client.get(response.headers["location"])
        same = await client.post(f"/o/{number}/store", data=sent | {"key": "", "store": store})
        unknown = await client.post(f"/o/{number}/store", data=sent | {"key": "", "store": "S9"})

    line = world.log.order(number).lines[0]
    assert response.headers["location"] == f"/o/{number}?{answer}"
    assert line.store == store
    assert 'class="note ' in after.text
    assert answer.startswith("refused") or again.headers["location"] == f"/o/{number}?{answer}"
    assert same.headers["location"].split("?")[1] in ("refused=same_store", "refused=too_late")
    assert unknown.headers["location"] == f"/o/{number}?refused=invalid"


async def test_one_line_is_cancelled_and_the_other_stays(world: World) -> None:
    number = world.place(("A", 2), ("MUG", 1))
    async with world.browser() as client:
        page = await opened(client, world, number)
        sent = form_values(page, "cancellation") | {"part": "yes", "line": "2", "confirm": "yes"}
        await client.post(f"/o/{number}/cancellation", data=sent)

    assert [it.state for it in world.log.order(number).lines] == [LineState.PROMISED, LineState.CANCELLED]


@pytest.mark.parametrize("csrf", ["", "0" * 32])
async def test_a_change_of_another_site_is_refused(csrf: str, world: World) -> None:
    number = world.place()
    async with world.browser() as client:
        await opened(client, world, number)
        answer = await client.post(f"/o/{number}/cancellation", data={"csrf": csrf, "confirm": "yes"})

    assert answer.status_code == 403
    assert world.log.order(number).state is LineState.PROMISED


@pytest.mark.parametrize(
    ("customer", "browser", "words"),
    [("de", "en", "Ihre Bestellung ist bestätigt"), ("", "de-AT,de;q=0.9", "Ihre Bestellung ist bestätigt"),
     ("", "fr", "Your order is confirmed"), ("pl", "", "Your order is confirmed")],
)  # fmt: skip
async def test_the_page_speaks_the_customers_language(customer: str, browser: str, words: str, world: World) -> None:
    number = world.place(language=customer)
    async with world.browser() as client:
        client.headers["Accept-Language"] = browser
        page = await opened(client, world, number)

    assert words in page
    assert f'<html lang="{"de" if words.startswith("Ihre") else "en"}">' in page


async def test_the_shop_keeps_its_key_and_passes_only_a_visitors_calls(tmp_path: Path) -> None:
    from bopis.access.keys import new_key
    from bopis.access.roles import Role

    text, record = new_key("shop", Role.SHOP_FRONT)
    file = tmp_path / "shop.key"
    file.write_text(f"{text}\n")
    world = World(tmp_path, web_shop_key_file=file)
    world.site.access.put_key(record)
    number = world.place()
    async with world.browser() as client:
        articles = await client.get("/shop/api/v1/catalogue")
        calls = ("/v1/orders", f"/v1/orders/{number}", "/v1/orders/../orders", "/v1/payments", "/v1/events", "/metrics")
        refused = [(await client.get(f"/shop/api{it}")).status_code for it in calls]
        body = {"store": "S1", "lines": [{"sku": "A", "quantity": 1}]}
        placed = await client.post("/shop/api/v1/orders", json=body, headers={"Idempotency-Key": "one"})
        page = await client.get(placed.json()["link"])
        files = await client.get("/shop/")

    assert len(articles.json()["articles"]) == 4
    assert refused == [404] * len(calls)
    assert (placed.status_code, page.status_code) == (202, 303)
    assert text not in articles.text + placed.text + files.text
