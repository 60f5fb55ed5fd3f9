"""Each worked case of payments: sums, attempts and states are those of the case."""

import json
from typing import Any

import pytest

from tests.cases.payment_cases import CasePlay, cancelled, outcome, promised
from tests.house.reading import ROOT

FILE = ROOT / "../shared/cases/payment_cases.json"
# Signatures, card numbers and the order of a backlog: cases of the adapters, the text guard and the runner.
ELSEWHERE = {
    "PAY-010": "tests/services/payments/test_callbacks.py",
    "PAY-012": "tests/services/payments/test_callbacks.py",
    "PAY-013": "tests/adapters/gateways/test_signatures.py",
    "PAY-088": "tests/domain/payments/test_card_numbers.py",
    "PAY-091": "tests/services/payments/test_lanes.py",
}
# Words of the cases for a state of the order's payment, and ours.
STATES = {
    "refunded(partly)": "refunded_partly",
    "authorised(nothing due)": "authorised",
}
needs_file = pytest.mark.skipif(not FILE.exists(), reason="the worked cases (../shared/cases) are not here")


def cases() -> list[dict[str, Any]]:
    if not FILE.exists():
        return []
    found: list[dict[str, Any]] = json.loads(FILE.read_text())["cases"]
    return [it for it in found if it["id"] not in ELSEWHERE]


def wanted_attempts(case: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The attempts of a case that reach a gateway, in the order in which they are asked."""
    return [
        (it["k"], it["state"], it["authorised"], it["captured"], it["refunded"])
        for it in case["then"]["attempts"]
        if it["state"] != "not_called" and "promise to pay" not in it.get("note", "")
    ]


@needs_file
@pytest.mark.parametrize("case", cases(), ids=[it["id"] for it in cases()])
def test_a_case_ends_as_it_should(case: dict[str, Any]) -> None:
    world = CasePlay(case).play()

    then, found = case["then"], outcome(world, case["then"])
    tried = [it for it in found["attempts"] if it[1] != "not_called"]
    assert sorted(it[1:] for it in tried) == sorted(it[1:] for it in wanted_attempts(case))
    for name in ("captured", "refunded", "live_authorisations"):
        assert found[name] == then[name], name
    assert found["payment"] == STATES.get(then["payment"], then["payment"])


@needs_file
@pytest.mark.parametrize("case", cases(), ids=[it["id"] for it in cases()])
def test_the_order_of_a_case_learns_what_it_should(case: dict[str, Any]) -> None:
    world = CasePlay(case).play()

    order = case["then"].get("order", "")
    if order.startswith(("promised", "ready", "handed_over")):
        assert promised(world) or case["given"].get("captured_already")
        assert not cancelled(world)
    if order in ("cancelled(payment)", "cancelled(fraud)"):
        assert cancelled(world)
        assert not promised(world)
    if order == "held":
        assert not promised(world)
        assert not cancelled(world)
    asked = len([it for it in case["then"].get("tell", ()) if it.startswith(("add_a_payment", "please_confirm"))])
    assert len(world.asked) == asked


def test_every_other_case_names_its_own_test() -> None:
    for name, path in ELSEWHERE.items():
        assert f"test_{name.lower().replace('-', '_')}_" in (ROOT / path).read_text(), f"{path} has no test of {name}"
