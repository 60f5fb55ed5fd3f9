"""Exact step of orders: admit one message, decide it, fold its events, put the order back with its next deadline.

``step`` is deterministic: the same rows and the same message give the same rows, events and stock requests. It is the
whole interface of orders for a processor or a simulation.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import UNSET, Struct
from msgspec.structs import replace

from bopis.domain.inventory.admission import Rejected
from bopis.domain.message import Message
from bopis.domain.orders.decide import decide
from bopis.domain.orders.decision import DerivedRequest, OrderDecision
from bopis.domain.orders.events import Event
from bopis.domain.orders.limits import MESSAGES_REMEMBERED
from bopis.domain.orders.lines import Stamp
from bopis.domain.orders.messages import Command, CustomerArrived, GoodsHandedOver, OrderTick, PlaceOrder
from bopis.domain.orders.state import Order
from bopis.domain.orders.timers import next_due_ms
from bopis.domain.orders.vocabulary import Refusal
from bopis.domain.repeats import RecordIdentity, is_repeat, remember
from bopis.domain.values import CLOCK_AHEAD_MS_MAX, EPOCH_MS_MAX, EPOCH_MS_MIN, epoch_ms


class OrderRows(Protocol):
    """Orders of one partition by number; a timed row is due at its deadline."""

    def get(self, key: str) -> Order | None: ...
    def put(self, key: str, row: Order) -> None: ...
    def put_timed(self, key: str, row: Order, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...


class StepResult(Struct, frozen=True, kw_only=True):
    """Events of one message in order, and the stock requests that follow from them."""

    events: Sequence[Event] = ()
    requests: Sequence[DerivedRequest] = ()


NOTHING = StepResult(events=[], requests=[])


def step(rows: OrderRows, message: Message, record: RecordIdentity) -> StepResult:
    """Decide one message about one order. A repeat changes nothing and emits nothing.

    About an unknown order a command or an arrival is refused, and an answer is ignored: tills and others hold stock
    without an order. Raises `Rejected` before any row is changed when the message cannot be true; it is then to be
    parked.
    """
    data, number = message.data, message.subject
    stamp = _stamp(message, record.recorded_at_ms)
    order = rows.get(number)
    decision = OrderDecision(order, number, stamp, type(data).__name__, message.id)
    if order is None:
        if isinstance(data, PlaceOrder):
            decide(decision, data)
        elif isinstance(data, Command | CustomerArrived | GoodsHandedOver):
            decision.refuse(Refusal.UNKNOWN_ORDER)
        else:
            return NOTHING
    elif isinstance(data, OrderTick):
        if not order.due_ms or order.due_ms > record.recorded_at_ms:
            return NOTHING
        decide(decision, data)
    # A placement is recognised by its key instead.
    elif not isinstance(data, PlaceOrder) and is_repeat(order.seen, message, record):
        return NOTHING
    else:
        decide(decision, data)
    _keep(rows, decision, order, record)
    return StepResult(events=decision.events, requests=decision.requests)


def _stamp(message: Message, recorded_at_ms: int) -> Stamp:
    at_ms = recorded_at_ms if isinstance(message.data, OrderTick) else epoch_ms(message.time)
    if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} lies outside 2000 to 2100; set the device's clock")
    if at_ms > recorded_at_ms + CLOCK_AHEAD_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} is more than a day ahead of the log; set the device's clock")
    actor = "" if message.actor is UNSET else message.actor
    # Nothing can have happened after the log recorded it, whatever the device's clock says.
    return Stamp(device=message.source, actor=actor, at_ms=min(at_ms, recorded_at_ms), recorded_at_ms=recorded_at_ms)


def _keep(rows: OrderRows, decision: OrderDecision, before: Order | None, record: RecordIdentity) -> None:
    order = decision.state
    if order is None:
        return
    # A repeated tick is recognised by the deadline, a repeated placement by its key: neither needs to be remembered.
    is_self_identifying = decision.command in (OrderTick.__name__, PlaceOrder.__name__)
    if is_self_identifying and not decision.events:
        return
    order = replace(
        order,
        seen=order.seen if is_self_identifying else remember(order.seen, record, MESSAGES_REMEMBERED),
        due_ms=next_due_ms(order),
        fired=order.fired + (decision.command == OrderTick.__name__),
    )
    if order.due_ms:
        rows.put_timed(order.order, order, order.due_ms)
        return
    if before is not None and before.due_ms:
        rows.drop(order.order)  # `put` keeps an old deadline, `drop` forgets it; the row is put back at once
    rows.put(order.order, order)
