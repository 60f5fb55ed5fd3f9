"""Signing in: one-time links and PINs."""

import time
from pathlib import Path

import httpx
import pytest

from bopis.web.access.sessions import COOKIE, PinTries
from tests.web.shop import OWN, Shop, new_name

FORGET_S = 5.5


def associate(shop: Shop, tmp_path: Path, pin: str = "4711") -> str:
    """The name of a new associate."""
    name = new_name("Anna")
    (tmp_path / "pin").write_text(pin + "\n")
    shop.bopis.ask("associates", "add", OWN, name, "--pin-file", str(tmp_path / "pin"))
    return name


def sign_in(shop: Shop, name: str, pin: str, store: str = OWN) -> httpx.Response:
    """A sign-in with a PIN, as a browser without a session."""
    with httpx.Client(base_url=shop.url, timeout=60) as browser:
        return browser.post("/sign-in/associate", data={"store": store, "name": name, "pin": pin})


def test_a_link_opens_one_session(shop: Shop) -> None:
    link = shop.bopis.ask("web", "sign-in", "--role", "store-manager", "--store", OWN)["url"]

    with httpx.Client() as browser:
        # Another site that opens a link could sign a browser in as somebody else; the link stays good.
        abroad = browser.get(link, headers={"Sec-Fetch-Site": "cross-site"})
        first = browser.get(link, headers={"Sec-Fetch-Site": "none"})
        reached = browser.get(f"{shop.url}/v1/stores/{OWN}/policy")
        beyond = browser.get(f"{shop.url}/v1/stores/367/policy")
    second = httpx.get(link)

    assert (abroad.status_code, COOKIE in abroad.cookies) == (403, False)
    assert "address line" in abroad.text
    assert (first.status_code, COOKIE in first.cookies) == (303, True)
    assert {"HttpOnly", "SameSite=strict"} <= set(first.headers["set-cookie"].split("; "))
    assert (reached.status_code, beyond.status_code) == (200, 403)
    assert (second.status_code, COOKIE in second.cookies) == (401, False)


def test_the_link_that_up_prints_signs_in_as_an_operator(shop: Shop) -> None:
    with httpx.Client(follow_redirects=False) as browser:
        browser.get(shop.bopis.ready["sign_in"])

        assert browser.get(f"{shop.url}/metrics").status_code == 200


def test_a_change_with_a_session_needs_the_token_of_its_page(shop: Shop) -> None:
    link = shop.bopis.ask("web", "sign-in")["url"]

    with httpx.Client(base_url=shop.url) as browser:
        browser.get(link)
        refused = browser.patch(f"/v1/stores/{OWN}/policy", json={})
        guessed = browser.patch(f"/v1/stores/{OWN}/policy", json={}, headers={"X-CSRF-Token": "0" * 32})

    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
    assert (guessed.status_code, guessed.json()["code"]) == (403, "csrf")


def test_an_associate_signs_in_with_a_pin_until_removed(shop: Shop, tmp_path: Path) -> None:
    name = associate(shop, tmp_path)
    wrong, right = sign_in(shop, name, "4712"), sign_in(shop, name, "4711")
    cookies = {COOKIE: right.cookies[COOKIE]}
    before = httpx.get(f"{shop.url}/v1/stores/{OWN}/queue", cookies=cookies)

    assert shop.bopis("associates", "remove", OWN, name).code == 0
    time.sleep(FORGET_S)
    after = httpx.get(f"{shop.url}/v1/stores/{OWN}/queue", cookies=cookies)

    assert (wrong.status_code, right.status_code) == (401, 303)
    assert (before.status_code, after.status_code) == (200, 401)
    assert sign_in(shop, name, "4711").status_code == 401
    assert shop.bopis("associates", "remove", OWN, name).code == 3


def test_a_new_pin_ends_the_sessions_of_the_old_one(shop: Shop, tmp_path: Path) -> None:
    name = associate(shop, tmp_path)
    cookies = {COOKIE: sign_in(shop, name, "4711").cookies[COOKIE]}
    time.sleep(1)
    (tmp_path / "pin").write_text("9999")
    again = shop.bopis.ask("associates", "add", OWN, name, "--pin-file", str(tmp_path / "pin"))

    time.sleep(FORGET_S)

    assert again["new"] is False
    assert httpx.get(f"{shop.url}/v1/stores/{OWN}/queue", cookies=cookies).status_code == 401


def test_wrong_pins_lock_the_name_whether_somebody_has_it_or_not(shop: Shop, tmp_path: Path) -> None:
    known, unknown = associate(shop, tmp_path), new_name("Nobody")
    for name in (known, unknown):
        statuses = [sign_in(shop, name, "0000").status_code for _ in range(PinTries.TRIES_MAX + 1)]

        assert statuses == [401] * PinTries.TRIES_MAX + [429]
    assert sign_in(shop, known, "4711").status_code == 429


@pytest.mark.parametrize("pin", ["123", "12a4", "", "1234567890123", "١٢٣٤"])
def test_a_pin_that_is_none_is_refused(pin: str, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(pin)

    answer = shop.bopis("associates", "add", OWN, "Otto", "--pin-file", str(tmp_path / "pin"))

    assert answer.code == 5


def test_without_a_terminal_the_pin_is_not_asked_for(shop: Shop) -> None:
    answer = shop.bopis("associates", "add", OWN, "Otto")

    assert (answer.code, "--pin-file" in answer.err) == (2, True)


def test_a_flood_of_unknown_names_does_not_unlock_a_known_one() -> None:
    tries = PinTries()
    for _ in range(PinTries.TRIES_MAX):
        tries.note(OWN, "Anna", is_right=False)

    for number in range(PinTries.NAMES_MAX + 1):
        tries.note(OWN, str(number), is_right=False, is_known=False)

    assert tries.is_locked(OWN, "Anna")
