"""Numbers as spreadsheets and tills write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.tables.numbers import decimal_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.000", "1"),
        ("1,000.000", "1000"),
        ("1.000,5", "1000.5"),
        ("1,234,567", "1234567"),
        ("1.234.567", "1234567"),
        ("1 000", "1000"),
        ("1\u00a0234,50", "1234.5"),
        ("1'000.25", "1000.25"),
        ("2,55", "2.55"),
        ("0,355", "0.355"),
        ("-3", "-3"),
        ("+.5", "0.5"),
        ("0.35499999999999998", "0.355"),
    ],
)
def test_a_number_that_means_one_thing_is_read__o2_40(text: str, number: str) -> None:
    assert decimal_of(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["", "1,000", "1_0", "nan", "inf", "1,00,000", "12,34.5", "0,355,000", "0.355.000", "1.2.3", "two", "1 00", "٣"],
)
def test_a_number_that_could_mean_two_things_is_not_guessed(text: str) -> None:
    assert decimal_of(text) is None


def test_the_decimal_mark_decides_what_is_ambiguous() -> None:
    assert (decimal_of("1,000", "."), decimal_of("1,000", ",")) == (1000, 1)
    assert (decimal_of("1.000", "."), decimal_of("1.000", ",")) == (1, 1000)
    assert decimal_of("0,355", ".") is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_written_with_thousands_is_itself(number: Decimal) -> None:
    written = f"{number:,.3f}"

    assert decimal_of(written, ".") == number
    assert decimal_of(written.translate(str.maketrans(",.", ".,")), ",") == number


@given(st.text(), st.sampled_from(["", ".", ","]))
def test_any_text_is_a_number_or_none(text: str, mark: str) -> None:
    found = decimal_of(text, mark)

    assert found is None or found.is_finite()
