"""What breaks the envelope or a limit is refused with the place and the reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.values import LINES_MAX, QUANTITY_MAX
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.errors import Oversize, Undecodable, UnknownType, WireError
from bopis.wire.stock import STOCK

SALE: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "bopis.pos.sale.v1.json").read_text())
LINE = SALE["data"]["lines"][0]


def changed(**header: Any) -> bytes:
    return json.dumps({**SALE, **header}).encode()


def with_line(**fields: Any) -> bytes:
    return changed(data={**SALE["data"], "lines": [{**LINE, **fields}]})


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (b"", Undecodable, "truncated"),
        (b"\xff\xfe", Undecodable, "malformed"),
        (b"[1,2]", Undecodable, "object"),
        (b"[" * 100_000, Undecodable, "got `array`"),
        (b"{}", Undecodable, "type"),
        (changed(type="bopis.pos.sale.v9"), UnknownType, "bopis.pos.sale.v9"),
        (changed(specversion="0.3"), Undecodable, "specversion"),
        (changed(id=""), Undecodable, r"\$.id"),
        (changed(source="x" * 129), Undecodable, r"\$.source"),
        (changed(subject="x" * 65), Undecodable, r"\$.subject"),
        (changed(time="2026-11-22T09:30:00"), Undecodable, r"\$.time"),
        (changed(time="yesterday"), Undecodable, r"\$.time"),
        (changed(seq=0), Undecodable, r"\$.seq"),
        (changed(seq="7"), Undecodable, r"\$.seq"),
        (changed(data={"basket": "b", "lines": []}), Undecodable, r"\$.data.lines"),
        (changed(data={"basket": "b", "lines": [LINE] * (LINES_MAX + 1)}), Undecodable, r"\$.data.lines"),
        (with_line(quantity=1.5), Undecodable, r"quantity"),
        (with_line(quantity=QUANTITY_MAX + 1), Undecodable, r"quantity"),
        (with_line(quantity=True), Undecodable, r"quantity"),
        (with_line(sku=""), Undecodable, r"sku"),
        (with_line(sku="x" * 65), Undecodable, r"sku"),
        (b" " * (MESSAGE_BYTES_MAX + 1), Oversize, "at most"),
    ],
)
def test_bad_bytes_are_refused_with_the_reason(value: bytes, error: type[WireError], said: str) -> None:
    with pytest.raises(error, match=said):
        STOCK.decode(value)


def test_extension_attributes_that_are_not_ours_are_ignored() -> None:
    assert STOCK.decode(changed(traceparent="00-1", dataschema="x")).id == SALE["id"]


def test_a_message_that_could_not_be_read_back_is_not_written() -> None:
    import msgspec

    message = STOCK.decode(changed())
    broken = msgspec.structs.replace(message, source="")

    with pytest.raises(Undecodable):
        STOCK.encode(broken)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    try:
        STOCK.decode(value)
    except WireError:
        return


@given(st.data())
def test_any_damage_to_a_good_message_is_read_or_refused(data: st.DataObject) -> None:
    value = bytearray(changed())
    for _ in range(data.draw(st.integers(1, 5))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        STOCK.decode(bytes(value))
    except WireError:
        return
