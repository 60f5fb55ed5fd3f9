"""`bopis agent check` shows how a file would be booked, `bopis agent mapping` lists, shows and proposes mappings."""

from pathlib import Path

import pytest

from bopis.errors import CONFLICT, INVALID_INPUT, NOT_FOUND, OK, USAGE
from bopis.services.till_files.errors import MappingInvalid
from bopis.services.till_files.mapping_file import parse_mapping, shipped_names
from bopis.services.till_files.proposal import propose
from tests.cli.program import run

TILLS = Path(__file__).parents[1] / "services" / "till_files" / "tills"
# The shipped mapping that fits each file; files of no product have none.
FITTING = {
    "square-items-detail.csv": "square-items",
    "shopify-orders.csv": "shopify-orders",
    "loyverse-receipts-by-item.csv": "loyverse-receipts-by-item",
    "lightspeed-s-items.csv": "lightspeed-s-items",
    "toast-item-selection-details.csv": "toast-item-selections",
    "sumup-verkaufsbericht.csv": "sumup-verkaufsbericht",
    "odoo-pos-orders.csv": "odoo-pos-orders",
    "erpnext-pos-invoices.csv": "erpnext-pos-invoices",
    "poslog-ncr-acs-2.1.xml": "poslog-ncr-acs",
    "poslog-wincor-2.2.xml": "poslog-wincor",
    "poslog-r10-6.0.xml": "poslog-r10",
    "dsfinvk": "dsfinvk",
    "slsrpt-d96a.edi": "slsrpt-d96a",
}


def mapping_of(file: str) -> str:
    return str(TILLS / "mappings" / f"{Path(file).stem}.toml")


def test_a_check_shows_baskets_rejects_with_causes_and_totals() -> None:
    file = "square-items-detail.csv"

    answer = run("agent", "check", str(TILLS / file), "--mapping", mapping_of(file))

    assert answer.code == INVALID_INPUT
    assert "T5aaaPZY Payment" in answer.out
    assert "square-items-detail.csv:13: unit 'lb' has no scale; add it to units.words in the mapping" in answer.out
    assert "8 baskets with 10 lines, 462 units net; 4 rejected rows" in answer.out
    assert "no stock: 1 gift-card, 1 custom-amount" in answer.out
    assert "Check: " in answer.err


def test_a_check_in_json_has_every_basket_line_reject_and_missing_number() -> None:
    answer = run("agent", "check", str(TILLS / "journal.ndjson"), "--mapping", mapping_of("journal"), "--json")

    document = answer.document
    assert document["baskets"] == {"new": 5, "duplicate": 1, "changed": 1, "empty": 1}
    assert document["units"] == {"21": {"A-100": 6, "B-200": 1, "C-300": 2}}
    assert [it["line"] for it in document["rejects"]] == ["4", "6", "10", "13#2"]
    assert document["missing"] == [{"device": "T2", "numbers": [4, 6], "of": "sequence"}]
    assert document["pending"] == 1
    assert sum(line["units"] for it in document["booked"] if it["outcome"] == "new" for line in it["lines"]) == 9


def test_a_file_without_rejects_leaves_with_zero(tmp_path: Path) -> None:
    answer = run("agent", "check", str(TILLS / "overlap-1.csv"), "--mapping", mapping_of("overlap-1"), "--json")

    assert answer.code == OK
    assert answer.document["baskets"]["new"] == 5


def test_a_misspelt_mapping_and_a_missing_file_are_errors_that_say_what_to_do() -> None:
    unknown = run("agent", "check", str(TILLS / "overlap-1.csv"), "--mapping", "squareitems")
    missing = run("agent", "check", str(TILLS / "nothing.csv"), "--mapping", mapping_of("overlap-1"))

    assert (unknown.code, missing.code) == (NOT_FOUND, INVALID_INPUT)
    assert "did you mean square-items?" in unknown.err
    assert "cannot be opened" in missing.err


def test_every_shipped_mapping_is_listed_and_shown() -> None:
    listed = run("agent", "mapping", "list", "--json").document["mappings"]

    assert [it["name"] for it in listed] == list(shipped_names())
    for name in shipped_names():
        shown = run("agent", "mapping", "show", name)
        assert shown.code == OK
        assert parse_mapping(shown.out, name).name in shown.out


@pytest.mark.parametrize(("file", "name"), FITTING.items(), ids=FITTING)
def test_a_shipped_mapping_is_proposed_for_the_file_it_fits(file: str, name: str) -> None:
    answer = run("agent", "mapping", "new", str(TILLS / file), "--json")

    assert answer.document["mapping"].startswith(f'extends = "{name}"\n')
    assert answer.document["doubts"]
    parse_mapping(answer.document["mapping"], file)


def test_a_proposal_leaves_blank_what_cannot_be_seen_and_asks(tmp_path: Path) -> None:
    file, output = tmp_path / "list.csv", tmp_path / "till.toml"
    rows = ("1;7;03/04/2026 10:00;A;1,500;Sale", "1;8;03/05/2026 10:00;Ä;1,000;Odd")
    file.write_bytes("\n".join(("Shop;Ticket;Sold at;SKU;Qty;Type", *rows)).encode("cp1252"))

    answer = run("agent", "mapping", "new", str(file), "--output", str(output))
    again = run("agent", "mapping", "new", str(file), "--output", str(output))

    for doubt in (
        "not UTF-8",
        "%d/%m/%Y %H:%M or %m/%d/%Y %H:%M",
        "time zone",
        "decimal",
        "neither sale nor return: Odd",
    ):
        assert doubt in answer.err, doubt
    assert again.code == CONFLICT
    with pytest.raises(MappingInvalid, match=r"time.formats is empty"):
        parse_mapping(output.read_text(encoding="utf-8"), "till")


def test_a_proposal_can_be_used_once_its_blanks_are_filled(tmp_path: Path) -> None:
    file, mapping = tmp_path / "list.csv", tmp_path / "till.toml"
    rows = ("1,7,2026-04-03 10:00:00,A,2,Sale", "1,8,2026-04-03 11:00:00,A,1,Refund")
    file.write_text("\n".join(("store,receipt,sold_at,sku,qty,type", *rows)), encoding="utf-8")
    mapping.write_text(propose(file).text.replace('zone = ""', 'zone = "Europe/Berlin"'), encoding="utf-8")

    answer = run("agent", "check", str(file), "--mapping", str(mapping), "--json")

    assert answer.code == OK
    assert answer.document["units"] == {"1": {"A": 1}}


def test_a_replay_by_a_mapping_refuses_options_that_the_mapping_states() -> None:
    answer = run("replay", str(TILLS / "overlap-1.csv"), "--mapping", mapping_of("overlap-1"), "--scale", "1000")

    assert answer.code == USAGE
    assert "excludes --scale: write that into the mapping" in answer.err
