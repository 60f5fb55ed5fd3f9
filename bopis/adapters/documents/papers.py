"""What stands on a paper. A pick list names no customer, and no paper names a contact or a pickup code."""

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """The papers of a store."""

    PICK_LIST = "pick-list"
    PACKING_SLIP = "packing-slip"
    RECEIPT = "receipt"


TITLES = {Kind.PICK_LIST: "Pick list", Kind.PACKING_SLIP: "Packing slip", Kind.RECEIPT: "Hand-over receipt"}
EACH = "each"


class PaperLine(Struct, frozen=True, kw_only=True):
    """Units of one SKU. ``part_of`` names the kit that they go into, ``instead_of`` what was ordered."""

    sku: str
    name: str
    units: int
    unit: str = EACH
    gtin: str = ""
    part_of: str = ""
    instead_of: str = ""


class Paper(Struct, frozen=True, kw_only=True):
    """One paper of one order in one store. ``facts`` are label and value, in the order in which they are printed.

    ``code`` is what the paper's QR code holds: the order's number, for the store's own scanner.
    """

    kind: Kind
    number: str
    code: str
    store: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[PaperLine, ...]
    note: str = ""
    signs: bool = False

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def units(self) -> int:
        """Everything on it."""
        return sum(it.units for it in self.lines)
