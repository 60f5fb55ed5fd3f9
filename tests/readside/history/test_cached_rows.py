"""Rows of the second fold: fetched once, due by what is stored and by what has changed since."""

import msgspec

from bopis.domain.inventory.rows import Hold
from bopis.readside.history.cached_rows import CachedRows


class FakeRowStore:
    """Rows by key with the time they are due, as a table has them."""

    def __init__(self, **rows: Hold) -> None:
        self.rows = {key.replace("_", "|"): row for key, row in rows.items()}

    def fetch(self, keys: list[str]) -> list[tuple[str, bytes]]:
        return [(key, msgspec.msgpack.encode(self.rows[key])) for key in keys if key in self.rows]

    def due(self, at_ms: int) -> list[tuple[int, str]]:
        return [(row.due_ms, key) for key, row in self.rows.items() if row.due_ms <= at_ms]


def _timed(due_ms: int) -> Hold:
    return Hold(order="o", digest=1, granted_ms=0, until_ms=due_ms, due_ms=due_ms)


def test_what_is_due_is_told_in_order_from_the_table_and_from_what_changed_since() -> None:
    rows = CachedRows()
    rows.row_store = FakeRowStore(**{"@hold_S1_a": _timed(5), "@hold_S1_b": _timed(6), "@hold_S1_c": _timed(7)})

    rows.put_timed("@hold|S1|a", _timed(50), 50)
    rows.drop("@hold|S1|b")
    rows.put_timed("@hold|S1|e", _timed(3), 3)
    rows.put_timed("@hold|S1|d", _timed(3), 3)

    assert rows.due(10) == ["@hold|S1|d", "@hold|S1|e", "@hold|S1|c"]
    assert rows.changes()[1] == ["@hold|S1|b"]


def test_rows_that_are_not_there_are_asked_for_once() -> None:
    rows, asked = CachedRows(), []
    row_store = FakeRowStore()
    rows.row_store = row_store
    row_store.fetch = lambda keys: asked.append(keys) or []  # type: ignore[func-returns-value,method-assign]

    rows.prefetch(["S1|A", "S1|B"])
    found = [rows.get("S1|A"), rows.get("S1|B"), rows.get("S1|C"), rows.get("S1|C")]

    assert found == [None] * 4
    assert asked == [["S1|A", "S1|B"], ["S1|C"]]
