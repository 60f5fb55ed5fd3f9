"""The judge of the whole flow of orders: reads the log by itself, knows nothing of what the workers think, and asks the
read side and the mail server whether they tell the same."""

import json
import time
from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Engine, select

from bopis.domain.inventory.rows import Level, split_key
from bopis.domain.message import Message
from bopis.domain.notices.state import OrderNotices
from bopis.domain.notices.vocabulary import DeliveryState
from bopis.domain.orders.state import LineState, Order
from bopis.readside.orders.tables import order_notices
from bopis.readside.orders.tables import orders as order_rows
from tests.faults.crew import Crew
from tests.faults.order_people import SKUS, STORES, SUBSTITUTE, UNITS, People, heard
from tests.services.notices.post import Mailbox
from tests.simulation.audit_orders import OrderAuditor

CONCURRENCY = 4  # notices that one notifier sends at a time
FLOW_SECONDS_MAX = 300.0


def changelog(crew: Crew, topic: str, kind: Any) -> tuple[dict[str, Any], dict[int, int]]:
    """The rows of a changelog folded by hand, and up to where they are decided."""
    rows: dict[str, Any] = {}
    positions: dict[int, int] = {}
    for record in crew.read(topic):
        if record.key[0] == 0:
            if record.key == b"\x00position":
                positions[record.partition] = json.loads(record.value)["position"]
        elif record.value is not None:
            rows[record.key.decode()] = msgspec.json.decode(record.value, type=kind)
    return rows, positions


def at_rest(crew: Crew) -> dict[str, Order]:
    """The orders, once everything that was said to them and to the stores is decided and nothing follows from it."""
    crew.producer.flush()
    found: dict[str, Order] = {}
    seen: dict[tuple[str, int], int] = {}

    def quiet() -> bool:
        ends = {(it.topic, it.partition): it.offset for name in ("orders", "stock") for it in crew.read(name)}
        # What follows from a message stands in the log before its position does: once all is decided and nothing has
        # come since the look before, nothing is on its way.
        is_new = ends != seen
        seen.update(ends)
        rows, decided = changelog(crew, "order-state", Order)
        _, booked = crew.rows()
        found.update(rows)
        for (topic, partition), last in ends.items():
            positions = decided if topic.endswith("orders") else booked
            if positions.get(partition, -1) < last:
                return False
        return not is_new and not any(row.holds or row.due_ms for row in rows.values())

    crew.wait(quiet, "nothing is under way", FLOW_SECONDS_MAX)
    return found


def all_told(crew: Crew, kills: int) -> dict[str, DeliveryState]:
    """How every delivery stands, once no more can be on their way than notifiers were killed with."""
    states: dict[str, DeliveryState] = {}

    def told() -> bool:
        rows, decided = changelog(crew, "notice-state", OrderNotices)
        ends = {it.partition: it.offset for it in crew.read("notices")}
        found = {
            it.ref(d.channel).key(order): d.state
            for order, row in rows.items()
            for it in row.notices
            for d in it.deliveries
        }
        is_new = found != states
        states.clear()
        states.update(found)
        if is_new or any(decided.get(number, -1) < last for number, last in ends.items()):
            return False
        return sum(it is DeliveryState.DUE for it in found.values()) <= kills * CONCURRENCY

    def twice() -> bool:
        # What is on its way right now is not counted as lost: two looks, a while apart, must tell the same.
        time.sleep(1)
        return told()

    crew.wait(twice, "customers are told", FLOW_SECONDS_MAX)
    return states


def unique_events(crew: Crew) -> list[Message]:
    """Every conclusion once, in the order of the log."""
    found: dict[str, Message] = {}
    for record in crew.read("order-events"):
        event = heard(record.value)
        if event.id in found:
            assert found[event.id] == event, f"{event.id} was concluded again, and otherwise"
        found.setdefault(event.id, event)
    return list(found.values())


def told_of(crew: Crew, order: str) -> list[tuple[str, str]]:
    """The story of one order for a failure's message: each conclusion with its reason."""
    events = [it for it in unique_events(crew) if it.subject == order]
    return [(type(it.data).__name__, str(getattr(it.data, "reason", ""))) for it in events]


def assert_units_are_conserved(crew: Crew, rows: dict[str, Order]) -> None:
    """An independent model of orders, one of the inventory, and a plain sum agree with the rows."""
    auditor = OrderAuditor()
    for event in unique_events(crew):
        auditor.hear(event.subject, event.data, event.id)
    auditor.at_rest(rows)
    levels, _ = crew.rows()
    shelf = {split_key(key)[1:]: row for key, row in levels.items() if isinstance(row, Level)}
    wanted = {(store, sku): UNITS - auditor.left[store, sku] for store in STORES for sku in (*SKUS, SUBSTITUTE)}
    assert {cell: row.on_hand for cell, row in shelf.items()} == wanted
    assert {cell: row for cell, row in shelf.items() if row.held or row.staged} == {}
    assert crew.violations(levels) == []
    assert crew.answered_wrongly(auditor.wanted) == set()


def assert_every_word_has_one_answer(crew: Crew, people: People) -> None:
    """What was said stands in the log once and was decided once, under ids that count from 0."""
    answers: dict[str, list[str]] = {}
    for event in unique_events(crew):
        answers.setdefault(str(event.causation), []).append(event.id)
    assert [it for it in people.said if it not in answers] == []
    for cause in people.said:
        ids = answers[cause]
        assert ids == [f"{cause}#{number}" for number in range(len(ids))], cause
    assert list(crew.read("dead-letters")) == []


def assert_no_mail_left_twice(notices: dict[str, DeliveryState], box: Mailbox, kills: int) -> None:
    """Counted at the mail server: each mail once, and one for each delivery that the product calls sent."""
    mails = Counter(str(mail["Message-ID"]) for mail in box.mails)
    states = Counter(notices.values())
    lost = states[DeliveryState.DUE] + states[DeliveryState.UNKNOWN]
    assert set(mails.values()) == {1}, [it for it, times in mails.items() if times > 1]
    # What a notifier had in its hands when it was killed may have left: it is told as unknown, or, when its order has
    # ended meanwhile, as withdrawn.
    assert 0 <= len(mails) - states[DeliveryState.SENT] <= kills * CONCURRENCY, states
    assert lost <= kills * CONCURRENCY, states
    assert set(states) <= {DeliveryState.SENT, DeliveryState.DUE, DeliveryState.UNKNOWN, DeliveryState.WITHDRAWN}


def assert_the_read_side_tells_the_same(
    crew: Crew, readside: Engine, ends: dict[str, LineState], notices: dict[str, DeliveryState]
) -> None:
    """SQL has every order as it ended, and every notice as it stands."""

    def as_told() -> bool:
        with readside.connect() as connection:
            states = {row.order_id: row.state for row in connection.execute(select(order_rows))}
            told = {
                f"{row.order_id}/{row.milestone}/{row.version}/{row.channel}": row.state
                for row in connection.execute(select(order_notices))
            }
        return states == {order: end.value for order, end in ends.items()} and told == {
            key: state.value for key, state in notices.items()
        }

    crew.wait(as_told, "the read side has it all", FLOW_SECONDS_MAX)
