"""A scanner at work: what each code means where somebody stands now, and what to say because of it. Pure but for keys.

Codes are told apart by their shape: an order's number, a package's GTIN or SKU, a staging location (``@A3``), six
digits that a customer speaks, the token of a QR code.
"""

from enum import StrEnum

from msgspec import Struct

from bopis.domain.orders.messages import AcceptPick, Command, HandOver, RecordPick, StageOrder
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.units import PickedLine
from bopis.ports import Secrets
from bopis.services.catalogue import Catalogue, Gtin
from bopis.services.counter.proving import code_in, hand_over, is_token_of, number_in, token_in
from bopis.services.counter.walking import needs
from bopis.services.counter.work import Step, step_of

LOCATION_MARK = "@"
LOCATION_LENGTH_MAX = 64


class Kind(StrEnum):
    """What a code was taken for."""

    ORDER = "order"
    ITEM = "item"
    LOCATION = "location"
    CODE = "code"
    TOKEN = "token"
    UNKNOWN = "unknown"


class Read(Struct, frozen=True, kw_only=True):
    """What a code means: which order it is about, what is to be said to it, or what is wrong."""

    kind: Kind
    order: str = ""
    says: Command | None = None
    problem: str = ""


class Scanner:
    """One scanner in one store. It remembers the order that was scanned last, and nothing else."""

    def __init__(self, store: str, catalogue: Catalogue, gtin: Gtin, secrets: Secrets) -> None:
        self.store = store
        self.current = ""
        self._catalogue = catalogue
        self._gtin = gtin
        self._secrets = secrets

    def read(self, text: str, orders: dict[str, Order]) -> Read:
        """What a code means now; ``orders`` are those of the store by number."""
        code = text.strip()
        token = token_in(code)
        if token is not None:
            return self._token(token, orders)
        number = number_in(code)
        # One short GTIN in thirty-two also reads as an order number: an order that is here counts first.
        if number is not None and (number in orders or self._catalogue.resolve(code, self._gtin) is None):
            return self._order(number, orders)
        if code.startswith(LOCATION_MARK):
            return self._location(code[len(LOCATION_MARK) :].strip(), orders)
        sku = self._catalogue.resolve(code, self._gtin)
        if sku is None and code_in(code) is not None:
            return self._code(code, orders)
        return self._item(sku or code, code, orders)

    def _order(self, number: str, orders: dict[str, Order]) -> Read:
        order = orders.get(number)
        if order is None:
            return Read(kind=Kind.ORDER, order=number, problem=f"store {self.store} has nothing to do for this order")
        self.current = number
        step = self._step(order)
        says = AcceptPick(store=self.store) if step is Step.ACCEPT else None
        return Read(kind=Kind.ORDER, order=number, says=says)

    def _token(self, token: str, orders: dict[str, Order]) -> Read:
        for number, order in orders.items():
            if is_token_of(self._secrets.codes, order, token):
                self.current = number
                return Read(kind=Kind.TOKEN, order=number, says=self._handed(order, token))
        return Read(
            kind=Kind.TOKEN, problem="no order here has this QR code: it was renewed, used, or is another store's"
        )

    def _code(self, code: str, orders: dict[str, Order]) -> Read:
        order = orders.get(self.current)
        if order is None:
            return Read(kind=Kind.CODE, problem="scan or type the order number first, then the six digits")
        return Read(kind=Kind.CODE, order=self.current, says=self._handed(order, code))

    def _location(self, location: str, orders: dict[str, Order]) -> Read:
        order = orders.get(self.current)
        if order is None:
            return Read(kind=Kind.LOCATION, problem="scan the order number first, then the location")
        if not 0 < len(location) <= LOCATION_LENGTH_MAX:
            return Read(kind=Kind.LOCATION, order=self.current, problem="a location has 1 to 64 characters")
        return Read(kind=Kind.LOCATION, order=self.current, says=StageOrder(store=self.store, location=location))

    def _item(self, sku: str, code: str, orders: dict[str, Order]) -> Read:
        order = orders.get(self.current)
        if order is None:
            known = self._catalogue.get(sku) is not None
            problem = (
                "scan the order number first, then its goods" if known else f"{code!r} is no code that is known here"
            )
            return Read(kind=Kind.ITEM if known else Kind.UNKNOWN, problem=problem)
        wanted = [it for it in needs(order, self.store) if it.sku == sku]
        if wanted:
            need = wanted[0]
            line = PickedLine(line=need.line, picked=1, sku=need.sku if need.is_kit else None)
            return Read(kind=Kind.ITEM, order=self.current, says=RecordPick(store=self.store, lines=(line,)))
        takes = {part.sku for line in order.in_store(self.store) for part in line.parts}
        name = self._catalogue.name(sku)
        problem = (
            f"enough of {name} is picked" if sku in takes else f"{name} does not belong to this order: put it back"
        )
        if sku in takes and self._step(order) is Step.ACCEPT:
            problem = "nobody has accepted this order yet: scan its number again"
        return Read(kind=Kind.ITEM, order=self.current, problem=problem)

    def _handed(self, order: Order, presented: str) -> HandOver:
        return hand_over(self._secrets, order, (self.store, ()), presented, (None, "", ""))

    def _step(self, order: Order) -> Step | None:
        return step_of(it for it in order.in_store(self.store) if it.live and it.state is not LineState.OFFERED)
