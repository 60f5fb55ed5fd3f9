"""The agent compares its journal with the centre over HTTPS, at intervals, and reports the result."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bopis.adapters.agent_process import HttpsOptions
from bopis.domain.inventory.ledger import (
    DriftKind,
    LedgerComparison,
    LedgerDifference,
    LedgerDigest,
    LedgerEntry,
    LedgerSpan,
)
from bopis.domain.inventory.messages import AgentHeartbeat
from bopis.errors import BopisError
from bopis.journal.entries import Entry
from bopis.journal.journal import Journal
from bopis.journal.ledger import JournalLedger, compare
from bopis.journal.status import COMPARISON, put_state, status_of
from bopis.uplink.errors import CentreBusy, CentreRefused, CentreUnreachable, CredentialRefused
from bopis.uplink.https import HttpsUplink
from bopis.uplink.protocol import Sent
from bopis.uplink.sender import Sender, SenderOptions
from bopis.wire.ledger import PATH, LedgerQuestion, SourceMark, digest_of, hash_of
from bopis.wire.stock import STOCK
from tests.cli.program import run
from tests.store_agent.agents import STORE, wait_until
from tests.store_agent.baskets import sold

GOLDEN = Path(__file__).parent / "golden"


class Books:
    """The centre's side in memory: it has the messages that it was sent, except for those that it lost."""

    def __init__(self, lost: frozenset[str] = frozenset()) -> None:
        self.lost = lost
        self.taken: list[Entry] = []
        self.problem: BopisError | None = None
        self.asked = 0
        self._identity = ""

    # The uplink

    def send(self, entries: Sequence[Entry]) -> Sent:
        self.taken += entries
        return Sent(position=entries[-1].position)

    def centre(self) -> "Books":
        return self

    def close(self) -> None:
        pass

    # Its books

    def marks(self, sources: Sequence[str]) -> list[SourceMark]:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        tops = {STOCK.decode(it.value).source: it.sequence for it in self.taken}
        return [SourceMark(source=it, first=1, top=tops[it]) for it in sources if it in tops]

    def digests(self, spans: Sequence[LedgerSpan]) -> list[LedgerDigest]:
        return [digest_of(bytes.fromhex(it.digest) for it in found) for found in self.entries(spans)]

    def entries(self, spans: Sequence[LedgerSpan]) -> list[list[LedgerEntry]]:
        return [
            [
                LedgerEntry(sequence=it.sequence, digest=hash_of(it.value).hex())
                for it in self.taken
                if (message := STOCK.decode(it.value)).source == span.source
                and span.first <= it.sequence <= span.last
                and message.id not in self.lost
                and not isinstance(message.data, AgentHeartbeat)
            ]
            for span in spans
        ]


class Running:
    """A sender in a thread that compares whenever it can, with what it reports."""

    def __init__(
        self, journal: Journal, books: Books, ledger_seconds: float = 0.01, heartbeat_seconds: float = 3600.0
    ) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        options = SenderOptions(version="7", heartbeat_seconds=heartbeat_seconds, ledger_seconds=ledger_seconds)
        self.sender = Sender(options, journal, books, self._note)
        self._thread = threading.Thread(target=self.sender.run)

    def _note(self, event: str, level: str = "info", **facts: object) -> None:
        self.events.append((event, facts))

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sender.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


def reported(books: Books) -> list[LedgerComparison]:
    bodies = [STOCK.decode(it.value).data for it in list(books.taken)]
    return [it.ledger for it in bodies if isinstance(it, AgentHeartbeat) and it.ledger is not None]


def test_the_next_heartbeat_has_the_result_of_a_comparison(journal: Journal) -> None:
    journal.take("till", [sold(str(it), x=1) for it in range(5)])
    books = Books(lost=frozenset({"3"}))

    with Running(journal, books) as running:
        wait_until(lambda: reported(books))

    found = reported(books)[0]
    assert (found.messages, [it.id for it in found.differences]) == (5, ["3"])
    assert status_of(journal).comparison is not None
    [facts] = [facts for event, facts in running.events if event == "ledger.differs"][:1]
    assert facts == {"found": 1, "more": False, "first": f"till/{journal.identity}#4"}


def test_a_clean_comparison_is_reported_once_and_without_a_warning(journal: Journal) -> None:
    journal.take("till", [sold(str(it), x=1) for it in range(5)])
    books = Books()

    with Running(journal, books, ledger_seconds=3600.0, heartbeat_seconds=0.01) as running:
        wait_until(lambda: reported(books))
        before = len(books.taken)
        running.sender.wake()
        wait_until(lambda: len(books.taken) > before + 1)

    assert [it.is_clean for it in reported(books)] == [True]
    assert "ledger.differs" not in [event for event, _ in running.events]
    assert books.asked <= 2, "the books are asked again only while they have nothing yet"


def test_a_centre_that_does_not_compare_stops_nothing_and_is_reported_once(journal: Journal) -> None:
    journal.take("till", [sold("1", x=1)])
    books = Books()
    books.problem = CentreRefused(address="a", status=404, cause="no such page")

    with Running(journal, books) as running:
        wait_until(lambda: books.asked >= 2)
        journal.take("till", [sold("2", x=1)])
        running.sender.wake()
        wait_until(lambda: journal.usage().depth == 0)

    assert [event for event, _ in running.events].count("ledger.failed") == 1
    assert reported(books) == []


def test_a_journal_without_messages_that_move_units_agrees(journal: Journal) -> None:
    books = Books()
    assert compare(journal, books) is None

    with Running(journal, books):
        wait_until(lambda: reported(books))

    assert [(it.messages, it.is_clean) for it in reported(books)][:1] == [(0, True)]


def test_the_state_of_the_agent_shows_drift(journal: Journal, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Journal(home / "agent", STORE) as own:
        own.take("till", [sold("1", x=1)])
        own.acknowledge(1)
        lost = LedgerDifference(
            source="till/00000000", sequence=1, kind=DriftKind.MISSING_AT_CENTRE, id="1", position=1
        )
        put_state(own, COMPARISON, LedgerComparison(at_ms=own.now_ms(), messages=1, found=1, differences=(lost,)))

    status = run("agent", "status", "--data-dir", str(home))
    drift = run("stock", "drift", STORE, "--data-dir", str(home), "--json")
    unsaid = run("stock", "drift", STORE, "--data-dir", str(home), "--close")
    refused = run("stock", "drift", STORE, "--data-dir", str(home), "--close", "--reason", "a test", "--no-input")
    closed = run("stock", "drift", STORE, "--data-dir", str(home), "--close", "--reason", "a test", "--yes", "--json")

    assert "Books: 1 difference, 1 message compared" in status.out
    assert drift.code == 1
    assert [it["close_with"] for it in drift.document["differences"]] == ["bopis agent resend 1"]
    assert (unsaid.code, refused.code) == (2, 2)
    assert (closed.code, closed.document["sent_again"], closed.document["left"]) == (0, 1, [])
    with Journal(home / "agent") as own:
        assert own.acknowledged() == 0


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        status, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[[int, bytes], tuple[HttpsUplink, list[Any]]]]:
    """An uplink whose centre gives one answer, and what it was asked."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    (tmp_path / "key").write_text("bopis_key")
    url = f"http://127.0.0.1:{server.server_address[1]}"
    uplink = HttpsUplink(HttpsOptions(url=url, key_file=tmp_path / "key", ca_file=None), STORE, 20.0)

    def ask(status: int, content: bytes) -> tuple[HttpsUplink, list[Any]]:
        server.answer = (status, content)
        return uplink, server.asked

    yield ask
    uplink.close()
    server.shutdown()
    thread.join()
    server.server_close()


Ask = Callable[[int, bytes], tuple[HttpsUplink, list[Any]]]


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("ledger-*.json")), ids=lambda it: it.stem)
def test_answers_of_this_and_of_later_versions_are_understood(ask: Ask, journal: Journal, file: Path) -> None:
    journal.take("till", [sold(str(it), x=1) for it in range(4)])
    journal.acknowledge(4)
    own = JournalLedger(journal, 4)
    span = LedgerSpan(source=f"till/{journal.identity}", first=1, last=4)
    [digest] = own.digests([span])
    text = file.read_text().replace("JOURNAL", journal.identity).replace("TOTAL", f"{digest.total:x}")
    uplink, asked = ask(200, text.encode())

    found = compare(journal, uplink.centre())

    assert found is not None
    assert (found.messages, found.is_clean) == (4, True)
    questions = [msgspec.json.decode(body, type=LedgerQuestion) for path, body in asked if path == PATH]
    assert [(it.store, it.sources, it.spans) for it in questions] == [
        (STORE, (f"till/{journal.identity}",), ()),
        (STORE, (), (span,)),
    ]


ODD: dict[str, tuple[int, Any, type[BopisError]]] = {
    "no key": (401, {}, CredentialRefused),
    "away": (503, {}, CentreBusy),
    "an earlier version": (404, {"title": "no such page"}, CentreRefused),
    "another number of answers": (200, {"digests": []}, CentreRefused),
    "no number": (200, {"digests": [{"count": 1, "total": "x"}]}, CentreRefused),
    "no answer": (200, [], CentreRefused),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_is_a_problem_with_a_name(ask: Ask, name: str) -> None:
    status, content, problem = ODD[name]
    uplink, _ = ask(status, json.dumps(content).encode())

    with pytest.raises(problem):
        uplink.centre().digests([LedgerSpan(source="till/00000000", first=1, last=2)])


def test_a_centre_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("bopis_key")
    uplink = HttpsUplink(HttpsOptions(url="http://127.0.0.1:9", key_file=tmp_path / "key", ca_file=None), STORE, 5.0)

    with pytest.raises(CentreUnreachable):
        uplink.centre().marks(["till/00000000"])
