"""The exports of 17 tills give exactly the baskets, lines without stock and rejects that were worked out by hand."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bopis.domain.inventory.outcomes import Outcome, Remembered, difference, outcome_of, remember
from bopis.domain.values import epoch_ms
from bopis.services.till_files.baskets import ReadBasket, reports
from bopis.services.till_files.facts import Missing, NotStock, Pending, Rejected, Repeated, Warned
from bopis.services.till_files.mapping_file import read_mapping
from bopis.services.till_files.reader import TillFact, read_till_file

TILLS = Path(__file__).parent / "tills"
CASES = json.loads((TILLS / "expected.json").read_text(encoding="utf-8"))["cases"]
NAMES = [case["file"].rstrip("/") for case in CASES]


def facts_of(file: str, mapping: str) -> list[TillFact]:
    return list(read_till_file(TILLS / file, read_mapping(str(TILLS / "mappings" / f"{Path(mapping).stem}.toml"))))


class Journal:
    """The part of a journal that remembers baskets."""

    def __init__(self) -> None:
        self.remembered: dict[str, Remembered] = {}
        self.outcomes: dict[str, list[ReadBasket]] = {it: [] for it in Outcome}

    def take(self, facts: Iterable[TillFact]) -> None:
        for it in facts:
            if isinstance(it, ReadBasket):
                known = self.remembered.get(it.key)
                outcome = outcome_of(it, known)
                self.outcomes[outcome].append(it)
                if outcome is Outcome.NEW:
                    self.remembered[it.key] = remember(it)


def named(case: dict[str, Any], name: str) -> Counter[str]:
    return Counter(str(it["line"]) for it in case.get(name, []))


def lines(facts: Iterable[TillFact], kind: type) -> Counter[str]:
    return Counter(it.line for it in facts if isinstance(it, kind))


def lines_of(basket: ReadBasket) -> list[str]:
    """The places of a basket's lines; of the items of one object, that of the object."""
    return sorted({it.line.partition("#")[0] for it in basket.lines})


def as_expected(baskets: Iterable[ReadBasket]) -> dict[tuple[str, str], Any]:
    return {(it.store, it.basket): (it.at_ms, {net.sku: net.units for net in it.net}, lines_of(it)) for it in baskets}


def expected_baskets(stated: Iterable[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {
        (it["store"], it["basket"]): (
            epoch_ms(datetime.fromisoformat(it["sold_at"])),
            {sku: units for sku, units in it["units"].items() if units},
            sorted(map(str, it["lines"])),
        )
        for it in stated
    }


def books(messages: Iterable[tuple[str, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for store, message in messages:
        for line in message.lines:
            cells = found.setdefault(store, {})
            cells[line.sku] = cells.get(line.sku, 0) + line.quantity
    return {store: {sku: it for sku, it in cells.items() if it} for store, cells in found.items()}


def booked(baskets: Iterable[ReadBasket]) -> Iterator[tuple[str, Any]]:
    return ((it.store, message) for it in baskets for message in reports(it))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_file_gives_what_was_worked_out_by_hand(case: dict[str, Any]) -> None:
    name = case["file"].rstrip("/")
    facts = facts_of(name, name)
    journal = Journal()

    journal.take(facts)

    new = journal.outcomes[Outcome.NEW]
    assert as_expected(new) == expected_baskets(case["baskets"])
    assert books(booked(new)) == case["units"]
    assert lines(facts, NotStock) == named(case, "not_stock")
    assert lines(facts, Rejected) == named(case, "rejected")
    assert lines(facts, Warned) == named(case, "warnings")
    assert lines(facts, Repeated) == Counter()
    assert [it.first_line for it in journal.outcomes[Outcome.DUPLICATE]] == list(map(str, case.get("duplicates", [])))
    assert [it.first_line for it in journal.outcomes[Outcome.CHANGED]] == list(map(str, case.get("conflicts", [])))
    assert {it.device: list(it.numbers) for it in facts if isinstance(it, Missing) and not it.of_till} == case.get(
        "gaps", {}
    )
    assert {it.device: list(it.numbers) for it in facts if isinstance(it, Missing) and it.of_till} == case.get(
        "till_gaps", {}
    )
    pending = [str(case["pending"]["line"])] if "pending" in case else []
    assert [it.line for it in facts if isinstance(it, Pending)] == pending


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_reasons_are_those_that_the_mapping_states(case: dict[str, Any]) -> None:
    facts = facts_of(case["file"].rstrip("/"), case["file"].rstrip("/"))

    reasons = {it.line: it.why for it in facts if isinstance(it, NotStock)}

    assert reasons == {str(it["line"]): it["why"] for it in case["not_stock"]}


def test_a_second_file_of_a_source_books_only_what_is_new_and_parks_what_changed() -> None:
    case = next(it for it in CASES if "then" in it)
    second = case["second"]
    journal = Journal()
    journal.take(facts_of(case["file"], case["file"]))
    before = len(journal.outcomes[Outcome.NEW])

    facts = facts_of(case["then"], case["file"])
    journal.take(facts)

    new = journal.outcomes[Outcome.NEW]
    changed = journal.outcomes[Outcome.CHANGED]
    assert as_expected(new[before:]) == expected_baskets(second["baskets"])
    assert [it.basket for it in journal.outcomes[Outcome.DUPLICATE]] == second["duplicates"]
    assert lines(facts, NotStock) == named(second, "not_stock")
    assert {it.basket: {net.sku: net.units for net in it.net} for it in changed} == {
        it["basket"]: it["now"] for it in second["conflicts"]
    }
    assert books(booked(new)) == second["units_while_conflicts_wait"]
    accepted = [(it.store, message) for it in changed for message in difference(journal.remembered[it.key], it) or ()]
    assert books([*booked(new), *accepted]) == second["units_when_all_are_accepted"]
