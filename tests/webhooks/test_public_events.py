"""Which events leave the product, under which type, and with which fields."""

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest

from bopis.access.roles import RIGHTS, Right, Role
from bopis.domain.inventory import events as stock
from bopis.domain.message import Message
from bopis.domain.notices.vocabulary import CustomerRef
from bopis.domain.orders import events as orders
from bopis.domain.orders.lines import PlacedLine, Stamp
from bopis.domain.orders.vocabulary import Allows, EndReason, Initiator, LineSum, PaymentState, Proof
from bopis.domain.orders.vocabulary import Document as IdentityDocument
from bopis.domain.payments import events as payments
from bopis.domain.payments.gateway import DeclineClass, Operation, call_key
from bopis.domain.payments.state import AttemptState, Cover, CoverState, PaymentEnding, StepState
from bopis.web.api.webhooks import right_of
from bopis.webhooks.public_events import PRIVATE, RULES, EventType, payload, public_event

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STAMP = Stamp(device="d", actor="anna", at_ms=1, recorded_at_ms=1)
PLACED = orders.OrderPlaced(
    stamp=STAMP, key="secret-key", request="r", customer=CustomerRef(id="c1", sealed="s1.abc"), store="319",
    lines=(PlacedLine(line=1, sku="4011", quantity=2, components=(), unit_cents=199),), slot_from_ms=None,
    slot_to_ms=1_772_366_400_000, place_latitude_e6=1, place_longitude_e6=2, allows=Allows(),
    payment=PaymentState.AUTHORISING, methods=("tok_visa",), currency="EUR", code_hash="hash", token_hash="hash",
    note="ring twice",
)  # fmt: skip


def members(union: Any) -> set[type]:
    """The classes of a union, also of unions in it."""
    return {it for member in get_args(union) for it in (members(member) or {member})}


def message(event: Any, subject: str = "N6PV") -> Message:
    return Message(id="e1", source="orders", time=AT, subject=subject, data=event)


def found(event: Any, subject: str = "N6PV") -> tuple[str, str | None, dict[str, Any]]:
    public = public_event(message(event, subject))
    assert public is not None
    return public.type.value, public.store, msgspec.json.decode(payload(public))["data"]


def test_every_event_is_public_or_named_as_private() -> None:
    every = members(orders.Event) | members(payments.Event) | members(stock.Event)

    assert not every - RULES.keys() - PRIVATE, "a new event: add it to RULES or PRIVATE of bopis/webhooks"
    assert not (RULES.keys() | PRIVATE) - every
    assert not RULES.keys() & PRIVATE


def test_every_field_of_the_table_is_one_of_its_event() -> None:
    wrong = [(kind.__name__, name) for kind, rules in RULES.items() for rule in rules for name in rule.fields
             if name not in kind.__struct_fields__]  # fmt: skip

    assert not wrong


def test_every_type_but_the_test_has_a_rule() -> None:
    assert {rule.type for rules in RULES.values() for rule in rules} == set(EventType) - {EventType.WEBHOOK_TEST}


def test_no_secret_of_a_customer_or_the_machinery_leaves() -> None:
    barred = {"stamp", "customer", "code_hash", "token_hash", "key", "request", "methods", "note", "link", "reference",
              "transaction", "hold", "hits", "signature", "to", "document", "picker", "actor"}  # fmt: skip
    named = {(kind, name) for kind, rules in RULES.items() for rule in rules for name in rule.fields if name in barred}

    # The number of a delivery note, not of an identity card.
    assert named == {(stock.ReceiptDiscrepancyFound, "document"), (stock.ReceiptOverdue, "document")}


def test_a_placed_order_tells_its_lines_and_nothing_of_its_customer() -> None:
    assert found(PLACED) == (
        "order.placed",
        "319",
        {
            "order": "N6PV", "store": "319", "payment": "authorising", "currency": "EUR", "slot_from": None,
            "slot_to": "2026-03-01T12:00:00Z",
            "lines": [{"line": 1, "sku": "4011", "quantity": 2, "components": [], "unit_cents": 199}],
        },
    )  # fmt: skip


def step(operation: Operation, state: StepState) -> payments.StepChanged:
    return payments.StepChanged(at_ms=1, attempt=1, key=call_key("A-B-refund-1", 1, operation), state=state)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (orders.OrderPromised(stamp=STAMP, store="1", lines=(1,), ready_by_ms=5, promised_before_ms=None,
                              hold_until_ms=9), "order.promised"),
        (orders.OrderReady(stamp=STAMP, store="1", lines=(1,), window_end_ms=5, hold_until_ms=9), "order.ready"),
        (orders.OrderCancelled(stamp=STAMP, lines=(1,), by=Initiator.CUSTOMER, reason=EndReason.CUSTOMER_WISH),
         "order.cancelled"),
        (orders.OrderHandedOver(stamp=STAMP, store="1", lines=(LineSum(line=1, sku="a", quantity=1),), collected=(),
                                uncovered=(), proof=Proof.CODE, document=IdentityDocument.NONE, to="Anna",
                                signature="x"), "order.collected"),
        (payments.CoverChanged(at_ms=1, cover=Cover(state=CoverState.AUTHORISED, amount=5)), "payment.authorised"),
        (payments.CoverChanged(at_ms=1, cover=Cover(state=CoverState.LAPSED)), "payment.lapsed"),
        (payments.CoverChanged(at_ms=1, cover=Cover(state=CoverState.AUTHORISING)), None),
        (payments.AttemptChanged(at_ms=1, attempt=1, state=AttemptState.DECLINED, decline=next(iter(DeclineClass))),
         "payment.declined"),
        (payments.AttemptChanged(at_ms=1, attempt=1, state=AttemptState.APPROVED), None),
        (payments.PaymentEnded(at_ms=1, ending=PaymentEnding.EXHAUSTED), "payment.failed"),
        (payments.PaymentEnded(at_ms=1, ending=PaymentEnding.ORDER_ENDED), None),
        (step(Operation.CAPTURE, StepState.DONE), "payment.captured"),
        (step(Operation.CAPTURE, StepState.WAITING), None),
        (step(Operation.CAPTURE, StepState.FAILED), "payment.capture_failed"),
        (step(Operation.REFUND, StepState.BOUNCED), "payment.refund_failed"),
        (step(Operation.VOID, StepState.DONE), "payment.voided"),
        (step(Operation.ADJUST, StepState.DONE), None),
        (stock.ThresholdCrossed(sku="a", in_pickup_stock=True, available=3), "stock.available"),
        (stock.ThresholdCrossed(sku="a", in_pickup_stock=False, available=0), "stock.unavailable"),
        (orders.CodeFailed(stamp=STAMP, store="1", tries_left=1), None),
    ],
)  # fmt: skip
def test_an_event_has_its_public_type(event: Any, kind: str | None) -> None:
    public = public_event(message(event))

    assert (public.type.value if public else None) == kind


def test_an_event_of_stock_is_about_its_store_and_sku() -> None:
    public = public_event(message(stock.ThresholdCrossed(sku="4011", in_pickup_stock=False, available=0), "319"))

    assert public is not None
    assert (public.subject, public.store, public.data) == (
        "319/4011", "319", {"store": "319", "sku": "4011", "available": 0}
    )  # fmt: skip


def test_an_order_event_without_a_store_names_none() -> None:
    event = orders.OrderCancelled(stamp=STAMP, lines=(1,), by=Initiator.STAFF, reason=EndReason.OTHER)

    assert found(event) == (
        "order.cancelled", None, {"order": "N6PV", "lines": [1], "by": "staff", "reason": "other"}
    )  # fmt: skip


def test_a_payload_has_type_time_and_data() -> None:
    public = public_event(message(PLACED))
    assert public is not None

    document = msgspec.json.decode(payload(public))

    assert (document["type"], document["timestamp"], document["data"]["order"]) == (
        "order.placed", "2026-03-01T12:00:00Z", "N6PV"
    )  # fmt: skip
    assert document.keys() == {"type", "timestamp", "data"}


def test_a_shop_front_may_follow_orders_payments_and_availability_but_not_the_books() -> None:
    readable = {kind for kind in EventType if right_of(kind) in RIGHTS[Role.SHOP_FRONT]}

    assert (
        {it for it in EventType if it not in readable}
        == {it for it in EventType if right_of(it) is Right.STOCK_READ}
        == {it for it in EventType if it.startswith("stock.")}
        - {EventType.STOCK_AVAILABLE, EventType.STOCK_UNAVAILABLE}
    )
