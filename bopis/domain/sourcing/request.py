"""What routing is asked: lines, the store and the time that the customer chose, and what the order allows."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.values import LINES_MAX, Id, Quantity, Sku, StoreId

LATITUDE_E6_MAX = 90_000_000
LONGITUDE_E6_MAX = 180_000_000


class Component(Struct, frozen=True, kw_only=True):
    """A SKU that goes into one unit of a line, and how many of it."""

    sku: Sku
    quantity: Quantity


class RequestLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order. A kit names its components; without any the line is its own SKU."""

    line: Annotated[int, Meta(ge=1)]
    sku: Sku
    quantity: Quantity
    components: Annotated[tuple[Component, ...], Meta(max_length=LINES_MAX)] = ()

    @property
    def parts(self) -> tuple[Component, ...]:
        """What one unit of the line takes from the shelf."""
        return self.components or (Component(sku=self.sku, quantity=1),)


class Place(Struct, frozen=True, kw_only=True):
    """A point on the globe in millionths of a degree."""

    latitude_e6: Annotated[int, Meta(ge=-LATITUDE_E6_MAX, le=LATITUDE_E6_MAX)]
    longitude_e6: Annotated[int, Meta(ge=-LONGITUDE_E6_MAX, le=LONGITUDE_E6_MAX)]


class Slot(Struct, frozen=True, kw_only=True):
    """The time that the customer chose: ready by its begin, collected before its end."""

    from_ms: int
    to_ms: int


class Allowances(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the order allows without asking the customer again.

    ``later`` accepts a later promise at the chosen store, ``alternatives`` another store, ``split`` several
    stores, ``wait`` waiting until stock appears. Without ``offers`` the customer is not even asked about another
    store.
    """

    later: bool = False
    alternatives: bool = False
    split: bool = False
    wait: bool = False
    offers: bool = True


class Exclusion(Struct, frozen=True, kw_only=True):
    """A store that said no before: for these SKUs, or for the whole order when none is named."""

    store: StoreId
    skus: tuple[Sku, ...] = ()


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to source an order, or what is left of it. No slot means as soon as possible.

    ``store`` is the chosen one; without it every store is as good as chosen. ``place`` is where the customer is,
    as exactly as they said; without it distances are counted from the chosen store.
    """

    order: Id
    attempt: Annotated[int, Meta(ge=1)]
    lines: Annotated[tuple[RequestLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    store: StoreId | None = None
    slot: Slot | None = None
    place: Place | None = None
    allows: Allowances = Allowances()
    excluded: tuple[Exclusion, ...] = ()
