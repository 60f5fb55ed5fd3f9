"""Papers: 42 columns for a receipt printer, one page to print; nothing on them that a thief could use."""

from html.parser import HTMLParser
from typing import Any

import pytest

from bopis.adapters.documents.html import as_html
from bopis.adapters.documents.text import COLUMNS, as_text
from bopis.domain.papers import Paper, PaperKind, PaperLine

LONG = "A very long name of an article that no narrow printer could ever set on a single line of its paper"


def paper(kind: PaperKind = PaperKind.PICK_LIST, **changes: Any) -> Paper:
    fields: dict[str, Any] = {
        "kind": kind,
        "number": "4K7P-92QX",
        "code": "4K7P92QX",
        "store": "S1  Main street",
        "facts": (("Ready by", "Mon 02 Mar 14:00"), ("Picker", "kim")),
        "lines": (
            PaperLine(sku="4011", name="Bananas", units=3, gtin="04006381333931"),
            PaperLine(sku="852159", name=LONG, units=1200, unit="g", part_of="Breakfast set"),
        ),
    }
    return Paper(**{**fields, **changes})


@pytest.mark.parametrize("kind", list(PaperKind))
def test_no_line_is_wider_than_the_printer(kind: PaperKind) -> None:
    facts = (("Received by", LONG), ("By", "kim"))

    told = as_text(paper(kind, facts=facts, note=LONG, signs=True, store=LONG))

    assert max(map(len, told.splitlines())) <= COLUMNS
    assert "Bananas" in told
    assert "1200 g" in told


def test_a_control_character_in_a_name_never_reaches_the_printer() -> None:
    told = as_text(paper(lines=(PaperLine(sku="1", name="Ba\x1b@na\x07nas", units=1),)))

    assert not [it for it in told if ord(it) < 32 and it != "\n"]


def test_every_unit_and_every_line_is_on_the_page() -> None:
    made = as_html([paper(), paper(PaperKind.RECEIPT, signs=True)])

    assert made.count("<section") == 2
    assert made.count("Bananas") == 2
    assert "2 lines, 3 units, 1200 g" in made
    assert made.count("Signature") == 1


PRICED = (
    PaperLine(sku="4011", name="Bananas", units=1, amount="0.25 USD"),
    PaperLine(sku="HAM", name="Ham", units=300, unit="g", amount="6.00 USD"),
)


@pytest.mark.parametrize("kind", [PaperKind.PACKING_SLIP, PaperKind.RECEIPT])
def test_amounts_are_on_the_page_and_on_the_narrow_paper(kind: PaperKind) -> None:
    priced = paper(kind, lines=PRICED, total="6.25 USD")

    page, narrow = as_html([priced]), as_text(priced).splitlines()

    assert '<td class="amount">6.00 USD</td>' in page
    assert "<b>Total 6.25 USD</b>" in page
    assert f"Total{'6.25 USD':>{COLUMNS - 5}}" in narrow
    assert f"{'0.25 USD':>{COLUMNS}}" in narrow


def test_a_paper_without_prices_has_no_column_for_them() -> None:
    assert "Amount" not in as_html([paper()])
    assert "Total" not in as_text(paper())


@pytest.mark.parametrize("case", ["o2-32"])
@pytest.mark.parametrize(
    ("lines", "totals"),
    [
        (PRICED[:1], "1 line, 1 unit"),
        (PRICED[1:], "1 line, 300 g"),
        (PRICED, "2 lines, 1 unit, 300 g"),
        ((*PRICED, *PRICED), "4 lines, 2 units, 600 g"),
    ],
)
def test_totals_have_singular_and_plural_and_each_unit_by_itself(
    case: str, lines: tuple[PaperLine, ...], totals: str
) -> None:
    printed = paper(lines=lines)

    assert totals in as_html([printed])
    assert f"{totals:>{COLUMNS}}" in as_text(printed)


def test_the_receipt_is_a_pickup_receipt_of_items() -> None:
    receipt = paper(PaperKind.RECEIPT)

    assert as_text(receipt).splitlines()[0].strip() == "PICKUP RECEIPT"
    assert "<th>Item</th>" in as_html([receipt])


def test_the_page_fetches_nothing_and_is_well_formed() -> None:
    made = as_html([paper(note="<script>alert(1)</script>")])

    assert "<script>" not in made
    assert "&lt;script&gt;" in made
    assert not fetched(made)


def fetched(page: str) -> list[str]:
    """Whatever a browser would load because of this page; raises for a tag that is never closed."""
    found: list[str] = []
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for name, value in attrs if name in ("src", "href", "xlink:href"))
            if tag not in ("meta", "br", "link", "img", "path"):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag != "path":
                assert open_tags.pop() == tag

    Reader().feed(page)
    assert open_tags == []
    return found
