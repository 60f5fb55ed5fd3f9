"""Files that people import, as they really are, on a running installation."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Answer, Installation
from tests.tables.workbooks import workbook

FULL = (
    "store_id,name,city,time_zone,opening_hours,holidays,latitude,longitude,cost\n"
    "{0},Main,Chicago,America/Chicago,Mo-Sa 08:00-20:00; PH off,US,41.88,-87.63,3\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def given(bopis: Installation, what: str, file: Path, content: str | bytes, *options: str) -> Answer:
    """Import a file with this content."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return bopis(what, "import", str(file), *options)


def rejected(answer: Answer) -> dict[int, str]:
    """The rejected rows of a document or of an error, by line."""
    document = answer.document.get("error", answer.document)
    return {row["line"]: "; ".join(row["problems"]) for row in document["rejected"]}


def article(bopis: Installation, code: str) -> Any:
    return bopis.ask("catalogue", "show", code)["article"]


def store_changes(answer: Answer) -> list[tuple[str, Sequence[tuple[str, Any, Any]]]]:
    changes = answer.document["changes"]
    return [(it["change"], [(field["field"], field["old"], field["new"]) for field in it["fields"]]) for it in changes]


def test_a_store_file_of_few_columns_changes_these_and_no_others__o2_03(
    bopis: Installation, store: str, folder: Path
) -> None:
    given(bopis, "stores", folder / "full.csv", FULL.format(store))

    cost = given(bopis, "stores", folder / "cost.csv", f"store_id,cost,name\n{store},5,\n")
    after = given(bopis, "stores", folder / "same.csv", FULL.format(store), "--dry-run", "--json")
    cleared = given(bopis, "stores", folder / "clear.csv", f"store_id,cost,city\n{store},-,-\n", "--dry-run", "--json")
    half = given(bopis, "stores", folder / "half.csv", f"store_id,latitude\n{store},-\n", "--json")
    moved = given(bopis, "stores", folder / "moved.csv", f'store_id;latitude\n{store};"41,9"\n')

    assert (cost.code, cost.out) == (0, f"Imported 1 store from {folder / 'cost.csv'} (1 changed)\n")
    assert store_changes(after) == [("changed", [("cost", 5, 3)])]
    assert store_changes(cleared) == [("changed", [("city", "Chicago", ""), ("cost", 5, None)])]
    assert (half.code, rejected(half)) == (5, {2: "latitude and longitude go together: give both or none"})
    assert moved.code == 0
    assert bopis.ask("stores", "show", store)["store"]["latitude"] == 41.9
    assert bopis.ask("stores", "show", store)["store"]["time_zone"] == "America/Chicago"


def test_an_article_file_of_few_columns_changes_these_and_no_others__o2_03(
    bopis: Installation, store: str, folder: Path
) -> None:
    full = f"sku,name,category,gtins,substitutes,components\n{store}-K,Six,beer,,{store}-T,{store}-A*6\n"
    given(bopis, "catalogue", folder / "full.csv", full)
    before = article(bopis, f"{store}-K")

    stock_list = given(bopis, "catalogue", folder / "stock.csv", f"sku,quantity\n{store}-K,3\n")
    passed = given(
        bopis, "catalogue", folder / "stock.csv", f"sku,quantity\n{store}-K,3\n", "--ignore-columns", "quantity"
    )
    named = given(bopis, "catalogue", folder / "name.csv", f"sku,name,gtins\n{store}-K,Six pack,\n")
    shown = given(bopis, "catalogue", folder / "none.csv", f"sku,components\n{store}-K,-\n", "--dry-run")

    assert stock_list.code == 5
    assert "column 'quantity' is unknown" in stock_list.err
    assert (passed.code, named.code) == (0, 0)
    assert article(bopis, f"{store}-K") == {**before, "name": "Six pack"}
    assert shown.out.startswith(f"{store}-K: components {store}-A*6 -> -\nWould import 1 article")
    assert article(bopis, f"{store}-K")["components"] == before["components"]


@pytest.mark.parametrize(
    ("what", "header", "names"),
    [
        ("stores", "store_id,name,timezone,hours", ["timezone", "time_zone", "hours", "opening_hours"]),
        ("stores", "store_id,openning_hours", ["openning_hours", "opening_hours"]),
        ("stores", "store_id,name,name", ["'name' occurs 2 times"]),
        ("stores", "id,name", ["column 'store_id' is missing", "'id' is unknown"]),
        ("catalogue", "sku,name,gtin,kit", ["gtin", "gtins", "kit", "components"]),
        ("catalogue", "name,gtins", ["column 'sku' is missing"]),
    ],
)
def test_unknown_misspelt_and_missing_columns_are_named__o2_04(
    bopis: Installation, folder: Path, what: str, header: str, names: list[str]
) -> None:
    answer = given(bopis, what, folder / "e.csv", f"{header}\n{','.join('x' for _ in header.split(','))}\n")

    assert answer.code == 5
    assert all(name in answer.err for name in names), answer.err


def test_rows_that_do_not_fit_their_header_are_named_by_line__o2_04(
    bopis: Installation, store: str, folder: Path
) -> None:
    text = f"sku,name\n{store}-A,Apples, red\n{store}-B,Bread\n{store}-C\u202e,Tea\n{store}-D,Te\x00a\n"

    refused = given(bopis, "catalogue", folder / "e.csv", text, "--json")
    left_out = given(bopis, "catalogue", folder / "e.csv", text, "--skip-bad")

    assert refused.document["error"]["message"].startswith(f"{folder / 'e.csv'}: 3 of 4 rows are not valid")
    assert rejected(refused) == {
        2: "3 fields, but the header has 2: quote a value that contains ','",
        4: "sku contains a change of the writing direction (U+202E); check --encoding",
        5: "name contains a NUL (U+0000); check --encoding",
    }
    assert "Imported 1 article" in left_out.out
    assert left_out.out.endswith("; 3 rows skipped\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"], ids=["semicolon", "tab", "bar"])
def test_exports_of_any_excel_are_read__o2_06(
    bopis: Installation, store: str, folder: Path, encoding: str, delimiter: str
) -> None:
    articles = f"sku;name\n{store}-A;Süße Milch\n".replace(";", delimiter)
    stores = f"store_id;name\n{store};Köln\n".replace(";", delimiter)

    catalogue = given(bopis, "catalogue", folder / "a.csv", articles.encode(encoding))
    directory = given(bopis, "stores", folder / "s.csv", stores.encode(encoding))

    assert (catalogue.code, directory.code) == (0, 0)
    assert ("Windows-1252" in catalogue.err) is (encoding == "cp1252")
    assert article(bopis, f"{store}-A")["name"] == "Süße Milch"
    assert bopis.ask("stores", "show", store)["store"]["name"] == "Köln"


def test_a_workbook_is_read__o2_06(bopis: Installation, store: str, folder: Path) -> None:
    content = workbook([["sku", "name", "gtins"], [f"{store}-A", "Café", 4006381333931]])

    answer = given(bopis, "catalogue", folder / "a.xlsx", content, "--dry-run", "--json")
    forced = given(
        bopis, "catalogue", folder / "a.csv", f"sku,name\n{store}-A,ł\n".encode("cp1250"), "--encoding", "cp1250"
    )

    assert answer.document["changes"][0]["fields"][1:] == [
        {"field": "name", "old": None, "new": "Café"},
        {"field": "gtins", "old": None, "new": ["04006381333931"]},
    ]
    assert forced.code == 0
    assert article(bopis, f"{store}-A")["name"] == "ł"


@pytest.mark.parametrize("what", ["stores", "catalogue"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"store_id,sku\n", "is unknown"),
        ("array.csv", b'[{"store_id": "1"}]', "JSON array"),
        ("renamed.csv", workbook([["store_id"], ["1"]]), "Excel workbook"),
        ("page.csv", b"<!doctype html><html>log in</html>", "web page"),
    ],
)
def test_a_file_with_nothing_readable_is_refused__o2_08(
    bopis: Installation, folder: Path, what: str, name: str, content: bytes, words: str
) -> None:
    answer = given(bopis, what, folder / name, content, "--json")

    assert (answer.code, answer.document["error"]["exit_code"]) == (5, 5)
    assert words in answer.err


@pytest.mark.parametrize(("what", "header"), [("stores", "store_id,name"), ("catalogue", "sku;name")])
def test_a_header_without_rows_is_refused__o2_08(bopis: Installation, folder: Path, what: str, header: str) -> None:
    answer = given(bopis, what, folder / "header.csv", f"{header}\n")

    assert answer.code == 5
    assert "has a header and no row below it" in answer.err


def gtin(number: int) -> str:
    """A GTIN-13 for in-store use."""
    digits = f"20{number:010d}"
    return digits + str(-sum(int(it) * (1, 3)[place % 2] for place, it in enumerate(digits)) % 10)


def test_a_gtin_belongs_to_one_article_across_imports__o2_14(bopis: Installation, store: str, folder: Path) -> None:
    code, milk, evil = gtin(int(store[1:])), f"{store}-MILK", f"{store}-EVIL"
    given(bopis, "catalogue", folder / "milk.csv", f"sku,name,gtins\n{milk},Milk,{code}\n")

    stolen = given(bopis, "catalogue", folder / "evil.csv", f"sku,gtins\n{evil},{code}\n", "--json")
    as_sku = given(bopis, "catalogue", folder / "sku.csv", f"sku,name\n{code},Evil\n", "--json")
    again = given(bopis, "catalogue", folder / "milk.csv", f"sku,name,gtins\n{milk},Milk,{code}\n")
    owner = article(bopis, code)["sku"]
    moved = given(bopis, "catalogue", folder / "moved.csv", f"sku,gtins\n{evil},{code}\n{milk},-\n")
    removed = bopis("catalogue", "remove", evil, "--yes", "--json")

    assert (stolen.code, rejected(stolen)) == (5, {2: f"GTIN 0{code} belongs to {milk} already"})
    assert (as_sku.code, rejected(as_sku)) == (5, {2: f"sku {code} is a GTIN of {milk}"})
    assert (again.code, owner) == (0, milk)
    assert (moved.code, article(bopis, milk).get("gtins", [])) == (0, [])
    assert removed.document == {"removed": evil, "codes_passed_on": {}}
    assert bopis("catalogue", "show", code).code == 3


def test_a_upc_e_is_the_article_of_its_upc_a__o2_16(bopis: Installation, store: str, folder: Path) -> None:
    given(bopis, "catalogue", folder / "soda.csv", f"sku,gtins\n{store}-SODA,0 12345 00006-5\n")

    same = given(bopis, "catalogue", folder / "short.csv", f"sku,gtins\n{store}-SODA,01234565\n", "--dry-run", "--json")
    found = article(bopis, "01234565")["sku"]
    given(bopis, "catalogue", folder / "none.csv", f"sku,gtins\n{store}-SODA,-\n")

    assert found == f"{store}-SODA"
    assert same.document["unchanged"] == 1


def test_expected_goods_come_from_a_file_and_decimals_are_refused__o2_33(
    bopis: Installation, store: str, folder: Path
) -> None:
    file = folder / "po.csv"
    file.write_text("sku;quantity\n4011;24\n4012;1.000,0\n")
    on = ("--on", "2099-12-01", "--file", str(file))

    first = bopis("stock", "expect", store, "PO-7", *on, "--new-store")
    file.write_text("sku;quantity\n4011;30\n4013;2\n")
    shown = bopis("stock", "expect", store, "PO-7", *on, "--dry-run")
    file.write_text('sku,quantity\n4011,0.5\n4012,"2,5"\n4013,"1,000"\n4014,\n4011,1\n')
    refused = bopis("stock", "expect", store, "PO-7", *on, "--json")

    assert first.code == 0, first.err
    assert "4011 x 24, 4012 x 1000" in first.out
    assert "4011: quantity 24 -> 30\n4012: quantity 1000 -> -\n4013: new: quantity 2\n" in shown.out
    assert {it["sku"] for it in bopis.ask("stock", "expected", store)["expected"]} == {"4011", "4012"}
    assert refused.code == 5
    assert rejected(refused)[2] == (
        "quantity '0.5' is not a whole number; count in the SKU's smallest unit, for example grams"
    )
    assert "quantity '2,5' is not a whole number" in rejected(refused)[3]
    assert rejected(refused)[4] == "quantity '1,000' is not a number"
    assert rejected(refused)[5] == "quantity is empty"


def test_objects_with_lists_or_other_names_are_named_by_line(bopis: Installation, folder: Path) -> None:
    lines: list[dict[str, Any]] = [{"sku": "X"}, {"sku": "Y", "gtins": ["4006381333931"]}]
    text = "\n".join(map(json.dumps, lines))

    nested = given(bopis, "catalogue", folder / "e.ndjson", text, "--json")
    unknown = given(bopis, "catalogue", folder / "e.ndjson", text.replace("gtins", "gtin"))

    assert rejected(nested)[2].startswith("gtins is a list or an object")
    assert "column 'gtin' is unknown (did you mean gtins?)" in unknown.err
