"""Stores: where they are, when they are open, whether they take pickups, and their work queues."""

from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from bopis.access.roles import Principal, Right
from bopis.domain.inventory.messages import STALENESS_PERCENT_MAX, SetStockRule, SetStorePolicy
from bopis.domain.values import STORE_LENGTH_MAX, Sku, Units
from bopis.geography import metres_between
from bopis.readside.queries.order_answers import TaskAnswer, WorkAnswer
from bopis.readside.queries.order_work import open_tasks, pickup_queue
from bopis.services.opening_days import OpeningDay, opening_days
from bopis.services.store_directory import StoreRecord
from bopis.web.answers import POSITION_HEADER, note_age, position_of, with_etag
from bopis.web.api.availability import Latitude, Longitude
from bopis.web.endpoint import Call, Endpoint, Provided
from bopis.web.problems import Problem

TAG = "stores"
DAYS_SHOWN = 7
Store = Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]


class StoreView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One store; `opening` are its next opening times by day on its own clock."""

    store: str
    name: str
    time_zone: str
    pickup: bool
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    phone: str = ""
    latitude: float | None = None
    longitude: float | None = None
    closed: bool = False
    metres: int | None = None
    opening: tuple[OpeningDay, ...] = ()


class Stores(Struct, frozen=True, kw_only=True):
    """Stores by id, or the nearest first."""

    stores: tuple[StoreView, ...]


class StoresQuery(Struct, frozen=True, kw_only=True):
    """All stores, or the nearest to a point."""

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    limit: Annotated[int, Meta(ge=1, le=5_000)] = 5_000


class StorePath(Struct, frozen=True, kw_only=True):
    """One store."""

    store: Store


class Queue(Struct, frozen=True, kw_only=True):
    """What a store has to do: orders, the most urgent first, and open tasks."""

    work: tuple[WorkAnswer, ...]
    tasks: tuple[TaskAnswer, ...]


class RuleView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units that are never promised online; `scope` is ``store``, ``category:X`` or ``sku:X``."""

    scope: str
    safety_stock: int | None = None
    walk_in_reserve: int | None = None


class Policy(Struct, frozen=True, kw_only=True):
    """The policy of a store. `staleness_percent` of the sales expected since its last report are withheld, 0: none."""

    store: str
    pickup: bool
    finishes_open: bool
    staleness_grace_minutes: int
    staleness_percent: int
    rules: tuple[RuleView, ...]


class PolicyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; what is left out stays. A rule without units is removed."""

    pickup: bool | None = None
    finishes_open: bool | None = None
    staleness_grace_minutes: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    staleness_percent: Annotated[int, Meta(ge=0, le=STALENESS_PERCENT_MAX)] | None = None
    rules: Annotated[tuple["RuleChange", ...], Meta(max_length=100)] = ()


class RuleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule for a SKU, a category, or (with neither) the store."""

    sku: Sku | None = None
    category: str | None = None
    safety_stock: Units | None = None
    walk_in_reserve: Units | None = None


async def read_list(call: Call) -> Any:
    """Stores by id, or the nearest to a point first."""
    asked: StoresQuery = call.params
    call.site.require_ready()
    if (asked.latitude is None) is not (asked.longitude is None):
        raise Problem(400, "point-incomplete", "Give latitude and longitude, or neither.")
    records = sorted(call.site.stock.routing.tables.stores(), key=lambda it: it.store_id)
    views = [_view(call, it, _metres(asked, it)) for it in records]
    if asked.latitude is not None:
        views.sort(key=lambda it: (it.metres is None, it.metres or 0, it.store))
    note_age(call)
    return with_etag(call, Stores(stores=tuple(views[: asked.limit])))


async def read(call: Call) -> Any:
    """One store, with its opening times."""
    record = record_of(call, call.params.store)
    note_age(call)
    now_ms = call.site.now_ms()
    days = await call.site.in_thread(opening_days, record.hours, call.site.hours, now_ms, DAYS_SHOWN)
    return with_etag(call, _view(call, record, None, tuple(days)))


async def read_queue(call: Call) -> Queue:
    """What the store has to do."""
    store = record_of(call, call.params.store).store_id

    def query() -> Queue:
        engine = call.site.engine()
        return Queue(work=tuple(pickup_queue(engine, store)), tasks=tuple(open_tasks(engine, store)))

    return await call.site.in_thread(query)


async def read_policy(call: Call) -> Policy:
    """The policy of a store, as the inventory has it."""
    note_age(call)
    return _policy(call, record_of(call, call.params.store).store_id)


async def change_policy(call: Call) -> Policy:
    """Change the policy of a store. It is answered once the inventory has decided it."""
    change: PolicyChange = call.body
    store = record_of(call, call.params.store).store_id
    await call.site.in_thread(_change, call, store, change)
    return _policy(call, store)


def _change(call: Call, store: str, change: PolicyChange) -> None:
    exchange, caller = call.site.stock_exchange(), call.caller
    bodies: list[SetStorePolicy | SetStockRule] = []
    switches = SetStorePolicy(
        pickup=change.pickup,
        staleness_grace_minutes=change.staleness_grace_minutes,
        finishes_open=change.finishes_open,
        staleness_percent=change.staleness_percent,
    )
    if switches != SetStorePolicy():
        bodies.append(switches)
    for rule in change.rules:
        if rule.sku is not None and rule.category is not None:
            raise Problem(422, "rule-scope", "A rule is for a SKU or for a category, not both.")
        bodies.append(
            SetStockRule(
                sku=rule.sku,
                category=rule.category,
                safety_stock=rule.safety_stock,
                walk_in_reserve=rule.walk_in_reserve,
            )
        )
    for body in bodies:
        reply = exchange.request(_message(call, caller, store, body), call.site.settings.read_wait_seconds)
        call.headers[POSITION_HEADER] = position_of(reply.sent.placed)


def _message(call: Call, caller: Principal, store: str, body: Any) -> Any:
    return call.site.stock_exchange().compose(call.site.author(caller), store, body, at=datetime.now(UTC))


def _policy(call: Call, store: str) -> Policy:
    policy = call.site.stock.routing.tables.policy(store)
    return Policy(
        store=store,
        pickup=policy.pickup,
        finishes_open=policy.finishes_open,
        staleness_grace_minutes=policy.staleness_grace_minutes,
        staleness_percent=policy.staleness_percent,
        rules=tuple(
            RuleView(scope=name, safety_stock=rule.safety_stock, walk_in_reserve=rule.walk_in_reserve)
            for name, rule in sorted(policy.rules.items())
        ),
    )


def record_of(call: Call, store: str) -> StoreRecord:
    """The record of a store. Raises `Problem` while the memory is not loaded, and for an unknown store."""
    call.site.require_ready()
    record = call.site.stock.routing.tables.record(store)
    if record is None:
        raise Problem(404, "store-unknown", f"There is no store {store}.")
    return record


def _metres(asked: StoresQuery, record: StoreRecord) -> int | None:
    if asked.latitude is None or asked.longitude is None or record.latitude is None or record.longitude is None:
        return None
    return round(metres_between((asked.latitude, asked.longitude), (record.latitude, record.longitude)))


def _view(call: Call, it: StoreRecord, metres: int | None, opening: tuple[OpeningDay, ...] = ()) -> StoreView:
    return StoreView(
        store=it.store_id,
        name=it.name,
        time_zone=it.time_zone,
        pickup=call.site.stock.routing.tables.policy(it.store_id).pickup and not it.closed,
        street=it.street,
        city=it.city,
        state=it.state,
        postal_code=it.postal_code,
        phone=it.phone,
        latitude=it.latitude,
        longitude=it.longitude,
        closed=it.closed,
        metres=metres,
        opening=opening,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/stores", handle=read_list, right=Right.STORES_READ, tag=TAG, summary="Stores",
        params=StoresQuery, answer=Stores, statuses=(304, 503), request_headers=("If-None-Match",),
        provides=(Provided("store", "$response.body#/stores/0/store"),),
    ),
    Endpoint(
        method="GET", path="/v1/stores/{store}", handle=read, right=Right.STORES_READ, tag=TAG, summary="One store",
        params=StorePath, answer=StoreView, statuses=(304, 404, 503), request_headers=("If-None-Match",),
    ),
    Endpoint(
        method="GET", path="/v1/stores/{store}/queue", handle=read_queue, right=Right.ORDERS_PREPARE, tag=TAG,
        summary="What a store has to do", params=StorePath, answer=Queue, store="store", statuses=(404, 503),
    ),
    Endpoint(
        method="GET", path="/v1/stores/{store}/policy", handle=read_policy, right=Right.POLICIES_READ, tag="policies",
        summary="The policy of a store", params=StorePath, answer=Policy, store="store", statuses=(404, 503),
    ),
    Endpoint(
        method="PATCH", path="/v1/stores/{store}/policy", handle=change_policy, right=Right.POLICIES_CHANGE,
        tag="policies", summary="Change the policy of a store", params=StorePath, body=PolicyChange, answer=Policy,
        store="store", statuses=(404, 422, 503),
    ),
)  # fmt: skip
