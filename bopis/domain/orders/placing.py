"""Rules for placing an order and for the answers about its payment."""

from bopis.domain.inventory.admission import Rejected
from bopis.domain.orders.cancellation import cancel_lines
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import OrderPlaced, PaymentAnswered, PaymentRequested, VoidRequested
from bopis.domain.orders.holding import promise
from bopis.domain.orders.limits import HOLD_PARTS_MAX
from bopis.domain.orders.lines import PlacedLine
from bopis.domain.orders.messages import PaymentAuthorised, PaymentDeclined, PaymentExhausted, PlaceOrder
from bopis.domain.orders.routing import ask_route
from bopis.domain.orders.vocabulary import Amount, EndReason, Initiator, PaymentState, Refusal

OPEN_PAYMENT = frozenset({PaymentState.AUTHORISING, PaymentState.DECLINED})


def place(decision: OrderDecision, command: PlaceOrder) -> None:
    """Place an order. The same key and request again changes nothing; another key finds the number taken.

    Raises `Rejected` when the key was used for another request.
    """
    if decision.state is not None:
        if decision.state.key != command.key:
            decision.refuse(Refusal.NUMBER_TAKEN)
        elif decision.state.request != command.request:
            raise Rejected(f"order {decision.number} was placed under this key with other content; take a new key")
        return
    if len({line.line for line in command.lines}) != len(command.lines):
        decision.refuse(Refusal.REPEATED_LINE)
        return
    if sum(max(1, len(line.components)) for line in command.lines) > HOLD_PARTS_MAX:
        decision.refuse(Refusal.TOO_MANY_PARTS)
        return
    decision.emit(_placed(decision, command))
    if command.methods:
        cents = sum(line.unit_cents * line.quantity for line in command.lines)
        amount = Amount(cents=cents, currency=command.currency)
        decision.emit(PaymentRequested(stamp=decision.stamp, methods=command.methods, amount=amount))
    ask_route(decision, [line.line for line in command.lines])


def record_payment(decision: OrderDecision, answer: PaymentAuthorised | PaymentDeclined | PaymentExhausted) -> None:
    """Record the answer about the payment. An authorisation after the order's end is voided and revives nothing."""
    order = decision.order
    if not order.methods:
        return
    if isinstance(answer, PaymentAuthorised):
        if order.payment is PaymentState.AUTHORISED:
            return
        decision.emit(PaymentAnswered(stamp=decision.stamp, state=PaymentState.AUTHORISED, method=answer.method))
        if order.live:
            promise(decision)
        else:
            decision.emit(VoidRequested(stamp=decision.stamp, reason=EndReason.OTHER))
        return
    if order.payment not in OPEN_PAYMENT:
        return
    if isinstance(answer, PaymentDeclined):
        decision.emit(PaymentAnswered(stamp=decision.stamp, state=PaymentState.DECLINED, method=answer.method))
        return
    decision.emit(PaymentAnswered(stamp=decision.stamp, state=PaymentState.EXHAUSTED, method=""))
    cancel_lines(decision, [line.line for line in order.live], Initiator.SYSTEM, EndReason.PAYMENT_EXHAUSTED)


def _placed(decision: OrderDecision, command: PlaceOrder) -> OrderPlaced:
    slot, place_of = command.slot, command.place
    return OrderPlaced(
        stamp=decision.stamp,
        key=command.key,
        request=command.request,
        customer=command.customer,
        store=command.store,
        lines=tuple(
            PlacedLine(
                line=line.line,
                sku=line.sku,
                quantity=line.quantity,
                components=line.components,
                unit_cents=line.unit_cents,
            )
            for line in command.lines
        ),
        slot_from_ms=slot.from_ms if slot is not None else None,
        slot_to_ms=slot.to_ms if slot is not None else None,
        place_latitude_e6=place_of.latitude_e6 if place_of is not None else None,
        place_longitude_e6=place_of.longitude_e6 if place_of is not None else None,
        allows=command.allows,
        payment=PaymentState.AUTHORISING if command.methods else PaymentState.PAY_IN_STORE,
        methods=command.methods,
        currency=command.currency,
        code_hash=command.code_hash,
        token_hash=command.token_hash,
        note=command.note,
    )
