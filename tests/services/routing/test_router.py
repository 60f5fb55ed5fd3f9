"""Requests answered from live tables, orders woken by stock, orders told that their store is withdrawn."""

import msgspec
import pytest

from bopis.domain.inventory.events import HoldExtended, StockReserved
from bopis.domain.inventory.messages import (
    CountLine,
    PickLine,
    SetStockRule,
    SetStorePolicy,
    StockCounted,
    StockLine,
    StockPicked,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import Level
from bopis.domain.orders.messages import StockAppeared, StoreWithdrawn
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Consent
from bopis.domain.sourcing.decision import RoutingOutcome, Rung
from bopis.domain.sourcing.ladder import replay
from bopis.domain.sourcing.rules import Ranker, Ranking, RuleSet
from bopis.domain.values import DAY_MS, HOUR_MS
from bopis.wire.changelog import CLAIM_KEY, POSITION_KEY, Claim, Position, encode_note
from bopis.wire.orders import ORDERS
from bopis.wire.routing import SHADOW
from tests.services.routing.bus import Bus, Record

NEAR = {"latitude": 41.90, "longitude": -87.63}
NEARER = {"latitude": 41.89, "longitude": -87.63}
FARTHER = {"latitude": 41.99, "longitude": -87.63}


def test_an_order_is_routed_held_and_promised_at_its_store() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 3)

    bus.place("AAAAAAA1", "S1", {"X": 2})

    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}
    [decision] = bus.decisions()
    assert len(decision.facts) == 1
    assert replay(decision) == decision


def test_a_hold_is_extended_without_a_word_to_the_order_that_asked_for_it() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 3)

    bus.place("AAAAAAA1", "S1", {"X": 2})

    extended = [it for it in bus.log["inventory-events"] if b".hold_extended." in it]
    assert len(extended) == 1
    assert len(bus.told(StockReserved)) == 1
    assert bus.told(HoldExtended) == []


def test_the_nearest_store_with_stock_is_taken_when_the_order_allows_it() -> None:
    bus = Bus()
    for store, where in (("S1", NEAR), ("S2", FARTHER), ("S3", NEARER)):
        bus.open_store(store, **where)
    bus.receive("S2", "X", 5)
    bus.receive("S3", "X", 5)

    bus.place("AAAAAAA1", "S1", {"X": 2}, alternatives=Consent.AUTOMATIC)

    assert bus.lines("AAAAAAA1") == {"S3": LineState.PROMISED}


def test_a_waiting_order_wakes_when_the_stock_that_it_waits_for_appears_and_not_before() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.place("AAAAAAA1", "S1", {"X": 2}, wait_hours=48, alternatives=Consent.NEVER)
    assert bus.lines("AAAAAAA1")[""] is LineState.WAITING

    bus.receive("S1", "X", 1)
    bus.receive("S1", "Y", 9)
    assert bus.told(StockAppeared) == []
    bus.receive("S1", "X", 1)

    assert len(bus.told(StockAppeared)) == 1
    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_stock_that_a_rule_gives_free_wakes_too() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 2)
    bus.tell_stock("S1", SetStockRule(safety_stock=2))
    bus.place("AAAAAAA1", "S1", {"X": 2}, wait_hours=48)

    bus.tell_stock("S1", SetStockRule(safety_stock=0))

    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_one_unit_wakes_the_oldest_of_those_that_wait_for_it() -> None:
    bus = Bus()
    bus.open_store("S1")
    orders = ("CCCCCCC3", "AAAAAAA1", "BBBBBBB2")
    for order in orders:
        bus.place(order, "S1", {"X": 1}, wait_hours=48)

    bus.receive("S1", "X", 1)

    assert [it.attempt for it in bus.decisions()] == [1, 1, 1, 2]
    assert [next(iter(bus.lines(it).values())) for it in orders] == [
        LineState.PROMISED,
        LineState.WAITING,
        LineState.WAITING,
    ]


def test_stock_that_appears_while_routing_is_down_wakes_when_it_is_back() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.place("AAAAAAA1", "S1", {"X": 1}, wait_hours=48)
    bus.routing.assign([])
    bus.receive("S1", "X", 1)
    assert bus.lines("AAAAAAA1")[""] is LineState.WAITING

    bus.start_routing()
    bus.run()

    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_a_worker_that_takes_over_looks_at_what_its_new_orders_wait_for() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.place("AAAAAAA1", "S1", {"X": 1}, wait_hours=48)
    bus.routing.assign([])
    bus.receive("S1", "X", 1)

    bus.routing.assign([0])
    bus.follow_up()

    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_an_order_that_comes_late_to_a_withdrawn_store_is_told_too() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 5)
    bus.place("AAAAAAA1", "S1", {"X": 1})
    late = dict(bus.states)
    bus.start_routing_without_orders()
    bus.tell_stock("S1", SetStorePolicy(pickup=False))
    assert bus.told(StoreWithdrawn) == []

    bus.tell_states(late)

    assert bus.told(StoreWithdrawn) == [StoreWithdrawn(store="S1", closing=False)]


def test_a_transfer_on_its_way_is_waited_for_and_serves_when_it_arrives() -> None:
    bus = Bus(RuleSet(transfer_hours=24))
    bus.open_store("S1", **NEAR)
    bus.open_store("S2", **NEARER)
    bus.receive("S2", "X", 3)
    lines = (StockLine(sku="X", quantity=3),)
    bus.tell_stock("S2", TransferShipped(transfer="T1", to_store="S1", lines=lines))

    bus.place("AAAAAAA1", "S1", {"X": 2}, later=True)
    [decision] = bus.decisions()
    bus.tell_stock("S1", TransferReceived(transfer="T1", from_store="S2", lines=lines))

    assert (decision.answer.rung, decision.answer.outcome) == (Rung.LATER, RoutingOutcome.WAITING)
    assert decision.answer.assignments[0].stock_from_ms is not None
    assert 23 * HOUR_MS < decision.answer.assignments[0].stock_from_ms - decision.decided_at_ms <= 24 * HOUR_MS
    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_a_store_that_loses_its_pickup_flag_is_told_to_its_open_orders_once() -> None:
    bus = Bus()
    bus.open_store("S1", **NEAR)
    bus.open_store("S2", **NEARER)
    bus.receive("S1", "X", 5)
    bus.receive("S2", "X", 5)
    bus.place("AAAAAAA1", "S1", {"X": 1}, alternatives=Consent.AUTOMATIC)
    bus.place("BBBBBBB2", "S2", {"X": 1})

    bus.tell_stock("S1", SetStorePolicy(pickup=False))
    bus.tell_stock("S1", SetStorePolicy(staleness_grace_minutes=9))

    assert bus.told(StoreWithdrawn) == [StoreWithdrawn(store="S1", closing=False)]
    assert bus.order("AAAAAAA1").live[0].store == "S2"
    assert bus.lines("BBBBBBB2") == {"S2": LineState.PROMISED}


def test_a_store_that_closes_for_good_says_so() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 5)
    bus.place("AAAAAAA1", "S1", {"X": 1})

    bus.open_store("S1", closed=True)

    assert bus.told(StoreWithdrawn) == [StoreWithdrawn(store="S1", closing=True)]


def test_a_request_heard_twice_is_answered_once_also_after_a_restart() -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 5)
    bus.place("AAAAAAA1", "S1", {"X": 1})
    events = list(bus.log["order-events"])

    again = [said for value in events for said in bus.routing.answer(value, bus.now_ms)]
    bus.start_routing()
    again += [said for value in events for said in bus.routing.answer(value, bus.now_ms)]

    assert again == []


def test_an_answer_decided_again_from_other_facts_is_another_message() -> None:
    """Two messages with one id and different words would be taken for a forgery and parked."""
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 5)
    bus.routing.assign([])
    bus.place("AAAAAAA1", "S1", {"X": 1})
    [request] = [it for it in bus.log["order-events"] if b"routing_requested" in it]

    ids = set()
    for _ in range(2):
        bus.states.clear()
        bus.now_ms += 1
        bus.start_routing()
        ids |= {ORDERS.decode(value).id for _, _, value in bus.routing.answer(request, bus.now_ms)}

    assert len(ids) == 2


def test_a_short_pick_lowers_trust_until_a_count_has_settled_it_and_time_has_passed() -> None:
    bus = Bus(RuleSet(trust_permille_min=501))
    bus.open_store("S1")
    bus.receive("S1", "X", 9)
    bus.place("AAAAAAA1", "S1", {"X": 2})
    [hold] = bus.order("AAAAAAA1").holds
    bus.tell_stock("S1", StockPicked(hold=hold.hold, lines=(PickLine(line=1, picked=1, missing=1),)))

    bus.place("BBBBBBB2", "S1", {"X": 1})
    bus.tell_stock("S1", StockCounted(lines=(CountLine(sku="X", counted=7),)))
    bus.now_ms += 7 * DAY_MS
    bus.place("CCCCCCC3", "S1", {"X": 1})

    doubted, settled = (next(it for it in bus.decisions() if it.order == order) for order in ("BBBBBBB2", "CCCCCCC3"))
    assert (doubted.facts[0].skus[0].trust, doubted.answer.reason) == (500, "trust_too_low")
    assert (settled.facts[0].skus[0].trust, settled.answer.outcome) == (750, RoutingOutcome.ROUTED)


def test_the_queue_of_a_store_moves_the_promise_of_the_next_order() -> None:
    bus = Bus(RuleSet(promise_minutes=0, order_seconds=600, line_seconds=0))
    bus.open_store("S1")
    bus.receive("S1", "X", 9)

    for number in range(3):
        bus.place(f"AAAAAAA{number}", "S1", {"X": 1})

    assert [it.facts[0].queue_minutes for it in bus.decisions()] == [0, 10, 20]


def test_a_candidate_rule_set_decides_beside_and_never_acts() -> None:
    far_first = RuleSet(name="candidate", version=7, rankers=(Ranking(by=Ranker.COST),))
    bus = Bus(candidate=far_first)
    bus.open_store("S1", **NEAR)
    bus.open_store("S2", **FARTHER, cost=1)
    bus.open_store("S3", **NEARER, cost=2)
    bus.receive("S2", "X", 5)
    bus.receive("S3", "X", 5)

    bus.place("AAAAAAA1", "S1", {"X": 1}, alternatives=Consent.AUTOMATIC)

    [shadow] = [SHADOW.decode(value).data for value in bus.log["routing-shadow"]]
    [acted] = bus.decisions()
    assert bus.lines("AAAAAAA1") == {"S3": LineState.PROMISED}
    assert shadow.acted == acted.digest
    assert shadow.decision.rules.version == 7
    assert [it.store for it in shadow.decision.answer.assignments] == ["S2"]
    assert shadow.decision.facts == acted.facts


def test_an_order_of_very_many_lines_still_is_one_message() -> None:
    bus = Bus()
    for number in range(30):
        bus.open_store(f"S{number}", **NEAR)
        bus.receive(f"S{number}", "SKU-0", 1)
    lines = {f"SKU-{number}": 1 for number in range(200)}

    bus.place("AAAAAAA1", "S0", lines)

    [decision] = bus.decisions()
    assert decision.answer.outcome is RoutingOutcome.REFUSED
    assert len(decision.facts) > 1
    assert len(msgspec.json.encode(decision)) < 262_144


@pytest.mark.parametrize(("claim_named", "counts"), [(1, True), (0, False)], ids=["the owner", "a fenced writer"])
def test_rows_of_a_writer_that_lost_the_partition_are_not_believed(claim_named: int, counts: bool) -> None:
    """They used to be: routing sent orders to a store for units that its owner had not in the books."""
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 1)
    claims = (Record(offset, 0, CLAIM_KEY, encode_note(Claim("w", offset, 0))) for offset in (0, 1))
    commit = Record(2, 0, POSITION_KEY, encode_note(Position(9, claim_named)))
    level = msgspec.json.encode(Level(on_hand=9))

    for record in (*claims, commit, Record(3, 0, b"S1|X", level)):
        bus.routing.take("inventory-levels", record, 0)
    bus.place("AAAAAAA1", "S1", {"X": 5}, alternatives=Consent.NEVER)

    [decision] = bus.decisions()[:1]
    assert (decision.answer.outcome is RoutingOutcome.ROUTED) == counts


@pytest.mark.parametrize(
    "broken",
    [
        {"opening_hours": "whenever"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "/etc/passwd"},
        {"holidays": "ZZ"},
        {"opening_hours": 5},
    ],
)
def test_a_store_that_cannot_be_read_is_named_and_the_one_known_before_stands(broken: dict[str, object]) -> None:
    bus = Bus()
    bus.open_store("S1")
    bus.receive("S1", "X", 5)
    row = Record(0, 0, b"S1", msgspec.json.encode({"store_id": "S1", "name": "One", **broken}))

    with pytest.raises(ValueError, match=r"store S1|opening_hours"):
        bus.routing.take("stores", row, 0)
    bus.place("AAAAAAA1", "S1", {"X": 1})

    assert bus.lines("AAAAAAA1") == {"S1": LineState.PROMISED}


def test_a_store_that_was_never_imported_is_refused_by_name() -> None:
    bus = Bus()
    bus.receive("S9", "X", 5)

    bus.place("AAAAAAA1", "S9", {"X": 1})

    [decision] = bus.decisions()
    assert decision.answer.reason == "unknown_store"


@pytest.mark.parametrize("consent", [Consent.AUTOMATIC, Consent.OFFER])
def test_o2_09_an_order_is_neither_moved_nor_offered_to_a_store_without_coordinates(consent: Consent) -> None:
    bus = Bus()
    bus.open_store("S1", **NEAR)
    bus.open_store("TOKYO")
    bus.receive("S1", "BEER", 24)
    bus.receive("TOKYO", "BEER", 99)

    bus.place("AAAAAAA1", "S1", {"BEER": 50}, alternatives=consent)

    [decision] = bus.decisions()
    assert decision.answer.outcome is RoutingOutcome.REFUSED
    assert {it.store: it.reason.value for it in decision.answer.eliminated} == {
        "S1": "not_enough_stock",
        "TOKYO": "place_unknown",
    }


def test_a_store_at_the_same_place_is_the_nearest() -> None:
    bus = Bus(RuleSet(rankers=(Ranking(by=Ranker.COST),)))
    for name, place in (("S1", NEAR), ("S2", NEAR), ("S3", FARTHER)):
        bus.open_store(name, **place)
        bus.receive(name, "X", 9 if name != "S1" else 1)

    bus.place("AAAAAAA1", "S1", {"X": 2}, alternatives=Consent.AUTOMATIC)

    assert {it.store: it.distance_m for it in bus.decisions()[0].facts} == {"S1": 0, "S2": 0, "S3": 10_008}
