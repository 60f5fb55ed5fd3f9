"""A scanner in a store: the command that each scanned code means. Pure, except for keyed hashes.

Codes are recognised by their form: an order number, the GTIN or SKU of an article (``!SKU`` for a missing unit), a
staging location (``@A3``), six digits that a customer reads out, the token of a QR code.
"""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import AcceptPick, Command, HandOver, RecordPick, StageOrder
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.store_queue import WorkStep, step_of
from bopis.ports import Secrets
from bopis.services.catalogue import Catalogue, GtinParser
from bopis.services.counter.code_check import Presented, code_in, hand_over, is_token_of, number_in, token_in
from bopis.services.counter.pick_walk import needs

LOCATION_MARK = "@"
MISSING_MARK = "!"
LOCATION_LENGTH_MAX = 64


class CodeKind(StrEnum):
    """Kinds of scanned codes."""

    ORDER = "order"
    ITEM = "item"
    LOCATION = "location"
    CODE = "code"
    TOKEN = "token"
    UNKNOWN = "unknown"


class ScanResult(Struct, frozen=True, kw_only=True):
    """The meaning of a code: its order and the command to send to it, or the problem."""

    kind: CodeKind
    order: str = ""
    command: Command | None = None
    problem: str = ""


class Scanner:
    """One scanner in one store. Its only state is the current order: the one that was scanned last."""

    def __init__(self, store: str, catalogue: Catalogue, gtin: GtinParser, secrets: Secrets) -> None:
        self.store = store
        self.current = ""
        self._catalogue = catalogue
        self._gtin = gtin
        self._secrets = secrets

    def read(self, text: str, orders: dict[str, Order]) -> ScanResult:
        """The meaning of a code. `orders` are those of the store by number."""
        code = text.strip()
        token = token_in(code)
        if token is not None:
            return self._token(token, orders)
        number = number_in(code)
        # One short GTIN in thirty-two is also a valid order number: an order of this store wins.
        if number is not None and (number in orders or self._catalogue.resolve(code, self._gtin) is None):
            return self._order(number, orders)
        if code.startswith(MISSING_MARK):
            wanted = code[len(MISSING_MARK) :].strip()
            return self._item(self._catalogue.resolve(wanted, self._gtin) or wanted, wanted, orders, is_missing=True)
        if code.startswith(LOCATION_MARK):
            return self._location(code[len(LOCATION_MARK) :].strip(), orders)
        # Six digits may be an SKU: the article wins, because a customer can also show the QR code.
        sku = self._catalogue.resolve(code, self._gtin)
        if sku is None and code_in(code) is not None:
            return self._code(code, orders)
        return self._item(sku or code, code, orders)

    def _order(self, number: str, orders: dict[str, Order]) -> ScanResult:
        order = orders.get(number)
        if order is None:
            problem = f"store {self.store} has nothing to do for this order"
            return ScanResult(kind=CodeKind.ORDER, order=number, problem=problem)
        self.current = number
        step = self._step(order)
        command = AcceptPick(store=self.store) if step is WorkStep.ACCEPT else None
        return ScanResult(kind=CodeKind.ORDER, order=number, command=command)

    def _token(self, token: str, orders: dict[str, Order]) -> ScanResult:
        for number, order in orders.items():
            if is_token_of(self._secrets.codes, order, token):
                self.current = number
                return ScanResult(kind=CodeKind.TOKEN, order=number, command=self._hand_over(order, token))
        return ScanResult(
            kind=CodeKind.TOKEN,
            problem="no order here has this QR code: it was renewed or used, or is of another store",
        )

    def _code(self, code: str, orders: dict[str, Order]) -> ScanResult:
        order = orders.get(self.current)
        if order is None:
            return ScanResult(kind=CodeKind.CODE, problem="scan or type the order number first, then the six digits")
        return ScanResult(kind=CodeKind.CODE, order=self.current, command=self._hand_over(order, code))

    def _location(self, location: str, orders: dict[str, Order]) -> ScanResult:
        order = orders.get(self.current)
        if order is None:
            return ScanResult(kind=CodeKind.LOCATION, problem="scan the order number first, then the location")
        if not 0 < len(location) <= LOCATION_LENGTH_MAX:
            return ScanResult(kind=CodeKind.LOCATION, order=self.current, problem="a location has 1 to 64 characters")
        command = StageOrder(store=self.store, location=location)
        return ScanResult(kind=CodeKind.LOCATION, order=self.current, command=command)

    def _item(self, sku: str, code: str, orders: dict[str, Order], is_missing: bool = False) -> ScanResult:
        order = orders.get(self.current)
        if order is None:
            known = self._catalogue.get(sku) is not None
            problem = "scan the order number first, then its goods" if known else f"{code!r} is not a known code"
            return ScanResult(kind=CodeKind.ITEM if known else CodeKind.UNKNOWN, problem=problem)
        wanted = [it for it in needs(order, self.store) if it.sku == sku]
        if wanted:
            need = wanted[0]
            found, gone = (0, 1) if is_missing else (1, 0)
            line = PickedLine(line=need.line, picked=found, missing=gone, sku=need.sku if need.is_kit else None)
            command = RecordPick(store=self.store, lines=(line,))
            return ScanResult(kind=CodeKind.ITEM, order=self.current, command=command)
        ordered = {part.sku for line in order.in_store(self.store) for part in line.parts}
        name = self._catalogue.name(sku)
        problem = (
            f"enough of {name} is picked" if sku in ordered else f"{name} does not belong to this order: put it back"
        )
        if sku in ordered and self._step(order) is WorkStep.ACCEPT:
            problem = "this order is not accepted yet: scan its number again"
        return ScanResult(kind=CodeKind.ITEM, order=self.current, problem=problem)

    def _hand_over(self, order: Order, code: str) -> HandOver:
        return hand_over(self._secrets, order, self.store, Presented(code=code))

    def _step(self, order: Order) -> WorkStep | None:
        return step_of(it for it in order.in_store(self.store) if it.live and it.state is not LineState.OFFERED)
