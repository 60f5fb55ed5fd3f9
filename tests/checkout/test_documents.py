"""Papers: 42 columns for a receipt printer, one page to print; nothing on them that a thief could use."""

from html.parser import HTMLParser
from typing import Any

import pytest

from bopis.adapters.documents.html import as_html
from bopis.adapters.documents.papers import Kind, Paper, PaperLine
from bopis.adapters.documents.text import COLUMNS, as_text

LONG = "A very long name of an article that no narrow printer could ever set on a single line of its paper"


def paper(kind: Kind = Kind.PICK_LIST, **changes: Any) -> Paper:
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


@pytest.mark.parametrize("kind", list(Kind))
def test_no_line_is_wider_than_the_printer(kind: Kind) -> None:
    facts = (("Received by", LONG), ("By", "kim"))

    told = as_text(paper(kind, facts=facts, note=LONG, signs=True, store=LONG))

    assert max(map(len, told.splitlines())) <= COLUMNS
    assert "Bananas" in told
    assert "1200 g" in told


def test_a_control_character_in_a_name_never_reaches_the_printer() -> None:
    told = as_text(paper(lines=(PaperLine(sku="1", name="Ba\x1b@na\x07nas", units=1),)))

    assert not [it for it in told if ord(it) < 32 and it != "\n"]


def test_every_unit_and_every_line_is_on_the_page() -> None:
    made = as_html([paper(), paper(Kind.RECEIPT, signs=True)])

    assert made.count("<section") == 2
    assert made.count("Bananas") == 2
    assert "2 lines, 1203 units" in made
    assert made.count("Signature") == 1


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
