"""What the page of an order shows to its customer, and what can be done there now. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec
from msgspec import Struct

from bopis.domain.orders.amounts import UNSOLD, to_pay
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import READY_STATES, Line, LineState, Order, StoreWork
from bopis.domain.payments.state import AttemptState, Payment
from bopis.domain.quantities import EACH, quantity_text
from bopis.domain.sourcing.decision import Assignment
from bopis.domain.values import HOUR_MS
from bopis.services.catalogue import Catalogue
from bopis.services.counter.store_times import StoreTimes
from bopis.services.notifier.content import address_of, map_of
from bopis.services.opening_days import OpeningDay
from bopis.services.store_directory import StoreRecord
from bopis.web.pages.customer_texts import CustomerTexts

DAY_MS = 24 * HOUR_MS
EXTENSIONS_MAX = 7
KEPT_DAYS_MAX = 14
HERE_FROM = frozenset({LineState.PROMISED, LineState.ACCEPTED, LineState.PICKING, LineState.PICKED, LineState.STAGED})


class PageFacts(Struct, frozen=True, kw_only=True):
    """Everything beside the order that the page is made of. `hours` are the next days of each store, `others` the
    stores to which the order could be changed."""

    texts: CustomerTexts
    times: StoreTimes
    catalogue: Catalogue
    records: Mapping[str, StoreRecord]
    hours: Mapping[str, list[OpeningDay]]
    payment: Payment | None
    now_ms: int
    others: tuple[Assignment, ...] = ()


class ItemRow(Struct, frozen=True, kw_only=True):
    """One line of the order."""

    line: int
    goods: str
    state: str
    amount: str
    note: str
    can_cancel: bool
    is_ended: bool


class StorePart(Struct, frozen=True, kw_only=True):
    """What one store prepares. `extensions` are pairs of an instant (ISO 8601) and its text."""

    store: str
    name: str
    address: str
    map: str
    phone: str
    hours: tuple[tuple[str, str], ...]
    ready_by: str = ""
    keep_until: str = ""
    to_pay: str = ""
    can_arrive: bool = False
    is_arrived: bool = False
    extensions: tuple[tuple[str, str], ...] = ()


class OfferRow(Struct, frozen=True, kw_only=True):
    """An offer of other stores: triples of id, name and ready by."""

    attempt: int
    text: str
    stores: tuple[tuple[str, str, str], ...]
    answer_by: str


class SubstituteRow(Struct, frozen=True, kw_only=True):
    """An offer of another article for a line."""

    line: int
    text: str
    price: str
    answer_by: str


class CustomerPage(Struct, frozen=True, kw_only=True):
    """The page of one order. `shows_code`: the pickup code is valid and the goods are ready. `others` are triples of
    id, name and ready by of stores that could have it instead; `moving_to` is the store that is being asked."""

    order: str
    shown: str
    state: str
    headline: str
    is_open: bool
    is_good: bool
    shows_code: bool
    stores: tuple[StorePart, ...]
    items: tuple[ItemRow, ...]
    offers: tuple[OfferRow, ...]
    substitutes: tuple[SubstituteRow, ...]
    total: str
    pay_link: str = ""
    pay_amount: str = ""
    needs_method: bool = False
    may_pay_in_store: bool = False
    method_until: str = ""
    can_cancel: bool = False
    others: tuple[tuple[str, str, str], ...] = ()
    moving_to: str = ""
    version: str = ""


def customer_page(order: Order, facts: PageFacts) -> CustomerPage:
    """The page of an order as its customer sees it now."""
    texts, state = facts.texts, order.state
    items = tuple(_item(it, order, facts) for it in order.lines)
    link, amount = _pay_link(order, facts)
    needs_method = bool(facts.payment is not None and order.live and facts.payment.method_until_ms)
    until_ms = facts.payment.method_until_ms if facts.payment is not None else 0
    cents = sum(it.unit_cents * it.quantity for it in _counted(order))
    page = CustomerPage(
        order=order.order,
        shown=shown(order.order),
        state=state.value,
        headline=texts.of("states", "pay" if link or needs_method else state.value),
        is_open=bool(order.live),
        is_good=state in READY_STATES or state is LineState.HANDED_OVER,
        shows_code=not order.code.used and any(it.state in READY_STATES for it in order.lines),
        stores=tuple(_store(name, order, facts) for name in _stores(order)),
        items=items,
        offers=tuple(_offers(order, facts)),
        substitutes=tuple(_substitutes(order, facts)),
        total=texts.amount(cents, order.currency) if cents else "",
        pay_link=link,
        pay_amount=amount,
        needs_method=needs_method,
        # Goods that left already cannot be paid for at their hand-over any more.
        may_pay_in_store=needs_method and facts.payment is not None and not facts.payment.uncaptured,
        method_until=texts.instant(until_ms, facts.times.zone(order.store)) if needs_method else "",
        can_cancel=any(it.can_cancel for it in items),
        moving_to=_name(order.pending_move.store, facts) if order.pending_move is not None else "",
    )
    version = blake2b(msgspec.json.encode(page), digest_size=8).hexdigest()
    # When other stores would be ready changes by the minute, and is no change of the order.
    return msgspec.structs.replace(page, version=version, others=_others(order, facts))


def extensions(work: StoreWork, texts: CustomerTexts, times: StoreTimes, now_ms: int) -> tuple[tuple[str, str], ...]:
    """Until when goods may be kept longer: by whole days, at most two weeks from now."""
    found = []
    for days in range(1, EXTENSIONS_MAX + 1):
        until_ms = work.window_end_ms + days * DAY_MS
        if now_ms < until_ms <= now_ms + KEPT_DAYS_MAX * DAY_MS:
            at = datetime.fromtimestamp(until_ms / 1000, UTC).isoformat()
            found.append((at, texts.instant(until_ms, times.zone(work.store))))
    return tuple(found)


def _stores(order: Order) -> list[str]:
    """The stores of the open lines, else those that had them."""
    found = list(dict.fromkeys(it.store for it in order.live if it.store))
    return found or list(dict.fromkeys(it.store for it in order.lines if it.store)) or [order.store]


def _counted(order: Order) -> list[Line]:
    return [it for it in order.lines if it.state not in UNSOLD]


def _store(name: str, order: Order, facts: PageFacts) -> StorePart:
    record = facts.records.get(name) or StoreRecord(store_id=name, name=name)
    texts, zone, work = facts.texts, facts.times.zone(name), order.at(name)
    lines = [it for it in order.in_store(name) if it.live]
    ready = any(it.state in READY_STATES for it in lines)
    due = _to_pay(order, name)
    part = StorePart(
        store=name, name=record.name, address=address_of(record), map=map_of(record), phone=record.phone,
        hours=texts.hours(facts.hours.get(name, [])), to_pay=texts.amount(due, order.currency) if due else "",
    )  # fmt: skip
    if work is None or not lines:
        return part
    return msgspec.structs.replace(
        part,
        ready_by=texts.instant(work.ready_by_ms, zone) if work.promised and not ready else "",
        keep_until=texts.instant(work.window_end_ms, zone) if ready else "",
        can_arrive=work.where is None and (ready or (work.promised and any(it.state in HERE_FROM for it in lines))),
        is_arrived=work.where is not None,
        extensions=extensions(work, texts, facts.times, facts.now_ms) if ready else (),
    )


def _to_pay(order: Order, store: str) -> int:
    due = to_pay(order, store)
    return due.cents if due is not None else 0


def _item(line: Line, order: Order, facts: PageFacts) -> ItemRow:
    texts, cents = facts.texts, line.unit_cents * line.quantity
    instead = facts.catalogue.name(line.ordered_sku) if line.ordered_sku else ""
    return ItemRow(
        line=line.line,
        goods=_goods(line.quantity, line.sku, facts.catalogue),
        state=texts.of("lines", line.state.value),
        amount=texts.amount(cents, order.currency) if cents else "",
        note=instead,
        can_cancel=line.live,
        is_ended=not line.live,
    )


def _goods(quantity: int, sku: str, catalogue: Catalogue) -> str:
    unit = catalogue.unit(sku)
    units = f"{quantity} ×" if unit == EACH else quantity_text(quantity, unit)
    return f"{units} {catalogue.name(sku)}"


def _offers(order: Order, facts: PageFacts) -> list[OfferRow]:
    texts, found = facts.texts, []
    wanted = facts.records.get(order.store)
    for offer in order.offers:
        stores = []
        for it in offer.offers:
            record = facts.records.get(it.store)
            at = texts.instant(it.ready_by_ms, facts.times.zone(it.store))
            stores.append((it.store, record.name if record is not None else it.store, at))
        text = texts.word("offer_text", wanted=wanted.name if wanted is not None else order.store)
        by = texts.instant(offer.answer_by_ms, facts.times.zone(order.store))
        found.append(OfferRow(attempt=offer.attempt, text=text, stores=tuple(stores), answer_by=by))
    return found


def _others(order: Order, facts: PageFacts) -> tuple[tuple[str, str, str], ...]:
    """Stores to choose from; none while a store is being asked, or while an offer is open, which names its own."""
    if order.pending_move is not None or order.offers:
        return ()
    return tuple(
        (it.store, _name(it.store, facts), facts.texts.instant(it.ready_by_ms, facts.times.zone(it.store)))
        for it in facts.others
    )


def _name(store: str, facts: PageFacts) -> str:
    record = facts.records.get(store)
    return record.name if record is not None and record.name else store


def _substitutes(order: Order, facts: PageFacts) -> list[SubstituteRow]:
    texts, found = facts.texts, []
    for line in order.lines:
        if line.state is not LineState.SUBSTITUTE_OFFERED:
            continue
        text = texts.word(
            "substitute_text",
            ordered=_goods(line.quantity, line.sku, facts.catalogue),
            offered=_goods(line.quantity, line.substitute, facts.catalogue),
        )
        cents = line.substitute_cents * line.quantity
        by = texts.instant(line.decide_by_ms, facts.times.zone(line.store))
        price = texts.amount(cents, order.currency) if cents else ""
        found.append(SubstituteRow(line=line.line, text=text, price=price, answer_by=by))
    return found


def _pay_link(order: Order, facts: PageFacts) -> tuple[str, str]:
    """The link that confirms a payment, and its sum; empty without one."""
    payment = facts.payment
    if payment is None or not order.live:
        return "", ""
    for it in reversed(payment.attempts):
        is_open = it.state is AttemptState.ACTION_REQUIRED and it.link.startswith(("https://", "http://"))
        if is_open and (not it.link_until_ms or it.link_until_ms > facts.now_ms):
            return it.link, facts.texts.amount(it.asked, payment.currency)
    return "", ""
