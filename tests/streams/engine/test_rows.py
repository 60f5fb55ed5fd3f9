"""Rows and their agenda."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.rows import PartitionRows


def rows(decoded: list[str] | None = None) -> PartitionRows:
    def decode(key: str, value: bytes) -> Any:
        if decoded is not None:
            decoded.append(key)
        return [int(value)]

    return PartitionRows(decode, lambda key, row: str(row[0]).encode())


def test_a_recovered_row_is_decoded_when_first_asked_for_and_only_once() -> None:
    decoded: list[str] = []
    table = rows(decoded)
    table.load("a", b"1")
    table.load("b", b"2")

    assert decoded == []
    assert table.get("a") == [1]
    assert table.get("a") == [1]
    assert table.get("c") is None
    assert decoded == ["a"]


def test_changed_rows_leave_once_in_the_order_of_their_first_change() -> None:
    table = rows()
    table.load("old", b"5")
    table.put("b", [1])
    table.put("a", [2])
    table.put("b", [3])
    table.drop("old")
    table.drop("never there")

    assert table.touched == 3
    assert table.changes() == [(b"b", b"3"), (b"a", b"2"), (b"old", None)]
    assert table.changes() == []


def test_a_row_changed_in_place_counts_when_it_is_put_again() -> None:
    table = rows()
    table.load("a", b"1")
    row = table.get("a")
    assert row is not None
    row[0] += 1
    table.put("a", row)

    assert table.changes() == [(b"a", b"2")]


def test_due_rows_come_by_deadline_and_key_and_stay_due_until_they_are_dealt_with() -> None:
    table = rows()
    table.put_timed("c", [1], 20)
    table.put_timed("b", [1], 10)
    table.put_timed("a", [1], 20)
    table.put_timed("later", [1], 31)

    assert table.next_deadline() == 10
    assert table.due(30) == ["b", "a", "c"]
    assert table.due(30) == ["b", "a", "c"]

    table.drop("b")
    table.put_timed("a", [1], 40)

    assert table.due(30) == ["c"]
    assert table.next_deadline() == 20


def test_a_plain_put_keeps_the_deadline_and_a_recovered_row_brings_its_own() -> None:
    table = rows()
    table.load("a", b"50")
    table.load("plain", b"0")
    table.load_agenda(lambda key, value: int(value) or None)
    table.put("a", [7])

    assert table.due(49) == []
    assert table.due(50) == ["a"]
    assert list(table.items("pl")) == [("plain", [0])]


steps = st.lists(
    st.tuples(st.sampled_from(["put", "timed", "drop"]), st.sampled_from("abc"), st.integers(0, 20)), max_size=40
)


@settings(deadline=None)
@given(steps, st.integers(0, 20))
def test_the_agenda_agrees_with_a_plain_dictionary(done: list[tuple[str, str, int]], at: int) -> None:
    table, deadlines = rows(), {}
    for what, key, deadline in done:
        if what == "put":
            table.put(key, [deadline])
        elif what == "timed":
            table.put_timed(key, [deadline], deadline)
            deadlines[key] = deadline
        else:
            table.drop(key)
            deadlines.pop(key, None)
        if deadline % 3 == 0:
            table.due(deadline)

    assert table.due(at) == [key for when, key in sorted((when, key) for key, when in deadlines.items()) if when <= at]
    assert table.next_deadline() == min(deadlines.values(), default=None)


@pytest.mark.parametrize("times", [1, 3])
def test_the_same_deadline_set_again_is_due_once(times: int) -> None:
    table = rows()
    for _ in range(times):
        table.put_timed("a", [1], 5)

    assert table.due(5) == ["a"]
    assert table.due(5) == ["a"]


def test_recovered_rows_that_were_changed_in_place_leave_as_they_are_now() -> None:
    table = rows()
    table.load("a", b"1")
    table.load("b", b"2")
    changed = {"a": table.get("a")}
    changed["a"][0] = 7

    table.put_all(changed)

    assert table.changes() == [(b"a", b"7")]
    assert (table.get("a"), table.get("b"), len(table)) == ([7], [2], 2)
