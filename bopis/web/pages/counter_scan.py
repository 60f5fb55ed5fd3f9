"""What a scanned or typed code means at the counter: the order to open, the command to send, the proof to hand over by.

Goods and places are recorded at once, as at a scanner. An order number only opens the order, and a customer's code only
fills in the hand-over: somebody who looks an order up must not accept it, and the bag is fetched before it is handed
over.
"""

import msgspec
from msgspec import Struct

from bopis.adapters.barcodes import gtin14
from bopis.domain.orders.messages import Command, RecordPick
from bopis.domain.orders.numbers import shown
from bopis.domain.quantities import EACH
from bopis.services.counter.scanner import MISSING_MARK, CodeKind, Scanner
from bopis.web.endpoint import Call
from bopis.web.problems import Problem

CODE_LENGTH_MAX = 400


class ScanOutcome(Struct, frozen=True, kw_only=True):
    """The order that a code opens, a note in words, and the command or the proof that it is."""

    order: str = ""
    text: str = ""
    kind: str = "good"
    command: Command | None = None
    proof: str = ""

    def done(self, text: str) -> "ScanOutcome":
        """The outcome after its command was sent, with its events in words."""
        return msgspec.structs.replace(self, text=text)


def scanned(call: Call, store: str, current: str, code: str) -> ScanOutcome:
    """The meaning of a code in a store, where `current` is the order that is open. Blocks. Raises `Problem`."""
    if not code or len(code) > CODE_LENGTH_MAX:
        raise Problem(422, "code-empty", "Scan or type a code: an order number, an article, @PLACE, or a pickup code.")
    with call.site.desk() as desk:
        orders = {it.order: it for it in desk.orders.in_store(store)}
        catalogue = call.site.stock.catalogue
        scanner = Scanner(store, catalogue, gtin14, call.site.secrets)
        scanner.current = current
        read = scanner.read(code, orders)
        if read.kind is CodeKind.ORDER and read.problem and desk.orders.get(read.order) is not None:
            # Ended here, or elsewhere: it may still be looked at, and goods of it can come back.
            return ScanOutcome(order=read.order, text=f"Order {shown(read.order)}: {read.problem}.", kind="warn")
    if read.problem:
        text = f"{read.problem[:1].upper()}{read.problem[1:]}."
        return ScanOutcome(order=read.order or current, text=text, kind="bad")
    if read.kind is CodeKind.ORDER:
        return ScanOutcome(order=read.order)
    if read.kind in (CodeKind.CODE, CodeKind.TOKEN):
        return ScanOutcome(order=read.order, text="The code is filled in: check the goods, then hand over.", proof=code)
    if isinstance(read.command, RecordPick):
        sku = catalogue.resolve(code.removeprefix(MISSING_MARK).strip(), gtin14) or code
        if catalogue.unit(sku) != EACH:
            text = f"{catalogue.name(sku)} is weighed: write how much, then record it."
            return ScanOutcome(order=read.order, text=text, kind="warn")
    return ScanOutcome(order=read.order, command=read.command)
