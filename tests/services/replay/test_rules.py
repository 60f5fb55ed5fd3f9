"""Exports that need more than columns: conditions, constants, scales, no header; and the columns that were taken."""

from pathlib import Path
from typing import Any

import pytest

from bopis.services.replay.columns import find_columns, named_columns
from bopis.services.replay.errors import (
    ColumnMissing,
    ColumnRepeated,
    ColumnUnknown,
    FieldUnknown,
    NoRowMeets,
    OptionInvalid,
)
from bopis.services.replay.rules import (
    ReadingRules,
    UnitScales,
    read_conditions,
    read_decimal_mark,
    read_scales,
)
from bopis.tables.errors import NotATable, TableWithoutRows
from bopis.tables.reader import Header
from tests.services.replay.exports import Seen, csv_of, write
from tests.tables.workbooks import workbook

AT = ",2024-05-01T10:00:00Z"
BREAD = "2016-10-30,09:58:11,1,Bread\n2016-10-30,10:05:34,2,Scandinavian\n2016-10-30,10:05:34,2,Scandinavian\n"
BAKERY = {("BAKERY", "Bread"): 1, ("BAKERY", "Scandinavian"): 2}
RECEIPTS = """\
Date,Receipt number,Receipt type,SKU,Item,Quantity,Unit,Store,Status
2026-08-01 09:00,1-1001,Sale,10871,Coffee,1.000,pcs,Main,Closed
2026-08-01 09:00,1-1001,Sale,20110,Beans,0.355,kg,Main,Closed
2026-08-01 09:10,1-1002,Sale,10871,Coffee,2.000,pcs,Main,Canceled
2026-08-01 09:20,1-1003,Refund,10871,Coffee,1.000,pcs,Main,Closed
2026-08-01 09:21,1-1004,Refund,10871,Coffee,-1.000,pcs,Main,Closed
2026-08-01 09:30,1-1005,Sale,10871,Coffee,"1,000.000",pcs,Main,Closed
"""


def rules(**options: Any) -> ReadingRules:
    """Rules as the options of the command."""
    return ReadingRules(
        where=read_conditions("--where", options.get("where", ())),
        returns=read_conditions("--returns", options.get("returns", ())),
        scales=read_scales(options.get("scale", ())),
        decimal_mark=read_decimal_mark(options.get("decimal")),
    )


@pytest.mark.parametrize(
    ("text", "named", "header"),
    [
        (BREAD, ["quantity=1"], Header(False, ("date", "time", "transaction", "item"))),
        (BREAD, ["quantity=1", "sold_at=c1+c2", "basket=c3", "sku=c4"], Header(False)),
        ("Date,Time,Transaction,Item\n" + BREAD, ["quantity=1"], Header()),
        ("\ufeffsep=;\r\ndate;time;transaction;item\r\n" + BREAD.replace(",", ";"), ["quantity=1"], Header()),
    ],
    ids=["o2-38-names", "o2-38-numbers", "o2-38-header", "o2-38-sep"],
)
def test_one_row_per_unit_without_a_header_loses_no_row(
    tmp_path: Path, text: str, named: list[str], header: Header
) -> None:
    seen = Seen(write(tmp_path / "bread.csv", text), store="BAKERY", named=named_columns(named), header=header)

    assert seen.cells == seen.plain == BAKERY
    assert seen.rejected == []
    assert seen.taken.columns.taken["quantity"] == "1"


def test_the_refusal_of_a_file_of_scans_says_how_to_read_it__o2_38(tmp_path: Path) -> None:
    bare, headed = write(tmp_path / "a.csv", BREAD), write(tmp_path / "b.csv", "date,time,transaction,item\n" + BREAD)

    with pytest.raises(ColumnMissing, match="without a header with --columns"):
        Seen(bare, store="BAKERY")
    with pytest.raises(ColumnMissing, match="--column quantity=1"):
        Seen(headed, store="BAKERY")


def test_voided_receipts_are_left_out_and_refunds_come_back__o2_40(tmp_path: Path) -> None:
    of_closed = rules(where=["Status=Closed"], returns=["Receipt type=Refund"], scale=["20110=1000"])

    seen = Seen(write(tmp_path / "e.csv", RECEIPTS), rules=of_closed)

    assert seen.cells == seen.plain == {("Main", "10871"): 1 - 1 - 1 + 1000, ("Main", "20110"): 355}
    assert (seen.rejected, seen.taken.left_out) == ([], 1)
    assert seen.taken.columns.basket == ("Receipt number",)
    assert seen.taken.columns.others == {"sku": ("Item",)}


@pytest.mark.parametrize(
    "where",
    [
        ["Status!=Canceled"],
        ["Status != Canceled", "Status!=Void"],
        ["Status=Closed", "Status=Open"],
        ["Store=Main", "Status=Closed"],
    ],
)
def test_conditions_of_one_column_are_alternatives_and_of_several_all_hold__o2_40(
    tmp_path: Path, where: list[str]
) -> None:
    seen = Seen(write(tmp_path / "e.csv", RECEIPTS), rules=rules(where=where, scale=["1000"]))

    assert seen.taken.left_out == 1
    assert seen.cells == seen.plain == {("Main", "10871"): 1_001_000, ("Main", "20110"): 355}


def test_a_unit_column_has_a_scale_for_each_unit_and_no_other(tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", RECEIPTS)
    by_unit = {"named": {"unit": "Unit"}, "rules": rules(where=["Status=Closed"], scale=["kg=1000"])}

    seen = Seen(file, **by_unit)  # type: ignore[arg-type]  # options of different types

    assert seen.cells == seen.plain == {("Main", "20110"): 355}
    assert seen.rejected[0] == (2, "unit 'pcs' has no scale; give one with --scale 'pcs=NUMBER'")


def test_the_decimal_mark_reads_what_is_ambiguous(tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", csv_of(f'1,a,milk,"1,000",1{AT}', f'1,b,tea,"2,000.0",1{AT}'))

    guessed, marked = Seen(file), Seen(file, rules=rules(decimal="."))
    comma = Seen(write(tmp_path / "f.csv", csv_of(f'1,a,milk,"1,000",1{AT}')), rules=rules(decimal=","))

    assert "may be thousands or decimals; give --decimal" in guessed.rejected[0][1]
    assert marked.cells == marked.plain == {("1", "milk"): 1000, ("1", "tea"): 2000}
    assert comma.cells == comma.plain == {("1", "milk"): 1}


def test_a_workbook_and_utf_16_are_the_same_export(tmp_path: Path) -> None:
    rows = [line.split(",") for line in RECEIPTS.replace('"1,000.000"', "1000").splitlines()]
    cells = [[float(it) if it.replace(".", "").isdigit() else it for it in row] for row in rows]
    (tmp_path / "e.xlsx").write_bytes(workbook([[], *cells]))
    text = "\n".join("\t".join(row) for row in rows)
    options = {"rules": rules(where=["Status=Closed"], scale=["20110=1000"])}

    of_book = Seen(tmp_path / "e.xlsx", **options)
    of_text = Seen(write(tmp_path / "e.txt", text, "utf-16"), **options)

    assert of_book.cells == of_book.plain == of_text.cells == of_text.plain
    assert of_text.cells["Main", "20110"] == 355


def test_conditions_columns_and_options_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", RECEIPTS)

    with pytest.raises(ColumnUnknown, match=r"did you mean 'Status'.*Correct --where"):
        Seen(file, rules=rules(where=["Sttus=Closed"]))
    with pytest.raises(NoRowMeets, match="Status=closed"):
        Seen(file, rules=rules(where=["Status=closed"]))
    with pytest.raises(ColumnUnknown, match="did you mean 'Quantity'"):
        Seen(file, named={"quantity": "Quantty"})
    with pytest.raises(ColumnRepeated, match="'qty' for the quantity occurs 2 times"):
        find_columns(["store", "receipt", "sku", "qty", "qty", "time"], {}, store_given=False)
    with pytest.raises(FieldUnknown, match="did you mean quantity"):
        named_columns(["quantty=1"])
    for given in (["0"], ["x"], ["kg="], ["=5"], ["1.5"]):
        with pytest.raises(OptionInvalid, match="--scale"):
            read_scales(given)
    with pytest.raises(OptionInvalid, match="write COLUMN=VALUE"):
        read_conditions("--where", ["Status"])
    with pytest.raises(OptionInvalid, match="--decimal"):
        read_decimal_mark(";")
    with pytest.raises(TableWithoutRows):
        Seen(write(tmp_path / "h.csv", RECEIPTS.splitlines()[0]))
    with pytest.raises(NotATable, match="web page"):
        Seen(write(tmp_path / "p.csv", "<html></html>"))


def test_candidates_are_named_and_a_named_column_has_none() -> None:
    present = ["Shop", "Bon", "Receipt", "sku", "ean", "qty", "quantity", "timestamp", "Date"]

    guessed = find_columns(present, {}, store_given=False)
    named = find_columns(present, {"sku": "ean", "quantity": "1", "amount": "2.50"}, store_given=False)

    assert guessed.others == {"sku": ("ean",), "quantity": ("qty",), "sold_at": ("Date",)}
    assert named.taken == {
        "store": "Shop", "basket": "Receipt", "sku": "ean", "sold_at": "timestamp", "quantity": "1", "amount": "2.50",
    }  # fmt: skip
    assert named.others == {"sold_at": ("Date",)}


def test_a_number_that_is_a_column_is_that_column() -> None:
    columns = find_columns(["store", "receipt", "sku", "1", "time"], {"quantity": "1"}, store_given=False)

    assert (columns.quantity, columns.constants) == (("1",), {})


def test_scales_keep_weights_exact(tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", csv_of("1,a,milk,0.35499999999999998,1", "1,b,tea,0.0005,1"))

    seen = Seen(file, rules=ReadingRules(scales=UnitScales(1000)))

    assert seen.cells == seen.plain == {("1", "milk"): 355}
    assert "times 1000 is not a whole number" in seen.rejected[0][1]
