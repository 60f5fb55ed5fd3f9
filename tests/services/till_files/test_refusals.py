"""Files that are refused as a whole, mappings that are not valid, and words that nobody stated."""

import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from bopis.services.till_files.baskets import ReadBasket
from bopis.services.till_files.errors import MappingInvalid, MappingUnknown, TillFileRefused
from bopis.services.till_files.facts import NotStock, ReadTo, Rejected
from bopis.services.till_files.mapping_file import parse_mapping, read_mapping, shipped_names, shipped_text
from bopis.services.till_files.reader import Position, read_till_file
from bopis.tables.errors import TableError

TILLS = Path(__file__).parent / "tills"
PLAIN = """
name = "plain"
kind = "csv"
store = "1"
[columns]
basket = "ticket"
sku = "sku"
quantity = "qty"
sold_at = "at"
[time]
zone = "Europe/Berlin"
"""
HEADER = "ticket,sku,qty,at,type\n"


def mapped(name: str) -> str:
    return str(TILLS / "mappings" / name)


def refused(file: Path, mapping: str) -> str:
    with pytest.raises((TillFileRefused, TableError)) as caught:
        list(read_till_file(file, read_mapping(mapping)))
    return str(caught.value)


@pytest.mark.parametrize("name", ["poslog-ncr-acs-2.1", "poslog-wincor-2.2", "poslog-r10-6.0"])
def test_nothing_of_a_poslog_that_ends_too_early_is_booked(tmp_path: Path, name: str) -> None:
    content = (TILLS / f"{name}.xml").read_bytes()
    file = tmp_path / "cut.xml"
    file.write_bytes(content[: len(content) // 2])
    given = []

    with pytest.raises(TillFileRefused, match="not well-formed"):
        given.extend(read_till_file(file, read_mapping(mapped(f"{name}.toml"))))

    assert given == []


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE POSLog [<!ENTITY a "aaaa">]>',
        b'<!DOCTYPE POSLog [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        b"<!DOCTYPE POSLog [<!ENTITY % a \"<!ENTITY b 'c'>\"> %a;]>",
        b'<!DOCTYPE POSLog SYSTEM "poslog.dtd">',
    ],
)
def test_entities_are_refused(tmp_path: Path, doctype: bytes) -> None:
    content = (TILLS / "poslog-ncr-acs-2.1.xml").read_bytes()
    file = tmp_path / "entities.xml"
    file.write_bytes(doctype + content.replace(b"SOAP LAVENDER", b"&a;"))

    assert "entities" in refused(file, mapped("poslog-ncr-acs-2.1.toml"))


def test_a_doctype_alone_is_fine_and_is_not_fetched(tmp_path: Path) -> None:
    content = (TILLS / "poslog-ncr-acs-2.1.xml").read_bytes()
    file = tmp_path / "doctype.xml"
    file.write_bytes(b'<!DOCTYPE POSLog SYSTEM "http://127.0.0.1:1/poslog.dtd">' + content)

    facts = list(read_till_file(file, read_mapping(mapped("poslog-ncr-acs-2.1.toml"))))

    assert sum(isinstance(it, ReadBasket) and bool(it.lines) for it in facts) == 6


@pytest.mark.parametrize("length", [60, 200, 700, 850])
def test_nothing_of_an_interchange_that_ends_too_early_is_booked(tmp_path: Path, length: int) -> None:
    content = (TILLS / "slsrpt-d96a.edi").read_bytes()
    file = tmp_path / "cut.edi"
    file.write_bytes(content[:length])

    assert "ends within" in refused(file, mapped("slsrpt-d96a.toml"))


def test_a_message_with_a_wrong_count_of_segments_is_one_reject(tmp_path: Path) -> None:
    content = (TILLS / "slsrpt-d96a.edi").read_bytes()
    file = tmp_path / "lost.edi"
    file.write_bytes(content.replace(b"QTY+153:4'", b""))

    facts = list(read_till_file(file, read_mapping(mapped("slsrpt-d96a.toml"))))

    assert [(it.line, "a part is missing" in it.cause) for it in facts if isinstance(it, Rejected)] == [("2", True)]
    assert not any(isinstance(it, ReadBasket) for it in facts)


@pytest.mark.parametrize("missing", ["index.xml", "lines.csv", "transactions.csv"])
def test_an_export_without_one_of_its_files_is_refused(tmp_path: Path, missing: str) -> None:
    for it in (TILLS / "dsfinvk").iterdir():
        if it.name != missing:
            (tmp_path / it.name).write_bytes(it.read_bytes())

    assert missing in refused(tmp_path, mapped("dsfinvk.toml"))


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_text("ticket,SKU code,qty,at\n1,A,1,2026-01-01T10:00\n", encoding="utf-8")
    (tmp_path / "m.toml").write_text(PLAIN, encoding="utf-8")

    text = refused(file, str(tmp_path / "m.toml"))

    assert "no column 'sku' (did you mean 'SKU code'?)" in text
    assert "Nothing of it is booked" in text


def facts_of(tmp_path: Path, rows: str, more: str = "", encoding: str = "utf-8") -> list[object]:
    file = tmp_path / "s.csv"
    file.write_bytes((HEADER + rows).encode(encoding))
    return list(read_till_file(file, parse_mapping(PLAIN + more, "m")))


def causes(facts: list[object]) -> list[str]:
    return [it.cause for it in facts if isinstance(it, Rejected)]


def test_bytes_of_another_encoding_reject_their_row_because_rules_could_not_recognise_it(tmp_path: Path) -> None:
    rule = '[[not_stock]]\ncolumn = "type"\nin = ["Übung"]\nwhy = "training"\n'

    facts = facts_of(tmp_path, "1,A,1,2026-01-01T10:00,Übung\n", rule, "latin-1")

    assert "state layout.encoding" in causes(facts)[0]
    assert [
        it.why for it in facts_of(tmp_path, "1,A,1,2026-01-01T10:00,Übung\n", rule) if isinstance(it, NotStock)
    ] == ["training"]


@pytest.mark.parametrize(
    ("row", "more", "cause"),
    [
        ("1,A,-1,2026-01-01T10:00,", "", "no condition of returned goods"),
        ('1,A,"1,000",2026-01-01T10:00,', "", "state numbers.decimal"),
        ("1,A,1-,2026-01-01T10:00,", "", "state numbers.negative = ['1-']"),
        ("1,A,1e400,2026-01-01T10:00,", "", "not a number that can be booked"),
        ("1,A,NaN,2026-01-01T10:00,", "", "not a number"),
        ("1,A,99999999999,2026-01-01T10:00,", "", "beyond 10000000"),
        ("1,A,1,01/02/2026 10:00,", "", "not of the form iso"),
        ("1,A,1,1999-01-01T10:00,", "", "outside 2000 to 2100"),
        ("1.3E+18,A,1,2026-01-01T10:00,", "", "was rounded by a spreadsheet"),
        (",A,1,2026-01-01T10:00,", "", "no basket"),
        ("1,A\u200b,1,2026-01-01T10:00,", "", "cannot be printed"),
        (
            "1,A,1,2026-01-01T10:00,odd",
            '[[words]]\ncolumn = "type"\nknown = ["S"]\n',
            "'odd' is not known; add it to words",
        ),
    ],
)
def test_a_row_that_is_not_sure_is_rejected_with_what_to_do(tmp_path: Path, row: str, more: str, cause: str) -> None:
    found = causes(facts_of(tmp_path, row + "\n", more))

    assert len(found) == 1
    assert cause in found[0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("sku =", "skuu ="), "columns.skuu is unknown (did you mean sku?)"),
        (('kind = "csv"', 'kind = "cvs"'), "cvs"),
        (("[time]", "[tiem]"), "tiem is unknown (did you mean time?)"),
        (('zone = "Europe/Berlin"', 'zone = "Berlin"'), "'Berlin' is no time zone"),
        (('zone = "Europe/Berlin"', 'formats = ["%d.%m.%Y"]'), "has no hour; state time.time_of_day"),
        (('zone = "Europe/Berlin"', 'formats = ["%d.%m.%Y %H:%M %Z"]'), "abbreviations such as EST are not unique"),
        (('store = "1"', ""), "no store is stated"),
        (('qty"', 'qty"\nzone = "tz"'), "columns.zone and time.zones belong together"),
        (('"qty"', '{ first_off = ["qty"] }'), "unknown key 'first_off' (did you mean first_of?)"),
        (('"qty"', '{ product = "qty" }'), "product that is no list"),
        (("[time]", '[direction]\ncolumn = "type"\nout = ["S"]\nin = ["R"]\n[time]'), "[returns] is missing"),
        (("[time]", '[[not_stock]]\ncolumn = "type"\nwhy = "x"\n[time]'), "compares its column with nothing"),
        (("[time]", '[[not_stock]]\nin = ["a"]\nwhy = "x"\n[time]'), "needs a column"),
        (("[time]", '[[not_stock]]\ncolumn = "type"\nmatches = "("\nwhy = "x"\n[time]'), "no regular expression"),
        (("[time]", '[layout]\nencoding = "utf-9"\n[time]'), "'utf-9' is unknown"),
        (("[time]", "[units.skus]\nA = 0\n[time]"), "is no factor"),
        (("[time]", '[carry_down]\ncolumns = ["ticket"]\n[time]'), "needs while_same or while_blank"),
        (('name = "plain"', 'extends = "squar-items"'), "did you mean square-items?"),
        (('name = "plain"', "name = "), "no TOML"),
    ],
)
def test_an_error_in_a_mapping_is_named_with_what_to_do(change: tuple[str, str], problem: str) -> None:
    with pytest.raises((MappingInvalid, MappingUnknown)) as caught:
        parse_mapping(PLAIN.replace(*change), "m")

    assert problem in str(caught.value)


def test_every_shipped_mapping_is_valid_and_states_its_doubts() -> None:
    assert len(shipped_names()) == 16
    for name in shipped_names():
        mapping = parse_mapping(shipped_text(name), name)
        assert mapping.about, name
        assert mapping.doubts or name == "journal", name


def test_a_journal_is_read_on_from_the_line_that_was_not_finished(tmp_path: Path) -> None:
    content = (TILLS / "journal.ndjson").read_bytes()
    mapping = read_mapping(mapped("journal.toml"))
    whole = tmp_path / "whole.ndjson"
    whole.write_bytes(content.rsplit(b"\n", 1)[0] + b"\n")
    expected = [it for it in read_till_file(whole, mapping) if isinstance(it, ReadBasket)]
    file = tmp_path / "growing.ndjson"
    found: list[ReadBasket] = []
    start = Position()

    for size in (100, 300, 323, 700, 701, len(content)):
        file.write_bytes(content[:size])
        for it in read_till_file(file, mapping, start):
            if isinstance(it, ReadBasket):
                found.append(it)
            elif isinstance(it, ReadTo):
                start = Position(it.offset, it.line)

    assert [(it.key, it.fingerprint, it.first_line, it.end) for it in found] == [
        (it.key, it.fingerprint, it.first_line, it.end) for it in expected
    ]


def test_the_order_of_lines_and_zeros_do_not_change_the_meaning_of_a_basket(tmp_path: Path) -> None:
    rows = ["7,A,1,2026-01-01T10:00,", "7,B,4,2026-01-01T10:00,", "7,C,0,2026-01-01T10:00,"]
    found = set()
    for order in itertools.permutations(rows):
        facts = facts_of(tmp_path, "\n".join(order).replace(",4,", ",4.000,") + "\n")
        found |= {(it.key, it.fingerprint) for it in facts if isinstance(it, ReadBasket)}

    assert len(found) == 1


def test_a_file_that_was_appended_to_itself_counts_once(tmp_path: Path) -> None:
    rows = "1,A,1,2026-01-01T10:00,\n1,A,1,2026-01-01T10:00,\n2,B,1,2026-01-01T10:05,\n"

    facts = facts_of(tmp_path, rows + rows)

    baskets = {it.basket: Counter(line.sku for line in it.lines) for it in facts if isinstance(it, ReadBasket)}
    assert baskets == {"1": {"A": 2}, "2": {"B": 1}}


@pytest.mark.parametrize("broken", ["2,A,1,2026-01-01T10:00,x,too many", '2,"A,1,2026-01-01T10:00,'])
@pytest.mark.parametrize("way", ['while_blank = "ticket"', 'while_same = "ticket"'])
def test_further_rows_of_an_order_are_not_taken_for_another_when_its_first_row_cannot_be_read(
    tmp_path: Path, broken: str, way: str
) -> None:
    more = f'[carry_down]\ncolumns = ["ticket", "at"]\n{way}\n'
    blank = ",B,2,,\n" if "blank" in way else "2,B,2,,\n"

    facts = facts_of(tmp_path, f"1,A,1,2026-01-01T10:00,\n{broken}\n{blank}", more)

    assert {it.basket: len(it.lines) for it in facts if isinstance(it, ReadBasket)} == {"1": 1}
    assert [it.line for it in facts if isinstance(it, Rejected)] == ["3", "4"]


@pytest.mark.parametrize("flag", ["CancelFlag", "TrainingModeFlag", "SuspendFlag"])
def test_a_flag_of_a_poslog_for_which_there_is_no_rule_rejects_its_transaction(tmp_path: Path, flag: str) -> None:
    content = (TILLS / "poslog-r10-6.0.xml").read_text(encoding="utf-8")
    file = tmp_path / "flags.xml"
    bare = re.sub(' (Cancel|TrainingMode)Flag="true"', "", content)
    file.write_text(bare.replace("<Transaction ", f'<Transaction {flag}="1" '), encoding="utf-8")
    mapping = parse_mapping('extends = "poslog-r10"\nname = "r10"\nnot_stock = []\n', "m")

    facts = list(read_till_file(file, mapping))

    assert [it.line for it in facts if isinstance(it, Rejected) and "add a rule" in it.cause] == list("1234567")
    assert not any(isinstance(it, ReadBasket) for it in facts)
