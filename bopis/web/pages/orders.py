"""Orders: a list with filters, those that need somebody now, and payments that need somebody."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.adapters.parquet import Column, ColumnKind, Row
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import LineState, Order
from bopis.domain.orders.store_queue import WorkStep, work_items
from bopis.domain.payments.money import exponent
from bopis.domain.values import STORE_LENGTH_MAX, epoch_ms
from bopis.ports import ListKey, OrderFilter, list_key
from bopis.services.payments.book import Concern, Debt, concerns_of, debts, status_of
from bopis.web.answers import CursorNumber, decode_cursor, encode_cursor
from bopis.web.api.order_view import OrderRow, order_row
from bopis.web.api.orders import own_store
from bopis.web.exports import EXPORT_ROWS, checked, download
from bopis.web.pages.fields import instant_of
from bopis.web.pages.now_view import promises_at_risk
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem
from bopis.web.site import Site

ROWS = 50
COLUMNS = (
    *(Column(it) for it in ("order", "state", "store", "stores")),
    Column("lines", ColumnKind.NUMBER),
    Column("units", ColumnKind.NUMBER),
    Column("placed", ColumnKind.INSTANT),
    Column("ready_by", ColumnKind.INSTANT),
    Column("payment"),
    Column("total", ColumnKind.DECIMAL),
    Column("currency"),
)
PAYMENTS_MAX = 200


class OrdersFilter(Struct, frozen=True, kw_only=True):
    """Fields of the filter as a browser sends them; empty ones do not restrict. `since` is a date on the clock of the
    store, or in UTC without one. `risk` and `unaccepted` list what needs somebody now."""

    store: Annotated[str, Meta(max_length=STORE_LENGTH_MAX)] = ""
    state: Annotated[str, Meta(max_length=40)] = ""
    number: Annotated[str, Meta(max_length=20)] = ""
    since: Annotated[str, Meta(max_length=10)] = ""
    ended: bool = False
    risk: bool = False
    unaccepted: bool = False
    cursor: Annotated[str, Meta(max_length=400)] = ""


class PaymentsFilter(Struct, frozen=True, kw_only=True):
    """The concern that payments are listed for; empty for all that are open."""

    concern: Annotated[str, Meta(max_length=20)] = ""


class ListedOrder(Struct, frozen=True, kw_only=True):
    """One row of the list, with times on the clock of its store."""

    row: OrderRow
    placed: str
    ready_by: str


class ListedPayment(Struct, frozen=True, kw_only=True):
    """One payment with the reasons to look at it."""

    order: str
    shown: str
    status: str
    currency: str
    open: int
    captured: int
    refunded: int
    owed: int
    concerns: tuple[str, ...]
    debts: tuple[Debt, ...]


def order_filter(asked: OrdersFilter, store: str | None, site: Site) -> OrderFilter:
    """The filter of a list of orders. Raises `Problem` for a state or a date that is none."""
    if asked.state and asked.state not in set(LineState):
        raise Problem(400, "parameter-invalid", f"There is no state {asked.state!r}.")
    zone = site.times(store).zone() if store else UTC
    since = instant_of(asked.since, zone)
    return OrderFilter(
        prefix=asked.number.upper().replace("-", "").strip(),
        store=store,
        state=LineState(asked.state) if asked.state else None,
        placed_since_ms=epoch_ms(since) if since is not None else None,
        ended=asked.ended or (bool(asked.state) and asked.state in _END_STATES),
        after=ListKey(*decode_cursor(asked.cursor, tuple[CursorNumber, str])) if asked.cursor else None,
    )


_END_STATES = frozenset({LineState.HANDED_OVER, LineState.RETURNED, LineState.CANCELLED, LineState.EXPIRED})


async def show(call: PageCall) -> Response:
    """The list of orders, a page at a time."""
    asked: OrdersFilter = call.params
    site, store = call.site, own_store(call.caller, asked.store.strip())
    if asked.risk or asked.unaccepted:
        return call.page("orders.html", **_list(call, asked, _urgent(site, asked, store), ""))
    wanted = order_filter(asked, store, site)

    def find() -> list[Order]:
        with site.desk() as desk:
            return desk.orders.find(wanted, ROWS + 1)

    found = await site.in_thread(find)
    page = found[:ROWS]
    cursor = ""
    if len(found) > ROWS:
        placed, number = list_key(page[-1])
        cursor = encode_cursor((-placed, number))
    return call.page("orders.html", **_list(call, asked, page, cursor))


async def export(call: PageCall) -> Response:
    """The filtered orders as a file, all of them, as a stream: one page at a time is in memory."""
    asked: OrdersFilter = call.params
    site, store = call.site, own_store(call.caller, asked.store.strip())
    if asked.risk or asked.unaccepted:
        site.require_ready()
        return await download(call, "orders", COLUMNS, _one_page(_urgent(site, asked, store)))
    return await download(call, "orders", COLUMNS, await checked(_pages(site, order_filter(asked, store, site))))


async def _pages(site: Site, wanted: OrderFilter) -> AsyncIterator[Sequence[Row]]:
    def find(criteria: OrderFilter) -> list[Order]:
        with site.desk() as desk:
            return desk.orders.find(criteria, EXPORT_ROWS)

    while True:
        found = await site.in_thread(find, wanted)
        yield [export_row(it) for it in found]
        if len(found) < EXPORT_ROWS:
            return
        placed, number = list_key(found[-1])
        wanted = wanted._replace(after=ListKey(-placed, number))


async def _one_page(orders: Sequence[Order]) -> AsyncIterator[Sequence[Row]]:
    yield [export_row(it) for it in orders]


def export_row(order: Order) -> Row:
    """An order as a row of the export, in the order of `COLUMNS`."""
    row = order_row(order)
    total = None if row.total is None or not row.currency else Decimal(row.total).scaleb(-exponent(row.currency))
    where = (row.order, row.state, row.store, ", ".join(row.stores))
    return (*where, row.lines, row.units, row.placed, row.ready_by, row.payment, total, row.currency)


def _urgent(site: Site, asked: OrdersFilter, store: str | None) -> list[Order]:
    """Open orders with a promise at risk, or that a store has not accepted; the most urgent first."""
    site.require_ready()
    orders = site.stock.routing.orders
    if asked.risk:
        risks = promises_at_risk(orders.all(), site.now_ms())
        numbers = dict.fromkeys(it.order for it in risks if store in (None, it.store))
        return [order for number in numbers if (order := orders.get(number)) is not None]
    unaccepted = [
        order
        for order in orders.all()
        if any(it.step is WorkStep.ACCEPT and store in (None, it.store) for it in work_items(order))
    ]
    return sorted(unaccepted, key=lambda it: (it.placed_ms, it.order))


def _list(call: PageCall, asked: OrdersFilter, page: Sequence[Order], cursor: str) -> dict[str, object]:
    site = call.site
    times = site.times().among(it.store for it in page)
    rows = [
        ListedOrder(
            row=order_row(it),
            placed=times.instant(it.placed_ms, it.store),
            ready_by=times.instant(max((work.ready_by_ms for work in it.work), default=0), it.store),
        )
        for it in page
    ]
    return {
        "rows": rows,
        "asked": asked,
        "cursor": cursor,
        "states": [it.value for it in LineState],
        "stores": sorted(it.store_id for it in site.stock.routing.tables.stores()),
        "is_filtered": asked != OrdersFilter(),
    }


async def show_payments(call: PageCall) -> Response:
    """Payments with a concern."""
    asked: PaymentsFilter = call.params
    if asked.concern and asked.concern not in set(Concern):
        raise Problem(400, "parameter-invalid", f"There is no concern {asked.concern!r}.")
    concern = Concern(asked.concern) if asked.concern else Concern.OPEN

    def find() -> list[ListedPayment]:
        with call.site.desk() as desk:
            desk.payments.refresh()
            return [
                ListedPayment(
                    order=it.order, shown=shown(it.order), status=status_of(it).value, currency=it.currency,
                    open=it.open, captured=it.captured, refunded=it.refunded, owed=max(0, it.owed),
                    concerns=tuple(one.value for one in concerns_of(it)), debts=tuple(debts(it)),
                )
                for it in desk.payments.find(concern, PAYMENTS_MAX + 1)
            ]  # fmt: skip

    rows = await call.site.in_thread(find)
    return call.page(
        "payments.html", rows=rows[:PAYMENTS_MAX], more=len(rows) > PAYMENTS_MAX, concern=concern.value,
        concerns=[it.value for it in Concern],
    )  # fmt: skip


PAGES = (
    Page(path="/orders", show=show, right=Right.PAGES_HQ, params=OrdersFilter),
    Page(path="/orders.csv", show=export, right=Right.PAGES_HQ, params=OrdersFilter),
    Page(path="/orders.parquet", show=export, right=Right.PAGES_HQ, params=OrdersFilter),
    Page(path="/payments", show=show_payments, right=Right.PAGES_HQ, params=PaymentsFilter),
)
