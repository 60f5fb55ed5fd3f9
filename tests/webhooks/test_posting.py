"""One attempt at a real receiver, and where an attempt may lead."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any

import pytest

from bopis.adapters.webhooks import receiver_address
from bopis.adapters.webhooks.errors import UrlBarred
from bopis.adapters.webhooks.posting import Network, PostLimits, Receiver
from bopis.adapters.webhooks.receiver_address import checked_url, is_public
from bopis.webhooks.schedule import AttemptResult
from tests.webhooks.conftest import ReceiverProcess

HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}


def post(url: str, timeout_s: float = 30.0, *, allow_private: bool = True) -> AttemptResult:
    """One attempt."""

    async def attempt(receiver: Receiver) -> AttemptResult:
        return await receiver.post(url, HEADERS, b"{}")

    return with_receiver(attempt, timeout_s, allow_private=allow_private)


def with_receiver(
    work: Callable[[Receiver], Coroutine[Any, Any, AttemptResult]], timeout_s: float, *, allow_private: bool
) -> AttemptResult:
    async def run() -> AttemptResult:
        network = Network(PostLimits(4, timeout_s, allow_private))
        receiver = Receiver(network)
        try:
            return await work(receiver)
        finally:
            await receiver.close()
            network.close()

    return asyncio.run(run())


def test_an_answer_is_kept_up_to_a_kibibyte(receiver: ReceiverProcess) -> None:
    found = post(receiver.url("/status/200/kept"))

    assert (found.status_code, found.error, found.is_delivered) == (200, "", True)
    assert found.response == ("answer " + "x" * 3_000)[:1_024]
    assert found.latency_ms >= 0


@pytest.mark.parametrize("status", [204, 400, 404, 410, 500, 503])
def test_a_status_is_a_result(status: int, receiver: ReceiverProcess) -> None:
    assert post(receiver.url(f"/status/{status}/one")).status_code == status


def test_a_redirect_is_not_followed(receiver: ReceiverProcess) -> None:
    before = len(receiver.got("/ok"))

    found = post(receiver.url("/redirect"))

    assert (found.status_code, found.is_delivered) == (302, False)
    assert len(receiver.got("/ok")) == before


def test_retry_after_is_read(receiver: ReceiverProcess) -> None:
    found = post(receiver.url("/retry-after/77"))

    assert (found.status_code, found.retry_after_s) == (429, 77.0)


def test_a_receiver_without_an_answer_ends_in_time(receiver: ReceiverProcess) -> None:
    began = time.monotonic()

    found = post(receiver.url("/slow/one"), 0.5)

    assert (found.status_code, "no answer" in found.error) == (0, True)
    assert time.monotonic() - began < 20


def test_a_body_without_an_end_is_not_awaited(receiver: ReceiverProcess) -> None:
    began = time.monotonic()

    found = post(receiver.url("/drip"))

    assert (found.status_code, found.is_delivered) == (200, True)
    assert 0 < len(found.response) < 1_024
    assert time.monotonic() - began < 20


def test_a_closed_port_is_a_result() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    found = post(f"http://127.0.0.1:{port}/")

    assert "the connection failed" in found.error


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True),
        ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False), ("127.0.0.1", False), ("0.0.0.0", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:169.254.169.254", False), ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/", "ftp://a.example/", "https://", "https:///x", "nonsense", "https://user:word@a.example/",
        "https://a.example/#part", "https://127.0.0.1/", "https://[::1]:8443/", "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/", "https://a.example:0/", "https://a.example:70000/", "https://a b/",
        "https://a.example/" + "x" * 1_000, "",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(UrlBarred):
        checked_url(url, allow_private=False)


@pytest.mark.parametrize("url", ["https://a.example/x?y=1", "https://8.8.8.8/", "https://a.example:8443/"])
def test_urls_that_are_taken(url: str) -> None:
    assert str(checked_url(url, allow_private=False)) == url


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1"])
def test_a_name_of_a_private_address_is_refused_when_it_is_resolved(name: str) -> None:
    found = post(f"https://{name}/", allow_private=False)

    assert "has no public address" in found.error


def test_a_name_that_changes_its_address_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, receiver: ReceiverProcess
) -> None:
    """The connection goes to the address that was checked; the name is not resolved a second time."""
    asked: list[str] = []

    def ask(host: str, _: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    monkeypatch.setattr(receiver_address, "_ask", ask)

    found = post(f"http://nowhere.invalid:{receiver.port}/ok/pinned")

    assert (found.status_code, asked) == (200, ["nowhere.invalid"])
    assert receiver.got("/ok/pinned")[-1]["host"] == f"nowhere.invalid:{receiver.port}"


def test_a_name_without_an_address_is_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(host: str, _: int) -> tuple[str, ...]:
        asked.append(host)
        return ()

    monkeypatch.setattr(receiver_address, "_ask", ask)

    async def twice(receiver: Receiver) -> AttemptResult:
        await receiver.post("https://nowhere.invalid/", HEADERS, b"{}")
        return await receiver.post("https://nowhere.invalid/", HEADERS, b"{}")

    found = with_receiver(twice, 30.0, allow_private=False)

    assert ("has no address" in found.error, asked) == (True, ["nowhere.invalid"])
