"""Sources: drop folders, growing files, tills over HTTP. Nothing that comes in is lost, nothing stops the rest."""

import io
import itertools
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bopis.adapters.agent_process import Folder, GrowingFile, read_sources
from bopis.domain.inventory.outcomes import Outcome
from bopis.journal import review
from bopis.journal.entries import Found
from bopis.journal.journal import Journal
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.ingest import MESSAGES_MAX
from store_agent.errors import PortTaken
from store_agent.sources.folder import DropFolder
from store_agent.sources.growing_file import OwnLines, Part, Tail
from store_agent.sources.own_messages import OwnMessages
from store_agent.sources.tills import TillServer
from tests.store_agent.agents import STORE, as_lines, post, sale


def ids(journal: Journal) -> list[str]:
    return [json.loads(it.value)["data"]["basket"] for it in journal.waiting(100_000, 1 << 30)]


def causes(journal: Journal) -> list[str]:
    return [it.cause for it in review.rejects(journal, 1000)][::-1]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    place = tmp_path / "drop"
    place.mkdir()
    return place


def folder(drop: Path, journal: Journal, reader: Any = None, settle: float = 0.0) -> DropFolder:
    return DropFolder(Folder(name="drop", path=drop), reader or OwnMessages(STORE), journal, settle)


def test_files_are_read_by_age_and_moved_away(drop: Path, journal: Journal) -> None:
    for name, number, age in (("b.ndjson", 1, 20), ("a.ndjson", 2, 10)):
        (drop / name).write_bytes(as_lines([sale("t", number, {"x": 1})]))
        os.utime(drop / name, (1_700_000_000 - age, 1_700_000_000 - age))

    assert folder(drop, journal).poll() == 2

    assert ids(journal) == ["t-1", "t-2"]
    assert sorted(it.name for it in (drop / "done").iterdir()) == ["a.ndjson", "b.ndjson"]


def test_a_file_that_is_still_written_waits(drop: Path, journal: Journal) -> None:
    file = drop / "a.ndjson"
    file.write_bytes(as_lines([sale("t", 1, {"x": 1})])[:50])
    (drop / "b.ndjson.part").write_bytes(b"{")
    (drop / ".hidden").write_bytes(b"{")
    source = folder(drop, journal, settle=0.15)

    first = source.poll()
    with file.open("ab") as more:
        more.write(as_lines([sale("t", 1, {"x": 1})])[50:])
    second = source.poll()
    threading.Event().wait(0.2)
    third = source.poll()

    assert (first, second, third) == (0, 0, 1)
    assert ids(journal) == ["t-1"]
    assert sorted(it.name for it in drop.iterdir()) == [".hidden", "b.ndjson.part", "done"]


def test_a_file_of_the_same_name_is_kept_beside_the_first(drop: Path, journal: Journal) -> None:
    source = folder(drop, journal)
    for number in (1, 2, 1):
        (drop / "day.ndjson").write_bytes(as_lines([sale("t", number, {"x": 1})]))
        assert source.poll() == 1

    assert ids(journal) == ["t-1", "t-2"]
    assert sorted(it.name for it in (drop / "done").iterdir()) == ["day.2.ndjson", "day.3.ndjson", "day.ndjson"]


def test_a_bad_line_is_rejected_with_its_place_and_the_rest_is_booked(drop: Path, journal: Journal) -> None:
    other = sale("t", 3, {"x": 1}, store="367")
    command = sale("t", 4, {}) | {"type": "bopis.stock.set_policy.v1", "data": {"pickup": False}}
    huge = b'{"a": "' + b"x" * (2 * MESSAGE_BYTES_MAX) + b'"}\n'
    lines = as_lines([sale("t", 1, {"x": 1}), {"no": "message"}, other, command])
    (drop / "a.ndjson").write_bytes(lines + huge + b"\xff\n\n" + as_lines([sale("t", 2, {"x": 1})]).strip())

    folder(drop, journal).poll()

    assert ids(journal) == ["t-1", "t-2"]
    found = review.rejects(journal, 10)[::-1]
    assert [it.place for it in found] == [f"a.ndjson:{it}" for it in (2, 3, 4, 5, 6)]
    assert [it.cause for it in found][1:4] == [
        "the message is about store 367, and this agent is store 319's",
        "bopis.stock.set_policy.v1 is no report of a store",
        f"the line has more than {MESSAGE_BYTES_MAX} bytes",
    ]


def test_a_file_that_no_reader_understands_does_not_stop_the_others(drop: Path, journal: Journal) -> None:
    def reader(path: Path, name: str) -> Iterator[Found]:
        if name == "a.bin":
            yield from OwnMessages(STORE)(path, name)
            raise ValueError("segment 7 is cut")
        yield from OwnMessages(STORE)(path, name)

    for name, number in (("a.bin", 1), ("b.ndjson", 2)):
        (drop / name).write_bytes(as_lines([sale("t", number, {"x": 1})]))

    folder(drop, journal, reader).poll()

    assert ids(journal) == ["t-1", "t-2"]
    assert causes(journal) == ["the file cannot be read further: segment 7 is cut"]
    assert [it.name for it in (drop / "failed").iterdir()] == ["a.bin"]


def test_a_file_whose_name_is_not_utf_8_is_read(drop: Path, journal: Journal) -> None:
    place = os.fsencode(drop) + b"/k\xe4se.ndjson"
    with open(place, "wb") as file:
        file.write(as_lines([sale("t", 1, {"x": 1}), {"no": "message"}]))

    assert folder(drop, journal).poll() == 1

    assert ids(journal) == ["t-1"]
    assert [it.place for it in review.rejects(journal, 5)] == ["k?se.ndjson:2"]
    assert len(list((drop / "done").iterdir())) == 1


def test_a_name_that_no_message_may_have_is_not_stored(till: TillServer, journal: Journal) -> None:
    bodies = [b'{"source": "' + b"x" * 5_000 + b'", "id": "2"}', b'{"source": "a\\u0000"}']

    answers = [post(till.server_address[1], it) for it in bodies]

    assert [it[0] for it in answers] == [422, 422]
    assert {it.source for it in review.rejects(journal, 5)} == {"http"}


def test_a_folder_that_is_away_is_reported_once_and_read_when_it_is_back(
    drop: Path, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    away = drop.rename(drop.with_name("away"))
    source = folder(drop, journal)
    assert (source.poll(), source.poll()) == (0, 0)
    away.rename(drop)
    (drop / "a.ndjson").write_bytes(as_lines([sale("t", 1, {"x": 1})]))

    assert source.poll() == 1
    assert capsys.readouterr().err.count('"folder.failed"') == 1


def test_a_growing_file_is_read_line_by_line_and_from_where_it_was(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "till.ndjson"
    source = GrowingFile(name="tail", path=file)
    first, second, third = (as_lines([sale("t", it, {"x": 1})]) for it in (1, 2, 3))
    file.write_bytes(b"\xef\xbb\xbf" + first + second[:30])

    tail = Tail(source, OwnLines(STORE), journal)
    assert tail.poll() == 1
    assert tail.poll() == 0
    with file.open("ab") as more:
        more.write(second[30:] + third)
    assert Tail(source, OwnLines(STORE), journal).poll() == 2

    assert ids(journal) == ["t-1", "t-2", "t-3"]
    assert causes(journal) == []


def test_the_beginning_of_a_line_is_read_once_until_the_file_grows(tmp_path: Path, journal: Journal) -> None:
    file = tmp_path / "till.ndjson"
    file.write_bytes(as_lines([sale("t", 1, {"x": 1})]) + b'{"half')
    offsets: list[int] = []

    def reader(path: Path, offset: int) -> Iterator[Part]:
        offsets.append(offset)
        yield from OwnLines(STORE)(path, offset)

    tail = Tail(GrowingFile(name="tail", path=file), reader, journal)
    for more in (b"", b"", b" a"):
        with file.open("ab") as grown:
            grown.write(more)
        tail.poll()

    assert len(offsets) == 2
    assert ids(journal) == ["t-1"]


@pytest.mark.parametrize("how", ["another file", "emptied"])
def test_a_file_that_begins_again_is_read_from_its_beginning(tmp_path: Path, journal: Journal, how: str) -> None:
    file = tmp_path / "till.ndjson"
    file.write_bytes(as_lines([sale("t", it, {"x": 1}) for it in (1, 2)]))
    tail = Tail(GrowingFile(name="tail", path=file), OwnLines(STORE), journal)
    tail.poll()

    if how == "another file":
        file.rename(tmp_path / "till.1")
        file.write_bytes(as_lines([sale("t", it, {"x": 1}) for it in (2, 3, 4)]))
    else:
        file.write_bytes(as_lines([sale("t", 3, {"x": 1})]))
    tail.poll()

    assert ids(journal) == ["t-1", "t-2", "t-3", "t-4"][: 4 if how == "another file" else 3]


@pytest.fixture
def till(journal: Journal) -> Iterator[TillServer]:
    server = TillServer(0, journal, lambda: None)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_till_gets_an_answer_for_each_message(till: TillServer, journal: Journal) -> None:
    port = till.server_address[1]

    changed = sale("t", 1, {"x": 5})
    status, answer = post(
        port, [sale("t", 1, {"x": 1}), sale("t", 1, {"x": 1}), changed, {"id": "7"}, sale("u", 1, {})]
    )

    assert status == 202
    assert [it["status"] for it in answer["items"]] == ["accepted", "duplicate", "changed", "refused", "refused"]
    assert (answer["accepted"], answer["refused"]) == (3, 2)
    assert answer["items"][0]["position"] == "journal/1"
    assert answer["items"][3] | {"problem": ""} == {
        "item": 4, "status": "refused", "id": "7", "code": "malformed", "problem": "",
    }  # fmt: skip
    assert ids(journal) == ["t-1"]
    assert post(port, {"id": "8"})[0] == 422
    assert [it["status"] for it in post(port, [changed])[1]["items"]] == ["changed"]


REFUSED: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "a page in a browser": (sale("t", 1, {"x": 1}), {"Origin": "https://evil.example"}, 403, "not-local"),
    "another name": (sale("t", 1, {"x": 1}), {"Host": "evil.example:8181"}, 403, "not-local"),
    "a form": (sale("t", 1, {"x": 1}), {"Content-Type": "text/plain"}, 415, "media-type"),
    "no JSON": (b"{", {}, 400, "body-malformed"),
    "too many": (b"\n".join([b"1"] * (MESSAGES_MAX + 1)), {"Content-Type": "application/x-ndjson"}, 422, "body-empty"),
    "too large": (b"1", {"Content-Length": str(1 << 30)}, 413, "body-large"),
    "no length": (b"1", {"Content-Length": "-1"}, 411, "length"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_of_a_till_is_refused(till: TillServer, journal: Journal, name: str) -> None:
    body, headers, status, code = REFUSED[name]

    answered = post(till.server_address[1], body, **headers)

    assert (answered[0], answered[1]["code"]) == (status, code)
    assert ids(journal) == []


def test_a_full_journal_asks_the_till_to_come_again(
    till: TillServer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "limits", type(journal.limits)(bytes_max=1))

    status, answer = post(till.server_address[1], sale("t", 1, {"x": 1}))

    assert (status, answer["code"]) == (503, "journal")
    assert "takes no more messages" in answer["detail"]


def test_a_port_in_use_is_named(till: TillServer, journal: Journal) -> None:
    with pytest.raises(PortTaken, match=str(till.server_address[1])):
        TillServer(till.server_address[1], journal, lambda: None)


numbers = itertools.count()
VALID = as_lines([sale("t", 1, {"x": 1})]).strip()
mutated = st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)).map(
    lambda it: VALID[: it[0]] + bytes([it[1]]) + VALID[it[0] + 1 :]
)
records = st.lists(st.one_of(st.binary(max_size=40), mutated, st.just(VALID)).map(lambda it: it.replace(b"\n", b" ")))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal(tmp_path_factory.mktemp("shared"), STORE) as journal:
        yield journal


def check_lines(journal: Journal, lines: list[bytes]) -> None:
    """Every line that is not blank has an outcome, the good ones in the journal and the others in the rejects."""
    source = f"fuzz-{next(numbers)}"
    content = b"\n".join(lines)
    expected = sum(bool(it.strip()) for it in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"))

    found = list(OwnMessages(STORE).read(io.BytesIO(content), source))
    outcomes = [it.outcome for it in journal.take(source, found)]

    query = "SELECT count(*) FROM {} t JOIN source s ON s.id = t.source_id WHERE s.name = ?"
    booked, rejected, changed = (journal.ask(query.format(it), source)[0][0] for it in ("entry", "reject", "changed"))
    assert len(outcomes) == expected
    assert outcomes.count(Outcome.NEW) == booked
    assert outcomes.count(Outcome.REJECTED) == rejected
    assert outcomes.count(Outcome.CHANGED) >= changed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records)
def test_every_line_is_booked_or_rejected_whatever_it_is(shared: Journal, lines: list[bytes]) -> None:
    check_lines(shared, lines)


@pytest.mark.soak
@settings(max_examples=50_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records)
def test_every_one_of_a_million_lines_is_booked_or_rejected(shared: Journal, lines: list[bytes]) -> None:
    check_lines(shared, lines)


def test_the_file_of_sources_is_read_strictly() -> None:
    found = read_sources(b'[[folder]]\nname = "d"\npath = "/d"\n[[file]]\nname = "t"\npath = "/t"\n')

    assert (found.folder[0].path, found.file[0].name) == (Path("/d"), "t")
    for wrong in (
        '[[folder]]\nname = "d"',
        "[[folders]]\n",
        '[[file]]\nname="a"\npath="/a"\n[[folder]]\nname="a"\npath="/b"',
    ):
        with pytest.raises(ValueError):
            read_sources(wrong.encode())
