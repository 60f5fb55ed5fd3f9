"""The page of an order for its customer: opened by the link in a mail, bound to that order alone.

A browser that comes with the link gets a cookie for this order's pages, and goes on without the token in the address.
An order without a valid link looks like none.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import segno
from msgspec import Meta, Struct
from starlette.responses import RedirectResponse, Response

from bopis.access.roles import Right, Role
from bopis.domain.orders.numbers import parse
from bopis.domain.orders.state import Order
from bopis.domain.payments.gateway import MethodKind
from bopis.domain.payments.state import Payment
from bopis.errors import TRY_AGAIN, UNAVAILABLE, BopisError
from bopis.services.counter.code_check import is_link_of
from bopis.services.counter.errors import NotDone
from bopis.services.notifier.notifier import qr_text
from bopis.services.opening_days import OpeningDay, opening_days
from bopis.services.store_directory import StoreRecord
from bopis.web.access.sessions import PinTries, new_session
from bopis.web.api import events, moving, order_commands, payments
from bopis.web.api.order_commands import COMMANDS
from bopis.web.api.orders import read_payment
from bopis.web.api.placing import MethodDetails
from bopis.web.pages.counter import form_of
from bopis.web.pages.counter_forms import Form, body_of
from bopis.web.pages.customer_texts import CustomerTexts, choose_language
from bopis.web.pages.customer_view import CustomerPage, PageFacts, customer_page
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import Site

LINK_TRIES = PinTries()
PRIVATE = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
HOURS_DAYS = 4
# Cards of the fake gateway, by their behaviour; the texts name it in words.
TRIAL_CARDS = ("tok_ok", "tok_challenge", "tok_soft")
Number = Annotated[str, Meta(max_length=20)]
Word = Annotated[str, Meta(max_length=40)]


class LinkPath(Struct, frozen=True, kw_only=True):
    """The link of an order."""

    order: Number
    token: Annotated[str, Meta(max_length=64)]


class OrderPageQuery(Struct, frozen=True, kw_only=True):
    """The page of an order. `done` and `refused` name what came of the last command; `version` is what is shown."""

    order: Number
    done: Word = ""
    refused: Word = ""
    version: Annotated[str, Meta(max_length=32)] = ""


class ActionPath(Struct, frozen=True, kw_only=True):
    """One command from the page of an order."""

    order: Number
    action: Word


async def open_link(call: PageCall) -> Response:
    """Open the page of an order by its link."""
    call.headers.update(PRIVATE)
    asked: LinkPath = call.params
    number, client = parse(asked.order) or "", call.request.client
    address = client.host if client is not None else ""
    if LINK_TRIES.is_locked(number, address):
        return _problem(call, 429, "too_many")
    order = await call.site.in_thread(_order, call.site, number)
    is_right = order is not None and is_link_of(call.site.secrets.codes, order, asked.token)
    LINK_TRIES.note(number, address, is_right=is_right)
    if order is None or not is_right:
        return _problem(call, 404, "unknown_text")
    response = RedirectResponse(f"/o/{order.order}", 303, headers=PRIVATE)
    session = new_session(f"customer of {order.order}", Role.CUSTOMER, order=order.order)
    call.site.gate.sessions.begin_order(response, session)
    return response


async def show(call: PageCall) -> Response:
    """The page of an order."""
    return await _shown(call, "customer.html")


async def show_part(call: PageCall) -> Response:
    """The changing part of the page, for htmx; 204 when it is shown already."""
    return await _shown(call, "customer-part.html")


async def stream(call: PageCall) -> Response:
    """Changes of this order as they happen."""
    number = _own(call)
    if number is None:
        return _problem(call, 404, "unknown_text")
    call.params = events.EventsQuery(order=(number,))
    return await events.stream(call)


async def act(call: PageCall) -> Response:
    """One command from a form; then back to the page, which says what came of it."""
    call.headers.update(PRIVATE)
    number = _own(call)
    order = await call.site.in_thread(_order, call.site, number) if number is not None else None
    if order is None:
        return _problem(call, 404, "unknown_text")
    action = call.params.action
    try:
        await _send(call, order, action)
        answer = f"done={action}"
    except NotDone as error:
        answer = f"refused={error.facts.get('reason', 'other')}"
    except Problem as problem:
        answer = "refused=invalid" if problem.status < 500 else "refused=later"
    except BopisError as error:
        answer = "refused=later" if error.exit_code in (TRY_AGAIN, UNAVAILABLE) else "refused=other"
    return RedirectResponse(f"/o/{order.order}?{answer}", 303, headers=PRIVATE)


def texts_of(call: PageCall, order: Order | None = None, country: str = "") -> CustomerTexts:
    """Words in the customer's language: that of the order, else the browser's."""
    tag = order.customer.language if order is not None else ""
    accepted = call.request.headers.get("accept-language", "")
    language = choose_language(tag, accepted, call.site.settings.notice_language)
    return CustomerTexts(language, tag or accepted.split(",")[0].split(";")[0], country)


async def _shown(call: PageCall, template: str) -> Response:
    call.headers.update(PRIVATE)
    asked: OrderPageQuery = call.params
    number, site = _own(call), call.site
    order = await site.in_thread(_order, site, number) if number is not None else None
    if order is None:
        return _problem(call, 404, "unknown_text")
    records = {it.store_id: it for it in site.stock.routing.tables.stores()}
    record = records.get(order.store)
    texts = texts_of(call, order, record.country if record is not None else "")
    facts = await site.in_thread(_facts, site, order, texts, records)
    page = customer_page(order, facts)
    if asked.version and asked.version == page.version:
        return Response(status_code=204, headers=PRIVATE)
    return call.page(template, **_values(call, order, page, texts), note=_note(texts, asked))


def _values(call: PageCall, order: Order, page: CustomerPage, texts: CustomerTexts) -> dict[str, Any]:
    settings, codes = call.site.settings, call.site.secrets.codes
    code = qr = ""
    if page.shows_code:
        code = codes.code(order.order, order.code.version)
        text = qr_text(order.order, codes.token(order.order, order.code.version))
        qr = segno.make(text, error="m", micro=False).svg_data_uri(scale=6, border=2)
    return {
        "page": page, "t": texts, "words": texts.words, "code": code, "qr": qr, "brand": settings.brand_name or "bopis",
        "trial_cards": TRIAL_CARDS if settings.payment_gateway == "fake" else (),
        "shop_page": settings.shop_url.replace("{order}", page.shown), "new_key": lambda: secrets.token_hex(8),
    }  # fmt: skip


def _note(texts: CustomerTexts, asked: OrderPageQuery) -> tuple[str, str]:
    """The kind and the text of a note about the last command; only texts of ours, never one from the address."""
    if asked.done:
        return "good", texts.of("done", asked.done)
    return ("bad", texts.of("refused", asked.refused, "other")) if asked.refused else ("", "")


def _own(call: PageCall) -> str | None:
    """The number of the order, for its own customer only."""
    number, principal = parse(call.params.order), call.principal
    if principal is None or principal.role is not Role.CUSTOMER or number is None or principal.order != number:
        return None
    return number


def _problem(call: PageCall, status: int, text: str) -> Response:
    texts = texts_of(call)
    brand = call.site.settings.brand_name or "bopis"
    return call.page("customer-problem.html", status, t=texts, text=texts.word(text), brand=brand)


def _order(site: Site, number: str) -> Order | None:
    if not number:
        return None
    with site.desk() as desk:
        return desk.orders.get(number)


def _facts(site: Site, order: Order, texts: CustomerTexts, records: Mapping[str, StoreRecord]) -> PageFacts:
    now_ms = site.now_ms()
    named = {order.store, *(it.store for it in order.lines if it.store)}
    hours = {name: _hours(site, records[name], now_ms) for name in named if name in records}
    payment: Payment | None = None
    if order.methods:
        with site.desk() as desk:
            payment = read_payment(desk, order.order)
    return PageFacts(
        texts=texts, times=site.times(order.store), catalogue=site.stock.catalogue, records=records, hours=hours,
        payment=payment, now_ms=now_ms, others=moving.alternatives(site, order) if site.is_ready else (),
    )  # fmt: skip


def _hours(site: Site, record: StoreRecord, now_ms: int) -> list[OpeningDay]:
    try:
        return opening_days(record.hours, site.hours, now_ms, HOURS_DAYS)
    except Exception:  # The import reports invalid hours; the page is better without them than not shown.
        return []


async def _send(call: PageCall, order: Order, action: str) -> None:
    form, key = form_of(call), call.field("key")
    if action == "store":
        change = body_of({"store": form.one("store")}, moving.StoreChange)
        if not call.caller.may(Right.ORDERS_CHANGE):
            raise Problem(403, "right-missing", f"This needs the right {Right.ORDERS_CHANGE.value}.")
        await call.site.in_thread(moving.send, call, order, change, key)
        return
    if action == "methods":
        details = body_of(_method(form), MethodDetails)
        await call.site.in_thread(payments.send, call, order.order, payments.add_method(details), key)
        return
    make = ACTIONS.get(action)
    if make is None:
        raise Problem(400, "action-unknown", "This page is of an older version; load it again.")
    command = COMMANDS[action]
    if not call.caller.may(command.right):
        raise Problem(403, "right-missing", f"This needs the right {command.right.value}.")
    given = body_of(make(form), command.kind)
    await call.site.in_thread(order_commands.send, call, order, command.body, given, key)


def _method(form: Form) -> dict[str, Any]:
    """The method that was chosen: in the store, or the token of a gateway."""
    if form.one("method") == MethodKind.PAY_IN_STORE.value:
        return {"kind": MethodKind.PAY_IN_STORE.value}
    return {"token": form.one("method") or form.one("token")}


def _cancellation(form: Form) -> dict[str, Any]:
    """All of the order, or the chosen lines. Raises `Problem` without a confirmation or a choice."""
    lines = form.all("line")
    if not form.one("confirm") or (form.one("part") and not lines):
        raise Problem(422, "form-invalid", "Confirm it, and choose what to cancel.")
    return {"lines": lines if form.one("part") else ()}


# Commands of the API that the page sends, with their bodies.
ACTIONS: Mapping[str, Callable[[Form], Mapping[str, Any]]] = {
    "arrival": lambda form: {
        "store": form.one("store"), "where": form.one("where") or "counter", "spot": form.one("spot"),
    },
    "extension": lambda form: {"store": form.one("store"), "until": form.one("until")},
    "cancellation": _cancellation,
    "alternative": lambda form: {"attempt": form.one("attempt"), "store": form.one("store")},
    "substitute": lambda form: {"line": form.one("line"), "accept": form.one("accept") == "yes"},
}  # fmt: skip


PAGES = (
    Page(path="/o/{order}/part", show=show_part, right=None, params=OrderPageQuery),
    Page(path="/o/{order}/events", show=stream, right=None, params=OrderPageQuery),
    Page(path="/o/{order}/{token}", show=open_link, right=None, params=LinkPath),
    Page(path="/o/{order}", show=show, right=None, params=OrderPageQuery),
    Page(path="/o/{order}/{action}", show=act, right=None, params=ActionPath, method="POST"),
)
