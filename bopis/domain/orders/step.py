"""One message on orders: known or new, decided, folded in, put back with its next deadline.

``step`` is deterministic: the same rows and the same message give the same rows, the same events and the same
requests to the inventory. It is all that a processor and a simulation need to know of an order.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import UNSET, Struct
from msgspec.structs import replace

from bopis.domain.inventory.admission import Rejected
from bopis.domain.message import Message
from bopis.domain.orders.decide import decide
from bopis.domain.orders.limits import MESSAGES_REMEMBERED
from bopis.domain.orders.messages import Command, CustomerArrived, PlaceOrder, Tick
from bopis.domain.orders.outcomes import Event
from bopis.domain.orders.react import ToStock
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.state import Order
from bopis.domain.orders.terms import Refusal
from bopis.domain.orders.timers import next_due_ms
from bopis.domain.orders.units import Stamp
from bopis.domain.values import CLOCK_AHEAD_MS_MAX, EPOCH_MS_MAX, EPOCH_MS_MIN, epoch_ms

IDENTITY_BYTES = 8
DIGEST_BYTES = 4
REMEMBERED_BYTES = IDENTITY_BYTES + DIGEST_BYTES


class Rows(Protocol):
    """Orders of one partition by number."""

    def get(self, key: str) -> Order | None: ...
    def put(self, key: str, row: Order) -> None: ...
    def put_timed(self, key: str, row: Order, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...


class Arrival(Struct, frozen=True, kw_only=True):
    """A message's place in the log: its append time, eight bytes for its source and id, the CRC-32 of its bytes."""

    recorded_at_ms: int
    identity: bytes
    digest: int


class Concluded(Struct, frozen=True, kw_only=True):
    """What followed from one message, in order; each request to the inventory names the event it follows from."""

    events: Sequence[Event] = ()
    requests: Sequence[tuple[int, ToStock]] = ()


NOTHING = Concluded(events=[], requests=[])


def step(rows: Rows, message: Message, arrival: Arrival) -> Concluded:
    """Take one message into its order. A repeat changes nothing and concludes nothing.

    Raises `Rejected` before any row is changed when the message cannot be true; it is then to be parked. What is
    said about an order that nobody placed is refused if it is a command and ignored if it is an answer: tills and
    others hold stock without an order.
    """
    data, number = message.data, message.subject
    stamp = _stamp(message, arrival.recorded_at_ms)
    order = rows.get(number)
    saga = Saga(order, number, stamp, (type(data).__name__, message.id))
    if order is None:
        if isinstance(data, PlaceOrder):
            decide(saga, data)
        elif isinstance(data, Command | CustomerArrived):
            saga.refuse(Refusal.UNKNOWN_ORDER)
        else:
            return NOTHING
    elif isinstance(data, Tick):
        if not order.due_ms or order.due_ms > arrival.recorded_at_ms:
            return NOTHING
        decide(saga, data)
    elif _is_known(order, message, arrival):
        return NOTHING
    else:
        decide(saga, data)
    _keep(rows, saga, order, arrival)
    return Concluded(events=saga.concluded, requests=saga.asked)


def _stamp(message: Message, recorded_at_ms: int) -> Stamp:
    at_ms = recorded_at_ms if isinstance(message.data, Tick) else epoch_ms(message.time)
    if not EPOCH_MS_MIN <= at_ms <= EPOCH_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} lies outside 2000 to 2100; set the device's clock")
    if at_ms > recorded_at_ms + CLOCK_AHEAD_MS_MAX:
        raise Rejected(f"time {message.time.isoformat()} is more than a day ahead of the log; set the device's clock")
    actor = "" if message.actor is UNSET else message.actor
    # Nothing can have happened after the log learned it, whatever the device's clock says.
    return Stamp(device=message.source, actor=actor, at_ms=min(at_ms, recorded_at_ms), recorded_at_ms=recorded_at_ms)


def _is_known(order: Order, message: Message, arrival: Arrival) -> bool:
    """Whether the order has met this message before. An order is placed by its key, so that has its own answer."""
    if isinstance(message.data, PlaceOrder):
        return False
    for start in range(0, len(order.seen), REMEMBERED_BYTES):
        if order.seen[start : start + IDENTITY_BYTES] != arrival.identity:
            continue
        if order.seen[start + IDENTITY_BYTES : start + REMEMBERED_BYTES] == arrival.digest.to_bytes(
            DIGEST_BYTES, "big"
        ):
            return True
        raise Rejected(f"id {message.id!r} of {message.source!r} was used before with other content")
    return False


def _keep(rows: Rows, saga: Saga, before: Order | None, arrival: Arrival) -> None:
    order = saga.state
    if order is None:
        return
    # A tick is told from its repeat by the deadline, a placement by its key.
    repeatable = saga.command in (Tick.__name__, PlaceOrder.__name__)
    if repeatable and not saga.concluded:
        return
    seen = order.seen
    if not repeatable:
        seen += arrival.identity + arrival.digest.to_bytes(DIGEST_BYTES, "big")
    order = replace(
        order,
        seen=seen[-MESSAGES_REMEMBERED * REMEMBERED_BYTES :],
        due_ms=next_due_ms(order),
        fired=order.fired + (saga.command == Tick.__name__),
    )
    if order.due_ms:
        rows.put_timed(order.order, order, order.due_ms)
        return
    if before is not None and before.due_ms:
        rows.drop(order.order)  # forgets the deadline with the row, which is put back at once
    rows.put(order.order, order)
