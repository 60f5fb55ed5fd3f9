"""Tables to download: CSV and Parquet have the same rows, types are kept, and a page at a time is in memory."""

import csv
import io
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bopis.access.roles import Role
from bopis.adapters.errors import ParquetMissing
from bopis.adapters.parquet import DECIMAL_SCALE, Column, ColumnKind, ParquetTable, Row
from bopis.web.access.sessions import new_session
from bopis.web.exports import csv_cell, csv_lines
from bopis.web.pages.orders import COLUMNS
from tests.web.counter.world import World

KINDS = tuple(Column(it.value, it) for it in ColumnKind)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
rows = st.lists(
    st.tuples(
        st.text(max_size=20),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.decimals(-(10**13), 10**13, places=DECIMAL_SCALE),
        st.none() | instants,
    ),
    max_size=20,
)


def read(file: bytes) -> list[Row]:
    """The rows of a Parquet file."""
    table = pq.read_table(io.BytesIO(file))
    return [tuple(row[name] for name in table.column_names) for row in table.to_pylist()]


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def as_csv(table: list[Row]) -> list[list[str]]:
    """Rows as CSV has them."""
    return read_csv(csv_lines([csv_cell(it) for it in row] for row in table))


@settings(deadline=None, max_examples=50)  # the first call loads the package
@given(st.lists(rows, max_size=4))
def test_what_is_written_is_read_with_its_type(pages: list[list[Row]]) -> None:
    table = ParquetTable(KINDS)

    file = b"".join([*(table.group(it) for it in pages), table.end()])

    assert read(file) == [row for page in pages for row in page]
    groups = pq.ParquetFile(io.BytesIO(file)).metadata.num_row_groups
    assert groups == sum(bool(page) for page in pages)


def test_the_types_are_those_of_the_columns() -> None:
    table = ParquetTable(KINDS)
    schema = pq.read_schema(io.BytesIO(table.group([]) + table.end()))

    assert [str(it) for it in schema.types] == ["string", "int64", "decimal128(18, 4)", "timestamp[us, tz=UTC]"]


def test_each_group_leaves_before_the_next_is_made() -> None:
    table = ParquetTable(KINDS)
    at = datetime(2026, 11, 30, tzinfo=UTC)
    page: list[Row] = [(f"row {n}", n, Decimal(n), at + timedelta(seconds=n)) for n in range(2_000)]

    parts = [table.group(page) for _ in range(3)]

    assert all(len(it) > 10_000 for it in parts)
    assert len(read(b"".join(parts) + table.end())) == 6_000


async def test_the_orders_are_the_same_in_both_files(world: World) -> None:
    numbers = {world.place(("A", 2), key="k1"), world.place(("A", 1), ("MUG", 1), key="k2")}
    async with world.browser(new_session("hq", Role.HQ_VIEWER)) as client:
        text = await client.get("/orders.csv")
        file = await client.get("/orders.parquet")
        few = await client.get("/orders.parquet", params={"number": next(iter(numbers))})
        refused = await client.get("/orders.parquet", params={"state": "nowhere"})

    found = read(file.content)
    header, *lines = read_csv(text.text)
    assert header == [it.name for it in COLUMNS]
    assert lines == as_csv(found)
    assert {row[0] for row in found} == numbers
    assert all(isinstance(row[6], datetime) and row[6].utcoffset() == timedelta() for row in found)
    assert len(read(few.content)) == 1
    assert refused.status_code == 400
    assert '.parquet"' in file.headers["content-disposition"]


async def test_without_the_package_csv_is_answered_and_parquet_says_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.place()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    async with world.browser(new_session("hq", Role.HQ_VIEWER)) as client:
        text = await client.get("/orders.csv")
        answer = await client.get("/orders.parquet")

    assert text.status_code == 200
    assert (answer.status_code, answer.headers["content-type"]) == (501, "application/problem+json")
    assert answer.json()["code"] == "parquet-missing"
    assert "pip install bopis[parquet]" in answer.json()["detail"]
    with pytest.raises(ParquetMissing):
        ParquetTable(KINDS)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    return World(tmp_path)
