"""Content of a paper. A pick list has no customer's name, and no paper has a contact or a pickup code."""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.quantities import EACH, quantity_text, total_text


class PaperKind(StrEnum):
    """Kinds of paper that a store prints."""

    PICK_LIST = "pick-list"
    PACKING_SLIP = "packing-slip"
    RECEIPT = "receipt"


TITLES = {
    PaperKind.PICK_LIST: "Pick list",
    PaperKind.PACKING_SLIP: "Packing slip",
    PaperKind.RECEIPT: "Pickup receipt",
}


class PaperLine(Struct, frozen=True, kw_only=True):
    """Units of one SKU. `part_of` names the kit that they belong to, `instead_of` the article that was ordered.

    `amount` is their price as text, empty without prices.
    """

    sku: str
    name: str
    units: int
    unit: str = EACH
    gtin: str = ""
    part_of: str = ""
    instead_of: str = ""
    amount: str = ""

    @property
    def quantity(self) -> str:
        """Units with the article's unit: ``3``, ``300 g``."""
        return quantity_text(self.units, self.unit)


class Paper(Struct, frozen=True, kw_only=True):
    """One paper of one order in one store. `facts` are pairs of label and value in printing order.

    `total` is the sum of the amounts, empty without prices. `code` is the content of the paper's QR code: the order's
    number, for the store's scanner. `signs` adds a line for a signature.
    """

    kind: PaperKind
    number: str
    code: str
    store: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[PaperLine, ...]
    note: str = ""
    total: str = ""
    signs: bool = False

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    @property
    def totals(self) -> str:
        """Number of lines, and their units: ``2 lines, 3 units, 300 g``."""
        lines = f"{len(self.lines)} line{'' if len(self.lines) == 1 else 's'}"
        return f"{lines}, {total_text([(line.unit, line.units) for line in self.lines])}" if self.lines else lines
