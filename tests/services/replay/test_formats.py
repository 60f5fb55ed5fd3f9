"""Exports as they are found: packed, in any encoding, under any names, with bad rows between."""

import io
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bopis.services.replay.columns import named_columns
from bopis.services.replay.errors import (
    ColumnMissing,
    ColumnUnknown,
    FieldUnknown,
    NoGoodRow,
    OptionInvalid,
)
from bopis.services.replay.times import TimeReader
from bopis.tables.errors import EncodingUnknown, TableEmpty, TableUnreadable
from tests.services.replay.exports import HEADER, Seen, csv_of, write

NOON_MS = 1_714_564_800_000  # 2024-05-01T12:00:00Z


@pytest.mark.parametrize("suffix", [".csv", ".gz", ".xz"])
def test_packed_exports_are_the_same_export(tmp_path: Path, suffix: str) -> None:
    text = csv_of("1,a,milk,1,100", "1,b,eggs,2,200")
    plain = Seen(write(tmp_path / "plain.csv", text))

    packed = Seen(write(tmp_path / f"packed{suffix}", text))

    assert packed.baskets == plain.baskets
    assert packed.digest == plain.digest
    assert packed.plain == plain.plain


def test_an_export_that_was_cut_off_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.csv.gz", csv_of(*[f"1,{i},milk,{i},100" for i in range(1, 5_000)]))
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole.read_bytes()[:-500])

    with pytest.raises(TableUnreadable, match="Nothing was sent"):
        Seen(cut)


def test_ndjson_is_read_by_its_names(tmp_path: Path) -> None:
    rows = [
        {"store": 7, "receipt": "r1", "ean": "400", "qty": 2, "price": 1.25, "timestamp": 1_714_564_800},
        {"store": 7, "receipt": "r1", "ean": "401", "qty": 1.0, "price": None, "timestamp": "2024-05-01T12:00:00Z"},
    ]

    seen = Seen(write(tmp_path / "e.ndjson", "\n".join(map(json.dumps, rows)) + "\n\n[1]\n"))

    assert seen.baskets[0].lines == (("400", 2, 250), ("401", 1, 0))
    assert seen.baskets[0].at_ms == NOON_MS
    assert seen.rejected[0][0] == 4
    assert seen.cells == seen.plain


def test_a_wholesale_export_with_other_names_encoding_and_local_times(tmp_path: Path) -> None:
    header = "InvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;Country"
    text = (
        header
        + '\n536365;85123A;"CAFÉ; ""HEART""";6;5/1/2024 13:00;2,55;UK\n536365;71053;X;-1;5/1/2024 13:00;3,39;UK\n'
    )
    times = TimeReader("%m/%d/%Y %H:%M", ZoneInfo("Europe/London"), {})

    seen = Seen(write(tmp_path / "e.csv", text, "latin-1"), store="web", times=times, encoding="latin-1")

    (basket,) = seen.baskets
    assert (basket.store, basket.number, basket.at_ms) == ("web", "536365", NOON_MS)
    assert basket.lines == (("85123A", 6, 1530), ("71053", -1, -339))
    assert seen.cells == seen.plain


def test_a_local_time_is_that_of_its_own_store(tmp_path: Path) -> None:
    text = csv_of("1,a,milk,1,1,2024-05-01 07:00", "2,b,milk,1,1,2024-05-01 14:00", "3,c,milk,1,1,2024-05-01 12:00")
    times = TimeReader(None, None, {"1": ZoneInfo("America/Chicago"), "2": ZoneInfo("Europe/Berlin")})

    seen = Seen(write(tmp_path / "e.csv", text), times=times)

    assert {it.at_ms for it in seen.baskets} == {NOON_MS}


def test_date_and_time_may_stand_in_two_columns(tmp_path: Path) -> None:
    header = "store,basket,sku,qty,day,clock"

    seen = Seen(
        write(tmp_path / "e.csv", csv_of("1,a,milk,1,2024-05-01,12:00", header=header)), named={"sold_at": "day+clock"}
    )

    assert seen.baskets[0].at_ms == NOON_MS


def test_columns_can_be_named(tmp_path: Path) -> None:
    header = "filiale,bon,artikel,menge,zeit"
    named = named_columns(["store=filiale", "basket=bon", "sku=artikel", "quantity=menge", "sold_at=zeit"])

    seen = Seen(write(tmp_path / "e.csv", csv_of("1,a,milk,1,2024-05-01T12:00Z", header=header)), named=named)

    assert seen.cells == {("1", "milk"): 1}


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("1,a,milk,two,1", "'two' is not a number"),
        ("1,a,milk,1.5,1", "not a whole number"),
        ('1,a,milk,"1,000",1', "not a number"),
        ("1,a,milk,99999999,1", "beyond 10000000"),
        ("1,a,milk,1e999999,1", "not a number that can be booked"),
        ("1,a,milk,,1", "no quantity"),
        ("1,a,,1,1", "no sku"),
        ("1,,milk,1,1", "no basket"),
        (",a,milk,1,1", "no store"),
        ("1|2,a,milk,1,1", "may not contain '|'"),
        ("@1,a,milk,1,1", "may not contain '|' nor start with '@'"),
        (f"1,a,{'m' * 65},1,1", "longer than 64"),
        ("1,a,mi\x07lk,1,1", "cannot be printed"),
        ("1,a,milk,1,1,2024-02-30T10:00:00Z", "is not ISO 8601"),
        ("1,a,milk,1,1,1970-01-01T10:00:00Z", "outside 2000 to 2100"),
        ("1,a,milk,1,x", "amount 'x' is not a number"),
        ("1,a,milk,1,1,2024-05-01T10:00:00Z,more", "7 fields, but the header has 6"),
        ("1,a", "2 fields, but the header has 6"),
        ('1,a,"milk,1,1,2024-05-01T10:00:00Z', "never closed"),
        (f"1,a,{'m' * 140_000},1,1", "longer than 131072"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_goes_on(tmp_path: Path, row: str, cause: str) -> None:
    time = "" if "T10" in row or row == "1,a" else ",2024-05-01T10:00:00Z"
    good = csv_of("1,a,milk,1,1", "1,b,eggs,1,1", "1,c,tea,1,1").splitlines(keepends=True)
    text = "".join([*good[:2], row + time + "\n", *good[2:]])

    seen = Seen(write(tmp_path / "e.csv", text))

    ((line, said),) = seen.rejected
    assert line == 3
    assert cause in said
    assert seen.cells == seen.plain == {("1", "milk"): 1, ("1", "eggs"): 1, ("1", "tea"): 1}


def test_bytes_of_another_encoding_spoil_their_own_row_only(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(csv_of("1,a,café,1,1", "1,b,tea,1,1").encode("latin-1"))

    seen = Seen(path)

    assert seen.rejected == [(2, "sku 'caf\\udce9' has characters that cannot be printed; check --encoding")]
    assert seen.cells == seen.plain == {("1", "tea"): 1}


def test_a_quoted_field_may_hold_line_ends_and_numbers_stay_right(tmp_path: Path) -> None:
    header = HEADER + ",note"
    rows = [
        '1,a,milk,1,1,2024-05-01T10:00:00Z,"two\r\nlines"\r\n',
        '1,b,milk,x,1,2024-05-01T10:00:00Z,"5"" nail\n"',
        '1,c,tea,1,1,2024-05-01T10:00:00Z,5" nail',
        "",
    ]
    text = "\r\n".join([header, *rows])

    seen = Seen(write(tmp_path / "e.csv", text))

    assert [line for line, _ in seen.rejected] == [5]
    assert seen.cells == seen.plain == {("1", "milk"): 1, ("1", "tea"): 1}


def test_rejected_rows_are_parked_so_that_they_can_be_mended_and_replayed(tmp_path: Path) -> None:
    into = io.StringIO()
    Seen(write(tmp_path / "e.csv", csv_of("1,a,milk,one,100", "1,b,eggs,2,200")), rejects_into=into)

    mended = Seen(write(tmp_path / "mended.csv", into.getvalue().replace("one", "1")))

    assert into.getvalue().splitlines()[1].startswith("2,quantity 'one' is not a number,1,a,milk,one,100")
    assert mended.cells == {("1", "milk"): 1}


def test_rejected_objects_are_parked_as_objects(tmp_path: Path) -> None:
    into = io.StringIO()
    good = {"store": "1", "basket": "a", "sku": "milk", "qty": 1, "time": "2024-05-01T10:00Z"}
    text = "\n".join([json.dumps(good), json.dumps(good | {"qty": "?"}), "{broken"])

    Seen(write(tmp_path / "e.ndjson", text), rejects_into=into)

    first, second = map(json.loads, into.getvalue().splitlines())
    assert (first["reject_line"], first["qty"]) == (2, "?")
    assert second["reject_text"] == "{broken"


def test_what_cannot_be_replayed_at_all_says_what_to_do(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.csv", "\n\n")
    nameless = write(tmp_path / "nameless.csv", csv_of("1,2,3,4,5", header="a,b,c,d,e"))
    hopeless = write(tmp_path / "hopeless.csv", csv_of("1,a,milk,one,100"))

    with pytest.raises(TableEmpty, match="header line"):
        Seen(empty)
    with pytest.raises(ColumnMissing, match="--column store=NAME, or give --store"):
        Seen(nameless)
    with pytest.raises(ColumnUnknown, match="no column 'x' for the sku"):
        Seen(write(tmp_path / "e.csv", csv_of()), named={"sku": "x"})
    with pytest.raises(NoGoodRow, match="line 2: quantity 'one'"):
        Seen(hopeless)
    with pytest.raises(TableUnreadable, match="No such file"):
        Seen(tmp_path / "absent.csv")
    with pytest.raises(FieldUnknown, match="store, basket, sku"):
        named_columns(["colour=red"])
    with pytest.raises(EncodingUnknown, match="no such encoding"):
        Seen(empty, encoding="base64")
    with pytest.raises(OptionInvalid, match="may not contain"):
        Seen(nameless, store="a|b", named={"basket": "a", "sku": "b", "quantity": "c", "sold_at": "d"})
