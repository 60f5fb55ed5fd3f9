"""Copy of an order for the store that prepares it: only what the shop needs, and nothing of the customer."""

from msgspec import Struct

from bopis.domain.orders.amounts import line_total, to_pay
from bopis.domain.orders.paying import is_paid
from bopis.domain.orders.state import Line, LineState, Order, StoreWork
from bopis.domain.sourcing.request import Component

IN_STORE = frozenset(
    {
        LineState.PROMISED,
        LineState.ACCEPTED,
        LineState.PICKING,
        LineState.PICKED,
        LineState.STAGED,
        LineState.READY,
        LineState.ARRIVED,
    }
)


class CopyLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line in the store's work. ``parts`` are the components of a kit, ``picked`` units set aside of each part."""

    line: int
    sku: str
    quantity: int
    state: LineState
    parts: tuple[Component, ...] = ()
    picked: tuple[int, ...] = ()
    location: str = ""

    @property
    def needed(self) -> tuple[Component, ...]:
        """SKUs and units that one unit of the line takes from the shelf."""
        return self.parts or (Component(sku=self.sku, quantity=1),)


class CopyCode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pickup code of an order: its version, tries at the centre, and its hashes under the key of the store, if the
    order has any."""

    version: int
    tries: int = 0
    used: bool = False
    digits: str = ""
    token: str = ""


class CopyOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as its store has it.

    ``version`` changes with everything else here. ``paid`` tells whether all lines here may leave the store now, until
    ``paid_until_ms`` (0: without end); ``due_cents`` are to be paid in the store first. ``is_short``: units were
    reported missing that the centre has not decided about.
    """

    order: str
    lines: tuple[CopyLine, ...]
    code: CopyCode
    version: str = ""
    ready_by_ms: int = 0
    picker: str = ""
    window_end_ms: int = 0
    arrived_ms: int = 0
    paid: bool = False
    paid_until_ms: int = 0
    due_cents: int = 0
    currency: str = ""
    is_short: bool = False

    @property
    def state(self) -> LineState:
        """State of the line with the least progress."""
        progress = list(LineState)
        return min((line.state for line in self.lines), key=progress.index)


def copy_of(order: Order, store: str, now_ms: int) -> CopyOrder | None:
    """The copy of an order for a store, without version and hashes; None when the store has no work of it."""
    lines = [line for line in order.in_store(store) if line.state in IN_STORE]
    if not lines:
        return None
    work = order.at(store) or StoreWork(store=store)
    due = to_pay(order, store)
    return CopyOrder(
        order=order.order,
        lines=tuple(_line(line) for line in lines),
        code=CopyCode(version=order.code.version, tries=order.code.tries, used=order.code.used),
        ready_by_ms=work.ready_by_ms,
        picker=work.picker,
        window_end_ms=work.window_end_ms,
        arrived_ms=work.arrived_ms,
        paid=is_paid(order, sum(map(line_total, lines)), now_ms),
        paid_until_ms=order.covered_until_ms,
        due_cents=due.cents if due is not None else 0,
        currency=order.currency,
    )


def _line(line: Line) -> CopyLine:
    return CopyLine(
        line=line.line,
        sku=line.sku,
        quantity=line.quantity,
        state=line.state,
        parts=line.components,
        picked=line.picked,
        location=line.location,
    )
