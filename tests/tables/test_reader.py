"""The one reader of tables: every dialect that people send, and a sentence for every file that is no table."""

import gzip
import json
import lzma
from datetime import date, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bopis.errors import INVALID_INPUT, BopisError
from bopis.tables.errors import NotATable, TableEmpty, TableError, TableUnreadable, TableWithoutRows
from bopis.tables.header import ColumnNames, column_names
from bopis.tables.reader import Header, read_table
from bopis.tables.rows import TableRow
from bopis.tables.source import TableFile
from tests.tables.workbooks import workbook

TEXT = 'sku{0}name\nMILK{0}"Milch{0} süß 2 €"\nTEA{0}Tee\n'
READ = [{"sku": "MILK", "name": "Milch{0} süß 2 €"}, {"sku": "TEA", "name": "Tee"}]
FROM_HEAD = [
    b"PK\x03\x04", b"%PDF-1.4\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"\xff\xfe",
    b"\xfe\xff", b"\xef\xbb\xbf", b"sku,name\n", b"sep=;\n", b'{"sku":', b"[{", b"<html>", b'"', b"sku;name\n\x00",
]  # fmt: skip


def rows_of(path: Path, content: bytes, encoding: str | None = None, header: Header | None = None) -> list[TableRow]:
    """The rows of a file with this content."""
    path.write_bytes(content)
    file = TableFile(str(path), encoding)
    try:
        file.settle_encoding()
        return list(read_table(file, header or Header()).rows)
    finally:
        file.close()


def is_read_or_refused(path: Path, content: bytes, encoding: str | None = None) -> bool:
    """Whether a file gives rows, each with fields or with a cause, or is refused as an invalid one by a sentence."""
    try:
        rows = rows_of(path, content, encoding)
    except BopisError as error:
        return error.exit_code == INVALID_INPUT and str(error).endswith(".")
    return bool(rows) and all(row.cause or row.fields or row.text == "{}" for row in rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("first", ["", "sep={0}\n"], ids=["", "sep"])
def test_every_delimiter_and_encoding_of_spreadsheets_is_read__o2_06(
    tmp_path: Path, delimiter: str, encoding: str, first: str
) -> None:
    text = (first + TEXT).format(delimiter).replace("\n", "\r\n")

    rows = rows_of(tmp_path / "e.csv", text.encode(encoding))

    assert [row.fields for row in rows] == [{name: it.format(delimiter) for name, it in row.items()} for row in READ]
    assert [row.line for row in rows] == ([3, 4] if first else [2, 3])


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("o2-08-empty.csv", b"", TableEmpty, "is empty"),
        ("o2-08-blank.csv", b"\r\n \r\n\x1a", TableEmpty, "is empty"),
        ("o2-08-header.csv", b"store_id,name\n", TableWithoutRows, "no row below"),
        ("o2-08-header.csv", b"store_id;name\r\n;\r\n\x1a", TableWithoutRows, "no row below"),
        ("o2-08-array.json", b'[{"store_id": "1"}]', NotATable, "a JSON array"),
        ("o2-08-array.csv", b" [\n {}\n]", NotATable, "a JSON array"),
        ("o2-08-object.json", b'{\n "stores": [\n {}]}', NotATable, "one JSON object over several lines"),
        ("o2-08-renamed.csv", workbook([["store_id"], ["1"]]), NotATable, "under the name of a .csv"),
        ("o2-08-archive.xlsx", b"PK\x03\x04" + bytes(40), TableUnreadable, "damaged"),
        ("o2-08-page.csv", b"<!DOCTYPE html><html><form>Log in</form>", NotATable, "a web page"),
        ("o2-08-page.xls", b"\xef\xbb\xbf <table><tr><td>1</td></tr></table>", NotATable, "a web page"),
        ("o2-08-xml.csv", b"<?xml version='1.0'?><a/>", NotATable, "is XML"),
        ("o2-08-old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), NotATable, r"old Excel workbook \(.xls\)"),
        ("o2-08-paper.pdf", b"%PDF-1.7\n1 0 obj", NotATable, "a PDF document"),
        ("o2-08-bytes.csv", bytes(range(32)) * 9, NotATable, "binary"),
        ("o2-08-cut.csv.gz", gzip.compress(b"store_id\n1\n" * 99, mtime=0)[:-9], TableUnreadable, "cannot be read"),
        ("o2-08-empty.csv.xz", lzma.compress(b""), TableEmpty, "is empty"),
        ("o2-08-blank.xlsx", workbook([]), TableEmpty, "is empty"),
        ("o2-08-header.xlsx", workbook([["store_id"]]), TableWithoutRows, "no row below"),
        ("o2-08-cut.xlsx", workbook([["store_id"], ["1"]])[:-200], TableUnreadable, "damaged"),
    ],
)
def test_a_file_that_holds_nothing_readable_is_refused(
    tmp_path: Path, name: str, content: bytes, error: type[TableError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        rows_of(tmp_path / name, content)

    assert caught.value.exit_code == INVALID_INPUT


def test_cells_of_a_workbook_are_the_text_that_they_show(tmp_path: Path) -> None:
    cells = [
        4006381333931,
        42,
        0.35499999999999998,
        2.0,
        date(2026, 12, 24),
        time(17, 0),
        datetime(2026, 1, 2, 3, 4, 5),
    ]
    content = workbook([[], [*"abcdefg", None], cells, [], ["x", "#N/A"]], {"B3": "00000"})

    read, wrong = rows_of(tmp_path / "e.xlsx", content)

    expected = ["4006381333931", "00042", "0.355", "2", "2026-12-24", "17:00", "2026-01-02 03:04:05"]
    assert (read.line, list(read.fields.values())) == (3, expected)
    assert (wrong.line, wrong.cause) == (5, "cell B5 has the error #N/A")


def test_a_row_with_another_number_of_fields_is_named_with_its_line(tmp_path: Path) -> None:
    text = b'sku,name,,\nA,Apples, red\nB,"Bread, white",,\nC\n"D,open\nE,Eggs,,\n'

    rows = rows_of(tmp_path / "e.csv", text)

    causes = {row.line: row.cause for row in rows if row.cause}
    assert causes[2] == "3 fields, but the header has 2: quote a value that contains ','"
    assert causes[4] == "1 fields, but the header has 2"
    assert "never closed" in causes[5]
    assert [row.fields["sku"] for row in rows if not row.cause] == ["B", "E"]


def test_objects_have_each_name_once_and_plain_values(tmp_path: Path) -> None:
    lines = ['{"sku": "A", "closed": true, "name": null}', '{"sku": "A", "sku": "B"}', '{"sku": ["A"]}', '["sku"]']

    plain, twice, nested, array = rows_of(tmp_path / "e.ndjson", "\n".join(lines).encode())

    assert plain.fields == {"sku": "A", "closed": "true", "name": ""}
    assert twice.cause == "field 'sku' occurs twice"
    assert nested.nested == ("sku",)
    assert array.cause.startswith("line 4 is not a JSON object")


def test_a_file_without_a_header_keeps_its_first_row(tmp_path: Path) -> None:
    text = b"2016-10-30,Bread\n2016-10-30,Tea\n"

    named = rows_of(tmp_path / "e.csv", text, header=Header(False, ("date", "item")))
    numbered = rows_of(tmp_path / "e.csv", text, header=Header(False))

    assert [row.fields["item"] for row in named] == ["Bread", "Tea"]
    assert [row.fields["c2"] for row in numbered] == ["Bread", "Tea"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("store_id,timezone", "column 'timezone' is unknown (did you mean time_zone?)"),
        ("store_id,hours", "column 'hours' is unknown (did you mean opening_hours?)"),
        ("store_id,openning_hours", "(did you mean opening_hours?)"),
        ("store_id,colour", "column 'colour' is unknown;"),
        ("Store ID,name", "column 'store_id' is missing"),
        ("store_id,name,NAME", "column 'name' occurs 2 times (places 2 and 3)"),
        ("store_id,,name", "column 2 has no name"),
    ],
)
def test_columns_are_named_with_the_nearest_known_one__o2_04(header: str, words: str) -> None:
    known = ColumnNames(("store_id", "name", "time_zone", "opening_hours"), ("store_id",))

    with pytest.raises(TableError) as caught:
        column_names("stores.csv", header.split(","), known)

    assert words in str(caught.value).replace(". Nothing", "; Nothing")
    assert column_names("stores.csv", ["STORE_ID", "x"], known._replace(ignored=frozenset("X"))) == ["store_id", ""]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.builds(bytes.__add__, st.sampled_from([b"", *FROM_HEAD]), st.binary(max_size=400)),
    suffix=st.sampled_from([".csv", ".xlsx", ".json", ".gz", ""]),
    encoding=st.sampled_from([None, None, "utf-8", "utf-16", "cp1252", "utf-7"]),
)
def test_any_bytes_are_read_or_refused_by_a_sentence(
    tmp_path: Path, content: bytes, suffix: str, encoding: str | None
) -> None:
    assert is_read_or_refused(tmp_path / f"any{suffix}", content, encoding)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    place=st.integers(min_value=0),
    noise=st.binary(min_size=1, max_size=8),
    kind=st.sampled_from([".csv", ".xlsx", ".ndjson", ".gz"]),
)
def test_a_damaged_file_is_read_or_refused_by_a_sentence(tmp_path: Path, place: int, noise: bytes, kind: str) -> None:
    rows = [["sku", "name"], ["MILK", 4006381333931], ["TEA", date(2026, 1, 2)]]
    text = "\n".join(",".join(map(str, row)) for row in rows).encode()
    objects = "\n".join(json.dumps({"sku": str(row[0])}) for row in rows).encode()
    contents = {".csv": text, ".xlsx": workbook(rows), ".ndjson": objects, ".gz": gzip.compress(text, mtime=0)}
    content = contents[kind]
    at = place % len(content)

    assert is_read_or_refused(tmp_path / f"damaged{kind}", content[:at] + noise + content[at + len(noise) :])


@given(
    table=st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_table_that_was_written_is_the_table_that_is_read(
    tmp_path: Path, table: list[list[str]], delimiter: str, encoding: str
) -> None:
    quoted = [[cell.replace('"', '""') for cell in row] for row in [["one", "two"], *table]]
    text = "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in quoted)
    meant = [row for row in table if any(cell.strip("\r\n \t\ufeff\x1a") for cell in row)]

    try:
        rows = rows_of(tmp_path / "e.csv", text.encode(encoding))
    except TableWithoutRows:
        assert not meant
    else:
        assert [list(row.fields.values()) for row in rows] == meant
