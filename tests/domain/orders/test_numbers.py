"""Order numbers: short, readable aloud, and a wrong one is noticed."""

from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.orders.numbers import ALPHABET, number_from, parse, shown

digests = st.binary(min_size=5, max_size=32)


@given(digests)
def test_a_number_is_read_however_it_is_written(digest: bytes) -> None:
    number = number_from(digest)

    assert len(number) == 8
    assert parse(shown(number).lower()) == number
    assert parse(number.replace("0", "o").replace("1", "l")) == number


@given(digests, st.integers(0, 7), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_noticed(digest: bytes, place: int, letter: str) -> None:
    number = number_from(digest)
    wrong = number[:place] + letter + number[place + 1 :]

    assert parse(wrong) == (number if letter == number[place] else None)


@given(digests, st.integers(0, 6))
def test_every_swap_of_neighbours_is_noticed(digest: bytes, place: int) -> None:
    number = number_from(digest)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    assert parse(swapped) == (number if swapped == number else None)


def test_what_is_no_number_is_none() -> None:
    assert [parse(it) for it in ("", "4K7P", "4K7P-92Q!", "UUUU-UUUU", "4K7P92QX0")] == [None] * 5
