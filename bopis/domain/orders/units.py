"""Lines and units as messages, events and the state of an order name them."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.inventory.messages import Condition
from bopis.domain.orders.terms import ORDER_LINES_MAX, LineNumber
from bopis.domain.sourcing.request import Component
from bopis.domain.values import LINES_MAX, AmountCents, Quantity, Sku, Units


class WantedLine(Struct, frozen=True, kw_only=True):
    """One line as it was ordered. A kit names its components; without any the line is its own SKU."""

    line: Annotated[int, Meta(ge=1, le=ORDER_LINES_MAX)]
    sku: Sku
    quantity: Quantity
    components: Annotated[tuple[Component, ...], Meta(max_length=LINES_MAX)] = ()
    unit_cents: AmountCents = 0


class PickedLine(Struct, frozen=True, kw_only=True):
    """What was found for a line: of its own SKU, or of the named component of a kit."""

    line: LineNumber
    picked: Units
    missing: Units = 0
    sku: Sku | None = None


class ReturnedLine(Struct, frozen=True, kw_only=True):
    line: LineNumber
    quantity: Quantity
    condition: Condition = Condition.SELLABLE


class Stamp(Struct, frozen=True, kw_only=True):
    """Who said it, on which device, and both clocks: when it happened there, and when the log learned it."""

    device: str
    actor: str
    at_ms: int
    recorded_at_ms: int


class PlacedLine(Struct, frozen=True, kw_only=True):
    line: int
    sku: str
    quantity: int
    components: tuple[Component, ...]
    unit_cents: int


class HeldPart(Struct, frozen=True, kw_only=True):
    """One line of a hold: what it is called there, and which component of which order line it stands for."""

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
    """Units of a line that a store takes over. When it is not the whole line, they go on as line ``into``."""

    line: int
    quantity: int
    into: int


class PickedUnits(Struct, frozen=True, kw_only=True):
    """Units of one component of a line that were set aside."""

    line: int
    component: int
    picked: int
    missing: int


class ReturnedUnits(Struct, frozen=True, kw_only=True):
    line: int
    quantity: int
    condition: Condition
