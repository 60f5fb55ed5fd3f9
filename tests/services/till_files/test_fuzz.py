"""Damaged files: no crash, and every row is in a basket, no stock, repeated or rejected, once. None vanishes."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bopis.errors import BopisError
from bopis.services.till_files.baskets import ReadBasket, reports
from bopis.services.till_files.facts import NotStock, Rejected, Repeated
from bopis.services.till_files.mapping_file import parse_mapping, read_mapping
from bopis.services.till_files.reader import TillFact, read_till_file
from bopis.tables.rows import csv_rows
from bopis.tables.source import TableFile

TILLS = Path(__file__).parent / "tills"
MUTATIONS = 60
BLANK = "\r\n \t\ufeff\x1a"
SOAK_LINES = 1_000_000
FILES = sorted(it.name for it in TILLS.iterdir() if it.suffix in (".csv", ".txt", ".ndjson", ".xml", ".edi"))
PIECES = (
    *(bytes([it]) for it in b"\"'\n\r\0\xff,;+?<>&-[\t\x1a"),
    *(b"]]>", b"1e9", b"{}", b"0.5", b"9" * 20, b"NaN", b"true", b"null", b"<!DOCTYPE a>", b"UNH+1'", b"\xe2\x80\x8b"),
)


def mapping_of(name: str) -> str:
    stem = "overlap-1" if name.startswith("overlap") else Path(name).stem
    return str(TILLS / "mappings" / f"{stem}.toml")


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with one to six changes of bytes, pieces or whole lines."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(found) + 1)
        end = min(len(found), at + chance.choice((1, 2, 10, 200)))
        match chance.randrange(6):
            case 0:
                found[at:at] = chance.choice(PIECES)
            case 1:
                del found[at:end]
            case 2:
                found[at:at] = found[at:end]
            case 3 if at < len(found):
                found[at] = chance.randrange(256)
            case 4:
                lines = bytes(found).splitlines(keepends=True)
                chance.shuffle(lines)
                found = bytearray(b"".join(lines))
            case _:
                found[at:end] = chance.choice(PIECES) * chance.randint(1, 3)
    return bytes(found) or b"x"


def labels(facts: list[TillFact]) -> Counter[str]:
    """How often each row occurs in the facts: of a basket that was rejected in part its lines, of others the record."""
    found: Counter[str] = Counter()
    for it in facts:
        if isinstance(it, NotStock | Rejected | Repeated):
            found[it.line] += 1
        elif isinstance(it, ReadBasket):
            found.update(line.line for line in it.lines)
    return found


def rows_of_table(file: Path) -> Callable[[Counter[str]], bool]:
    """The rows of a table by the reader of all tables, which has tests of its own."""
    text = TableFile(str(file), "cp1252" if "caisse" in file.name else "iso-8859-1" if "toast" in file.name else None)
    lines = ((number, line) for number, line in enumerate(text.lines(), start=1))
    delimiter = ";" if "caisse" in file.name else "\t" if "excel" in file.name else ","
    rows = [
        row
        for row in csv_rows(lines, delimiter)
        if row.cause or any(it.strip("\r\n \t\ufeff\x1a") for it in row.values)
    ]
    return lambda found: found.keys() <= {str(row.line) for row in rows} and len(found) >= len(rows) - 6


def rows_of_journal(file: Path) -> Callable[[Counter[str]], bool]:
    lines = file.read_bytes().split(b"\n")
    whole = {str(number) for number, line in enumerate(lines[:-1], start=1) if line.strip(b" \t\r\n\x1a")}
    return lambda found: {it.partition("#")[0] for it in found} == whole


def rows_of_poslog(file: Path) -> Callable[[Counter[str]], bool]:
    root = ElementTree.fromstring(file.read_bytes())
    count = sum(it.tag.rpartition("}")[2] == "Transaction" for it in root)
    return lambda found: {it.partition(".")[0] for it in found} == {str(number) for number in range(1, count + 1)}


def checked(file: Path) -> int:
    """Read a file and check that nothing vanished; returns the number of rows. A refused file has none."""
    facts: list[TillFact] = []
    try:
        facts.extend(read_till_file(file, read_mapping(mapping_of(file.name))))
    except BopisError:
        return 0
    found = labels(facts)
    assert not found or max(found.values()) == 1, found.most_common(3)
    for it in facts:
        if isinstance(it, ReadBasket):
            reports(it)
    match file.suffix:
        case ".csv" | ".txt":
            assert rows_of_table(file)(found)
        case ".ndjson":
            assert rows_of_journal(file)(found)
        case ".xml":
            assert rows_of_poslog(file)(found)
        case ".edi":
            assert len(found) <= len(re.findall(rb"QTY", file.read_bytes())) + 2
    return sum(found.values())


def damaged(name: str, seed: int, folder: Path) -> Iterator[Path]:
    """The file with other damage each time."""
    content, chance = (TILLS / name).read_bytes(), random.Random(f"{name} {seed}")
    file = folder / name
    while True:
        file.write_bytes(mutated(content, chance))
        yield file


@pytest.mark.parametrize("name", FILES)
def test_no_row_of_a_damaged_file_vanishes(name: str, tmp_path: Path) -> None:
    files = damaged(name, 1, tmp_path)

    for _ in range(MUTATIONS):
        checked(next(files))


@pytest.mark.soak
@pytest.mark.parametrize("name", FILES)
def test_no_row_of_a_million_damaged_lines_vanishes(name: str, tmp_path: Path) -> None:
    files, rows, refused = damaged(name, 2, tmp_path), 0, 0

    while rows < SOAK_LINES // len(FILES) and refused < SOAK_LINES // len(FILES):
        read = checked(next(files))
        rows += read
        refused += not read

    assert rows or refused


@pytest.mark.parametrize("table", ["index.xml", "lines.csv", "transactions.csv"])
def test_no_line_of_a_damaged_german_export_vanishes(table: str, tmp_path: Path) -> None:
    shutil.copytree(TILLS / "dsfinvk", tmp_path / "dsfinvk")
    mapping = read_mapping(mapping_of("dsfinvk"))
    content, chance = (TILLS / "dsfinvk" / table).read_bytes(), random.Random(table)

    for _ in range(MUTATIONS):
        (tmp_path / "dsfinvk" / table).write_bytes(mutated(content, chance))
        try:
            found = labels(list(read_till_file(tmp_path / "dsfinvk", mapping)))
        except BopisError:
            continue
        assert not found or max(found.values()) == 1
        if table == "transactions.csv":
            assert found.keys() == {str(line) for line in range(2, 22)}


# Control characters are left out: a file with many of them is refused, because it is no text.
CELLS = st.text(st.characters(exclude_characters='",', exclude_categories=("Cs", "Cc")), max_size=12)
LIKELY = st.sampled_from(
    ["1", "2.0", "-3", "A-1", "2026-05-01T10:00", "2026-05-01 10:00:00", "R1", "R2", "", "sale", "return"]
)
ROWS = st.lists(st.lists(st.one_of(LIKELY, CELLS), min_size=1, max_size=7), max_size=20)
MAPPING = parse_mapping(
    """
name = "any"
kind = "csv"
[columns]
store = "store"
basket = "ticket"
sku = "sku"
quantity = "qty"
sold_at = "at"
[time]
zone = "Europe/Berlin"
formats = ["iso"]
[direction]
column = "type"
out = ["sale", ""]
in = ["return"]
[returns]
condition = "damaged"
[carry_down]
columns = ["store", "ticket", "at"]
while_blank = "ticket"
""",
    "any",
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_each_row_of_any_table_is_in_one_fact(rows: list[list[str]], tmp_path: Path) -> None:
    file = tmp_path / "any.csv"
    text = "\n".join(["store,ticket,sku,qty,at,type", *(",".join(row) for row in rows)])
    file.write_bytes((text + "\n").encode())
    # A form feed and the like end no line of a file, and a row of blanks says nothing.
    expected = {str(number) for number, row in enumerate(rows, start=2) if any(it.strip(BLANK) for it in row)}

    found = labels(list(read_till_file(file, MAPPING)))

    assert found.keys() == expected
    assert not found or max(found.values()) == 1
