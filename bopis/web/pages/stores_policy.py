"""The policy of a store: a draft, its effect on what can be promised and on open orders, and saving it."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace
from sqlalchemy import Engine
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.domain.inventory.availability import STORE_RULE, rule_name
from bopis.domain.inventory.messages import STALENESS_PERCENT_MAX, SetStockRule, SetStorePolicy
from bopis.domain.inventory.rows import StockRule, Store
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import Order
from bopis.domain.values import QUANTITY_MAX, SKU_LENGTH_MAX, STORE_LENGTH_MAX
from bopis.errors import BopisError
from bopis.readside.queries.stock_table import PolicyEffect, policy_effects
from bopis.web.api.stores import StorePath
from bopis.web.pages.fields import whole_number
from bopis.web.pages.inventory import ask
from bopis.web.pages.page import Page, PageCall
from bopis.web.pages.stores import record_of, store_page
from bopis.web.problems import Problem, problem_of

EFFECTS_SHOWN = 50
ORDERS_SHOWN = 20
GRACE_MAX = 100_000
Field = Annotated[str, Meta(max_length=12)]


class DraftQuery(Struct, frozen=True, kw_only=True):
    """A draft as a browser sends it: an absent box is off; empty numbers leave a term to the wider rule."""

    store: Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
    pickup: Field = ""
    finishes_open: Field = ""
    grace: Field = ""
    staleness: Field = ""
    scope: Annotated[str, Meta(max_length=10)] = "store"
    name: Annotated[str, Meta(max_length=SKU_LENGTH_MAX)] = ""
    safety_stock: Field = ""
    walk_in_reserve: Field = ""


class Draft(Struct, frozen=True, kw_only=True):
    """A changed policy: the switches, and one rule for a SKU, a category or the store."""

    pickup: bool
    finishes_open: bool
    grace_minutes: int
    staleness_percent: int
    sku: str | None
    category: str | None
    rule: StockRule | None

    @property
    def rule_name(self) -> str:
        return rule_name(self.sku, self.category)


class Preview(Struct, frozen=True, kw_only=True):
    """The effect of a draft: SKUs with fewer and more units to promise, and open orders that are given away."""

    fewer: int
    more: int
    units: int
    effects: tuple[PolicyEffect, ...]
    is_pickup_off: bool
    orders: tuple[str, ...]
    orders_count: int
    differs: bool


def draft_of(asked: DraftQuery, present: Store) -> Draft:
    """The draft in the fields of the form. Raises `Problem` for one that cannot be used."""
    name = asked.name.strip()
    if asked.scope not in ("store", "category", "sku"):
        raise Problem(422, "rule-scope", "A rule is for the store, a category or a SKU.")
    if asked.scope != "store" and not name:
        raise Problem(422, "rule-scope", f"Name the {asked.scope} of the rule.")
    sku, category = (name if asked.scope == "sku" else None), (name if asked.scope == "category" else None)
    rule = StockRule(
        safety_stock=units_of(asked.safety_stock, "safety stock"),
        walk_in_reserve=units_of(asked.walk_in_reserve, "walk-in reserve"),
    )
    grace = whole_number(asked.grace or str(present.staleness_grace_minutes), GRACE_MAX)
    if grace is None:
        raise Problem(422, "grace-invalid", f"The grace time is 0 to {GRACE_MAX} minutes.")
    percent = whole_number(asked.staleness or str(present.staleness_percent), STALENESS_PERCENT_MAX)
    if percent is None:
        raise Problem(422, "staleness-invalid", f"The staleness is 0 to {STALENESS_PERCENT_MAX} percent.")
    return Draft(
        pickup=bool(asked.pickup),
        finishes_open=bool(asked.finishes_open),
        grace_minutes=grace,
        staleness_percent=percent,
        sku=sku,
        category=category,
        rule=None if rule == StockRule() else rule,
    )


def units_of(text: str, what: str) -> int | None:
    """Units as typed; None for an empty field. Raises `Problem`."""
    text = text.strip()
    if not text:
        return None
    units = whole_number(text, QUANTITY_MAX)
    if units is None:
        raise Problem(422, "units-invalid", f"The {what} is a number of units, 0 to {QUANTITY_MAX}.")
    return units


def drafted(present: Store, draft: Draft) -> Store:
    """The policy as the draft would make it. The present one is not changed."""
    then = Store(
        pickup=draft.pickup,
        staleness_grace_minutes=draft.grace_minutes,
        rules=dict(present.rules),
        devices=list(present.devices),
        finishes_open=draft.finishes_open,
        staleness_percent=draft.staleness_percent,
    )
    then.set_rule(draft.rule_name, draft.rule)
    return then


def preview_of(effects: list[PolicyEffect], present: Store, then: Store, orders: list[Order]) -> Preview:
    """The effect of another policy. Orders are given away by a store without pickup that does not finish them."""
    changes = [it.then.atp - it.now.atp for it in effects]
    keeps = then.pickup or then.finishes_open
    kept = present.pickup or present.finishes_open
    away = [] if keeps or not kept else orders
    largest = sorted(effects, key=lambda it: (-abs(it.then.atp - it.now.atp), it.now.sku))
    return Preview(
        fewer=sum(it < 0 for it in changes),
        more=sum(it > 0 for it in changes),
        units=sum(changes),
        effects=tuple(largest[:EFFECTS_SHOWN]),
        is_pickup_off=present.pickup and not then.pickup,
        orders=tuple(it.order for it in away[:ORDERS_SHOWN]),
        orders_count=len(away),
        differs=present != then,
    )


async def show_preview(call: PageCall) -> Response:
    """The effect of a draft, before it is saved."""
    record = record_of(call)
    asked: DraftQuery = call.params
    present = call.site.stock.routing.tables.policy(record.store_id)
    try:
        draft = draft_of(asked, present)
    except Problem as problem:
        return await store_page(call, record, problem.status, refusal=problem.detail, draft=asked)
    then = drafted(present, draft)
    orders = call.site.stock.routing.orders.in_store(record.store_id)

    def effects(engine: Engine) -> list[PolicyEffect]:
        return list(policy_effects(engine, record.store_id, then, now=call.site.now()))

    preview = preview_of(await ask(call, effects), present, then, orders)
    return await store_page(call, record, preview=preview, draft=asked, shown_number=shown)


async def save(call: PageCall) -> Response:
    """Save a draft. The page shows the policy as the inventory has decided it."""
    record = record_of(call)
    names = ("pickup", "finishes_open", "grace", "staleness", "scope", "name", "safety_stock", "walk_in_reserve")
    fields = {name: call.field(name)[:SKU_LENGTH_MAX] for name in names}
    asked = replace(DraftQuery(store=record.store_id), **fields)
    present = call.site.stock.routing.tables.policy(record.store_id)
    try:
        draft = draft_of(asked, present)
        changes = changes_of(draft, present)
        if changes:
            await call.site.in_thread(_send, call, record.store_id, changes)
    except Problem as problem:
        return await store_page(call, record, problem.status, refusal=problem.detail, draft=asked)
    except BopisError as error:
        found = problem_of(error)
        return await store_page(call, record, found.status, refusal=found.detail, draft=asked)
    note = "The policy is saved; stock and routing follow it from now on." if changes else "Nothing was changed."
    return await store_page(call, record, note=note, policy=drafted(present, draft))


def changes_of(draft: Draft, present: Store) -> list[SetStorePolicy | SetStockRule]:
    """The messages that make a policy the drafted one; none for what is so already."""
    found: list[SetStorePolicy | SetStockRule] = []
    switches = SetStorePolicy(
        pickup=draft.pickup if draft.pickup is not present.pickup else None,
        staleness_grace_minutes=draft.grace_minutes if draft.grace_minutes != present.staleness_grace_minutes else None,
        finishes_open=draft.finishes_open if draft.finishes_open is not present.finishes_open else None,
        staleness_percent=draft.staleness_percent if draft.staleness_percent != present.staleness_percent else None,
    )
    if switches != SetStorePolicy():
        found.append(switches)
    if present.rules.get(draft.rule_name) != draft.rule:
        rule = draft.rule or StockRule()
        found.append(
            SetStockRule(
                sku=draft.sku, category=draft.category, safety_stock=rule.safety_stock,
                walk_in_reserve=rule.walk_in_reserve,
            )
        )  # fmt: skip
    return found


def _send(call: PageCall, store: str, changes: list[SetStorePolicy | SetStockRule]) -> None:
    exchange, who = call.site.stock_exchange(), call.site.author(call.caller)
    for body in changes:
        message = exchange.compose(who, store, body, at=call.site.now())
        exchange.request(message, call.site.settings.read_wait_seconds)


def store_rule(policy: Store) -> StockRule:
    """The rule for the whole store; an empty one without."""
    return policy.rules.get(STORE_RULE) or StockRule()


PAGES = (
    Page(
        path="/stores/{store}/policy", show=show_preview, right=Right.POLICIES_READ, params=DraftQuery, store="store"
    ),
    Page(
        path="/stores/{store}/policy", show=save, right=Right.POLICIES_CHANGE, method="POST", params=StorePath,
        store="store",
    ),
)  # fmt: skip
