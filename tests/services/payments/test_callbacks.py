"""Callbacks: checked first, published under an id that a repeat shares, parked when they name no order of ours."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.fake_callbacks import CallbackBody
from bopis.adapters.gateways.listener import BODY_BYTES_MAX, callback_app
from bopis.adapters.gateways.signatures import callback_keys, signed_headers
from bopis.domain.payments.gateway import CallOutcome, GatewayReport, ReportKind
from bopis.domain.payments.messages import ProviderReported
from bopis.domain.payments.state import AttemptState
from bopis.ports import CallbackAnswer, Gateway
from bopis.services.payments.callbacks import CallbackIntake
from tests.services.payments.live import ORDER, FakeList, LivePayments, book_of, card

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
URL = "http://127.0.0.1:1"


@pytest.fixture
def log() -> LivePayments:
    return LivePayments()


def report(**changes: Any) -> GatewayReport:
    fields: dict[str, Any] = {"order": ORDER, "attempt": 1, "kind": ReportKind.AUTHORISED, "amount": 1250}
    return GatewayReport(**{**fields, "currency": "EUR", "reference": "ref-1", **changes})


def fake(*secrets: str) -> FakeGateway:
    return FakeGateway(GatewayConfig(name="fake", url=URL, callback_secrets=secrets or (SECRET,)))


def intake(log: LivePayments, gateway: Gateway | None = None, **options: Any) -> CallbackIntake:
    known = {"fake": gateway or fake()}
    return CallbackIntake(known.get, log, log.now, **options)


def signed(
    log: LivePayments, told: GatewayReport, event: str = "evt_1", age_s: int = 0
) -> tuple[dict[str, str], bytes]:
    body = msgspec.json.encode(CallbackBody(type=f"payment.{told.kind.value}", report=told))
    key = callback_keys("fake", [SECRET])[0]
    return signed_headers(key, "evt_1", log.now_ms // 1000 - age_s, body), body


def test_a_report_becomes_a_message_to_its_payment(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.UNKNOWN)

    taken = intake(log).take("fake", *signed(log, report()))

    assert (taken.status, taken.published, taken.parked) == (200, 1, 0)
    assert log.payment().attempts[0].state is AttemptState.APPROVED
    said = log.said()[-1]
    assert (said.source, said.id, said.subject) == ("gateway/fake", "evt_1#0", ORDER)
    assert isinstance(said.data, ProviderReported)


def test_pay_003_a_repeat_changes_nothing(log: LivePayments) -> None:
    log.open(1250, card())
    desk = intake(log)
    desk.take("fake", *signed(log, report()))
    events = sum(len(it) for (topic, _), it in log.records.items() if topic == "payment-events")

    for _ in range(2):
        assert desk.take("fake", *signed(log, report())).status == 200

    assert sum(len(it) for (topic, _), it in log.records.items() if topic == "payment-events") == events
    assert log.letters() == []


@pytest.mark.parametrize(("age_s", "refusal"), [(301, "too_old"), (299, ""), (-301, "from_the_future")])
def test_pay_012_the_age_is_that_of_the_signature(log: LivePayments, age_s: int, refusal: str) -> None:
    log.open(1250, card())

    taken = intake(log).take("fake", *signed(log, report(), age_s=age_s))

    assert taken.refusal == refusal
    assert (400 <= taken.status < 500) is bool(refusal)
    assert taken.published == (0 if refusal else 1)


def test_pay_011_a_wrong_signature_changes_nothing(log: LivePayments) -> None:
    log.open(1250, card())
    headers, body = signed(log, report())
    before = len(log.said())

    taken = intake(log).take("fake", headers, body + b" ")

    assert (taken.status, taken.refusal) == (400, "bad_signature")
    assert len(log.said()) == before


def test_pay_010_a_payment_that_is_not_ours_is_parked_and_answered_as_taken(log: LivePayments) -> None:
    taken = intake(log).take("fake", *signed(log, report(order="STRANGER")))

    (letter,) = log.letters()
    assert taken.status == 200
    assert dict(letter.headers)["cause"].startswith(b"Rejected: unknown payment")


@pytest.mark.parametrize("order", ["", "-", "x" * 100, "a\nb"])
def test_a_report_that_names_no_order_is_parked_without_the_callbacks_body(log: LivePayments, order: str) -> None:
    named = FakeList(answer=CallbackAnswer(200, "evt_9", (report(order=order),)))

    taken = intake(log, named).take("fake", {}, b'{"name": "Zebulon Quastenflosser"}')

    (letter,) = log.letters()
    assert (taken.status, taken.published, taken.parked) == (200, 0, 1)
    assert b"fake, evt_9" in dict(letter.headers)["cause"]
    assert b"Zebulon" not in (letter.value or b"")


def test_a_report_without_order_finds_its_attempt_by_the_reference(log: LivePayments) -> None:
    log.open(1250, card())
    log.answer(CallOutcome.APPROVED)
    book = book_of(log)
    opened = FakeList(answer=CallbackAnswer(200, "evt_2", (report(order="-", kind=ReportKind.REVIEW_OPENED),)))

    taken = intake(log, opened, find=book.attempt_of).take("fake", {}, b"")

    assert taken.published == 1
    assert log.payment().attempts[0].review
    assert book.attempt_of("fake", "ref-9") is None


def test_a_callback_of_no_interest_is_taken(log: LivePayments) -> None:
    assert intake(log, FakeList()).take("fake", {}, b"{}") == (200, 0, 0, "")


# The HTTP side


def post(desk: CallbackIntake, path: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    app = callback_app(lambda name, headers, body: desk.take(name or "fake", headers, body))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as web:
            return await web.post(path, content=body, headers=headers)

    return asyncio.run(send())


def test_the_body_is_passed_on_as_it_came(log: LivePayments) -> None:
    heard = FakeList()

    answer = post(intake(log, heard), "/payments/fake", b'{ "a" :\t1}\n')

    assert answer.status_code == 200
    assert heard.heard == [b'{ "a" :\t1}\n']


def test_http_answers_follow_what_became_of_it(log: LivePayments) -> None:
    log.open(1250, card())
    desk = intake(log)
    headers, body = signed(log, report())

    good = post(desk, "/payments", body, headers)
    bad = post(desk, "/payments/fake", body + b" ", headers)
    nowhere = post(desk, "/payments/nobody", body, headers)
    huge = post(desk, "/payments/fake", b"x" * (BODY_BYTES_MAX + 1))

    assert (good.status_code, good.json()) == (200, {"taken": 1, "parked": 0})
    assert (bad.status_code, bad.json()) == (400, {"refused": "bad_signature"})
    assert nowhere.status_code == 404
    assert huge.status_code == 413


def test_while_the_log_is_away_a_callback_is_not_taken() -> None:
    log = LivePayments()
    del log.records["payments", 0], log.records["payments", 1]
    headers, body = signed(log, report())

    answer = post(intake(log), "/payments/fake", body, headers)

    assert (answer.status_code, answer.json()) == (503, {"refused": "not_taken"})
