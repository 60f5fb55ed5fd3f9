"""Callbacks of payment gateways at the web process: the signature is all that lets one in."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from bopis.adapters.gateways.fake_callbacks import CallbackBody
from bopis.adapters.gateways.listener import BODY_BYTES_MAX
from bopis.adapters.gateways.signatures import callback_keys, signed_headers
from bopis.domain.payments.gateway import GatewayReport, ReportKind
from bopis.names import DEAD_LETTERS_TOPIC, PAYMENTS_TOPIC
from bopis.ports import Record
from bopis.web.api import callbacks
from tests.services.payments.live import LivePayments
from tests.web.counter.world import ADDRESS, World

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PATH = "/v1/payments/callbacks/fake"
REPORT = GatewayReport(order="N6PV", attempt=1, kind=ReportKind.AUTHORISED, amount=1250, currency="EUR", reference="r")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    home = tmp_path_factory.mktemp("callbacks")
    (home / "secret").write_text(SECRET)
    world = shop_at(home, home / "secret")
    log: Any = LivePayments()
    world.site.publisher = log
    return world


def shop_at(home: Path, secret: Path) -> World:
    """The pages of a shop with the fake gateway."""
    url = "http://127.0.0.1:1"
    return World(home, payment_gateway="fake", payment_gateway_url=url, payment_webhook_secret_file=secret)


def signed(world: World, event: str, report: GatewayReport = REPORT, age_s: int = 0) -> dict[str, Any]:
    """Headers and body of a callback."""
    body = msgspec.json.encode(CallbackBody(type=f"payment.{report.kind.value}", report=report))
    key = callback_keys("fake", [SECRET])[0]
    return {
        "headers": signed_headers(key, event, world.site.now_ms() // 1000 - age_s, body),
        "content": body,
    }


def send(world: World, path: str = PATH, **request: Any) -> httpx.Response:
    """One callback, as a gateway sends it."""

    async def sent() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url=ADDRESS) as gateway:
            return await gateway.post(path, **request)

    return asyncio.run(sent())


def published(world: World, topic: str) -> int:
    return len(records_of(world, topic))


def records_of(world: World, topic: str) -> list[Record]:
    log: Any = world.site.publisher
    return [it for (name, _), found in log.records.items() if name == topic for it in found]


def test_a_signed_callback_is_in_the_log_when_it_is_answered(world: World) -> None:
    before = published(world, PAYMENTS_TOPIC)

    answers = [send(world, **signed(world, "evt_1")) for _ in range(2)]

    assert [(it.status_code, it.json()) for it in answers] == [(200, {"taken": 1, "parked": 0})] * 2
    records = records_of(world, PAYMENTS_TOPIC)
    assert len(records) == before + 2
    assert {msgspec.json.decode(it.value or b"")["id"] for it in records[-2:]} == {"evt_1#0"}


@pytest.mark.parametrize("credential", ["Basic Z2F0ZXdheTpwYXNz", "Bearer bopis_unknown_key", "anything"])
def test_another_credential_is_not_looked_at(world: World, credential: str) -> None:
    request = signed(world, "evt_2")
    request["headers"] |= {"Authorization": credential, "Cookie": "bopis_session=x"}

    assert send(world, **request).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": b"{}"}, "callback-bad-signature"), ({"content": b""}, "callback-bad-signature"),
        ({"headers": {}}, "callback-bad-signature"),
        ({"headers": {"Authorization": "Bearer x"}}, "callback-bad-signature"),
    ],
)  # fmt: skip
def test_a_wrong_signature_changes_nothing(world: World, change: dict[str, Any], code: str) -> None:
    before = published(world, PAYMENTS_TOPIC), published(world, DEAD_LETTERS_TOPIC)

    answer = send(world, **signed(world, "evt_3") | change)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert (published(world, PAYMENTS_TOPIC), published(world, DEAD_LETTERS_TOPIC)) == before


def test_an_old_signature_is_refused(world: World) -> None:
    answer = send(world, **signed(world, "evt_4", age_s=400))

    assert (answer.status_code, answer.json()["code"]) == (400, "callback-too-old")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/v1/payments/callbacks/other", 404, "callback-unknown-gateway"),
     ("/v1/payments/callbacks/in_store", 404, "callback-bad-signature"),
     (f"/v1/payments/callbacks/{'x' * 65}", 400, "parameter-invalid"), (f"{PATH}?a=1", 400, "parameter-unknown")],
)  # fmt: skip
def test_there_are_no_other_gateways(world: World, path: str, status: int, code: str) -> None:
    answer = send(world, path, **signed(world, "evt_5"))

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_that_is_too_large_is_not_read(world: World) -> None:
    answer = send(world, content=b"x" * (BODY_BYTES_MAX + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_a_report_that_names_no_order_of_ours_is_parked(world: World) -> None:
    before = published(world, DEAD_LETTERS_TOPIC)

    answer = send(world, **signed(world, "evt_6", msgspec.structs.replace(REPORT, order="a\nb")))

    assert (answer.status_code, answer.json()) == (200, {"taken": 0, "parked": 1})
    assert published(world, DEAD_LETTERS_TOPIC) == before + 1


def test_what_cannot_be_written_is_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OSError("the log is away")

    monkeypatch.setattr(world.site.publisher, "publish", away)

    answer = send(world, **signed(world, "evt_7"))

    assert (answer.status_code, answer.json()["code"]) == (503, "callback-not-taken")
    assert answer.headers["Retry-After"] == "5"


def test_gateways_that_cannot_be_used_take_no_callback_and_show_no_setting(tmp_path: Path) -> None:
    wrong = shop_at(tmp_path, tmp_path / "missing")

    answer = send(wrong, **signed(wrong, "evt_8"))

    assert (answer.status_code, "missing" in answer.text) == (503, False)


def test_a_crowd_is_sent_away_before_it_takes_all_threads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "WAITING_MAX", 0)

    assert send(world, **signed(world, "evt_9")).status_code == 503
