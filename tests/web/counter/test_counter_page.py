"""The counter page over real orders: steps, double taps, two associates, scans, papers, whose store it is."""

from typing import Any

import httpx
import pytest

from bopis.access.roles import Role
from bopis.domain.orders.state import LineState
from bopis.web.access.sessions import new_session
from tests.web.counter.world import World, associate, form_values, note_of

HTMX = {"HX-Request": "true"}


async def page_of(client: httpx.AsyncClient, number: str, store: str = "S1") -> str:
    answer = await client.get("/counter", params={"store": store, "order": number})
    assert answer.status_code == 200, answer.text
    return answer.text


async def act(client: httpx.AsyncClient, html: str, action: str, **fields: Any) -> httpx.Response:
    return await client.post("/counter/act", data=form_values(html, action) | fields, headers=HTMX)


async def test_an_order_goes_over_the_counter_step_by_step(world: World) -> None:
    number = world.place(("A", 3))
    async with world.browser(associate()) as client:
        page = (await act(client, await page_of(client, number), "accept")).text
        assert note_of(page) == "Accepted by store S1"
        page = (await act(client, page, "pick", found="3", missing="0")).text
        page = (await act(client, page, "stage", location="A3")).text
        page = (await act(client, page, "hand-over", code=world.vault.codes.code(number, 1))).text

    assert note_of(page).startswith("Handed over: 3 x Bananas; checked by code")
    assert world.log.order(number).state is LineState.HANDED_OVER


async def test_a_double_tap_counts_once(world: World) -> None:
    number = world.place(("A", 3))
    async with world.browser(associate()) as client:
        page = (await act(client, await page_of(client, number), "accept")).text
        answers = [await act(client, page, "pick", found="1", missing="0") for _ in range(2)]

    assert [it.status_code for it in answers] == [200, 200]
    assert world.log.order(number).lines[0].picked == (1,)


async def test_a_part_is_handed_over_and_the_rest_stays(world: World) -> None:
    number = world.place(("A", 3))
    world.ready(number)
    async with world.browser(associate()) as client:
        page = await page_of(client, number)
        over = await act(client, page, "hand-over", units="2", document="passport")

    assert "Handed over: 2 x Bananas" in note_of(over.text)
    assert {it.state: it.quantity for it in world.log.order(number).lines} == {
        LineState.HANDED_OVER: 2,
        LineState.READY: 1,
    }


async def test_the_second_of_two_associates_is_refused_and_sees_the_order_as_it_is(world: World) -> None:
    number = world.place(("A", 1))
    async with world.browser(associate()) as kim, world.browser(associate(name="lee")) as lee:
        seen = (await act(kim, await page_of(kim, number), "accept")).text
        await act(lee, seen_by_lee := await page_of(lee, number), "pick", found="1")
        late = await act(kim, seen, "pick", found="1")
        by_lee = form_values(seen_by_lee, "pick")

    assert by_lee["order"] == number
    assert note_of(late.text) == "This line is no longer to be picked: somebody else recorded it."
    assert 'value="stage"' in late.text


async def test_a_refusal_names_buttons_and_no_commands(world: World) -> None:
    number = world.place(("A", 1))
    world.ready(number)
    async with world.browser(associate()) as client:
        page = await page_of(client, number)
        answers = [await act(client, page, "hand-over", code="000000"), await act(client, page, "hand-over")]

    notes = [note_of(it.text) for it in answers]
    assert "the code is wrong" in notes[0]
    assert "4 tries left" in notes[0]
    assert notes[1] == "Send the pickup code, or the kind of identity document that was shown."
    assert not [it for it in notes if "bopis " in it or "--" in it or "[" in it]


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("A", "Being picked in store S1 · Line 1: 1 found"),
        ("04006381333931", "Being picked in store S1 · Line 1: 1 found"),
        ("!A", "1 missing"),
        ("MUG", "Mug does not belong to this order: put it back."),
        ("@A3", "nothing is picked yet"),
        ("", "Scan or type a code"),
        ("zzz", "does not belong to this order"),
    ],
)
async def test_one_field_understands_every_code(code: str, note: str, world: World) -> None:
    number = world.place(("A", 3))
    async with world.browser(associate()) as client:
        page = (await act(client, await page_of(client, number), "accept")).text
        whole = await page_of(client, number)
        fields = form_values(whole, "scan") | {"current": number, "code": code}
        answer = await client.post("/counter/scan", data=fields, headers=HTMX)

    assert page
    assert note in note_of(answer.text)


async def test_a_customers_code_fills_in_the_hand_over_and_hands_nothing_over(world: World) -> None:
    number = world.place(("A", 3))
    world.ready(number)
    qr = f"{number}-{world.token(number)}"
    async with world.browser(associate()) as client:
        fields = form_values(await page_of(client, ""), "scan") | {"code": qr}
        answer = await client.post("/counter/scan", data=fields, headers=HTMX)
        over = await act(client, answer.text, "hand-over")

    assert form_values(answer.text, "hand-over")["code"] == qr
    assert "checked by token" in note_of(over.text)


async def test_an_order_that_is_scanned_is_opened_and_not_accepted(world: World) -> None:
    number = world.place()
    async with world.browser(associate()) as client:
        fields = form_values(await page_of(client, ""), "scan") | {"code": number}
        answer = await client.post("/counter/scan", data=fields, headers=HTMX)

    assert f'data-order="{number}"' in answer.text
    assert answer.headers["HX-Push-Url"] == f"/counter?store=S1&order={number}"
    assert world.log.order(number).state is LineState.PROMISED


async def test_an_order_that_did_not_change_is_not_sent_again(world: World) -> None:
    number = world.place()
    async with world.browser(associate()) as client:
        page = await page_of(client, number)
        version = page.partition('data-version="')[2].partition('"')[0]
        params = {"store": "S1", "order": number, "version": version}
        same = await client.get("/counter/order", params=params)
        await act(client, page, "accept")
        other = await client.get("/counter/order", params=params)

    assert (same.status_code, other.status_code) == (204, 200)


async def test_papers_print_with_a_policy_that_names_their_style(world: World) -> None:
    number = world.place()
    async with world.browser(associate()) as client:
        paper = {"store": "S1", "order": number, "paper": "pick-list"}
        answer = await client.get("/counter/print", params=paper)
        none = await client.get("/counter/print", params=paper | {"paper": "packing-slip"})

    assert "Bananas" in answer.text
    assert "Anna" not in answer.text
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]
    assert none.status_code == 409


@pytest.mark.parametrize("path", ["/counter", "/counter/queue", "/counter/order", "/counter/print"])
@pytest.mark.parametrize(
    ("session", "status"),
    [
        (None, 303),
        (associate("S2"), 403),
        (new_session("ann", Role.HQ_VIEWER), 403),
        (new_session("till", Role.TILL, ("S1",)), 403),
        (new_session("anna", Role.CUSTOMER, order="X"), 403),
    ],
    ids=["nobody", "other store", "headquarters' viewer", "till", "customer"],
)
async def test_the_counter_is_for_staff_of_its_store(path: str, session: Any, status: int, world: World) -> None:
    number = world.place()
    async with world.browser(session) as client:
        params = {"store": "S1", "order": number} | ({"paper": "pick-list"} if path.endswith("print") else {})
        answer = await client.get(path, params=params)

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/counter/act", "/counter/scan"])
@pytest.mark.parametrize("csrf", ["", "0" * 32])
async def test_a_change_without_the_token_of_its_page_is_refused(path: str, csrf: str, world: World) -> None:
    number = world.place()
    async with world.browser(associate()) as client:
        fields = form_values(await page_of(client, number), "accept") | {"csrf": csrf, "code": number}
        answer = await client.post(path, data=fields)

    assert answer.status_code == 403
    assert world.log.order(number).state is LineState.PROMISED


async def test_an_associate_changes_nothing_in_another_store(world: World) -> None:
    number = world.place()
    async with world.browser(associate("S2")) as client:
        fields = form_values(await page_of(client, "", "S2"), "scan") | {"action": "accept", "order": number}
        answers = [await client.post("/counter/act", data=fields | {"store": it}, headers=HTMX) for it in ("S1", "S2")]

    assert answers[0].status_code == 403
    assert "No such order" in note_of(answers[1].text) or number in note_of(answers[1].text)
    assert world.log.order(number).state is LineState.PROMISED


async def test_a_manager_of_several_stores_chooses_one(world: World) -> None:
    async with world.browser(new_session("mia", Role.STORE_MANAGER, ("S1", "S2"))) as client:
        choice = await client.get("/counter")
        one = await client.get("/counter?store=S2")

    assert ("/counter?store=S1" in choice.text, "/counter?store=S2" in choice.text) == (True, True)
    assert "Oak Square" in one.text
