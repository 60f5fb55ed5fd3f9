"""Bytes once written can always be read: one golden file per type and version."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from msgspec.structs import fields

from bopis.domain.inventory.messages import StockAdjusted
from bopis.domain.message import Message
from bopis.wire.envelope import Family
from bopis.wire.notices import NOTICE_EVENTS, NOTICES
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.payments import PAYMENT_CALLS, PAYMENT_EVENTS, PAYMENTS
from bopis.wire.routing import SHADOW
from bopis.wire.schema import schemas
from bopis.wire.stock import INVENTORY_EVENTS, STOCK

SCHEMA_DIR = Path(__file__).parents[2] / "docs" / "schemas"
GOLDEN = Path(__file__).parent / "golden"
FAMILIES = {
    "stock": STOCK,
    "inventory": INVENTORY_EVENTS,
    "orders": ORDERS,
    "order-events": ORDER_EVENTS,
    "notices": NOTICES,
    "notice-events": NOTICE_EVENTS,
    "payments": PAYMENTS,
    "payment-events": PAYMENT_EVENTS,
    "payment-calls": PAYMENT_CALLS,
    "shadow": SHADOW,
}
TYPES = [(family, name) for family in FAMILIES.values() for name in family.envelopes]


@pytest.mark.parametrize(("family", "name"), TYPES, ids=[name for _, name in TYPES])
def test_the_golden_bytes_of_every_version_are_read(family: Family, name: str) -> None:
    golden = GOLDEN / f"{name}.json"
    assert golden.exists(), f"{name} has no golden file; write one with a value in every field and never change it"

    message = family.decode(golden.read_bytes())

    assert type(message.data) in family.bodies.values(), "an old version is lifted to the current body"


@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family, name in TYPES if name in family.bodies],
    ids=[name for family, name in TYPES if name in family.bodies],
)
def test_a_current_version_is_written_as_its_golden_bytes(family: Family, name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_bytes())

    written = json.loads(family.encode(family.decode(json.dumps(golden).encode())))

    assert written == golden


@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family, name in TYPES if name in family.bodies],
    ids=[name for family, name in TYPES if name in family.bodies],
)
def test_a_golden_file_has_a_value_in_every_field(family: Family, name: str) -> None:
    body = json.loads((GOLDEN / f"{name}.json").read_bytes())["data"]

    assert set(body) == set(family.bodies[name].__struct_fields__)


def test_no_golden_file_is_without_a_type() -> None:
    known = {name for _, name in TYPES}

    assert {path.stem for path in GOLDEN.glob("*.json")} == known


def test_an_adjustment_of_the_first_version_is_lifted() -> None:
    message = STOCK.decode((GOLDEN / "bopis.stock.adjusted.v1.json").read_bytes())

    assert isinstance(message.data, StockAdjusted)
    assert [(line.sku, line.change) for line in message.data.lines] == [("4011", -2)]


def test_a_tick_that_was_never_moved_is_read_and_written_without_numbers() -> None:
    golden = json.loads((GOLDEN / "bopis.stock.tick.v1.json").read_bytes())
    del golden["data"]["numbers"]

    message = STOCK.decode(json.dumps(golden).encode())

    assert message.data.numbers is msgspec.UNSET
    assert json.loads(STOCK.encode(message)) == golden


def test_a_heartbeat_of_an_agent_that_compares_nothing_is_read_and_written_without_the_field() -> None:
    golden = json.loads((GOLDEN / "bopis.agent.heartbeat.v1.json").read_bytes())
    del golden["data"]["ledger"]

    message = STOCK.decode(json.dumps(golden).encode())

    assert message.data.ledger is None
    assert json.loads(STOCK.encode(message)) == golden


def test_a_notice_that_was_written_before_notices_had_amounts_is_read() -> None:
    golden = json.loads((GOLDEN / "bopis.orders.notice_due.v1.json").read_bytes())
    for name in ("wanted_store", "currency", "pay_in_store", "offered_cents", "is_last"):
        del golden["data"][name]
    del golden["data"]["lines"][0]["unit_cents"]

    due = ORDER_EVENTS.decode(json.dumps(golden).encode()).data

    assert (due.currency, due.lines[0].unit_cents, due.pay_in_store, due.is_last) == ("", 0, False, False)


def test_orders_that_were_written_before_assignments_had_a_schedule_are_read() -> None:
    requested = json.loads((GOLDEN / "bopis.orders.hold_requested.v1.json").read_bytes())
    del requested["data"]["assignment"]["schedule"]
    promised = json.loads((GOLDEN / "bopis.orders.order_promised.v1.json").read_bytes())
    for name in ("accept_by_ms", "reroute_by_ms"):
        del promised["data"][name]

    read = [ORDER_EVENTS.decode(json.dumps(it).encode()) for it in (requested, promised)]

    assert read[0].data.assignment.schedule is None
    assert (read[1].data.accept_by_ms, read[1].data.reroute_by_ms) == (None, None)
    assert [json.loads(ORDER_EVENTS.encode(it)) for it in read] == [requested, promised]


def test_the_published_schemas_are_those_of_the_code() -> None:
    made = schemas()

    stored = {path.stem: json.loads(path.read_text()) for path in SCHEMA_DIR.glob("*.json")}

    assert stored == made, "run: make schemas"


@pytest.mark.parametrize(("family", "name"), TYPES, ids=[name for _, name in TYPES])
def test_the_golden_bytes_fit_the_published_schema(family: Family, name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")

    jsonschema.validate(json.loads((GOLDEN / f"{name}.json").read_bytes()), schemas()[name])


def example(kind: Any, field: str) -> Any:
    """A value of a type, the way the golden files were first made; kept for the next type."""
    origin, args = get_origin(kind), get_args(kind)
    if hasattr(kind, "__metadata__"):
        return example(args[0], field)
    if origin is tuple:
        return [example(it, field) for it in args if it is not Ellipsis]
    if args and type(None) in args:
        return example(next(it for it in args if it is not type(None)), field)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        return {it.name: unlike(it.default, example(hints[it.name], it.name), hints[it.name]) for it in fields(kind)}
    if kind is datetime:
        return "2026-11-22T09:30:00Z"
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return next(iter(kind)).value
    known = {"sku": "4011", "currency": "EUR"}
    return {str: known.get(field, field), int: 2, bool: True}[kind]


def unlike(default: Any, value: Any, kind: Any) -> Any:
    """The value, or another one where a type that leaves its defaults out would not write it."""
    if default is msgspec.NODEFAULT or default != value:
        return value
    return not value if isinstance(value, bool) else list(kind)[-1].value


def golden(family: Family, name: str) -> dict[str, Any]:
    envelope = family.envelopes[name]
    body = get_type_hints(envelope, include_extras=True)["data"]
    message = Message(
        id="till-3/42",
        source="till-3",
        time=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
        subject="319",
        data=None,
        seq=42,
        actor="kim",
        correlation="order-7",
        causation="till-3/41",
    )
    header = {name: getattr(message, name) for name in Message.__struct_fields__ if name != "data"}
    made: dict[str, Any] = json.loads(msgspec.json.encode({"specversion": "1.0", "type": name, **header}))
    return {**made, "data": example(body, "data")}
