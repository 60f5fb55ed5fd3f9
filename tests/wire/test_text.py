"""Text from outside: control characters and changes of the writing direction are parked, refused or taken out."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.inventory.messages import SaleLine
from bopis.wire.characters import cleaned, printable, text_problems, unclean
from bopis.wire.errors import Undecodable, WireError
from bopis.wire.notices import NOTICES
from bopis.wire.orders import ORDERS
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

GOLDEN = Path(__file__).parent / "golden"
SALE: dict[str, Any] = json.loads((GOLDEN / "bopis.pos.sale.v1.json").read_text())
ADJUSTED: dict[str, Any] = json.loads((GOLDEN / "bopis.stock.adjusted.v2.json").read_text())
STAGED: dict[str, Any] = json.loads((GOLDEN / "bopis.order.stage.v1.json").read_text())
UNCLEAN = (
    [chr(it) for it in (*range(0x20), *range(0x7F, 0xA0))]
    + [chr(it) for it in range(0x2028, 0x202F)]
    + [chr(it) for it in range(0x2066, 0x206A)]
)
# Marks of direction inside a name, joiners and other scripts are ordinary text.
CLEAN = ("é", "ż", "中文", "שלום\u200f", "a\u200db", "👩‍🌾", "\xa0", "\\", "ÿ", "\u2027", "\u202f", "\u2065", "\u206a")


def with_text(text: str, *place: str | int) -> dict[str, Any]:
    """The sale with a text in the place of another."""
    document: Any = json.loads(json.dumps(SALE))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    return dict(document)


def both_spellings(document: dict[str, Any]) -> list[bytes]:
    """JSON with escapes for all that is not ASCII, and JSON with its bytes."""
    return [json.dumps(document).encode(), msgspec.json.encode(document)]


@pytest.mark.parametrize("character", UNCLEAN, ids=[f"U+{ord(it):04X}" for it in UNCLEAN])
def test_o2_27_no_sku_contains_such_a_character(character: str) -> None:
    for value in both_spellings(with_text(f"40{character}11", "data", "lines", 0, "sku")):
        with pytest.raises(Undecodable, match=rf"bopis.pos.sale.v1: .*U\+{ord(character):04X}.*lines\[0\].sku"):
            STOCK.decode(value)


@pytest.mark.parametrize(
    "place",
    [
        ("id",),
        ("source",),
        ("subject",),
        ("correlation",),
        ("causation",),
        ("data", "basket"),
        ("data", "lines", 0, "sku"),
    ],
    ids=str,
)
def test_o2_28_a_nul_in_an_identifying_field_is_refused_with_its_place(place: tuple[str | int, ...]) -> None:
    for value in both_spellings(with_text("4011\x00", *place)):
        with pytest.raises(Undecodable, match=rf"a NUL \(U\+0000\) - at `.*{place[-1]}`"):
            STOCK.decode(value)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Undecodable):
        STOCK.decode(json.dumps(with_text("\ud800", "data", "basket")).encode())


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_text_of_any_script_is_read_as_it_is(text: str) -> None:
    for value in both_spellings(with_text(text, "data", "basket")):
        assert STOCK.decode(value).data.basket == text


def test_free_text_of_a_report_loses_such_characters_and_the_report_counts() -> None:
    noted = {**ADJUSTED, "data": {**ADJUSTED["data"], "note": "box\r\nfell\x1bp0 \u202edown\t"}, "actor": "kim\x07"}
    staged = {**STAGED, "data": {**STAGED["data"], "location": "A1\n"}}

    for value in both_spellings(noted):
        read = STOCK.decode(value)
        assert read.data.note == "box fellp0 down"
        assert read.actor == "kim"
        assert read.data.lines == STOCK.decode(json.dumps(ADJUSTED).encode()).data.lines
    assert ORDERS.decode(json.dumps(staged).encode()).data.location == "A1"


def test_a_location_of_such_characters_alone_is_refused() -> None:
    staged = {**STAGED, "data": {**STAGED["data"], "location": "\x00"}}

    with pytest.raises(WireError):
        ORDERS.decode(json.dumps(staged).encode())


def test_attributes_of_others_are_not_looked_at() -> None:
    assert STOCK.decode(json.dumps({**SALE, "comment": "line 1\nline 2\x00"}).encode()).id == SALE["id"]


def test_events_are_read_as_they_are() -> None:
    golden = json.loads((GOLDEN / "bopis.inventory.gap_found.v1.json").read_text())
    golden["data"]["device"] = "till\x1b"

    assert INVENTORY_EVENTS.decode(json.dumps(golden).encode()).data.device == "till\x1b"


@pytest.mark.parametrize(
    "changes",
    [{"note": "box\nfell"}, {"note": "\udcff"}, {"note": "\u202e"}],
)
def test_a_message_of_ours_with_such_a_character_is_refused_also_in_free_text(changes: dict[str, Any]) -> None:
    message = STOCK.decode(json.dumps(ADJUSTED).encode())

    with pytest.raises(Undecodable, match=r"data\.note"):
        STOCK.encode(msgspec.structs.replace(message, data=msgspec.structs.replace(message.data, **changes)))


def test_a_sku_that_is_not_utf_8_is_refused_by_its_place() -> None:
    message = STOCK.decode(json.dumps(SALE).encode())
    line = SaleLine(sku="\udcff", quantity=1)

    with pytest.raises(Undecodable, match=r"half a character .*lines\[0\].sku"):
        STOCK.encode(msgspec.structs.replace(message, data=msgspec.structs.replace(message.data, lines=(line,))))


def test_every_family_that_others_write_to_is_checked() -> None:
    golden = json.loads((GOLDEN / "bopis.notice.resend.v1.json").read_text())

    with pytest.raises(Undecodable, match="a NUL"):
        NOTICES.decode(json.dumps({**golden, "subject": "A\x00"}).encode())


@given(st.text(max_size=40))
def test_what_is_cleaned_or_printable_is_clean(text: str) -> None:
    assert not unclean(cleaned(text))
    assert not unclean(printable(text))
    assert not unclean(printable(text, lines=True).replace("\n", ""))
    assert bool(text_problems([("name", text)])) == bool(unclean(text))
    if not unclean(text):
        assert cleaned(text) == printable(text) == text


@given(st.text(max_size=40))
def test_the_quick_look_at_the_bytes_misses_nothing(text: str) -> None:
    document = with_text(f"x{text}", "data", "basket")
    try:
        values = both_spellings(document)
    except UnicodeEncodeError:
        values = [json.dumps(document).encode()]
    for value in values:
        try:
            assert STOCK.decode(value).data.basket == f"x{text}"
            assert not unclean(text)
        except Undecodable:
            assert unclean(text)
