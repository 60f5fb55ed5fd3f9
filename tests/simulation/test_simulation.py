"""Every seed holds, a failure is found, told so that it can be repeated, and cut short."""

import os
from typing import Any

import pytest

from bopis.domain.payments.gateway import DeclineClass, Operation
from streams.engine.rows import PartitionRows
from tests.simulation.findings import Finding
from tests.simulation.plan import plan
from tests.simulation.run import run
from tests.simulation.search import failing, first_failure, one, report
from tests.simulation.world import World

SEEDS = 400
SOAK_SEEDS = int(os.environ.get("BOPIS_SIMULATION_SEEDS", "1000000"))
SOAK_FIRST = int(os.environ.get("BOPIS_SIMULATION_FIRST", "10000"))


def test_every_seed_holds() -> None:
    said = first_failure(0, SEEDS, jobs=2)

    assert said == ""


@pytest.mark.soak
def test_a_million_seeds_hold() -> None:
    said = first_failure(SOAK_FIRST, SOAK_SEEDS, jobs=os.cpu_count() or 1)

    assert said == ""


def test_a_seed_is_the_same_every_time() -> None:
    logs = [run(7).log for _ in range(2)]

    assert logs[0].topics == logs[1].topics


def test_a_failure_names_its_seed_and_the_steps_that_are_enough(monkeypatch: Any) -> None:
    """Rows that forget every deadline: nothing that time decides ever happens."""
    monkeypatch.setattr(PartitionRows, "next_deadline", lambda _: None)
    seed = failing(range(100))
    assert seed is not None

    said = report(seed)

    assert any(words in said for words in ("nothing hangs", "has ended", "is left"))
    numbers = [int(it) for it in said.rpartition(" ")[2].split(",")]
    assert len(numbers) < len(plan(seed))
    assert one(seed, numbers) in said


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [run(seed) for seed in range(60)]


def test_seeds_reach_what_they_are_for(worlds: list[World]) -> None:
    """A simulation that never comes to a hand-over or a shortfall would hold, too."""
    words = (b"order_handed_over.v", b"order_expired.v", b"order_cancelled.v", b"line_short.v", b"order_returned.v")
    events = b"".join(record.value or b"" for it in worlds for part in it.log.topics["order-events"] for record in part)

    assert [it for it in words if it not in events] == []


def test_seeds_reach_what_can_become_of_a_notice(worlds: list[World]) -> None:
    events = b"".join(
        record.value or b"" for it in worlds for part in it.log.topics["notice-events"] for record in part
    )
    took = [it.delivery for world in worlds for it in world.post.took]

    states = ("sent", "unknown", "failed", "withdrawn", "waiting", "erased", "no_address")
    assert [it for it in states if b'"state":"%s"' % it.encode() not in events] == []
    wanted = {"placed", "ready", "reminder", "expired", "cancelled", "not_ready", "refunded", "arrival", "collected"}
    assert wanted <= {it.milestone.value for it in took}
    assert {it.copy for it in took} > {1}


def test_a_finding_names_what_was_looked_at() -> None:
    found = Finding("units are conserved", "line 1")

    assert (found.check, str(found)) == ("units are conserved", "units are conserved: line 1")


def test_seeds_reach_what_can_become_of_a_payment(worlds: list[World]) -> None:
    events = b"".join(
        record.value or b"" for it in worlds for part in it.log.topics["payment-events"] for record in part
    )
    states = ("approved", "declined", "action_required", "unknown", "waiting", "closed", "ended")
    steps = ("done", "failed", "accepted")
    endings = ("order_ended", "exhausted", "late", "fraud")
    classes = [it.value for it in DeclineClass]
    operations = [it.value for it in Operation]

    assert [it for it in (*states, *steps) if b'"state":"%s"' % it.encode() not in events] == []
    assert [it for it in endings if b'"ending":"%s"' % it.encode() not in events] == []
    assert [it for it in classes if b'"decline":"%s"' % it.encode() not in events] == []
    assert [it for it in operations if b'"operation":"%s"' % it.encode() not in events] == []
    words = ("method_added.v1", "methods_restarted.v1", "hold_needed.v1", "customer_asked.v1")
    assert [it for it in words if it.encode() not in events] == []
