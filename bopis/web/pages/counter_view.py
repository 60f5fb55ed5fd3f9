"""What the counter shows: the queue of a store, and one order with everything that can be done to it now. Pure."""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec
from msgspec import Struct

from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import STAGED_STATES, Line, LineState, Offer, Order, Task
from bopis.domain.orders.store_queue import (
    NEVER_MS,
    TASK_STEPS,
    WorkItem,
    WorkStep,
    locations_text,
    work_items,
)
from bopis.domain.orders.vocabulary import PaymentState
from bopis.domain.payments.money import plain_amount
from bopis.domain.quantities import EACH
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.services.catalogue import Catalogue
from bopis.services.counter.guidance import guidance
from bopis.services.counter.pick_walk import PICKABLE_SOON, PickNeed, needs
from bopis.services.counter.refusal_text import payment_text
from bopis.services.counter.store_times import StoreTimes

STEP_NAMES: Mapping[WorkStep, str] = {
    WorkStep.ACCEPT: "Accept",
    WorkStep.PICK: "Pick",
    WorkStep.STAGE: "Set aside",
    WorkStep.SUBSTITUTE: "Missing goods",
    WorkStep.ASK_CUSTOMER: "Customer is asked",
    WorkStep.HAND_OVER: "Hand over",
    WorkStep.AWAIT_CUSTOMER: "Ready",
    WorkStep.WAIT: "Waits for the rest",
    WorkStep.PUT_BACK: "Put back",
    WorkStep.COUNT: "Count",
}
UNPAID = frozenset({PaymentState.AUTHORISING, PaymentState.DECLINED, PaymentState.LAPSED})
# Texts of the services name commands; on a page the button below does it.
_DROPPED = re.compile(r" \((?:`?bopis [^)`]*`?(?:, )?)+\)| \(--document KIND\)| \[[a-z_]+\]$")
_COMMAND = re.compile(r"`?bopis (?:pickup|order|payments|stock) [^`;,.:)]*`?|give --document KIND")
BUTTONS: Mapping[str, str] = {
    "pickup pick": "the buttons under Pick",
    "pickup short": "Missing under Pick",
    "pickup stage": "Set aside",
    "pickup accept": "Accept",
    "pickup substitute": "Offer another article",
    "pickup ready": "Not ready after all",
    "pickup return": "Goods come back",
    "pickup queue": "the queue",
    "order cancel": "Cancel the order",
    "order show": "this page",
    "payments show": "this page",
    "payments paid-in-store": "Paid at the till",
}


class QueueCard(Struct, frozen=True, kw_only=True):
    """One entry of the queue. `when` says how late it is or how long there is time, `due` the time on the store's
    clock, `arrival` where the customer waits and since when."""

    order: str
    shown: str
    step: str
    colour: str
    due: str
    when: str
    goods: str
    picker: str = ""
    location: str = ""
    arrival: str = ""
    pay: str = ""
    unpaid: str = ""
    escalated: bool = False
    task: str = ""


class PickRow(Struct, frozen=True, kw_only=True):
    """Units that one line still needs from the shelf; `sku` is a component where the line is a kit (`is_kit`)."""

    line: int
    sku: str
    name: str
    units: int
    unit: str
    quantity: str
    gtin: str
    is_kit: bool
    is_each: bool


class GoodsRow(Struct, frozen=True, kw_only=True):
    """Units of one line that a form is about."""

    line: int
    sku: str
    name: str
    units: int
    unit: str
    quantity: str
    location: str
    is_each: bool


class ShortRow(Struct, frozen=True, kw_only=True):
    """A short line: what is missing, and the articles that the catalogue names as substitutes (SKU, name)."""

    line: int
    goods: str
    substitutes: tuple[tuple[str, str], ...]


class AskedRow(Struct, frozen=True, kw_only=True):
    """A line for which a substitute is offered: what was ordered, and what is offered."""

    line: int
    goods: str
    offered: str


class LineRow(Struct, frozen=True, kw_only=True):
    """One line as people read it."""

    line: int
    goods: str
    state: str
    note: str
    amount: str


class OfferRow(Struct, frozen=True, kw_only=True):
    """Other stores that the customer may choose from: pairs of a store and when it would be ready."""

    attempt: int
    stores: tuple[tuple[str, str], ...]


class TaskRow(Struct, frozen=True, kw_only=True):
    """An open task of the store about this order."""

    task: str
    step: str
    goods: str
    is_put_back: bool
    sku: str = ""


class OrderPanel(Struct, frozen=True, kw_only=True):
    """One order at one store. Lists are empty where there is nothing to do. `version` changes with what is shown."""

    order: str
    shown: str
    store: str
    state: str
    steps: tuple[str, ...]
    promise: str = ""
    keep_until: str = ""
    location: str = ""
    arrival: str = ""
    picker: str = ""
    customer: str = ""
    note: str = ""
    payment: str = ""
    to_pay: str = ""
    to_pay_number: str = ""
    till_records: bool = False
    total: str = ""
    can_accept: bool = False
    can_arrive: bool = False
    can_cancel: bool = False
    picks: tuple[PickRow, ...] = ()
    shorts: tuple[ShortRow, ...] = ()
    asked: tuple[AskedRow, ...] = ()
    offers: tuple[OfferRow, ...] = ()
    to_stage: str = ""
    staged: tuple[GoodsRow, ...] = ()
    returnable: tuple[GoodsRow, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    lines: tuple[LineRow, ...] = ()
    code_tries: int = 0
    is_paper: bool = False
    is_slip: bool = False
    version: str = ""


def queue_cards(
    items: Iterable[WorkItem], unpaid: Mapping[str, str], times: StoreTimes, catalogue: Catalogue, now_ms: int
) -> list[QueueCard]:
    """The entries of a queue as cards, in the same order; `unpaid` are orders whose payment is not decided."""
    return [_card(it, unpaid.get(it.order, ""), times, catalogue, now_ms) for it in items]


def unpaid_orders(orders: Iterable[Order]) -> dict[str, str]:
    """Orders of which nothing can be handed over yet, because their payment is not decided, each with its state."""
    return {it.order: it.payment.value for it in orders if it.methods and it.payment in UNPAID}


def when_text(due_ms: int, now_ms: int) -> str:
    """How long there is time: ``12 min late``, ``in 25 min``, ``in 3 h``; empty without a due time."""
    if not due_ms or due_ms >= NEVER_MS:
        return ""
    left = due_ms - now_ms
    late, span = left <= 0, abs(left)
    if span < MINUTE_MS:
        return "now"
    if span < 2 * HOUR_MS:
        text = f"{span // MINUTE_MS} min"
    elif span < 48 * HOUR_MS:
        text = f"{span // HOUR_MS} h"
    else:
        text = f"{span // (24 * HOUR_MS)} days"
    return f"{text} late" if late else f"in {text}"


def on_page(text: str) -> str:
    """A text of the services for people at a page: commands in it become the names of the buttons that do the same."""

    def button(found: re.Match[str]) -> str:
        if "bopis" not in found[0]:
            return "choose its kind below"
        words = found[0].strip("`").split()
        return f"“{BUTTONS.get(' '.join(words[1:3]), 'this page')}”"

    return _COMMAND.sub(button, _DROPPED.sub("", text))


def order_panel(
    order: Order, store: str, times: StoreTimes, catalogue: Catalogue, fields: Mapping[str, str]
) -> OrderPanel:
    """An order as the counter of a store shows it; `fields` are the customer's name and note."""
    times, work, lines = times.about(order), order.at(store), order.in_store(store)
    states = {line.state for line in lines if line.live}
    step = next((it for it in work_items(order) if it.store == store and not it.task), None)
    cents = step.to_pay_cents if step is not None else None
    is_here = work is not None and work.where is not None
    panel = OrderPanel(
        order=order.order,
        shown=shown(order.order),
        store=store,
        state=order.state.value,
        steps=tuple(on_page(it).removeprefix(f"store {store}: ") for it in guidance(order, catalogue)),
        promise=times.instant(work.ready_by_ms, store) if work is not None and work.ready_by_ms else "",
        keep_until=times.until(work.window_end_ms, store) if work is not None and work.window_end_ms else "",
        location=locations_text(lines, work.location if work is not None else ""),
        arrival=_place(work.where.value, work.spot) if work is not None and work.where is not None else "",
        picker=work.picker if work is not None else "",
        customer=fields.get("name", ""),
        note=fields.get("note", ""),
        payment=payment_text(order, times),
        to_pay=plain_amount(cents, order.currency) if cents else "",
        to_pay_number=plain_amount(cents, order.currency).split()[0] if cents else "",
        till_records=bool(cents and order.methods),
        total=_total(order),
        can_accept=LineState.PROMISED in states,
        can_arrive=bool(states) and not is_here and work is not None and work.promised,
        can_cancel=bool(order.live),
        lines=tuple(_line_row(it, order, store, catalogue) for it in order.lines),
        code_tries=order.code.tries,
        is_paper=bool(needs(order, store, PICKABLE_SOON)),
        is_slip=bool(states & (STAGED_STATES | {LineState.PICKED})),
    )
    panel = _with_work(panel, order, times, catalogue)
    return msgspec.structs.replace(panel, version=version_of(panel))


def _with_work(panel: OrderPanel, order: Order, times: StoreTimes, catalogue: Catalogue) -> OrderPanel:
    """The panel with the rows of its forms."""
    live = [line for line in order.in_store(panel.store) if line.live]
    over = [line for line in order.lines if line.state is LineState.HANDED_OVER and line.quantity > line.returned]
    return msgspec.structs.replace(
        panel,
        picks=tuple(_pick_row(it, catalogue) for it in needs(order, panel.store)),
        shorts=tuple(_short_row(it, catalogue) for it in live if it.state is LineState.SHORT),
        asked=tuple(_asked_row(it, catalogue) for it in live if it.state is LineState.SUBSTITUTE_OFFERED),
        offers=tuple(_offer_row(it, times) for it in order.offers),
        to_stage=", ".join(catalogue.goods(it.quantity, it.sku) for it in live if it.state is LineState.PICKED),
        staged=tuple(_goods_row(it, catalogue, it.quantity) for it in live if it.state in STAGED_STATES),
        returnable=tuple(_goods_row(it, catalogue, it.quantity - it.returned) for it in over),
        tasks=tuple(_task_row(it, catalogue) for it in order.tasks if it.store == panel.store),
    )


def version_of(panel: OrderPanel) -> str:
    """A text that changes with what a panel shows."""
    return blake2b(msgspec.json.encode(panel), digest_size=8).hexdigest()


def waiting_text(since_ms: int, now_ms: int) -> str:
    """How long a customer has waited: ``waits 4 min``."""
    minutes = max(0, now_ms - since_ms) // MINUTE_MS
    return f"waits {minutes} min" if minutes else "just arrived"


def _card(it: WorkItem, unpaid: str, times: StoreTimes, catalogue: Catalogue, now_ms: int) -> QueueCard:
    is_task = bool(it.task)
    arrival = ""
    if it.waiting_since_ms:
        arrival = f"{_place(it.where, it.spot)}, {waiting_text(it.waiting_since_ms, now_ms)}"
    lines = f"{it.lines} line{'' if it.lines == 1 else 's'}"
    return QueueCard(
        order=it.order,
        shown=shown(it.order),
        step=STEP_NAMES[it.step],
        colour=it.colour.value,
        due="" if it.due_ms >= NEVER_MS else times.instant(it.due_ms, it.store),
        when="" if it.step is WorkStep.HAND_OVER else when_text(it.due_ms, now_ms),
        goods=catalogue.name(it.sku) if is_task else f"{catalogue.total(it.goods)} in {lines}",
        picker=it.picker,
        location=it.location,
        arrival=arrival,
        pay=plain_amount(it.to_pay_cents, it.currency) if it.to_pay_cents else "",
        unpaid=unpaid,
        escalated=it.escalations > 0,
        task=it.task,
    )


def _place(where: str, spot: str) -> str:
    return f"{where} {spot}".strip().capitalize()


def _pick_row(it: PickNeed, catalogue: Catalogue) -> PickRow:
    article, unit = catalogue.get(it.sku), catalogue.unit(it.sku)
    return PickRow(
        line=it.line,
        sku=it.sku,
        name=catalogue.name(it.sku),
        units=it.units,
        unit=unit,
        quantity=catalogue.quantity(it.units, it.sku),
        gtin=article.gtins[0].lstrip("0") if article is not None and article.gtins else "",
        is_kit=it.is_kit,
        is_each=unit == EACH,
    )


def _offer_row(it: Offer, times: StoreTimes) -> OfferRow:
    stores = tuple((one.store, times.instant(one.ready_by_ms, one.store)) for one in it.offers)
    return OfferRow(attempt=it.attempt, stores=stores)


def _task_row(it: Task, catalogue: Catalogue) -> TaskRow:
    step = TASK_STEPS[it.kind]
    goods = catalogue.name(it.sku) if it.sku else ""
    return TaskRow(task=it.task, step=STEP_NAMES[step], goods=goods, is_put_back=step is WorkStep.PUT_BACK, sku=it.sku)


def _goods_row(line: Line, catalogue: Catalogue, units: int) -> GoodsRow:
    unit = catalogue.unit(line.sku)
    return GoodsRow(
        line=line.line, sku=line.sku, name=catalogue.name(line.sku), units=units, unit=unit,
        quantity=catalogue.quantity(units, line.sku), location=line.location if line.live else "", is_each=unit == EACH,
    )  # fmt: skip


def _short_row(line: Line, catalogue: Catalogue) -> ShortRow:
    article = catalogue.get(line.sku)
    others = article.substitutes if article is not None else ()
    return ShortRow(
        line=line.line,
        goods=catalogue.goods(line.quantity, line.sku),
        substitutes=tuple((sku, catalogue.name(sku)) for sku in others),
    )


def _asked_row(line: Line, catalogue: Catalogue) -> AskedRow:
    goods = catalogue.goods(line.quantity, line.sku)
    return AskedRow(line=line.line, goods=goods, offered=catalogue.name(line.substitute))


def _line_row(line: Line, order: Order, store: str, catalogue: Catalogue) -> LineRow:
    elsewhere = f"in store {line.store}" if line.store and line.store != store else ""
    instead = f"instead of {catalogue.name(line.ordered_sku)}" if line.ordered_sku else ""
    place = f"at {line.location}" if line.location and line.state in STAGED_STATES else ""
    back = f"{line.returned} returned" if line.returned else ""
    cents = line.unit_cents * line.quantity
    return LineRow(
        line=line.line,
        goods=catalogue.goods(line.quantity, line.sku),
        state=line.state.value,
        note=", ".join(it for it in (elsewhere, place, instead, back) if it),
        amount=plain_amount(cents, order.currency) if cents else "",
    )


def _total(order: Order) -> str:
    cents = sum(it.unit_cents * it.quantity for it in order.live)
    return plain_amount(cents, order.currency) if cents else ""
