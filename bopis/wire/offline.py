"""A store's copy of its orders, and work done in the store without the centre, over HTTP: types of both sides."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bopis.domain.orders.offline.store_copy import CopyOrder

COPY_PATH = "/v1/stores/{store}/shop-copy"
ACTIONS_PATH = "/v1/stores/{store}/actions"
ACTION_BYTES_MAX = 64 << 10


class CopyRule(Struct, frozen=True, kw_only=True):
    """Units of a scope (``store``, ``category:X`` or ``sku:X``) that are never promised online."""

    scope: str
    safety_stock: int = 0
    walk_in_reserve: int = 0


class ShopCopy(Struct, frozen=True, kw_only=True):
    """Open orders of a store, by number, its policy and time zone. `key` (hexadecimal) is the store's key of the UTC
    day `key_day` for checks of codes."""

    store: str
    pickup: bool
    rules: tuple[CopyRule, ...]
    key_day: str
    key: str
    orders: tuple[CopyOrder, ...]
    time_zone: str = "UTC"


class StoreActionRequest(Struct, frozen=True, kw_only=True):
    """One action as a message of the log's own format (CloudEvents); `expected` is the version of the order that the
    store had."""

    message: msgspec.Raw
    expected: Annotated[str, Meta(max_length=64)] = ""


class ActionOutcome(StrEnum):
    """Outcome of an action at the centre: done, done with a conflict, done before, or refused by the order."""

    DONE = "done"
    CONFLICT = "conflict"
    REPEATED = "repeated"
    REFUSED = "refused"


class ActionAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Outcome of one action. `rule` names the conflict or the refusal, `text` says it; `version` is the order's after
    it, empty when the store has no work of it any more. `changed`: the order was not in the version that was expected.
    """

    id: str
    order: str
    outcome: ActionOutcome
    rule: str = ""
    text: str = ""
    version: str = ""
    changed: bool = False
