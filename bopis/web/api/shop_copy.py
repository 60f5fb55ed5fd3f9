"""A store's copy of its open orders for its agent, and work that was done in the store without the centre."""

from hashlib import blake2b
from typing import Any

import msgspec
from cachetools import LRUCache
from msgspec.structs import replace

from bopis.access.roles import Right
from bopis.adapters.secrets.store_codes import hash_of_digits, hash_of_token
from bopis.domain.message import Message
from bopis.domain.orders.events import CommandRefused, HandoverConflictFound
from bopis.domain.orders.offline.local import StoreAction
from bopis.domain.orders.offline.store_copy import CopyOrder, copy_of
from bopis.domain.orders.state import Order
from bopis.services.counter.order_history import read_order_history
from bopis.services.counter.refusal_text import CONFLICT_TEXTS, why
from bopis.web.answers import note_age, with_etag
from bopis.web.api.orders import find
from bopis.web.api.stores import StorePath, record_of
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem
from bopis.web.site import Site
from bopis.wire.errors import WireError
from bopis.wire.offline import (
    ACTION_BYTES_MAX,
    ACTIONS_PATH,
    COPY_PATH,
    ActionAnswer,
    ActionOutcome,
    CopyRule,
    ShopCopy,
    StoreActionRequest,
)
from bopis.wire.orders import ORDERS
from bopis.wire.text import explained

TAG = "store agents"
HASHES_MAX = 50_000
VERSION_BYTES = 12
SOURCE = "store-agent"


class CodeHashes:
    """Hashes of pickup codes under the keys of stores. A hash of digits is slow on purpose, so each is kept."""

    def __init__(self, site: Site) -> None:
        self._codes = site.secrets.codes
        self._kept: LRUCache[tuple[str, str, str, int], tuple[str, str]] = LRUCache(HASHES_MAX)

    def key(self, store: str, day: str) -> bytes:
        """The key of a store for a UTC day."""
        return self._codes.store_key(store, day)

    def added(self, order: CopyOrder, store: str, day: str) -> CopyOrder:
        """The copy of an order with the hashes of its code."""
        place = (store, day, order.order, order.code.version)
        found = self._kept.get(place)
        if found is None:
            key, version = self.key(store, day), order.code.version
            digits = hash_of_digits(key, order.order, self._codes.code(order.order, version))
            found = digits, hash_of_token(key, order.order, self._codes.token(order.order, version))
            self._kept[place] = found
        digits, token = found
        return replace(order, code=replace(order.code, digits=digits, token=token))


async def read_copy(call: Call) -> Any:
    """The open orders of a store as the shop needs them, with its policy and the key for checks of codes."""
    record = record_of(call, call.params.store)
    store = record.store_id
    site, now_ms = call.site, call.site.now_ms()
    orders = site.stock.routing.orders.in_store(store)
    copies = [it for order in orders if (it := versioned(order, store, now_ms)) is not None]
    day = site.now().date().isoformat()
    hashes = site.keep(CodeHashes)
    copies = await site.in_thread(lambda: [hashes.added(it, store, day) for it in copies])
    policy = site.stock.routing.tables.policy(store)
    rules = tuple(
        CopyRule(scope=name, safety_stock=rule.safety_stock or 0, walk_in_reserve=rule.walk_in_reserve or 0)
        for name, rule in sorted(policy.rules.items())
    )
    copy = ShopCopy(
        store=store,
        pickup=policy.pickup,
        rules=rules,
        key_day=day,
        key=hashes.key(store, day).hex(),
        orders=tuple(sorted(copies, key=lambda it: it.order)),
        time_zone=record.time_zone,
    )
    note_age(call)
    return with_etag(call, copy)


async def take_action(call: Call) -> ActionAnswer:
    """Take one action of a store: a command, which the order may refuse, or goods that were handed over. A repeat of
    its id changes nothing, and has the answer of the first time."""
    request: StoreActionRequest = call.body
    message = _decoded(call, request)
    order = await find(call, message.subject)
    return await call.site.in_thread(_take, call.site, order, message, request.expected)


def versioned(order: Order, store: str, now_ms: int) -> CopyOrder | None:
    """The copy of an order with its version: a digest of all that the shop knows of it."""
    copy = copy_of(order, store, now_ms)
    if copy is None:
        return None
    return replace(copy, version=blake2b(msgspec.json.encode(copy), digest_size=VERSION_BYTES).hexdigest())


def _decoded(call: Call, request: StoreActionRequest) -> Message:
    store = call.params.store
    try:
        message = ORDERS.decode(bytes(request.message))
    except WireError as error:
        raise Problem(422, "message-invalid", explained(str(error))) from error
    if not isinstance(message.data, StoreAction):
        name = ORDERS.type_name(type(message.data))
        raise Problem(422, "not-an-action", f"{name} is no action of a store that is without the centre.")
    # Another source could use up the ids of somebody else's messages.
    if message.data.store != store or not message.source.startswith(f"{SOURCE}/{store}/"):
        raise Problem(403, "other-store", f"The message is not one of store {store}.")
    return message


def _take(site: Site, order: Order, message: Message, expected: str) -> ActionAnswer:
    store, now_ms = message.data.store, site.now_ms()
    before = versioned(order, store, now_ms)
    reply = site.order_exchange().request(message, site.settings.read_wait_seconds)
    outcome, events = ActionOutcome.DONE, [it.data for it in reply.events]
    with site.desk() as desk:
        current = desk.orders.get(order.order) or order
        if not events:
            outcome = ActionOutcome.REPEATED
            found = read_order_history(desk.reader, current, desk.projection).events
            events = [it.data for it in found if it.causation == message.cause]
    after = versioned(current, store, now_ms)
    answer = ActionAnswer(
        id=message.id,
        order=order.order,
        outcome=outcome,
        version=after.version if after is not None else "",
        changed=bool(expected) and outcome is ActionOutcome.DONE and (before is None or before.version != expected),
    )
    refused = next((it for it in events if isinstance(it, CommandRefused)), None)
    if refused is not None:
        text = why(order.order, refused)
        return replace(answer, outcome=ActionOutcome.REFUSED, rule=refused.reason.value, text=text)
    conflict = next((it for it in events if isinstance(it, HandoverConflictFound)), None)
    if conflict is None:
        return answer
    text = f"handed over without the centre, {CONFLICT_TEXTS[conflict.conflict]}"
    return replace(answer, outcome=ActionOutcome.CONFLICT, rule=conflict.conflict.value, text=text)


ENDPOINTS = (
    Endpoint(
        method="GET", path=COPY_PATH, handle=read_copy, right=Right.AGENT_SYNC, tag=TAG,
        summary="A store's copy of its open orders", params=StorePath, answer=ShopCopy, store="store",
        statuses=(304, 404, 503), request_headers=("If-None-Match",),
    ),
    Endpoint(
        method="POST", path=ACTIONS_PATH, handle=take_action, right=Right.AGENT_SYNC, tag=TAG,
        summary="Work done in a store without the centre", params=StorePath, body=StoreActionRequest,
        answer=ActionAnswer, store="store", body_bytes_max=ACTION_BYTES_MAX, statuses=(403, 404, 422, 503),
    ),
)  # fmt: skip
