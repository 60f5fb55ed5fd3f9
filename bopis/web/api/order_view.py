"""An order as the API answers it. What only its processor needs is left out, and names and contacts with it."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from bopis.domain.orders.amounts import line_total, order_total, to_pay
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Line, Order, StoreWork
from bopis.domain.orders.store_queue import locations_text
from bopis.services.catalogue import Catalogue
from bopis.services.counter.guidance import guidance
from bopis.services.counter.refusal_text import ended_text, payment_text
from bopis.services.counter.store_times import StoreTimes
from bopis.web.answers import instant


class LineView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `unit_price` and `total` are minor units of the order's currency."""

    line: int
    sku: str
    name: str
    quantity: int
    unit: str
    state: str
    store: str = ""
    unit_price: int = 0
    total: int = 0
    picked: tuple[int, ...] = ()
    returned: int = 0
    ordered_sku: str = ""
    substitute: str = ""
    location: str = ""
    end_reason: str = ""
    decide_by: datetime | None = None


class StoreView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of one store: when it is ready by, was ready, and until when it is kept."""

    store: str
    name: str
    promised: bool
    ready_by: datetime | None = None
    accepted: datetime | None = None
    picker: str = ""
    ready: datetime | None = None
    keep_until: datetime | None = None
    locations: str = ""
    arrived: datetime | None = None
    where: str = ""
    spot: str = ""
    to_pay: int | None = None


class OfferView(Struct, frozen=True, kw_only=True):
    """Other stores that the customer may choose from until an instant."""

    attempt: int
    stores: tuple[str, ...]
    answer_by: datetime | None


class MoveView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of store that is under way, or was not made: `ended` is why."""

    store: str
    ended: str = ""


class OrderView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order as it is now. `text` has what people are told: how it is paid, how it ended, what comes next."""

    order: str
    shown: str
    state: str
    store: str
    placed: datetime | None
    payment: str
    payment_text: str
    lines: tuple[LineView, ...]
    stores: tuple[StoreView, ...]
    customer: str = ""
    currency: str = ""
    total: int | None = None
    offers: tuple[OfferView, ...] = ()
    store_change: MoveView | None = None
    code_tries: int = 0
    ended_text: str = ""
    next_steps: tuple[str, ...] = ()


class OrderRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order in a list."""

    order: str
    shown: str
    state: str
    store: str
    units: int
    lines: int
    placed: datetime | None
    ready_by: datetime | None = None
    stores: tuple[str, ...] = ()
    payment: str = ""
    currency: str = ""
    total: int | None = None


def order_view(order: Order, times: StoreTimes, catalogue: Catalogue, names: Mapping[str, str]) -> OrderView:
    """An order for the API; `names` are the names of stores."""
    times = times.about(order)
    total = order_total(order)
    return OrderView(
        order=order.order,
        shown=shown(order.order),
        state=order.state.value,
        store=order.store,
        placed=instant(order.placed_ms),
        payment=order.payment.value,
        payment_text=payment_text(order, times),
        lines=tuple(_line(line, catalogue) for line in order.lines),
        stores=tuple(_store(order, work, names) for work in order.work),
        customer=order.customer.id,
        currency=order.currency,
        total=total.cents if total is not None else None,
        offers=tuple(
            OfferView(
                attempt=it.attempt,
                stores=tuple(offer.store for offer in it.offers),
                answer_by=instant(it.answer_by_ms),
            )
            for it in order.offers
        ),
        store_change=_move(order),
        code_tries=order.code.tries,
        ended_text=ended_text(order, times, catalogue),
        next_steps=tuple(guidance(order, catalogue)),
    )


def _move(order: Order) -> MoveView | None:
    if order.move is None:
        return None
    return MoveView(store=order.move.store, ended=order.move.ended.value if order.move.ended is not None else "")


def order_row(order: Order) -> OrderRow:
    """An order for a list."""
    total = order_total(order)
    return OrderRow(
        order=order.order,
        shown=shown(order.order),
        state=order.state.value,
        store=order.store,
        units=sum(line.quantity for line in order.lines),
        lines=len(order.lines),
        placed=instant(order.placed_ms),
        ready_by=instant(max((work.ready_by_ms for work in order.work), default=0)),
        stores=tuple(dict.fromkeys(line.store for line in order.live if line.store)),
        payment=order.payment.value,
        currency=order.currency,
        total=total.cents if total is not None else None,
    )


def _line(line: Line, catalogue: Catalogue) -> LineView:
    return LineView(
        line=line.line,
        sku=line.sku,
        name=catalogue.name(line.sku),
        quantity=line.quantity,
        unit=catalogue.unit(line.sku),
        state=line.state.value,
        store=line.store,
        unit_price=line.unit_cents,
        total=line_total(line),
        picked=line.picked,
        returned=line.returned,
        ordered_sku=line.ordered_sku,
        substitute=line.substitute,
        location=line.location,
        end_reason=line.end_reason.value if line.end_reason is not None else "",
        decide_by=instant(line.decide_by_ms),
    )


def _store(order: Order, work: StoreWork, names: Mapping[str, str]) -> StoreView:
    due = to_pay(order, work.store)
    return StoreView(
        store=work.store,
        name=names.get(work.store, ""),
        promised=work.promised,
        ready_by=instant(work.ready_by_ms),
        accepted=instant(work.accepted_ms),
        picker=work.picker,
        ready=instant(work.ready_ms),
        keep_until=instant(work.window_end_ms),
        locations=locations_text(order.in_store(work.store), work.location),
        arrived=instant(work.arrived_ms),
        where=work.where.value if work.where is not None else "",
        spot=work.spot,
        to_pay=due.cents if due is not None else None,
    )
