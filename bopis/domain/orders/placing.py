"""An order enters, and what is heard of its payment."""

from bopis.domain.inventory.admission import Rejected
from bopis.domain.orders.ending import cancel_lines
from bopis.domain.orders.events import OrderPlaced
from bopis.domain.orders.holding import promise
from bopis.domain.orders.limits import HOLD_PARTS_MAX
from bopis.domain.orders.messages import PaymentAuthorised, PaymentDeclined, PaymentExhausted, PlaceOrder
from bopis.domain.orders.outcomes import PaymentAnswered, PaymentRequested, VoidRequested
from bopis.domain.orders.routes import ask_route
from bopis.domain.orders.saga import Saga
from bopis.domain.orders.terms import Amount, By, EndReason, PaymentState, Refusal
from bopis.domain.orders.units import PlacedLine

OPEN_PAYMENT = frozenset({PaymentState.AUTHORISING, PaymentState.DECLINED})


def place(saga: Saga, wanted: PlaceOrder) -> None:
    """Take an order. The same key and request again says nothing new; another key finds the number taken.

    Raises `Rejected` when the key stands for another request already.
    """
    if saga.state is not None:
        if saga.state.key != wanted.key:
            saga.refuse(Refusal.NUMBER_TAKEN)
        elif saga.state.request != wanted.request:
            raise Rejected(f"order {saga.number} was placed under this key with other content; take a new key")
        return
    if len({line.line for line in wanted.lines}) != len(wanted.lines):
        saga.refuse(Refusal.REPEATED_LINE)
        return
    if sum(max(1, len(line.components)) for line in wanted.lines) > HOLD_PARTS_MAX:
        saga.refuse(Refusal.TOO_MANY_PARTS)
        return
    saga.say(_placed(saga, wanted))
    if wanted.methods:
        cents = sum(line.unit_cents * line.quantity for line in wanted.lines)
        amount = Amount(cents=cents, currency=wanted.currency)
        saga.say(PaymentRequested(stamp=saga.stamp, methods=wanted.methods, amount=amount))
    ask_route(saga, [line.line for line in wanted.lines])


def paid(saga: Saga, answer: PaymentAuthorised | PaymentDeclined | PaymentExhausted) -> None:
    """What became of the payment. An authorisation that comes after the end is given back, and revives nothing."""
    order = saga.order
    if not order.methods:
        return
    if isinstance(answer, PaymentAuthorised):
        if order.payment is PaymentState.AUTHORISED:
            return
        saga.say(PaymentAnswered(stamp=saga.stamp, state=PaymentState.AUTHORISED, method=answer.method))
        if order.live:
            promise(saga)
        else:
            saga.say(VoidRequested(stamp=saga.stamp, reason=EndReason.OTHER))
        return
    if order.payment not in OPEN_PAYMENT:
        return
    if isinstance(answer, PaymentDeclined):
        saga.say(PaymentAnswered(stamp=saga.stamp, state=PaymentState.DECLINED, method=answer.method))
        return
    saga.say(PaymentAnswered(stamp=saga.stamp, state=PaymentState.EXHAUSTED, method=""))
    cancel_lines(saga, [it.line for it in order.live], By.SYSTEM, EndReason.PAYMENT_EXHAUSTED)


def _placed(saga: Saga, wanted: PlaceOrder) -> OrderPlaced:
    slot, place_of = wanted.slot, wanted.place
    return OrderPlaced(
        stamp=saga.stamp,
        key=wanted.key,
        request=wanted.request,
        customer=wanted.customer,
        store=wanted.store,
        lines=tuple(
            PlacedLine(
                line=it.line, sku=it.sku, quantity=it.quantity, components=it.components, unit_cents=it.unit_cents
            )
            for it in wanted.lines
        ),
        slot_from_ms=slot.from_ms if slot is not None else None,
        slot_to_ms=slot.to_ms if slot is not None else None,
        place_latitude_e6=place_of.latitude_e6 if place_of is not None else None,
        place_longitude_e6=place_of.longitude_e6 if place_of is not None else None,
        allows=wanted.allows,
        payment=PaymentState.AUTHORISING if wanted.methods else PaymentState.PAY_IN_STORE,
        methods=wanted.methods,
        currency=wanted.currency,
        code_hash=wanted.code_hash,
        token_hash=wanted.token_hash,
        note=wanted.note,
    )
