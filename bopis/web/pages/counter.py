"""The counter: the queue of a store, one order with its steps, one field for every scanned code, papers to print."""

import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlencode

from msgspec import Meta, Struct
from starlette.responses import HTMLResponse, Response

from bopis.access.roles import OWN_STORES, Right
from bopis.adapters.barcodes import gtin14
from bopis.adapters.documents.html import as_html
from bopis.domain.orders.state import Order
from bopis.domain.orders.store_queue import queue
from bopis.domain.orders.vocabulary import Document, EndReason, RejectReason
from bopis.domain.papers import PaperKind
from bopis.domain.payments.messages import RecordPaidInStore
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.errors import BopisError
from bopis.services.counter import order_papers
from bopis.services.counter.order_papers import PaperSubject, paper_of
from bopis.services.store_directory import StoreRecord
from bopis.web.api import order_commands, payments
from bopis.web.api.order_commands import COMMANDS
from bopis.web.api.orders import Number, customer_fields, find
from bopis.web.api.payments import PaidInStore
from bopis.web.pages import counter_forms as forms
from bopis.web.pages.counter_forms import Form
from bopis.web.pages.counter_scan import ScanOutcome, scanned
from bopis.web.pages.counter_view import on_page, order_panel, queue_cards, unpaid_orders
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem, problem_of
from bopis.web.site import Site

COUNTER = "/counter"
POLL_S = 10
SHOWN_FIELDS = ("name", "note")
PAPERS = {PaperKind.PICK_LIST: order_papers.pick_list, PaperKind.PACKING_SLIP: order_papers.packing_slip}
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
Store = Annotated[str, Meta(max_length=STORE_LENGTH_MAX)]


class CounterQuery(Struct, frozen=True, kw_only=True):
    """The store and the order that are shown; without a store the only one of the associate, or a choice."""

    store: Store = ""
    order: Annotated[str, Meta(max_length=20)] = ""


class QueueQuery(Struct, frozen=True, kw_only=True):
    """The queue of a store."""

    store: Store
    order: Annotated[str, Meta(max_length=20)] = ""


class PanelQuery(Struct, frozen=True, kw_only=True):
    """An order in a store; `version` is what the page shows already."""

    store: Store
    order: Number
    version: Annotated[str, Meta(max_length=32)] = ""


class PaperQuery(Struct, frozen=True, kw_only=True):
    """A paper of an order in a store."""

    store: Store
    order: Number
    paper: PaperKind


class Note(Struct, frozen=True, kw_only=True):
    """What came of a command. `proof` is a scanned pickup code that waits for the hand-over."""

    text: str = ""
    kind: str = "good"
    status: int = 200
    proof: str = ""


NOTHING = Note()


async def show(call: PageCall) -> Response:
    """The page: a choice of stores, or the queue of one and the order that is open."""
    asked: CounterQuery = call.params
    call.site.require_ready()
    own = _own_stores(call)
    store = asked.store or (own[0].store_id if len(own) == 1 else "")
    if not store:
        return call.page("counter-choose.html", stores=own)
    require_store(call, store)
    return await whole_page(call, store, asked.order, NOTHING)


async def show_queue(call: PageCall) -> Response:
    """The queue alone, for htmx."""
    require_store(call, call.params.store)
    return call.page("counter-queue.html", **await _queue(call, call.params.store, call.params.order))


async def show_order(call: PageCall) -> Response:
    """One order alone, for htmx; 204 when the page shows it already."""
    asked: PanelQuery = call.params
    require_store(call, asked.store)
    values = await _panel(call, asked.store, asked.order, NOTHING)
    if values["panel"].version == asked.version:
        return Response(status_code=204)
    return call.page("counter-order.html", **values)


async def act(call: PageCall) -> Response:
    """One command from a form. Its key makes a double tap one command; a refusal says what to do."""
    store, number = call.field("store"), call.field("order")
    require_store(call, store)
    try:
        order = await find(call, number)
        text = await _send(call, store, order)
        note = Note(text=text)
    except Problem as problem:
        note = Note(text=problem.detail, kind="bad", status=problem.status)
    except BopisError as error:
        note = refused(error)
    return await _answer(call, store, number, note)


async def scan(call: PageCall) -> Response:
    """One scanned or typed code: it opens an order, picks a unit, stages, or goes on to the hand-over."""
    store = call.field("store")
    require_store(call, store)
    outcome = ScanOutcome(order=call.field("current"))
    try:
        outcome = await call.site.in_thread(scanned, call, store, outcome.order, call.field("code"))
        if outcome.command is not None:
            order = await find(call, outcome.order)
            command = outcome.command
            key = call.field("key")
            done = await call.site.in_thread(order_commands.send, call, order, lambda *_: command, None, key)
            outcome = outcome.done(_sentences([it.text for it in done.events]))
        note = Note(text=on_page(outcome.text), kind=outcome.kind, proof=outcome.proof)
    except Problem as problem:
        note = Note(text=problem.detail, kind="bad", status=problem.status)
    except BopisError as error:
        note = refused(error)
    return await _answer(call, store, outcome.order, note)


async def print_paper(call: PageCall) -> Response:
    """A pick list or a slip for the bag, ready to print."""
    asked: PaperQuery = call.params
    require_store(call, asked.store)
    make = PAPERS.get(asked.paper)
    if make is None:
        raise Problem(404, "paper-unknown", "The counter prints pick lists and packing slips.")
    order = await find(call, asked.order)
    site = call.site
    fields = await site.in_thread(customer_fields, site, order)
    subject = PaperSubject(
        order=order, store=asked.store, times=site.times(asked.store).about(order), catalogue=site.stock.catalogue,
        fields={name: value for name, value in (fields or {}).items() if name in SHOWN_FIELDS},
    )  # fmt: skip
    record = site.stock.routing.tables.record(asked.store)
    paper = paper_of(subject, asked.paper, make(subject), record.name if record is not None else "", site.now_ms())
    return _printable(as_html([paper]))


def _printable(html: str) -> Response:
    """A paper has its style inside, so that a saved one looks the same: the policy names exactly that style."""
    style = _STYLE.search(html)
    digest = b64encode(sha256(style[1].encode()).digest()).decode() if style is not None else ""
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def refused(error: BopisError) -> Note:
    """An error as a note in the words of the page."""
    problem = problem_of(error)
    return Note(text=on_page(problem.detail), kind="bad", status=problem.status)


def _own_stores(call: PageCall) -> list[StoreRecord]:
    stores = sorted(call.site.stock.routing.tables.stores(), key=lambda it: it.store_id)
    return [it for it in stores if not it.closed and call.caller.may_in(it.store_id)]


def require_store(call: PageCall, store: str) -> None:
    """Raise `Problem` for a store that is not the caller's, or not known."""
    if not call.caller.may_in(store):
        own = ", ".join(sorted(call.caller.stores)) if call.caller.role in OWN_STORES else ""
        raise Problem(403, "other-store", f"Store {store} is not yours{f'; yours: {own}' if own else ''}.")
    if call.site.stock.routing.tables.record(store) is None:
        raise Problem(404, "store-unknown", f"There is no store {store}.")


async def _answer(call: PageCall, store: str, number: str, note: Note) -> Response:
    """The order after a command: the part for htmx, the whole page for a browser without scripts."""
    if call.request.headers.get("hx-request") != "true":
        return await whole_page(call, store, number, note)
    call.headers["HX-Push-Url"] = page_url(store, number)
    call.headers["HX-Trigger"] = "counter-changed"
    return call.page("counter-order.html", **await _panel(call, store, number, note))


async def whole_page(call: PageCall, store: str, number: str, note: Note, count: Struct | None = None) -> Response:
    """The page with the queue, one order or a count, and a note."""
    values = await _queue(call, store, number)
    values |= await _panel(call, store, number, note) | {"count": count}
    own = _own_stores(call)
    port = call.site.settings.agent_port
    agent = f"http://127.0.0.1:{port}/counter" if port else ""
    return call.page("counter.html", note.status, poll=POLL_S, agent=agent, has_stores=len(own) > 1, **values)


async def _queue(call: PageCall, store: str, current: str) -> dict[str, Any]:
    site = call.site
    orders = await site.in_thread(_orders, site, store)
    now_ms = site.now_ms()
    record = site.stock.routing.tables.record(store)
    times = site.times(store)
    cards = queue_cards(queue(orders, store, now_ms), unpaid_orders(orders), times, site.stock.catalogue, now_ms)
    return {
        "store": store,
        "store_name": record.name if record is not None else store,
        "cards": cards,
        "waiting": sum(bool(it.arrival) for it in cards),
        "late": sum(it.colour == "red" for it in cards),
        "current": current,
        "clock": f"{times.at(now_ms, store):%H:%M:%S}",
    }


async def _panel(call: PageCall, store: str, number: str, note: Note) -> dict[str, Any]:
    """The values of one order's part. An order that is not there is a note, so that the queue stays usable."""
    values: dict[str, Any] = {
        "store": store, "panel": None, "count": None, "note": note, "new_key": lambda: secrets.token_hex(8),
        "documents": [it for it in Document if it is not Document.NONE], "reject_reasons": _REJECT, "ends": _ENDS,
    }  # fmt: skip
    if not number:
        return values
    try:
        order = await find(call, number)
    except (Problem, BopisError) as error:
        return values if note.text else values | {"note": Note(text=on_page(str(error)), kind="bad", status=404)}
    fields = await call.site.in_thread(customer_fields, call.site, order)
    shown = {name: value for name, value in (fields or {}).items() if name in SHOWN_FIELDS}
    return values | {
        "panel": order_panel(order, store, call.site.times(store), call.site.stock.catalogue, shown),
    }


_REJECT = tuple(it for it in RejectReason if it not in (RejectReason.NOT_ACCEPTED, RejectReason.STORE_WITHDRAWN))
_ENDS = (EndReason.CUSTOMER_WISH, EndReason.STORE_WISH, EndReason.FRAUD_SUSPECTED, EndReason.OTHER)
Body = Mapping[str, Any]


def _orders(site: Site, store: str) -> list[Order]:
    with site.desk() as desk:
        return desk.orders.in_store(store)


async def _send(call: PageCall, store: str, order: Order) -> str:
    """Send the command of a form; returns its events in words. Raises `Problem` and the errors of the desks."""
    form, action, key = form_of(call), call.field("action"), call.field("key")
    if action == "paid-in-store":
        paid = forms.body_of(
            {"amount": forms.amount(form.one("amount"), order.currency), "receipt": form.one("receipt")}, PaidInStore
        )
        message = RecordPaidInStore(amount=paid.amount, receipt=paid.receipt)
        done = await call.site.in_thread(payments.send, call, order.order, message, key)
        return _sentences([it.text for it in done.events])
    path, make = ACTIONS.get(action, ("", None))
    if make is None:
        raise Problem(400, "action-unknown", "This page is of an older version; load it again.")
    command = COMMANDS[path]
    if not call.caller.may(command.right):
        raise Problem(403, "right-missing", f"This needs the right {command.right.value}.")
    given = forms.body_of(make(form, order, store, call), command.kind)
    answer = await call.site.in_thread(order_commands.send, call, order, command.body, given, key)
    return _sentences([it.text for it in answer.events])


def _sentences(texts: list[str]) -> str:
    if not texts:
        return "This was sent before; nothing changed."
    return on_page(" · ".join(f"{it[:1].upper()}{it[1:]}" for it in texts))


Make = Callable[[Form, Order, str, PageCall], Body]
# The form's action, the command of the API that it is, and its body.
ACTIONS: Mapping[str, tuple[str, Make]] = {
    "accept": ("acceptance", lambda _form, _order, store, _call: {"store": store}),
    "reject": ("rejection", lambda form, _order, store, _call: {"store": store, "reason": form.one("reason")}),
    "pick": (
        "picks",
        lambda form, order, store, call: (
            {"store": store} | forms.picks(form, order, store, call.site.stock.catalogue)
        ),
    ),
    "pick-all": ("picks", lambda _form, order, store, _call: {"store": store} | forms.all_found(order, store)),
    "offer": (
        "substitute-offer",
        lambda form, _order, _store, call: {"line": form.one("line"), "sku": _sku(call, form)},
    ),
    "answer": (
        "substitute",
        lambda form, _order, _store, _call: {"line": form.one("line"), "accept": form.one("accept") == "yes"},
    ),
    "alternative": (
        "alternative",
        lambda form, _order, _store, _call: {"attempt": form.one("attempt"), "store": form.one("other")},
    ),
    "stage": ("staging", lambda form, _order, store, _call: {"store": store, "location": form.one("location")}),
    "withdraw": (
        "withdrawal",
        lambda form, order, store, call: {"store": store} | forms.lost(form, order, store, call.site.stock.catalogue),
    ),
    "arrive": (
        "arrival",
        lambda form, _order, store, _call: {
            "store": store, "where": form.one("where") or "counter", "spot": form.one("spot"),
        },
    ),
    "hand-over": (
        "hand-over",
        lambda form, order, store, call: {
            "store": store,
            "code": form.one("code"),
            "document": form.one("document") or Document.NONE.value,
            "proxy": form.one("proxy"),
        }
        | forms.chosen(form, order, store, call.site.stock.catalogue),
    ),
    "return": (
        "returns",
        lambda form, order, store, call: {"store": store} | forms.returned(form, order, call.site.stock.catalogue),
    ),
    "cancel": ("cancellation", lambda form, _order, _store, _call: {"reason": form.one("reason")}),
    "put-back": ("put-back", lambda form, _order, _store, _call: {"task": form.one("task")}),
}  # fmt: skip


def _sku(call: PageCall, form: Form) -> str:
    """The SKU of the article that is offered: a scanned or typed code, else the chosen one. Raises `Problem`."""
    typed = form.one("code") or form.one("sku")
    sku = call.site.stock.catalogue.resolve(typed, gtin14) if typed else None
    if sku is None:
        raise Problem(422, "article-unknown", f"{typed!r} is no article: scan it, or choose one of the list.")
    return sku


def form_of(call: PageCall) -> Form:
    """The text fields of a page's form."""
    fields: dict[str, list[str]] = {}
    for name, value in call.form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    return Form(fields=fields)


def page_url(store: str, order: str = "") -> str:
    """The address of the counter with a store and an order."""
    return f"{COUNTER}?{urlencode({'store': store} | ({'order': order} if order else {}))}"


PAGES = (
    Page(path=COUNTER, show=show, right=Right.PAGES_COUNTER, params=CounterQuery),
    Page(path=f"{COUNTER}/queue", show=show_queue, right=Right.PAGES_COUNTER, params=QueueQuery, store="store"),
    Page(path=f"{COUNTER}/order", show=show_order, right=Right.PAGES_COUNTER, params=PanelQuery, store="store"),
    Page(path=f"{COUNTER}/print", show=print_paper, right=Right.PAGES_COUNTER, params=PaperQuery, store="store"),
    Page(path=f"{COUNTER}/act", show=act, right=Right.PAGES_COUNTER, method="POST"),
    Page(path=f"{COUNTER}/scan", show=scan, right=Right.PAGES_COUNTER, method="POST"),
)
