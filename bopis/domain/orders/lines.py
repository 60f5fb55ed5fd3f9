"""Lines and units in messages, events and the state of an order."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.inventory.messages import Condition
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX, LineNumber
from bopis.domain.sourcing.request import Component
from bopis.domain.values import LINES_MAX, AmountCents, Quantity, Sku, Units


class WantedLine(Struct, frozen=True, kw_only=True):
    """One line as ordered. A kit names its components; other lines have none."""

    line: Annotated[int, Meta(ge=1, le=ORDER_LINES_MAX)]
    sku: Sku
    quantity: Quantity
    components: Annotated[tuple[Component, ...], Meta(max_length=LINES_MAX)] = ()
    unit_cents: AmountCents = 0


class LinePart(Struct, frozen=True, kw_only=True):
    """Some units of a line that a command is about, instead of the whole line."""

    line: LineNumber
    quantity: Quantity


LineParts = Annotated[tuple[LinePart, ...], Meta(max_length=ORDER_LINES_MAX)]


class PickedLine(Struct, frozen=True, kw_only=True):
    """Units found and missing for a line: of its own SKU, or of the named component of a kit."""

    line: LineNumber
    picked: Units
    missing: Units = 0
    sku: Sku | None = None


class ReturnedLine(Struct, frozen=True, kw_only=True):
    """Units of a line that the customer returned, in one condition."""

    line: LineNumber
    quantity: Quantity
    condition: Condition = Condition.SELLABLE


class Stamp(Struct, frozen=True, kw_only=True):
    """Device, actor and both clocks of the causing message: time of occurrence, and append time in the log."""

    device: str
    actor: str
    at_ms: int
    recorded_at_ms: int


class PlacedLine(Struct, frozen=True, kw_only=True):
    """One line of a placed order."""

    line: int
    sku: str
    quantity: int
    components: tuple[Component, ...]
    unit_cents: int


class HeldPart(Struct, frozen=True, kw_only=True):
    """One line of a hold: its number there, and the component of the order line that it covers."""

    number: int
    line: int
    component: int
    sku: str
    quantity: int


class Collected(Struct, frozen=True, kw_only=True):
    """Lines of one hold that left the store, by their numbers in it."""

    hold: str
    numbers: tuple[int, ...]


class Take(Struct, frozen=True, kw_only=True):
    """Units of a line that a store takes. When they are not the whole line, they become line ``into``."""

    line: int
    quantity: int
    into: int


class PickedUnits(Struct, frozen=True, kw_only=True):
    """Units of one component of a line that were set aside, or missing."""

    line: int
    component: int
    picked: int
    missing: int


class ReturnedUnits(Struct, frozen=True, kw_only=True):
    """Units of a line that came back, in one condition."""

    line: int
    quantity: int
    condition: Condition
