"""Rules for placing an order."""

from bopis.domain.inventory.admission import Rejected
from bopis.domain.orders.decision import OrderDecision
from bopis.domain.orders.events import OrderPlaced
from bopis.domain.orders.limits import HOLD_PARTS_MAX
from bopis.domain.orders.lines import PlacedLine
from bopis.domain.orders.messages import PlaceOrder
from bopis.domain.orders.paying import name_of, payment_plan, request_payment
from bopis.domain.orders.routing import ask_route
from bopis.domain.orders.vocabulary import PaymentState, Refusal


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
    plan = payment_plan(command)
    if plan is not None:
        request_payment(decision, plan)
    ask_route(decision, [line.line for line in command.lines])


def _placed(decision: OrderDecision, command: PlaceOrder) -> OrderPlaced:
    slot, place_of, plan = command.slot, command.place, payment_plan(command)
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
        payment=PaymentState.PAY_IN_STORE if plan is None else PaymentState.AUTHORISING,
        methods=() if plan is None else tuple(name_of(method) for method in plan.methods),
        currency=command.currency,
        code_hash=command.code_hash,
        token_hash=command.token_hash,
        note=command.note,
    )
