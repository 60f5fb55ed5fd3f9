"""Each case of other systems: the same answer, or another one on purpose, with its reason on the page of decisions."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cases import calendar_cases, sourcing_cases, stock_cases
from tests.cases.upstream import FILE, cases, listed

CASES = cases()
RUN: dict[str, Callable[[dict[str, Any], Any], tuple[Any, Any]]] = {
    "source-selection": sourcing_cases.source_selection,
    "salable": stock_cases.salable,
    "salable-qty": stock_cases.salable_qty,
    "pickup-search": sourcing_cases.pickup_search,
    "store-available": stock_cases.store_available,
    "allocation": sourcing_cases.allocation,
    "hold": stock_cases.holds,
    "atp": stock_cases.atp,
    "routing": sourcing_cases.routing,
    "rule-reducer": sourcing_cases.rule_reducer,
    "atp-rules": stock_cases.atp_rules,
    "reconcile": stock_cases.reconcile,
    "pickup-date": calendar_cases.pickup_date,
}
needs_file = pytest.mark.skipif(not FILE.exists(), reason="the worked cases (../shared/cases) are not here")


@needs_file
@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_a_case_is_answered_alike_or_differs_for_a_reason_that_is_told(name: str, case: dict[str, Any]) -> None:
    ours, theirs = RUN[case["group"]](case["given"], case["expect"])

    differing = listed()
    assert (ours != theirs) == (name in differing), f"ours {ours!r}, theirs {theirs!r}"
    assert ours == differing.get(name, theirs)


@needs_file
def test_every_case_runs_and_every_difference_that_is_told_is_one_of_them() -> None:
    assert len(CASES) == 73
    assert set(listed()) <= {name for name, _ in CASES}
