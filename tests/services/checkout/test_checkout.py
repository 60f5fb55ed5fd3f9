"""Placing orders: once per key, kits as what stands on the shelf, and nothing of the customer readable in the log."""

from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.barcodes import gtin14
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.messages import PlaceOrder
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Channel, CustomerRef
from bopis.services.catalogue import RequestedLine
from bopis.services.checkout import Checkout, Customer, OrderRequest
from bopis.services.errors import CustomerInvalid, KeyReused, NotDecidedInTime, SkuNotInCatalogue
from bopis.settings import Settings
from tests.services.checkout.live import S1, LiveLog, counter, shop_catalogue

ANNA = Customer(name="Zebulon Quastenflosser", email="zq@canary.example", phone="+49 30 9876543")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(Settings(data_dir=tmp_path))


@pytest.fixture
def log() -> LiveLog:
    return LiveLog(S1={"A": 20, "B": 20, "MUG": 20}, S2={"A": 20, "MUG": 20})


def checkout(log: LiveLog, vault: Vault) -> Checkout:
    return Checkout(counter(log), shop_catalogue(), gtin14, vault)


def basket(*lines: tuple[str, int], **changes: Any) -> OrderRequest:
    wanted = tuple(RequestedLine(code=code, quantity=quantity) for code, quantity in lines or (("A", 2),))
    return OrderRequest(**{"store": S1, "lines": wanted, "customer": ANNA, **changes})


def test_an_order_that_was_taken_is_promised_when_a_store_holds_it(log: LiveLog, vault: Vault) -> None:
    taken = checkout(log, vault).place(basket(), "k1")

    assert not taken.repeated
    assert log.order(taken.order).state is LineState.PROMISED
    assert type(taken.settled(1).data).__name__ == "OrderPromised"


def test_one_key_places_one_order_however_often_it_comes(log: LiveLog, vault: Vault) -> None:
    first = checkout(log, vault).place(basket(), "k1")
    holds = len(log.order(first.order).holds)

    again = checkout(log, vault).place(basket(), "k1")

    assert again.repeated
    assert again.order == first.order
    assert len(log.order(first.order).holds) == holds


def test_a_key_stands_for_one_basket(log: LiveLog, vault: Vault) -> None:
    checkout(log, vault).place(basket(), "k1")

    with pytest.raises(KeyReused):
        checkout(log, vault).place(basket(("A", 3)), "k1")


def test_a_number_that_belongs_to_somebody_else_is_passed_over(log: LiveLog, vault: Vault) -> None:
    taken = checkout(LiveLog(S1={"A": 20}), vault).place(basket(), "k1").order
    theirs = PlaceOrder(
        key="other",
        request="r",
        customer=CustomerRef(id="c"),
        store=S1,
        lines=(WantedLine(line=1, sku="A", quantity=1),),
    )
    counter(log, "web").command(taken, theirs)

    mine = checkout(log, vault).place(basket(), "k1")
    again = checkout(log, vault).place(basket(), "k1")

    assert mine.order != taken
    assert (again.order, again.repeated) == (mine.order, True)
    assert log.order(taken).key == "other"


def test_keys_that_follow_each_other_give_numbers_that_do_not(log: LiveLog, vault: Vault) -> None:
    numbers = [checkout(log, vault).place(basket(("A", 1)), f"k{n}").order for n in range(6)]

    assert len(set(numbers)) == 6
    assert len({it[:3] for it in numbers}) >= 5


def test_nothing_of_the_customer_is_readable_in_the_log(log: LiveLog, vault: Vault) -> None:
    taken = checkout(log, vault).place(basket(note="ring the CANARYBELL twice"), "k1")

    everything = log.everything()
    canaries = (b"Zebulon", b"Quastenflosser", b"canary.example", b"9876543", b"CANARYBELL")
    assert not [it for it in canaries if it in everything]
    order = log.order(taken.order)
    assert vault.open(order.customer.id, order.customer.sealed) == {
        "name": ANNA.name,
        "email": ANNA.email,
        "phone": ANNA.phone,
    }
    assert vault.open(order.customer.id, order.note) == {"note": "ring the CANARYBELL twice"}


def test_codes_stand_in_the_log_as_keyed_hashes_only(log: LiveLog, vault: Vault) -> None:
    order = checkout(log, vault).place(basket(), "k1").order

    everything = log.everything()
    assert vault.codes.token(order, 1).encode() not in everything
    assert log.order(order).code.code_hash == vault.codes.hash_of_code(order, vault.codes.code(order, 1))


def test_a_customer_is_found_again_by_mail_or_phone(log: LiveLog, vault: Vault) -> None:
    first = checkout(log, vault).place(basket(), "k1")
    by_mail = checkout(log, vault).place(basket(customer=Customer(email="ZQ@canary.example")), "k2")
    stranger = checkout(log, vault).place(basket(customer=Customer(email="other@canary.example")), "k3")

    assert by_mail.customer == first.customer
    assert stranger.customer != first.customer


def test_a_kit_is_held_as_its_components_also_beside_a_line_that_shares_one(log: LiveLog, vault: Vault) -> None:
    order = checkout(log, vault).place(basket(("SET", 3), ("A", 2)), "k1").order

    [hold] = log.order(order).holds
    assert sorted((it.line, it.sku, it.quantity) for it in hold.parts) == [(1, "A", 3), (1, "MUG", 6), (2, "A", 2)]


def test_same_sku_on_two_lines_overwrites_nothing(log: LiveLog, vault: Vault) -> None:
    order = checkout(log, vault).place(basket(("A", 1), ("A", 2)), "k1").order

    assert [(it.line, it.quantity) for it in log.order(order).lines] == [(1, 1), (2, 2)]


def test_a_scanned_gtin_orders_its_article(log: LiveLog, vault: Vault) -> None:
    order = checkout(log, vault).place(basket(("4006381333931", 2)), "k1").order

    assert [it.sku for it in log.order(order).lines] == ["A"]


def test_what_no_article_is_cannot_be_ordered(log: LiveLog, vault: Vault) -> None:
    with pytest.raises(SkuNotInCatalogue, match="4006381333932"):
        checkout(log, vault).place(basket(("4006381333932", 1)), "k1")


@pytest.mark.parametrize(
    "customer",
    [
        Customer(email="nobody"),
        Customer(email="a b@c.example"),
        Customer(phone="12"),
        Customer(name="x" * 201),
        Customer(channels=(Channel.EMAIL,)),
        Customer(channels=(Channel.SMS,), email="a@b.example"),
    ],
    ids=["no-address", "blank", "short-phone", "long-name", "mail-to-nobody", "text-to-nobody"],
)
def test_a_customer_whom_nothing_can_reach_is_told_before_anything_is_sent(
    log: LiveLog, vault: Vault, customer: Customer
) -> None:
    with pytest.raises(CustomerInvalid):
        checkout(log, vault).place(basket(customer=customer), "k1")

    assert b"order.place" not in log.everything()


def test_who_does_not_hear_in_time_is_told_to_look_and_not_to_repeat(log: LiveLog, vault: Vault) -> None:
    log.orders_are_away = True
    hasty = Checkout(counter(log, patience_seconds=0.05), shop_catalogue(), gtin14, vault)

    with pytest.raises(NotDecidedInTime, match="do not send it again"):
        hasty.place(basket(), "k1")

    log.orders_are_away = False
    log.decide()
    assert hasty.place(basket(), "k1").repeated
