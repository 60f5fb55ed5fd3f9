"""Payments at the keyboard, on a running installation with a fake gateway that reports by callbacks."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import cli
from bopis.adapters.gateways.fake_server import CallbackTarget, FakeServer
from tests.cli import program
from tests.cli.program import Installation

PATIENCE_S = 60.0
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Shop:
    """An installation, its fake gateway, and the settings by which commands find the gateway."""

    def __init__(self, bopis: Installation, gateway: FakeServer, settings: dict[str, str]) -> None:
        self.bopis = bopis
        self.gateway = gateway
        self.settings = settings
        self._stores = 0

    def __call__(self, *words: str) -> program.Answer:
        return self.bopis(*words, **self.settings)

    def ask(self, *words: str) -> Any:
        answer = self(*words, "--json")
        assert answer.code == 0, answer.err + answer.out
        return answer.document

    def store(self, folder: Path) -> str:
        """A store with ten mugs."""
        self._stores += 1
        name = f"P{self._stores}"
        file = folder / "stores.csv"
        file.write_text(f"store_id,name,latitude,longitude,time_zone\n{name},Store {name},38.7,-88.1,America/Chicago\n")
        self.ask("stores", "import", str(file))
        self.ask("stock", "receive", name, "MUG=10")
        return name

    def order(self, store: str, *methods: str, price: str = "12.50") -> str:
        words = [word for method in methods for word in ("--method", method)]
        placed = self.ask("order", "place", store, f"MUG=1@{price}", "--currency", "EUR", *words, "--consent", "--wait")
        return str(placed["order"])

    def until(self, order: str, enough: Callable[[Any], bool]) -> Any:
        """The explanation of a payment, as soon as it is enough."""
        end = time.monotonic() + PATIENCE_S
        answer = self("payments", "show", order, "--json")
        while time.monotonic() < end:
            if answer.code == 0 and enough(answer.document):
                return answer.document
            time.sleep(0.2)
            answer = self("payments", "show", order, "--json")
        raise AssertionError(answer.out + answer.err)

    def ready(self, order: str, store: str) -> None:
        for words in (("accept", order), ("pick", order, "MUG"), ("stage", order, "A1")):
            self.ask("pickup", words[0], *words[1:], "--store", store)


def in_thread(server: FakeServer) -> Callable[[], None]:
    """Run a fake gateway in a thread; returns what stops it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)

    def stop() -> None:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

    return stop


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    port = free_port()
    gateway = FakeServer(callback=CallbackTarget(url=f"http://127.0.0.1:{port}/payments", secret=SECRET))
    stop = in_thread(gateway)
    settings = {
        "BOPIS_PAYMENT_GATEWAY": "fake",
        "BOPIS_PAYMENT_GATEWAY_URL": gateway.url,
        "BOPIS_PAYMENT_WEBHOOK_SECRET": SECRET,
    }
    home = tmp_path_factory.mktemp("payments") / "home"
    with pytest.MonkeyPatch.context() as patch:
        plain = program.clean_environment
        patch.setattr(program, "clean_environment", lambda **more: plain(**settings, **more))
        bopis = Installation(home)
    listener = subprocess.Popen(
        [sys.executable, "-m", "cli", "payments", "listen", "--port", str(port), "--data-dir", str(home), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(cli.__file__).parent,
        env={name: value for name, value in os.environ.items() if not name.startswith("BOPIS_")} | settings,
    )
    assert listener.stdout is not None
    assert json.loads(listener.stdout.readline())["url"] == f"http://127.0.0.1:{port}/payments"
    yield Shop(bopis, gateway, settings)
    listener.terminate()
    assert listener.wait(20) == 0
    listener.stdout.close()
    assert bopis.stop() == 0
    stop()


def test_an_order_is_paid_by_its_second_method_and_captured_when_it_is_handed_over(shop: Shop, tmp_path: Path) -> None:
    store = shop.store(tmp_path)
    order = shop.order(store, "card:tok_hard", "card:tok_ok")

    paid = shop.until(order, lambda it: it["status"] == "authorised")
    shop.ready(order, store)
    shop.ask("pickup", "hand-over", order, "--document", "passport", "--store", store)
    captured = shop.until(order, lambda it: it["status"] == "captured")

    assert [it["state"] for it in paid["attempts"]] == ["declined", "approved"]
    assert paid["attempts"][0]["decline"] == "hard"
    assert paid["attempts"][0]["next"] == "card tok_ok was asked, because the method before did not pay"
    assert captured["sums"]["captured"] == 1250
    text = shop("payments", "show", order)
    assert f"key {order}-1-authorise-1" in text.out
    assert "captured 12.50 EUR" in text.out
    assert "paid" not in shop("payments", "list", "--stuck").out

    refunded = shop.ask("payments", "refund", order, "--amount", "2.50", "--reason", "bruised", "--yes")
    again = shop("payments", "refund", order, "--amount", "10.01", "--reason", "more", "--yes")
    assert any("refund of 2.50 EUR asked" in it["said"] for it in refunded["events"])
    assert again.code == 4
    assert "at most 10.00 EUR can be refunded" in again.err
    shop.until(order, lambda it: it["sums"]["refunded"] == 250)


def test_goods_do_not_leave_unpaid_and_money_at_the_till_is_recorded_first(shop: Shop, tmp_path: Path) -> None:
    store = shop.store(tmp_path)
    order = shop.order(store, "card:tok_hard", "pay_in_store", price="9")
    shop.until(order, lambda it: it["status"] == "pay_in_store")
    shop.ready(order, store)
    shop.ask("pickup", "arrive", order, "--store", store)

    shown = shop("order", "show", order)
    queue = shop("pickup", "queue", store)
    refused = shop("pickup", "hand-over", order, "--document", "passport", "--store", store)
    recorded = shop.ask("payments", "paid-in-store", order, "--amount", "9.00", "--receipt", "4711")
    handed = shop("pickup", "hand-over", order, "--document", "passport", "--store", store)

    assert "to pay in the store: 9.00 EUR" in shown.out
    assert "9.00 EUR" in queue.out
    assert refused.code == 4
    assert "0.00 EUR of 9.00 EUR are paid for, 9.00 EUR are missing" in refused.err
    assert f"bopis payments paid-in-store {order[:4]}-{order[4:]} --amount 9.00" in refused.err
    assert any("paid in the store 9.00 EUR" in it["said"] for it in recorded["events"])
    assert handed.code == 0, handed.err
    assert shop.until(order, lambda it: it["status"] == "paid_in_store")["sums"]["owed"] == 0


def test_a_challenge_waits_for_the_customer_whose_callback_ends_it(shop: Shop, tmp_path: Path) -> None:
    store = shop.store(tmp_path)
    order = str(
        shop.ask("order", "place", store, "MUG=1@7", "--currency", "EUR", "--method", "card:tok_challenge")["order"]
    )

    asked = shop.until(order, lambda it: it["status"] == "action_required" and bool(it["heard"]))
    waiting = shop.ask("payments", "list", "--waiting")["payments"]
    reference = asked["attempts"][0]["reference"]
    httpx.post(f"{shop.gateway.url}/challenge/{reference}", data={"result": "pass"})
    paid = shop.until(order, lambda it: it["status"] == "authorised")

    assert order in [it["order"] for it in waiting]
    assert "confirm the payment by a link" in asked["heard"][0]["text"]
    assert paid["sums"]["authorised"] == 700


def test_ledgers_agree_and_a_charge_that_only_the_gateway_knows_is_proposed(shop: Shop, tmp_path: Path) -> None:
    store = shop.store(tmp_path)
    order = shop.order(store, "card:tok_ok")
    shop.until(order, lambda it: it["status"] == "authorised")
    equal = shop("payments", "reconcile", "--json")
    call = {
        "key": "stray",
        "order": order,
        "attempt": 9,
        "operation": "authorise",
        "gateway": "fake",
        "amount": 500,
        "currency": "EUR",
        "authorisation": "stray",
        "token": "tok_ok",
    }
    stray = httpx.post(f"{shop.gateway.url}/authorisations", json=call, headers={"idempotency-key": "stray"}).json()
    path = f"{shop.gateway.url}/authorisations/{stray['reference']}/capture"
    capture = call | {"key": "stray-c", "operation": "capture", "reference": stray["reference"], "final": True}
    httpx.post(path, json=capture, headers={"idempotency-key": "stray-c"}).raise_for_status()

    differing = shop("payments", "reconcile", "--json")
    (found,) = differing.document["gateways"]["fake"]["differences"]
    words = found["command"].split(" ", 1)[1].replace(' --reason "reconciliation"', "").split()
    adopted = shop(*words, "--reason", "reconciliation")
    after = shop("payments", "reconcile")

    assert equal.code == 0, equal.out
    assert equal.document["gateways"]["fake"]["agreed"] > 0
    assert differing.code == 1
    assert (found["kind"], found["theirs"], found["order"]) == ("missing_here", 500, order)
    assert adopted.code == 0, adopted.err
    assert "taken into the books" in adopted.out
    assert after.code == 0, after.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("payments", "show", "00000000"), 3, "There is no order"),
        (("payments", "show", "nonsense"), 5, "not an order number"),
        (("payments", "retry", "00000000"), 2, "--reason"),
        (("payments", "list", "--owed", "--stuck"), 2, "Give one of"),
        (("payments", "reconcile", "--gateway", "nobody"), 78, "No gateway 'nobody'"),
        (("order", "place", "P1", "MUG=1@9", "--currency", "EUR", "--method", "4242424242424242"), 5, "card number"),
        (("order", "place", "P1", "MUG=1", "--method", "tok_ok"), 2, "--currency"),
        (("order", "place", "P1", "MUG=1@9", "--currency", "EUR", "--method", "card:"), 2, "no payment method"),
        (("order", "place", "P1", "MUG=1", "--note", "use 4242 4242 4242 4242"), 5, "card number"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_what_cannot_be_is_told_with_its_exit_code(words: tuple[str, ...], code: int, said: str, shop: Shop) -> None:
    answer = shop(*words)

    assert answer.code == code, answer.out + answer.err
    assert said in answer.err
    assert "4242" not in answer.err


def test_an_order_that_is_paid_at_the_till_has_no_payment(shop: Shop, tmp_path: Path) -> None:
    store = shop.store(tmp_path)
    order = shop.ask("order", "place", store, "MUG=1")["order"]

    answer = shop("payments", "show", order)

    assert answer.code == 3
    assert "has no payment" in answer.err


def test_nothing_is_owed_at_the_end(shop: Shop) -> None:
    answer = shop.ask("payments", "owed")

    assert all(it["who"].startswith("nobody") for it in answer["owed"])
