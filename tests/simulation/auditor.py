"""Judges a run by what stands in its log, when everything has come to rest. It shares no code with the cores."""

from random import Random
from typing import Any

from aiokafka.structs import TopicPartition

from bopis.domain.inventory.events import HoldExtended
from bopis.domain.orders import messages as m
from streams.engine.dead_letters import dead_letter
from streams.engine.exact_step import step
from streams.engine.table import PartitionTable
from tests.simulation.audit_notices import NoticeAuditor
from tests.simulation.audit_orders import OrderAuditor
from tests.simulation.audit_payments import PaymentAuditor
from tests.simulation.audit_stock import StockAuditor
from tests.simulation.bank import Ledger
from tests.simulation.findings import must
from tests.simulation.log import Log
from tests.simulation.notifier import Took
from tests.simulation.owner import LIMITS
from tests.simulation.reading import Reading, read
from tests.simulation.world import PROCESSORS


def audit(log: Log, took: list[Took], ledger: Ledger) -> None:
    """Raises `Finding` for the first thing that does not hold."""
    reading = read(log)
    orders = OrderAuditor()
    for it in reading.said["order-events"]:
        orders.hear(it.message.subject, it.message.data, it.message.id)
    rows = {name: _recovered(log, name) for name in PROCESSORS}
    stock = StockAuditor(reading, orders.lines_of, orders.moved)
    orders.at_rest(rows["orders"])
    stock.at_rest(rows["inventory"], orders.left)
    NoticeAuditor(reading, took).at_rest(rows["notices"])
    PaymentAuditor(reading, ledger).at_rest(rows["payments"], rows["orders"])
    _nothing_is_lost(log, reading, orders, stock)
    for name in PROCESSORS:
        _decided_once(log, name)


def _recovered(log: Log, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for records in log.topics[PROCESSORS[name].changelog]:
        table = PartitionTable(PROCESSORS[name])
        table.load(records)
        found |= dict(table.rows.items())
    return found


def _nothing_is_lost(log: Log, reading: Reading, orders: OrderAuditor, stock: StockAuditor) -> None:
    """Each message has what must follow from it, in every topic that it concerns."""
    placed = {it.message.subject for it in reading.said["orders"] if isinstance(it.message.data, m.PlaceOrder)}
    must(
        placed == orders.ordered.keys(), "every order that was asked for is placed", f"{placed ^ orders.ordered.keys()}"
    )
    told = {it.message.id for it in reading.said["notices"]}
    must(told >= orders.notices, "notices hear what they must", f"{orders.notices - told}")
    asked = orders.wanted
    must(stock.answered.keys() == asked, "every hold is answered", f"{stock.answered.keys() ^ asked}")
    heard = {(it.message.causation, type(it.message.data), it.message.subject) for it in reading.said["orders"]}
    for it in reading.said["inventory-events"]:
        order = getattr(it.message.data, "order", "")
        asked_for = isinstance(it.message.data, HoldExtended)  # the order knows: it wanted so
        answered = not order or asked_for or (it.message.causation, type(it.message.data), order) in heard
        must(answered, "every order hears of its hold", f"{it.message.id} of {order}")
    place = ("topic", "partition", "offset")
    parked = {tuple(dict(it.headers)[name] for name in place) for it in log.topics["dead-letters"][0]}
    must(len(parked) == reading.nonsense, "only nonsense is parked", f"{len(parked)} parked, {reading.nonsense} said")


def _decided_once(log: Log, name: str) -> None:
    """What stands in the log is what one worker without any fault would have made of the same messages."""
    processor = PROCESSORS[name]
    for number, records in enumerate(log.topics[processor.source]):
        table = PartitionTable(processor)
        done = step(processor, table.rows, table.position, records, LIMITS.record_bytes_max)
        rows = {key.decode(): value for key, value in table.rows.changes() if value is not None}
        kept: dict[str, bytes] = {}
        for record in log.topics[processor.changelog][number]:
            if record.key[0]:
                kept[record.key.decode()] = record.value  # type: ignore[assignment]  # None is taken out below
        kept = {key: value for key, value in kept.items() if value is not None}
        must(rows.keys() == kept.keys(), "rows as decided once", f"{name}: {sorted(rows.keys() ^ kept.keys())[:3]}")
        other = [key for key, value in rows.items() if kept[key] != value]
        must(not other, "rows as decided once", f"{name}: {[(it, rows[it], kept[it]) for it in other[:1]]}")
        source = TopicPartition(processor.source, number)
        letters = [dead_letter(it, name, source) for it in done.parked]
        there = _there(log, {it.topic for it in done.outputs + letters})
        lost = [it for it in done.outputs + letters if (it.topic, it.key, it.value) not in there]
        must(not lost, "outputs as decided once", f"{name}: {[(it.topic, it.value) for it in lost[:1]]}")


def _there(log: Log, topics: set[str]) -> set[tuple[str, bytes, bytes | None]]:
    return {(topic, it.key, it.value) for topic in topics for records in log.topics[topic] for it in records}


def first_dice(seed: int) -> Random:
    """What decides how a world begins; another one than what decides its steps."""
    return Random(seed ^ 0x5EED)
