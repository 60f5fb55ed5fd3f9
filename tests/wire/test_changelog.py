"""A record that some client wrote into a changelog by mistake is named and skipped; the rows stay as they were."""

from typing import NamedTuple

import pytest

from bopis.domain.inventory.rows import ARTICLE_PREFIX
from bopis.names import LEVELS_TOPIC, NOTICE_STATE_TOPIC, ORDER_STATE_TOPIC
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, ROW_DECODERS, ChangelogReader, Position, encode_note
from bopis.wire.changelog import placed_decoder as placed
from bopis.wire.placement import Placement, partition_of


class Written(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


BY_MISTAKE = [b"{", b"[]", b"\xff\xfe", b"null", b"{}}", b'"text"', b"[" * 5_000]
KEYS = {LEVELS_TOPIC: b"S1|A", ORDER_STATE_TOPIC: b"4K7P92QX", NOTICE_STATE_TOPIC: b"4K7P92QX"}


@pytest.mark.parametrize("value", BY_MISTAKE)
@pytest.mark.parametrize("topic", [LEVELS_TOPIC, ORDER_STATE_TOPIC, NOTICE_STATE_TOPIC])
def test_o2_57_a_value_that_is_no_row_is_skipped_and_named_by_its_offset(topic: str, value: bytes) -> None:
    reader = ChangelogReader(decode=ROW_DECODERS[topic])

    assert not reader.is_row(Written(17, KEYS[topic], value))
    assert [(it.offset, it.key) for it in reader.skipped] == [(17, KEYS[topic])]
    assert reader.skipped[0].cause


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"@strange|S1|x", b"@strange"])
def test_o2_57_a_key_that_no_row_has_is_skipped_and_named(key: bytes | None) -> None:
    reader = ChangelogReader(decode=ROW_DECODERS[LEVELS_TOPIC])

    assert not reader.is_row(Written(3, key, b"{}"))
    assert [it.offset for it in reader.skipped] == [3]


@pytest.mark.parametrize("key", [POSITION_KEY, CLAIM_KEY, b"\x00other"])
def test_o2_57_a_note_that_is_none_changes_no_position(key: bytes) -> None:
    reader = ChangelogReader(decode=ROW_DECODERS[LEVELS_TOPIC])
    reader.is_row(Written(0, POSITION_KEY, encode_note(Position(4))))

    assert not reader.is_row(Written(1, key, b"{"))
    assert reader.position == 4


def test_o2_57_rows_before_and_after_it_are_read() -> None:
    reader = ChangelogReader(decode=ROW_DECODERS[LEVELS_TOPIC])
    written = [Written(0, b"S1|A", b'{"on_hand":3}'), Written(1, b"S1|A", b"{"), Written(2, b"S1|B", None)]

    assert [it.offset for it in reader.rows(written)] == [0, 2]


@pytest.mark.parametrize("value", [b'{"on_hand":3}', None])
def test_o2_01_a_row_of_a_store_in_a_wrong_partition_is_no_row(value: bytes | None) -> None:
    home = partition_of(b"320", 4)
    read = [
        ChangelogReader(decode=placed(LEVELS_TOPIC, Placement(number, 4))).is_row(Written(0, b"320|TOY", value))
        for number in range(4)
    ]

    assert read == [number == home for number in range(4)]


def test_rows_about_no_store_are_at_home_in_every_partition() -> None:
    article = ARTICLE_PREFIX.encode() + b"TOY"
    readers = [ChangelogReader(decode=placed(LEVELS_TOPIC, Placement(number, 4))) for number in range(4)]

    assert all(it.is_row(Written(0, article, b'{"sku":"TOY"}')) for it in readers)
    assert [it.skipped_records for it in readers] == [0] * 4
