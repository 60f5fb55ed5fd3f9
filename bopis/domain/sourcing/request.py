"""Routing request: lines, the store and time that the customer chose, and the changes that the order allows."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.values import LINES_MAX, Id, Quantity, Sku, StoreId

LATITUDE_E6_MAX = 90_000_000
LONGITUDE_E6_MAX = 180_000_000


class Component(Struct, frozen=True, kw_only=True):
    """A SKU of one unit of a line, and its units."""

    sku: Sku
    quantity: Quantity


class RequestLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order. A kit names its components; other lines have none."""

    line: Annotated[int, Meta(ge=1)]
    sku: Sku
    quantity: Quantity
    components: Annotated[tuple[Component, ...], Meta(max_length=LINES_MAX)] = ()

    @property
    def parts(self) -> tuple[Component, ...]:
        """SKUs and units that one unit of the line takes from the shelf."""
        return self.components or (Component(sku=self.sku, quantity=1),)


class GeoPoint(Struct, frozen=True, kw_only=True):
    """A point on the globe in millionths of a degree."""

    latitude_e6: Annotated[int, Meta(ge=-LATITUDE_E6_MAX, le=LATITUDE_E6_MAX)]
    longitude_e6: Annotated[int, Meta(ge=-LONGITUDE_E6_MAX, le=LONGITUDE_E6_MAX)]


class Slot(Struct, frozen=True, kw_only=True):
    """Slot that the customer chose: ready by its begin, collected before its end."""

    from_ms: int
    to_ms: int


class Allowances(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Changes that the order allows without asking the customer.

    ``later`` allows a later promise at the chosen store, ``alternatives`` another store, ``split`` several stores,
    ``wait`` waiting until stock appears. Without ``offers`` no other store is offered to the customer either.
    """

    later: bool = False
    alternatives: bool = False
    split: bool = False
    wait: bool = False
    offers: bool = True


class Exclusion(Struct, frozen=True, kw_only=True):
    """A store excluded by an earlier refusal: for these SKUs, or for the whole order when none is named."""

    store: StoreId
    skus: tuple[Sku, ...] = ()


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to source an order, or the rest of it. Without a slot it is wanted as soon as possible.

    ``store`` is the chosen store; without one, every store is acceptable. ``place`` is where the customer is, as
    exactly as stated; without it distances are measured from the chosen store.
    """

    order: Id
    attempt: Annotated[int, Meta(ge=1)]
    lines: Annotated[tuple[RequestLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    store: StoreId | None = None
    slot: Slot | None = None
    place: GeoPoint | None = None
    allows: Allowances = Allowances()
    excluded: tuple[Exclusion, ...] = ()
