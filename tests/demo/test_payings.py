"""How the customers of the demonstrated day pay: every way occurs, half of the orders, and nobody is asked in vain."""

import random
from collections import Counter

import msgspec

from bopis.demo.payings import ASKS, BY_NEXT, COLLECTED_ONLY, METHODS, Paying, dealt, other_card, plan_of
from bopis.domain.payments.card_numbers import has_card_number
from bopis.domain.payments.gateway import METHODS_MAX, MethodKind

ORDER = "N6PV4KQ2"
USUAL = [True] * 320


def test_every_second_order_is_paid_in_advance_and_the_same_again_by_the_same_seed() -> None:
    found = dealt(USUAL, random.Random(1))

    assert [it is None for it in found] == [number % 2 == 1 for number in range(len(USUAL))]
    assert found == dealt(USUAL, random.Random(1)) != dealt(USUAL, random.Random(2))


def test_each_way_occurs_once_among_the_first_and_later_most_first_methods_are_approved() -> None:
    found = [it for it in dealt(USUAL, random.Random(1)) if it is not None]
    first, later = found[: len(Paying)], Counter(found[len(Paying) :])

    assert Counter(first) == Counter(Paying)
    assert set(later) == set(Paying)
    assert later[Paying.APPROVED] > later.total() * 0.7


def test_only_orders_that_are_collected_as_usual_ask_their_customers() -> None:
    are_usual = [number % 3 == 0 for number in range(320)]

    found = dealt(are_usual, random.Random(1))

    assert all(is_usual or it not in COLLECTED_ONLY for it, is_usual in zip(found, are_usual, strict=True))
    assert set(Paying) <= set(found)


def test_a_plan_has_one_to_three_methods_and_pays_in_the_store_last() -> None:
    assert METHODS.keys() == set(Paying)
    for paying in Paying:
        plan = plan_of(ORDER, paying)
        assert 1 <= len(plan.methods) <= 3 < METHODS_MAX
        assert plan.consent is (len(plan.methods) > 1)
        assert all(it.kind is not MethodKind.PAY_IN_STORE for it in plan.methods[:-1])
        assert not has_card_number(msgspec.json.encode(plan).decode())
        tokens = [it.token for it in (*plan.methods, other_card(ORDER)) if it.token]
        assert len(set(tokens)) == len(tokens)


def test_a_refused_card_is_known_behind_its_other_token() -> None:
    first, second, third = plan_of(ORDER, Paying.NEVER).methods

    assert first.card == second.card != third.card
    assert first.token != second.token


def test_who_is_asked_is_not_paid_for_by_the_next_method() -> None:
    assert not ASKS & BY_NEXT
    assert len(BY_NEXT) == 8
