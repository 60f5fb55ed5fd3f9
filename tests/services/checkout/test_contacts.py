"""Mail addresses and phone numbers at the checkout: one customer however a number is written, and only valid ones."""

import hmac
from hashlib import sha256
from pathlib import Path

import pytest

from bopis.adapters.barcodes import gtin14
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.contacts import e164, is_email, is_phone, store_country
from bopis.services.catalogue import RequestedLine
from bopis.services.checkout import Checkout, Customer, OrderRequest
from bopis.services.errors import CustomerInvalid
from bopis.settings import Settings
from tests.services.checkout.live import S1, LiveLog, counter, shop_catalogue


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(Settings(data_dir=tmp_path))


@pytest.fixture
def log() -> LiveLog:
    return LiveLog(S1={"A": 50})


def placed_by(log: LiveLog, vault: Vault, phone: str, country: str = "") -> str:
    """The customer of an order that is placed with a phone number in a store of a country."""
    request = OrderRequest(store=S1, lines=(RequestedLine(code="A", quantity=1),), customer=Customer(phone=phone))
    return (
        Checkout(counter(log), shop_catalogue(), gtin14, vault).place(request, f"{phone}/{country}", country).customer
    )


def test_a_number_with_and_without_its_country_code_is_one_customer(log: LiveLog, vault: Vault) -> None:
    first = placed_by(log, vault, "(270) 555-0100", "US")

    assert placed_by(log, vault, "+1 270 555 0100") == first
    assert placed_by(log, vault, "001 270 555 0100", "DE") == first
    assert placed_by(log, vault, "270.555.0100", "US") == first
    assert placed_by(log, vault, "(270) 555-0101", "US") != first


def test_equal_digits_in_two_countries_are_two_customers(log: LiveLog, vault: Vault) -> None:
    assert placed_by(log, vault, "02 7055 5010", "AU") != placed_by(log, vault, "02 7055 5010", "IT")


@pytest.mark.parametrize("typed", ["(270) 555-0100", "+1 270 555 0100"])
def test_a_customer_of_an_earlier_version_is_found_and_then_by_both_forms(
    typed: str, log: LiveLog, vault: Vault
) -> None:
    digits = "".join(it for it in typed if it.isdigit())
    earlier = hmac.digest(vault.lookups._key, f"phone/{digits}".encode(), sha256).hex()
    vault.remember("c-earlier", [earlier])

    assert placed_by(log, vault, typed, "US") == "c-earlier"
    assert placed_by(log, vault, "+1 270 555 0100") == "c-earlier"
    assert placed_by(log, vault, "2705550100", "US") == "c-earlier"


def test_a_number_of_an_unknown_country_is_compared_by_its_digits(log: LiveLog, vault: Vault) -> None:
    assert placed_by(log, vault, "(270) 555-0100") == placed_by(log, vault, "270 555 0100")


@pytest.mark.parametrize("phone", ["555 0100", "270 555 010", "(270) 555-01000"])
def test_a_number_that_cannot_be_dialled_in_its_country_is_refused(phone: str, log: LiveLog, vault: Vault) -> None:
    with pytest.raises(CustomerInvalid, match="country code"):
        placed_by(log, vault, phone, "US")


def test_mail_addresses_are_checked_by_their_syntax() -> None:
    good = ("a@b.example", "anna+pickup@example.org", " a@example.org ", "o'neil@example.org", "a@exämple.org")
    bad = (
        "a",
        "a@b",
        "a@b@c.org",
        "a..b@example.org",
        ".a@example.org",
        "a@-x.org",
        "a b@example.org",
        "a@example..org",
        "ä@exämple.org",
        "a" * 65 + "@example.org",
    )

    assert [it for it in good if not is_email(it)] == []
    assert [it for it in bad if is_email(it)] == []


def test_numbers_are_read_with_a_country() -> None:
    assert e164("030 1234567", "DE") == "+49301234567"
    assert e164("0049 30 1234567", "US") == "+49301234567"
    assert e164("030 1234567") is None
    assert is_phone("030 1234567")
    assert not is_phone("12")
    assert not is_phone("+49")


def test_a_stores_country_is_that_of_its_holidays_else_of_its_time_zone() -> None:
    assert store_country("US 2026-12-24", "Europe/Berlin") == "US"
    assert store_country("2026-12-24", "America/Chicago") == "US"
    assert store_country("", "US/Central") == "US"
    assert store_country("", "UTC") == ""


def test_the_text_of_a_request_is_that_of_earlier_versions() -> None:
    """Its hash is stored with every order: if it changed, a repeated key would be refused after an upgrade."""
    from bopis.services.checkout import _canonical

    request = OrderRequest(store=S1, lines=(), customer=Customer(name="x", email="a@b.c", id="C1"), note="n")

    assert _canonical(request, ()) == (
        '[{"store":"S1","lines":[],"customer":{"name":"","email":"","phone":"","language":"","channels":[],"id":"C1"},'
        '"slot":null,"place":null,"allows":{"later":false,"alternatives":"offer","split":false,"substitutes":"offer",'
        '"partial":true,"on_short":"resource","wait_hours":0},"methods":[],"currency":"","note":""},[]]'
    )
