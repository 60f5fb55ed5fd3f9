"""Sums in whole minor units: shared out without losing any, whatever the order of visits."""

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.payments.money import exponent, plain_amount, shares, value_of_units

AMOUNTS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=30)


def test_exponents_are_those_of_iso_4217() -> None:
    for currency in iso4217.Currency:
        # Funds and metals have no minor unit at all.
        if currency.exponent is not None:
            assert exponent(currency.code) == currency.exponent, currency.code


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (1250, "EUR", "12.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (9899, "JPY", "9899 JPY"),
        (18605, "KWD", "18.605 KWD"),
        (0, "", "0.00"),
    ],
)
def test_amounts_in_words(amount: int, currency: str, words: str) -> None:
    assert plain_amount(amount, currency) == words


@given(AMOUNTS, WEIGHTS)
def test_shares_add_up_and_none_is_off_by_a_whole_unit(total: int, weights: list[int]) -> None:
    found = shares(total, weights)

    assert sum(found) == total
    whole = sum(weights)
    if whole:
        assert all(abs(share * whole - total * weight) < whole for share, weight in zip(found, weights, strict=True))


@pytest.mark.parametrize(
    ("total", "weights", "found"),
    [
        (1000, [1000, 1000, 1000], (334, 333, 333)),
        (269, [2499, 644], (214, 55)),
        (-50, [1, 1, 1], (-17, -17, -16)),
        (7, [0, 0], (7, 0)),
        (0, [], ()),
    ],
)
def test_ties_go_to_the_earlier_one(total: int, weights: list[int], found: tuple[int, ...]) -> None:
    assert shares(total, weights) == found


@pytest.mark.parametrize(("total", "weights"), [(1, []), (1, [2, -1])])
def test_what_cannot_be_shared_out_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"."):
        shares(total, weights)


@given(st.integers(0, 10**9), st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_any_sequence_of_visits_adds_up_to_the_line(total: int, visits: list[int]) -> None:
    quantity, first, paid = sum(visits), 0, []
    for units in visits:
        paid.append(value_of_units(total, quantity, first, units))
        first += units

    assert sum(paid) == total
    assert all(part >= 0 for part in paid)


def test_units_that_a_line_has_not_are_refused() -> None:
    with pytest.raises(ValueError, match="3 units behind 1 of a line of 3"):
        value_of_units(100, 3, 1, 3)
