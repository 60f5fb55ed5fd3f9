"""Messages of a till are checked as the inventory would read them."""

import json
from pathlib import Path
from typing import Any

import pytest

from bopis.services.dead_letters import DeadLetter
from bopis.services.till_check import check_messages, refusals_of, sequence_notes, split_messages
from bopis.wire.placement import partition_of
from tests.cli.program import run

PARTITIONS = 4
NOW_MS = 1_795_400_000_000  # 2026-11-22, the day of the messages


def message(seq: int = 1, **changes: Any) -> dict[str, Any]:
    made = {
        "specversion": "1.0",
        "type": "bopis.pos.sale.v1",
        "source": "store-319/till-3",
        "seq": seq,
        "id": f"till-3/{seq}",
        "time": "2026-11-22T09:30:00-06:00",
        "subject": "319",
        "data": {"basket": f"b{seq}", "lines": [{"sku": "4011", "quantity": 2}]},
    }
    return made | changes


def lines(*messages: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(it) for it in messages).encode()


def problems(content: bytes) -> list[tuple[int, str]]:
    return [(it.line, it.problem) for it in check_messages(split_messages(content), PARTITIONS, NOW_MS) if it.problem]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(message(), indent=2).encode(),
        b"\xef\xbb\xbf" + lines(message()),
        lines(message(1), message(2)),
        lines(message(1)) + b"\r\n\r\n" + lines(message(2)) + b"\n",
        lines(message(1), message(1)),
    ],
    ids=["indented", "byte-order-mark", "lines", "blank-lines", "repeat"],
)
def test_messages_of_a_file_are_valid(content: bytes) -> None:
    assert problems(content) == []


@pytest.mark.parametrize(
    ("content", "line", "named"),
    [
        (lines(message(), message(2, data={"basket": "b", "lines": []})), 2, "bopis.pos.sale.v1"),
        (lines(message(data={"basket": "b", "lines": [{"sku": "4011", "quantity": 1.5}]})), 1, "lines[0].quantity"),
        (lines(message(type="bopis.pos.sold.v1")), 1, "'bopis.pos.sold.v1' is not known"),
        (lines(message(time="2026-11-22 09:30")), 1, "$.time"),
        (lines(message(1), message(1, id="other")), 2, "seq 1 of store-319/till-3 has other content in line 1"),
        (json.dumps([message()]).encode(), 1, "the message is a list; it must be an object"),
        (b'{\n"specversion": "1.0",\n', 1, "truncated"),
        (b"<html>\n<p>502</p>\n", 1, "JSON"),
        (b"\xff\xfe{\x00}\x00", 1, "JSON"),
    ],
)
def test_a_problem_is_named_by_its_line_and_field(content: bytes, line: int, named: str) -> None:
    found = problems(content)

    assert [it for it, _ in found] == [line]
    assert named in found[0][1]


def test_the_partition_of_a_store_is_that_of_its_key() -> None:
    found = check_messages(split_messages(lines(message(1), message(2, subject="62"))), PARTITIONS, NOW_MS)

    assert [(it.store, it.partition) for it in found] == [
        (store, partition_of(store.encode(), PARTITIONS)) for store in ("319", "62")
    ]


def test_holes_and_missing_numbers_are_noted() -> None:
    bare = message()
    del bare["seq"]

    notes = sequence_notes(split_messages(lines(message(1), message(4), bare | {"source": "z"})))

    assert notes == ["z: 1 without seq; a lost one would not be noticed", "store-319/till-3: seq 1 to 4 lacks 2"]


def letter(number: int, value: bytes) -> DeadLetter:
    return DeadLetter(
        name=f"stock/0/{number}",
        cause="c",
        processor="inventory",
        topic="stock",
        partition=0,
        offset=number,
        recorded_ms=number,
        parked_ms=number,
        key=b"319",
        value=value,
    )


def test_the_newest_refusals_of_a_source_are_found() -> None:
    parked = [letter(number, lines(message(number))) for number in range(1, 9)]
    parked += [letter(9, lines(message(9, source="another"))), letter(10, b"{"), letter(11, b'{"source": 3}')]

    found = refusals_of(parked, "store-319/till-3", 5)

    assert [it.offset for it in found] == [8, 7, 6, 5, 4]


def test_refusals_of_a_till_are_those_by_way_of_a_journal_too() -> None:
    sources = ["till-3", "till-3/4f3a2b1c", "till-30", "till"]
    parked = [letter(number, lines(message(source=it))) for number, it in enumerate(sources, 1)]

    assert [it.offset for it in refusals_of(parked, "till-3", 5)] == [2, 1]


def test_the_command_says_what_is_valid_and_where_it_belongs(tmp_path: Path) -> None:
    file = tmp_path / "day.ndjson"
    file.write_bytes(lines(message(1), message(2, data={}), message(4)))

    shown, document = run("till", "check", str(file)), run("till", "check", str(file), "--json")

    home = partition_of(b"319", 4)
    assert shown.code == document.code == 5
    assert f"{file}:2: bopis.pos.sale.v1" in shown.out
    assert "2 of 3 messages valid" in shown.out
    assert f"store 319: 2 messages, partition {home} of 4 (key 319, murmur2)" in shown.out
    assert document.document["invalid"] == 1


@pytest.mark.parametrize("content", [None, b"", b" \n \n"])
def test_a_file_without_a_message_is_refused_by_a_sentence(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    if content is not None:
        file.write_bytes(content)

    answer = run("till", "check", str(file))

    assert answer.code == 5
    assert answer.err.startswith("Error: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seq": "5"}, "seq is text; it must be a whole number ($.seq)"),
        ({"seq": 1.5}, "seq is a number with decimals; it must be a whole number ($.seq)"),
        ({"seq": 0}, "seq is below 1 ($.seq)"),
        ({"subject": 319}, "subject is a whole number; it must be text ($.subject)"),
        ({"subject": ""}, "subject is empty ($.subject)"),
        ({"time": "2026-11-22T09:30:00"}, "time is no time with an offset"),
        ({"time": "yesterday"}, "time is no time with an offset"),
        ({"specversion": "0.3"}, "specversion is '0.3', which is not known here"),
        ({"data": []}, "is a list; it must be an object"),
        ({"data": {"basket": "b", "lines": None}}, "lines is empty; it must be a list ($.data.lines)"),
        ({"data": {"lines": [{"sku": "4011", "quantity": 1}]}}, "basket is missing ($.data)"),
        (
            {"data": {"basket": "b", "lines": [{"sku": 4011, "quantity": 1}]}},
            "sku of line 1 is a whole number; it must",
        ),
        ({"data": {"basket": "b", "lines": [{"sku": "4", "quantity": 1.5}]}}, "quantity of line 1 is a number with"),
        ({"subject": "3|9"}, "store code '3|9' may not contain '|'"),
        ({"time": "1970-01-01T00:00:00Z"}, "lies outside 2000 to 2100; set the device's clock"),
        ({"time": "2099-01-01T00:00:00Z"}, "is more than a day ahead of the log; set the device's clock"),
    ],
)
def test_a_vendor_reads_what_is_wrong_in_words_with_the_path(changes: dict[str, Any], said: str) -> None:
    [(line, problem)] = problems(lines(message() | changes))

    assert (line, said in problem) == (1, True), problem
    assert "Expected" not in problem


def test_text_in_another_encoding_is_named_without_words_of_python() -> None:
    content = json.dumps(message(1, subject="Cafe")).replace("Cafe", "Caf\u00e9").encode("latin-1")

    [(_, problem)] = problems(content)

    assert problem == "bopis.pos.sale.v1: the text is not UTF-8"
