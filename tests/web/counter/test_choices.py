"""Choices on the pages of an order: how to pay when every method was declined, and another store by staff."""

from typing import Any

import pytest

from bopis.access.roles import Role
from bopis.domain.orders.state import LineState
from bopis.domain.payments.gateway import MethodKind, PaymentMethod
from bopis.domain.payments.messages import AddMethod
from bopis.domain.payments.state import Payment
from bopis.web.access.sessions import new_session
from bopis.web.api.payments import add_method
from bopis.web.api.placing import MethodDetails
from bopis.web.pages import customer
from bopis.web.problems import Problem
from tests.web.counter.world import World, form_values, note_of

DECLINED = (PaymentMethod(token="tok_hard"),)


def unpaid(world: World, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> str:
    """The number of an order whose customer is asked for another method."""
    number = world.place()
    payment = Payment(
        order=number, currency="EUR", methods=DECLINED, opened_ms=0, hold_until_ms=0, open=500,
        method_until_ms=world.log.now_ms + 600_000, **fields,
    )  # fmt: skip
    facts = customer._facts

    def with_payment(*given: Any) -> Any:
        return customer.PageFacts(**{it: getattr(facts(*given), it) for it in customer.PageFacts.__struct_fields__} | {
            "payment": payment
        })  # fmt: skip

    monkeypatch.setattr(customer, "_facts", with_payment)
    return number


@pytest.mark.parametrize(
    ("settings", "fields", "shown", "hidden"),
    [
        ({"payment_gateway": "fake"}, {}, ("Test card that is declined", "I pay in the store"), ("payment provider",)),
        ({"payment_gateway": "fake"}, {"handed": 500}, ("Test card that pays",), ("I pay in the store",)),
        ({}, {}, ("I pay in the store", "entered at our payment provider"), ("Test card", "Open the order")),
        (
            {"shop_url": "https://shop.example/orders/{order}"}, {"handed": 500},
            ("entered at our payment provider", "https://shop.example/orders/"), ("I pay in the store", "Use this"),
        ),
    ],
    ids=["trial", "trial, goods left", "no fields here", "fields in the shop"],
)  # fmt: skip
async def test_methods_are_chosen_in_words(
    settings: dict[str, str], fields: dict[str, int], shown: tuple[str, ...], hidden: tuple[str, ...],
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    world = World(tmp_path, **settings)
    number = unpaid(world, monkeypatch, **fields)
    async with world.browser() as client:
        page = (await client.get(f"/o/{number}/{world.token(number)}", follow_redirects=True)).text

    assert [it for it in shown if it not in page] == []
    assert [it for it in hidden if it in page] == []


def test_paying_in_the_store_needs_no_token_and_a_card_does() -> None:
    method = MethodDetails(kind=MethodKind.PAY_IN_STORE)

    assert add_method(method) == AddMethod(method=PaymentMethod(kind=MethodKind.PAY_IN_STORE))
    with pytest.raises(Problem, match="needs the token"):
        add_method(MethodDetails())


@pytest.mark.parametrize(
    ("fields", "status", "words", "store"),
    [
        ({"store": "S2", "reason": "cold room broken"}, 200, "cold room broken", "S2"),
        ({"store": "S2"}, 422, "Give a reason", "S1"),
        ({"store": "", "reason": "broken"}, 422, "Choose the store", "S1"),
        ({"store": "S9", "reason": "broken"}, 404, "There is no store S9", "S1"),
        ({"store": "S1", "reason": "broken"}, 409, "has it already", "S1"),
    ],
)
async def test_staff_change_the_store_for_a_reason(
    fields: dict[str, str], status: int, words: str, store: str, world: World
) -> None:
    number = world.place()
    async with world.browser(new_session("hq", Role.HQ_OPERATOR)) as client:
        page = await client.get(f"/orders/{number}")
        sent = form_values(page.text, "cancel") | fields
        answer = await client.post(f"/orders/{number}/move", data=sent)

    assert answer.status_code == status
    assert words in answer.text
    assert (world.log.order(number).lines[0].store, world.log.order(number).state) == (store, LineState.PROMISED)


async def test_an_associate_without_the_right_page_cannot_change_it(world: World) -> None:
    number = world.place()
    async with world.browser(new_session("viewer", Role.HQ_VIEWER)) as client:
        page = await client.get(f"/orders/{number}")
        answer = await client.post(f"/orders/{number}/move", data={"store": "S2", "reason": "x", "csrf": ""})

    assert "Change the store" not in page.text
    assert note_of(page.text) == ""
    assert answer.status_code == 403
    assert world.log.order(number).lines[0].store == "S1"
