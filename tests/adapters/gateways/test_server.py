"""The fake gateway over HTTP: its options, callbacks, pages, and what is left after it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bopis.adapters.gateways.config import GatewayConfig
from bopis.adapters.gateways.errors import GatewayMisconfigured, LedgerUnreadable
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.fake_book import Book
from bopis.adapters.gateways.fake_script import FakeOptions
from bopis.adapters.gateways.fake_server import CallbackTarget, FakeServer
from bopis.domain.payments.gateway import CallOutcome, GatewayReport, Operation
from tests.adapters.gateways.calls import SECRET, FakePair, call, fake_pair
from tests.adapters.gateways.stripe_double import running

CAPTURE, VOID, REFUND, FIND = Operation.CAPTURE, Operation.VOID, Operation.REFUND, Operation.FIND
PATIENCE_S = 10.0


class Receiver:
    """Takes callbacks, refuses the first ones as told, and checks every signature as the listener does."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.taken: list[tuple[str, GatewayReport]] = []
        self.refusals: list[str] = []
        self.signatures: set[str] = set()
        self._gateway = FakeGateway(GatewayConfig(name="fake", url="http://unused", callback_secrets=(SECRET,)))

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/payments", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        answer = self._gateway.callback(request.headers, await request.body(), time.time_ns() // 1_000_000)
        self.signatures.add(request.headers["webhook-signature"])
        self.refusals += [answer.refusal] if answer.refusal else []
        if self.statuses:
            return Response(status_code=self.statuses.pop(0))
        self.taken += [(answer.event, report) for report in answer.reports]
        return Response(status_code=answer.status)

    @property
    def kinds(self) -> list[str]:
        return [report.kind.value for _, report in self.taken]

    async def seen(self, count: int) -> None:
        await until(lambda: len(self.taken) >= count)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def with_receiver(
    receiver: Receiver, options: FakeOptions | None = None, ledger: Path | None = None
) -> AsyncIterator[FakePair]:
    async with running(receiver.app()) as url:
        target = CallbackTarget(url=f"{url}/payments", secret=SECRET)
        async with fake_pair(options, callback=target, ledger=ledger) as pair:
            yield pair


async def control(pair: FakePair, **changes: object) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{pair.server.url}/control", json=changes)


async def test_callbacks_name_order_attempt_and_key() -> None:
    receiver = Receiver()
    async with with_receiver(receiver) as pair:
        await pair.gateway.call(call(order="O-7", attempt=2))
        await pair.gateway.call(call(CAPTURE, order="O-7", attempt=2, amount=300))
        await receiver.seen(2)

    assert [(it.order, it.attempt, it.kind, it.key, it.amount) for _, it in receiver.taken] == [
        ("O-7", 2, "authorised", "O-7-2-authorise-1", 1000),
        ("O-7", 2, "captured", "O-7-2-capture-1", 300),
    ]
    assert receiver.taken[0][1].ends_ms > time.time() * 1000
    assert not receiver.refusals


async def test_a_callback_is_repeated_until_it_is_taken() -> None:
    receiver = Receiver(500, 400)
    async with with_receiver(receiver) as pair:
        await pair.gateway.call(call())
        await receiver.seen(1)
        await until(lambda: not pair.bank.book.outbox)

    assert receiver.kinds == ["authorised"]


async def test_callbacks_come_twice_and_out_of_order() -> None:
    receiver = Receiver()
    options = FakeOptions(duplicate_callbacks=1.0, reorder_callbacks=0.5, late_ms=200, seed=2)
    async with with_receiver(receiver, options) as pair:
        for number in range(8):
            await pair.gateway.call(call(order=f"O-{number}"))
        await receiver.seen(16)

    events = [event for event, _ in receiver.taken]
    assert sorted(events) == sorted([*set(events), *set(events)])
    assert events != sorted(events)


async def test_callbacks_that_were_not_taken_are_sent_after_the_next_start(tmp_path: Path) -> None:
    file, deaf = tmp_path / "ledger", CallbackTarget(url="http://127.0.0.1:1/", secret=SECRET)
    async with fake_pair(ledger=file, callback=deaf) as pair:
        await pair.gateway.call(call())

    receiver = Receiver()
    async with with_receiver(receiver, ledger=file):
        await receiver.seen(1)

    assert receiver.kinds == ["authorised"]


async def test_a_gateway_that_is_away_refuses_and_comes_back() -> None:
    async with fake_pair() as pair:
        await control(pair, away=True, retry_after_s=3)
        away = await pair.gateway.call(call())
        await control(pair, away=False)
        back = await pair.gateway.call(call())

    assert (away.outcome, away.wait_ms, away.code) == (CallOutcome.NOT_SENT, 3_000, "away")
    assert back.outcome is CallOutcome.APPROVED


async def test_a_rate_is_kept_and_the_rest_refused() -> None:
    async with fake_pair(FakeOptions(rate=5)) as pair:
        answers = await asyncio.gather(*(pair.gateway.call(call(order=f"O-{number}")) for number in range(10)))

    outcomes = [it.outcome for it in answers]
    assert 1 <= outcomes.count(CallOutcome.APPROVED) < 8
    refused = next(it for it in answers if it.outcome is CallOutcome.NOT_SENT)
    assert (refused.code, refused.wait_ms) == ("rate_limited", 1_000)


async def test_latency_is_what_the_options_say() -> None:
    async with fake_pair(FakeOptions(latency_ms=120, latency_sigma=0.0)) as pair:
        began = time.monotonic()
        await pair.gateway.call(call())

    assert time.monotonic() - began >= 0.12


@pytest.mark.parametrize("hang", [False, True])
async def test_an_unanswered_call_is_unknown_and_has_happened(hang: bool) -> None:
    async with fake_pair(FakeOptions(hang=hang)) as pair:
        lost = await pair.gateway.call(call(token="tok_timeout_after"))
        found = await pair.gateway.call(call(FIND))

    assert lost.outcome is CallOutcome.UNKNOWN
    assert lost.cause == ("ReadTimeout" if hang else "RemoteProtocolError")
    assert found.outcome is CallOutcome.APPROVED


@pytest.mark.parametrize("changes", [{"away": "yes"}, {"decline": 2}, {"no_such_option": 1}])
async def test_options_that_are_none_are_refused(changes: dict[str, object]) -> None:
    async with fake_pair() as pair:
        answer = await control(pair, **changes)

        assert (answer.status_code, pair.bank.options) == (400, FakeOptions())


async def test_the_clock_is_turned_while_it_runs() -> None:
    async with fake_pair() as pair:
        await pair.gateway.call(call())
        await control(pair, clock_offset_ms=8 * 86_400_000)
        found = await pair.gateway.call(call(FIND))

    assert (found.outcome, found.code) == (CallOutcome.VOIDED, "ended")


async def test_the_page_of_a_challenge_is_a_form() -> None:
    async with fake_pair() as pair, httpx.AsyncClient() as client:
        link = (await pair.gateway.call(call(token="tok_challenge"))).link
        page = await client.get(link)
        injected = await client.get(f"{pair.server.url}/challenge/<script>")
        passed = await client.post(link, data={"result": "pass"})
        again = await client.post(link, data={"result": "pass"})
        found = await pair.gateway.call(call(FIND))

    assert (page.status_code, passed.status_code, again.status_code) == (200, 200, 409)
    assert 'method="post"' in page.text
    assert "<script>" not in injected.text
    assert found.outcome is CallOutcome.APPROVED


@pytest.mark.parametrize(("decision", "outcome"), [("approve", "approved"), ("reject", "declined")])
async def test_a_review_is_decided_over_http(decision: str, outcome: str) -> None:
    async with fake_pair() as pair, httpx.AsyncClient() as client:
        reference = (await pair.gateway.call(call(token="tok_review"))).reference
        decided = await client.post(f"{pair.server.url}/reviews/{reference}", json={"decision": decision})
        found = await pair.gateway.call(call(FIND))

    assert decided.status_code == 200
    assert found.outcome == outcome


async def test_several_captures_more_than_authorised_and_adjustments_are_options() -> None:
    async with fake_pair(FakeOptions(multicapture=True, overcapture_percent=15, adjust=True)) as pair:
        made = await pair.gateway.call(call())
        raised = await pair.gateway.call(call(Operation.ADJUST, amount=1200))
        first = await pair.gateway.call(call(CAPTURE, amount=500))
        rest = await pair.gateway.call(call(CAPTURE, amount=880, number=2))
        more = await pair.gateway.call(call(CAPTURE, amount=1, number=3))

    assert (made.capture_max, made.multicapture, made.adjustable) == (1150, True, True)
    assert (raised.outcome, raised.amount, raised.capture_max) == (CallOutcome.APPROVED, 1200, 1380)
    assert (first.captured, rest.captured, more.outcome) == (500, 1380, CallOutcome.FAILED)


async def test_a_void_after_a_partial_capture_releases_the_rest() -> None:
    """PAY-062"""
    async with fake_pair(FakeOptions(multicapture=True)) as pair:
        await pair.gateway.call(call(amount=10_000))
        await pair.gateway.call(call(CAPTURE, amount=3_000))
        voided = await pair.gateway.call(call(VOID))
        found = await pair.gateway.call(call(FIND))

    assert (voided.outcome, voided.amount, voided.captured) == (CallOutcome.VOIDED, 7_000, 3_000)
    assert (found.outcome, found.captured) == (CallOutcome.APPROVED, 3_000)


async def test_a_close_overtakes_a_call_that_is_still_on_its_way() -> None:
    async with fake_pair(FakeOptions(latency_ms=12_000, latency_sigma=0.0)) as pair:
        patient = FakeGateway(GatewayConfig(name="fake", url=pair.server.url, timeout_s=60.0))
        authorising = asyncio.create_task(patient.call(call()))
        await asyncio.sleep(1.5)  # it has arrived by then
        await control(pair, latency_ms=0.0)
        closed = await patient.call(call(Operation.CLOSE))
        authorised = await authorising
        await patient.close()

    assert (closed.outcome, authorised.outcome) == (CallOutcome.VOIDED, CallOutcome.VOIDED)


async def test_the_list_has_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bopis.adapters.gateways.fake_bank.PAGE_SIZE", 2)
    async with fake_pair() as pair:
        for number in range(5):
            await pair.gateway.call(call(order=f"O-{number}"))
        orders: list[str] = []
        cursor: str | None = None
        while True:
            page = await pair.gateway.entries(0, cursor)
            orders += [it.order for it in page.entries]
            cursor = page.cursor
            if cursor is None:
                break

    assert orders == [f"O-{number}" for number in range(5)]


async def test_the_sums_of_the_ledger_are_shown() -> None:
    async with fake_pair() as pair, httpx.AsyncClient() as client:
        await pair.gateway.call(call())
        await pair.gateway.call(call(CAPTURE, amount=700))
        await pair.gateway.call(call(REFUND, amount=200))
        await pair.gateway.call(call(order="B"))
        sums = (await client.get(f"{pair.server.url}/ledger")).json()

    assert {name: sums[name] for name in ("authorisations", "captured", "refunded", "open")} == {
        "authorisations": 2,
        "captured": 700,
        "refunded": 200,
        "open": 1000,
    }


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"key": 1}'])
async def test_a_body_that_is_no_call_is_refused(body: bytes) -> None:
    async with fake_pair() as pair, httpx.AsyncClient() as client:
        answer = await client.post(f"{pair.server.url}/authorisations", content=body)

    assert answer.status_code == 400


async def test_a_book_is_the_same_after_a_start(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    async with fake_pair(FakeOptions(multicapture=True), ledger=file) as pair:
        for number, token in enumerate(("tok_ok", "tok_soft", "tok_review", "gift_a_900", "tok_late_ok")):
            await pair.gateway.call(call(order=f"O-{number}", token=token))
        await pair.gateway.call(call(CAPTURE, order="O-0", amount=400))
        before = state_of(pair.bank.book)

    assert state_of(Book(file)) == before


def state_of(book: Book) -> tuple[Any, ...]:
    book.close()
    return dict(book.ledger.accounts), book.authorisations, book.keys, book.by_key


async def test_a_line_that_was_being_written_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    async with fake_pair(ledger=file) as pair:
        await pair.gateway.call(call(order="A"))
        await pair.gateway.call(call(order="B"))
    os.truncate(file, file.stat().st_size - 5)

    async with fake_pair(ledger=file) as pair:
        gone = await pair.gateway.call(call(FIND, order="B"))
        await pair.gateway.call(call(order="B"))

    assert gone.outcome is CallOutcome.GONE
    assert [it.order for it in Book(file).authorisations.values()] == ["A", "B"]


def test_a_file_of_another_kind_or_of_a_running_gateway_is_refused(tmp_path: Path) -> None:
    other, taken = tmp_path / "other", tmp_path / "taken"
    other.write_text("hello\n")
    book = Book(taken)

    for file in (other, taken, tmp_path):
        with pytest.raises(LedgerUnreadable, match="Give another file"):
            Book(file)
    book.close()


def test_a_secret_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(GatewayMisconfigured, match="whsec_"):
        FakeServer(callback=CallbackTarget(url="http://x", secret="s"))


PROGRAM = "import sys, typer; from bopis.cli.payments.gateway import fake; typer.run(fake)"


async def test_a_gateway_that_is_killed_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    program = [sys.executable, "-c", PROGRAM, "--json", "--ledger", str(file)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    gateway = FakeGateway(GatewayConfig(name="fake", url=url))
    approved: list[str] = []

    async def pay(first: int) -> None:
        for number in range(first, first + 1_000):
            answer = await gateway.call(call(order=f"O-{number}"))
            if answer.outcome is not CallOutcome.APPROVED:
                return
            approved.append(answer.reference)

    paying = [asyncio.create_task(pay(first)) for first in (0, 1_000, 2_000)]
    await until(lambda: len(approved) >= 30)
    process.send_signal(signal.SIGKILL)
    await asyncio.gather(*paying)
    process.wait()
    process.stdout.close()
    await gateway.close()

    kept = Book(file)
    kept.close()
    assert set(approved) <= set(kept.authorisations)
    assert len(kept.authorisations) <= len(approved) + 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_address_and_ends_when_it_is_asked_to(number: signal.Signals) -> None:
    program = [sys.executable, "-c", PROGRAM, "--callback", "http://127.0.0.1:1/", "--decline", "10"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()

    process.send_signal(number)

    assert process.wait(PATIENCE_S) == 0
    assert process.stdout.read() == ""
    process.stdout.close()
    assert line.startswith("The fake gateway listens on http://127.0.0.1:")
    assert "callbacks are signed with whsec_" in line
