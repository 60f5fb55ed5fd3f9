"""The uplink: in order, once, through outages; pauses, heartbeats, refusals, and the centre's odd answers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bopis.adapters.agent_process import HttpsOptions, KafkaOptions
from bopis.adapters.log import LogReader
from bopis.adapters.security import Security
from bopis.domain.inventory.messages import AgentHeartbeat
from bopis.journal import review
from bopis.journal.entries import Entry
from bopis.journal.journal import Journal
from bopis.journal.status import STATE, status_of
from bopis.uplink.errors import (
    CentreBusy,
    CentreRefused,
    CentreUnreachable,
    CredentialRefused,
    KeyUnreadable,
    StoreRefused,
    UplinkError,
)
from bopis.uplink.https import HttpsUplink
from bopis.uplink.kafka import KafkaUplink
from bopis.uplink.loop import pause_seconds
from bopis.uplink.protocol import Sent, refused
from bopis.uplink.sender import Sender, SenderOptions
from bopis.wire.stock import STOCK
from deploy.kafka.security import authority, make_certificates
from tests.engines.embedded import EmbeddedEngine
from tests.store_agent.agents import STORE, wait_until
from tests.store_agent.baskets import sold

GOLDEN = Path(__file__).parent / "golden"


class Wire:
    """An uplink in memory, which does what a test wants of each batch."""

    def __init__(self) -> None:
        self.sent: list[Entry] = []
        self.results: list[Callable[[Sequence[Entry]], Sent]] = []
        self.closed = False

    def send(self, entries: Sequence[Entry]) -> Sent:
        if self.results:
            result = self.results.pop(0)(entries)
            self.sent += [it for it in entries if it.position <= result.position]
            return result
        self.sent += entries
        return Sent(position=entries[-1].position, clock_ahead_ms=5)

    def centre(self) -> None:
        return None

    def close(self) -> None:
        self.closed = True


class Running:
    """A sender in a thread, with what it reports."""

    def __init__(self, journal: Journal, wire: Wire, **options: Any) -> None:
        self.events: list[str] = []
        chosen = SenderOptions(**{"version": "7", "heartbeat_seconds": 0.0, "pause_seconds_max": 0.01} | options)
        self.sender = Sender(chosen, journal, wire, self._note)
        self._thread = threading.Thread(target=self.sender.run)

    def _note(self, event: str, level: str = "info", **facts: object) -> None:
        self.events.append(event)

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sender.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


def problem(entries: Sequence[Entry]) -> Sent:
    return Sent(position=entries[0].position - 1, problem=CentreUnreachable(address="a", cause="no route"))


def test_everything_is_sent_in_order_and_acknowledged(journal: Journal) -> None:
    journal.take("till", [sold(str(it), x=1) for it in range(2_500)])
    wire = Wire()

    with Running(journal, wire):
        wait_until(lambda: journal.usage().depth == 0)

    assert [it.sequence for it in wire.sent] == list(range(1, 2_501))
    assert wire.closed


def test_after_a_problem_it_goes_on_where_it_was_acknowledged(journal: Journal) -> None:
    journal.take("till", [sold(str(it), x=1) for it in range(6)])
    wire = Wire()

    def half(entries: Sequence[Entry]) -> Sent:
        busy = CentreBusy(address="a", status=503, wait_seconds=0)
        return Sent(position=entries[2].position, problem=busy)

    wire.results = [problem, half, problem]

    with Running(journal, wire) as running:
        wait_until(lambda: journal.usage().depth == 0)

    assert [it.sequence for it in wire.sent] == [1, 2, 3, 4, 5, 6]
    assert running.events == ["uplink.failed", "uplink.failed", "uplink.failed", "uplink.connected"]
    assert status_of(journal).uplink.connected


def test_a_message_that_is_refused_goes_to_the_rejects_and_stops_nothing(journal: Journal) -> None:
    journal.take("till", [sold(str(it), x=1) for it in range(3)])
    wire = Wire()
    wire.results = [lambda entries: Sent(position=3, refused=(refused(entries[1], "a day ahead of the log"),))]

    with Running(journal, wire) as running:
        wait_until(lambda: journal.usage().depth == 0)

    assert [it.cause for it in review.rejects(journal, 5)] == ["refused: a day ahead of the log"]
    assert "uplink.refused" in running.events


def test_a_heartbeat_follows_when_nothing_waits_and_after_an_outage_at_once(journal: Journal) -> None:
    journal.take("till", [sold("1", x=1)])
    wire = Wire()
    wire.results = [problem]

    with Running(journal, wire, heartbeat_seconds=3600.0):
        wait_until(lambda: len(wire.sent) == 2)

    body = STOCK.decode(wire.sent[-1].value).data
    assert body == AgentHeartbeat(version="7", clock_ahead_ms=5)
    assert status_of(journal).uplink.clock_ahead_ms == 5


def test_the_state_says_the_problem(journal: Journal) -> None:
    journal.take("till", [sold("1", x=1)])
    wire = Wire()
    wire.results = [problem] * 100_000

    with Running(journal, wire):
        wait_until(lambda: bool(journal.meta(STATE)))

    assert "no route" in status_of(journal).uplink.problem


def test_pauses_double_up_to_their_limit_and_have_a_random_share() -> None:
    assert [pause_seconds(it, 0.0, 60.0, 1.0) for it in (0, 1, 2, 7, 500)] == [0.5, 1.0, 2.0, 60.0, 60.0]
    assert pause_seconds(2, 0.0, 60.0, 0.0) == 1.0
    assert pause_seconds(0, 30.0, 60.0, 0.5) == 30.0


def test_to_the_log_itself_with_its_time(log: EmbeddedEngine, journal: Journal) -> None:
    journal.take("log-test", [sold(str(it), x=1) for it in range(50)])
    options = KafkaOptions(bootstrap=log.bootstrap, embedded_in=None, prefix="bopis.", security=Security())
    uplink = KafkaUplink(options, STORE, 30.0)

    sent = uplink.send(journal.waiting(100, 1 << 20))
    uplink.close()

    assert (sent.position, sent.problem, sent.refused) == (50, None, ())
    assert sent.clock_ahead_ms is not None
    assert abs(sent.clock_ahead_ms) < 60_000
    with LogReader(log.bootstrap, "bopis.") as reader:
        records = list(reader.read(reader.start_offsets(["stock"]), reader.end_offsets(["stock"])))
    mine = [it for it in records if it.value is not None and journal.identity.encode() in it.value]
    assert [STOCK.decode(it.value or b"").seq for it in mine] == list(range(1, 51))
    assert {it.key for it in mine} == {STORE.encode()}


def test_without_a_log_it_is_a_problem_and_nothing_is_acknowledged(journal: Journal, tmp_path: Path) -> None:
    journal.take("till", [sold("1", x=1)])
    options = KafkaOptions(bootstrap="", embedded_in=tmp_path, prefix="bopis.", security=Security())

    sent = KafkaUplink(options, STORE, 1.0).send(journal.waiting(10, 1 << 20))

    assert sent.position == 0
    assert "bopis up" in str(sent.problem)


class Centre(ThreadingHTTPServer):
    """A centre that answers as a test wants."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust this server goes away."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.status, self.headers, self.answer = 202, {}, self.accept  # type: ignore[var-annotated]  # of a test
        self.bodies: list[bytes] = []
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def accept(self, lines: list[bytes]) -> bytes:
        return self.items(["accepted"] * len(lines))

    @staticmethod
    def items(statuses: list[str], **more: Any) -> bytes:
        items = [
            {"item": number, "status": it, **(more if it == "refused" else {})} for number, it in enumerate(statuses, 1)
        ]
        return json.dumps({"accepted": 0, "refused": 0, "items": items}).encode()


class _Answering(BaseHTTPRequestHandler):
    server: Centre
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self.server.keys.append(self.headers["Authorization"])
        content = self.server.answer(body.splitlines())
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def centre() -> Iterator[Centre]:
    server = Centre()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def https(centre: Centre, tmp_path: Path) -> Iterator[HttpsUplink]:
    key = tmp_path / "key"
    key.write_text("bopis_key\n")
    uplink = HttpsUplink(HttpsOptions(url=centre.url, key_file=key, ca_file=None), STORE, 5.0)
    yield uplink
    uplink.close()


@pytest.fixture
def waiting(journal: Journal) -> list[Entry]:
    journal.take("till", [sold(str(it), x=1) for it in range(4)])
    return journal.waiting(10, 1 << 20)


def test_over_http_each_message_has_its_own_answer(centre: Centre, https: HttpsUplink, waiting: list[Entry]) -> None:
    centre.answer = lambda lines: Centre.items(["accepted", "refused", "accepted", "accepted"], code="implausible")

    sent = https.send(waiting)

    assert (sent.position, sent.problem) == (4, None)
    assert [it.content for it in sent.refused] == [waiting[1].value]
    assert centre.bodies[0].splitlines() == [it.value for it in waiting]
    assert centre.keys == ["Bearer bopis_key"]
    assert sent.clock_ahead_ms == 0


def test_a_store_that_is_not_reached_keeps_its_messages(
    centre: Centre, https: HttpsUplink, waiting: list[Entry]
) -> None:
    centre.answer = lambda lines: Centre.items(
        ["accepted", "refused", "refused", "refused"], code="other-store", problem="not reached"
    )

    sent = https.send(waiting)

    assert sent.position == 1
    assert isinstance(sent.problem, StoreRefused)
    assert sent.refused == ()


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("answer-*.json")), ids=lambda it: it.stem)
def test_answers_of_this_and_of_later_versions_are_understood(
    centre: Centre, https: HttpsUplink, waiting: list[Entry], file: Path
) -> None:
    centre.answer = lambda lines: file.read_bytes()

    sent = https.send(waiting)

    assert (sent.position, sent.problem) == (4, None)
    assert [it.cause for it in sent.refused] == ["refused: a day ahead", "refused: time is missing"]


def test_over_https_the_centre_must_have_a_certificate_that_is_trusted(
    centre: Centre, waiting: list[Entry], tmp_path: Path
) -> None:
    make_certificates(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls" / "node.crt", tmp_path / "tls" / "node.key")
    centre.socket = context.wrap_socket(centre.socket, server_side=True)
    (tmp_path / "key").write_text("bopis_key")
    url = centre.url.replace("http://", "https://")
    trusting = HttpsOptions(url=url, key_file=tmp_path / "key", ca_file=authority(tmp_path / "tls"))

    strange = HttpsUplink(msgspec.structs.replace(trusting, ca_file=None), STORE, 20.0).send(waiting)
    uplink = HttpsUplink(trusting, STORE, 20.0)
    sent = uplink.send(waiting)
    uplink.close()

    assert "certificate" in str(strange.problem)
    assert (sent.position, sent.problem) == (4, None)
    assert centre.keys == ["Bearer bopis_key"]


ODD: dict[str, tuple[int, bytes, type[UplinkError]]] = {
    "no key": (401, b"", CredentialRefused),
    "a key without the right": (403, b"", CredentialRefused),
    "too many": (429, b"", CentreBusy),
    "away": (503, b"", CentreBusy),
    "an error": (500, b"oh", CentreRefused),
    "another program": (200, b"<html>", CentreRefused),
    "no JSON": (202, b"<html>", CentreRefused),
    "another number of answers": (202, Centre.items(["accepted"] * 3), CentreRefused),
    "a redirect": (302, b"", CentreRefused),
}


@pytest.mark.parametrize("name", ODD)
def test_any_other_answer_is_a_problem_and_keeps_everything(
    centre: Centre, https: HttpsUplink, waiting: list[Entry], name: str
) -> None:
    centre.status, content, kind = ODD[name]
    centre.answer = lambda lines: content
    centre.headers = {"Retry-After": "17"}

    sent = https.send(waiting)

    assert sent.position == 0
    assert type(sent.problem) is kind
    assert isinstance(sent.problem, UplinkError)
    assert sent.problem.wait_seconds == (17 if kind is CentreBusy else 0)


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    centre: Centre, https: HttpsUplink, waiting: list[Entry]
) -> None:
    assert https.send(waiting).problem is None
    kept = https._centre._connection
    assert kept is not None
    assert kept.sock is not None
    kept.sock.close()

    assert https.send(waiting).problem is None


def test_a_centre_or_a_key_that_is_not_there_is_named(https: HttpsUplink, waiting: list[Entry], tmp_path: Path) -> None:
    nowhere = HttpsOptions(url="http://127.0.0.1:9", key_file=tmp_path / "key", ca_file=None)
    keyless = msgspec.structs.replace(nowhere, key_file=tmp_path / "none")

    assert isinstance(HttpsUplink(nowhere, STORE, 1.0).send(waiting).problem, CentreUnreachable)
    assert isinstance(HttpsUplink(keyless, STORE, 1.0).send(waiting).problem, KeyUnreadable)
