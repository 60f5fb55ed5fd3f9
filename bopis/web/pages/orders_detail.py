"""One order: lines, stores, every event on both clocks, why each store was chosen, how it is paid, and its notices."""

import secrets
from typing import Any

from msgspec import UNSET, Struct
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.domain.message import Message
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import READY_STATES, Order
from bopis.domain.orders.vocabulary import EndReason
from bopis.domain.sourcing.decision import Decision
from bopis.errors import BopisError
from bopis.readside.queries import order_notices
from bopis.readside.queries.order_answers import NoticeAnswer
from bopis.services.counter.decision_text import elimination_text, outcome_text, rank_texts, served
from bopis.services.counter.event_text import EventText
from bopis.services.counter.order_history import OrderEventHistory, read_order_history
from bopis.services.counter.store_times import StoreTimes
from bopis.services.payments.explanation import Explanation, explain, read_payment_history
from bopis.web.api import moving
from bopis.web.api.orders import OrderPath, find, read_payment, view_of
from bopis.web.pages.now import store_figures
from bopis.web.pages.now_view import MAP_HEIGHT, MAP_WIDTH, Dot, dots
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.orders import ORDER_EVENTS

STAFF_REASONS = (EndReason.CUSTOMER_WISH, EndReason.STORE_WISH, EndReason.FRAUD_SUSPECTED, EndReason.OTHER)


class Entry(Struct, frozen=True, kw_only=True):
    """One event: on the clock of its store when it happened and when the log had it, who caused it, and in words."""

    id: str
    type: str
    text: str
    happened: str
    recorded: str
    actor: str


class ShownChoice(Struct, frozen=True, kw_only=True):
    """One store in a decision; `ready_by` and `ranks` are empty where it has none."""

    store: str
    text: str
    is_chosen: bool


class ShownDecision(Struct, frozen=True, kw_only=True):
    """One search for stores in words, with its rules, and the stores on the map."""

    attempt: int
    outcome: str
    decided: str
    rules: str
    digest: str
    choices: tuple[ShownChoice, ...]
    ranks: tuple[ShownChoice, ...]
    dots: tuple[Dot, ...]
    chosen: frozenset[str]


class ShownNotice(Struct, frozen=True, kw_only=True):
    """One delivery of a notice."""

    milestone: str
    version: int
    copy: int
    channel: str
    state: str
    attempts: int
    changed: str
    cause: str


class ReadParts(Struct, frozen=True, kw_only=True):
    """What of an order is read from log and database; `missing` names what could not be read, with its cause."""

    history: OrderEventHistory
    payment: Explanation | None
    notices: tuple[NoticeAnswer, ...]
    missing: tuple[str, ...]


async def show(call: PageCall) -> Response:
    """One order."""
    return await order_page(call)


async def show_live(call: PageCall) -> Response:
    """The parts of an order that change, for a page that is open."""
    order = await find(call, call.params.order)
    return call.page("order-state.html", **await _values(call, order))


async def order_page(call: PageCall, note: str = "", refusal: str = "", status: int = 200) -> Response:
    """The page of an order, with the result of a change or its refusal."""
    order = await find(call, call.params.order)
    values = await _values(call, order)
    return call.page("order.html", status, note=note, refusal=refusal, **values, **_actions(call, order))


async def _values(call: PageCall, order: Order) -> dict[str, Any]:
    site = call.site
    parts = await site.in_thread(_read, site, order)
    times = site.times(order.store).about(order)
    chosen = [it.store for past in parts.history.decisions for it in served(past.answer)]
    times = times.among(chosen)
    words = EventText(times, site.stock.catalogue, order.lines)
    stores = {it.record.store_id: it for it in store_figures(site)}
    return {
        "order": view_of(site, order),
        "times": times,
        "entries": [_entry(it, words) for it in parts.history.events],
        "decisions": [_decision(it, words, site, stores) for it in parts.history.decisions],
        "payment": parts.payment,
        "notices": [_notice(it, times) for it in parts.notices],
        "missing": parts.missing,
        "width": MAP_WIDTH,
        "height": MAP_HEIGHT,
    }


def _read(site: Site, order: Order) -> ReadParts:
    times = site.times(order.store).about(order)
    missing: list[str] = []
    with site.desk() as desk:
        history = read_order_history(desk.reader, order, desk.projection)
        payment = read_payment(desk, order.order)
        explained = None
        if payment is not None:
            explained = explain(payment, read_payment_history(desk.reader, payment), times)
    notices: list[NoticeAnswer] = []
    try:
        notices = order_notices(site.engine(), order.order)
    except (Problem, BopisError, SQLAlchemyError) as error:
        missing.append(f"Notices cannot be read: {getattr(error, 'detail', '') or 'the read side does not answer'}")
    return ReadParts(history=history, payment=explained, notices=tuple(notices), missing=tuple(missing))


def _entry(event: Message, words: EventText) -> Entry:
    stamp = event.data.stamp
    store = str(getattr(event.data, "store", None) or "")
    return Entry(
        id=event.id,
        type=ORDER_EVENTS.type_name(type(event.data)),
        text=words.sentence(event.data),
        happened=second_text(words.times, stamp.at_ms, store),
        recorded=second_text(words.times, stamp.recorded_at_ms, store),
        actor=stamp.actor or (event.actor if event.actor is not UNSET else "") or stamp.device,
    )


def second_text(times: StoreTimes, at_ms: int, store: str = "") -> str:
    """An instant to the second on the clock of a store: events of one minute are told apart."""
    return f"{times.at(at_ms, store):%a %d %b %H:%M:%S}"


def _decision(it: Decision, words: EventText, site: Site, stores: dict[str, Any]) -> ShownDecision:
    answer = it.answer
    chosen = [
        ShownChoice(
            store=one.store, text=f"ready by {words.instant(one.ready_by_ms, one.store)}", is_chosen=True
        )
        for one in served(answer)
    ]  # fmt: skip
    gone = [
        ShownChoice(store=one.store, text=elimination_text(one, site.stock.catalogue), is_chosen=False)
        for one in answer.eliminated
    ]
    names = frozenset(one.store for one in chosen)
    return ShownDecision(
        attempt=it.attempt,
        outcome=outcome_text(answer),
        decided=words.instant(it.decided_at_ms),
        rules=f"{it.rules.name} v{it.rules.version}",
        digest=it.digest[:12],
        choices=(*chosen, *gone),
        ranks=tuple(
            ShownChoice(store=score.store, text=text, is_chosen=score.store in names)
            for score, text in rank_texts(answer)
        ),
        dots=tuple(dots(stores[one.store] for one in it.facts if one.store in stores)),
        chosen=names,
    )


def _notice(it: NoticeAnswer, times: StoreTimes) -> ShownNotice:
    changed = it.changed_at or it.opened_at
    return ShownNotice(
        milestone=it.milestone,
        version=it.version,
        copy=it.copy,
        channel=it.channel,
        state=it.state,
        attempts=it.attempt,
        changed=times.instant(int(changed.timestamp() * 1000), it.store),
        cause=it.cause,
    )


def _actions(call: PageCall, order: Order) -> dict[str, Any]:
    """What the caller may do with the order as it is now. `form_id` makes a form that is sent twice one change."""
    live = bool(order.live)
    kept = [it.store for it in order.work if it.window_end_ms and _is_ready_in(order, it.store)]
    caller = call.caller
    return {
        "form_id": secrets.token_hex(8),
        "may_cancel": live and caller.may(Right.ORDERS_CHANGE),
        "may_pay": caller.may(Right.PAYMENTS_CHANGE),
        "may_notify": caller.may(Right.ORDERS_CHANGE),
        "others": _others(call.site, order) if caller.may(Right.ORDERS_CHANGE) else [],
        "kept_in": kept if caller.may(Right.ORDERS_CHANGE) else [],
        "reasons": [it.value for it in STAFF_REASONS],
        "number": shown(order.order),
    }


def _others(site: Site, order: Order) -> list[dict[str, str]]:
    """Stores to which the order could be changed now, with when they would be ready."""
    if not site.is_ready or order.pending_move is not None:
        return []
    times = site.times(order.store).among([order.store])
    return [
        {"store": it.store, "name": moving.name_of(site, it.store), "ready_by": times.instant(it.ready_by_ms, it.store)}
        for it in moving.alternatives(site, order)
    ]


def _is_ready_in(order: Order, store: str) -> bool:
    return any(line.state in READY_STATES for line in order.in_store(store))


PAGES = (
    Page(path="/orders/{order}", show=show, right=Right.PAGES_HQ, params=OrderPath),
    Page(path="/parts/orders/{order}", show=show_live, right=Right.PAGES_HQ, params=OrderPath),
)
