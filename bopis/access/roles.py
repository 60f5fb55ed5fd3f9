"""Roles and their rights. Deny by default: a route names one right, and a role has only the rights listed here."""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType

from msgspec import Struct

from bopis.domain.values import ID_LENGTH_MAX


class Right(StrEnum):
    """One thing that a route may need. A right that concerns stores is limited to the caller's own stores; one that
    concerns an order is limited to the order of a customer's link."""

    AVAILABILITY_READ = "availability:read"
    CATALOGUE_READ = "catalogue:read"
    STORES_READ = "stores:read"
    ORDERS_PLACE = "orders:place"
    ORDERS_READ = "orders:read"
    ORDERS_CHANGE = "orders:change"
    ORDERS_PREPARE = "orders:prepare"
    CUSTOMERS_READ = "customers:read"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_CHANGE = "payments:change"
    STOCK_READ = "stock:read"
    STOCK_REPORT = "stock:report"
    POS_SEND = "pos:send"
    AGENT_SYNC = "agent:sync"
    POLICIES_READ = "policies:read"
    POLICIES_CHANGE = "policies:change"
    WEBHOOKS_CHANGE = "webhooks:change"
    EVENTS_READ = "events:read"
    OPERATIONS_READ = "operations:read"
    OPERATIONS_CHANGE = "operations:change"
    PAGES_HQ = "pages:hq"
    PAGES_COUNTER = "pages:counter"


class Role(StrEnum):
    """The roles of people, programs and customers' links."""

    HQ_VIEWER = "hq-viewer"
    HQ_OPERATOR = "hq-operator"
    STORE_MANAGER = "store-manager"
    STORE_ASSOCIATE = "store-associate"
    SHOP_FRONT = "shop-front"
    TILL = "till"
    STORE_AGENT = "store-agent"
    AUDITOR = "auditor"
    CUSTOMER = "customer"


_PUBLIC = frozenset({Right.AVAILABILITY_READ, Right.CATALOGUE_READ, Right.STORES_READ})
_READING = _PUBLIC | {
    Right.ORDERS_READ,
    Right.PAYMENTS_READ,
    Right.STOCK_READ,
    Right.POLICIES_READ,
    Right.EVENTS_READ,
    Right.OPERATIONS_READ,
    Right.PAGES_HQ,
}
_STORE = _PUBLIC | {
    Right.ORDERS_READ,
    Right.ORDERS_CHANGE,
    Right.ORDERS_PREPARE,
    Right.CUSTOMERS_READ,
    Right.PAYMENTS_READ,
    Right.STOCK_READ,
    Right.STOCK_REPORT,
    Right.EVENTS_READ,
    Right.PAGES_COUNTER,
}
_TILL = frozenset({Right.POS_SEND, Right.CATALOGUE_READ, Right.AVAILABILITY_READ})

RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.HQ_VIEWER: _READING,
        Role.HQ_OPERATOR: frozenset(Right),
        Role.STORE_MANAGER: _STORE | {Right.POLICIES_READ, Right.POLICIES_CHANGE, Right.PAYMENTS_CHANGE},
        Role.STORE_ASSOCIATE: _STORE,
        Role.SHOP_FRONT: _PUBLIC
        | {
            Right.ORDERS_PLACE,
            Right.ORDERS_READ,
            Right.ORDERS_CHANGE,
            Right.PAYMENTS_READ,
            Right.WEBHOOKS_CHANGE,
            Right.EVENTS_READ,
        },
        Role.TILL: _TILL,
        # The copy of its own store, and work that was done there without the centre; no order of another store.
        Role.STORE_AGENT: _TILL | {Right.AGENT_SYNC, Right.STOCK_READ},
        Role.AUDITOR: _READING | {Right.CUSTOMERS_READ},
        Role.CUSTOMER: frozenset({Right.ORDERS_READ, Right.ORDERS_CHANGE, Right.PAYMENTS_READ, Right.EVENTS_READ}),
    }
)
# Roles whose callers see and change the data of their own stores only.
OWN_STORES = frozenset({Role.STORE_MANAGER, Role.STORE_ASSOCIATE, Role.TILL, Role.STORE_AGENT})


class Principal(Struct, frozen=True, kw_only=True):
    """An authenticated caller.

    `name` is the actor of what the caller does, `source` the source of the messages (``web/KEY`` or
    ``web/session/NAME``). `stores` are the stores of a role in `OWN_STORES`; `order` the only order of a customer's
    link. `rights` may be fewer than the role's. `by_cookie`: the browser sends the credential by itself, so a change
    needs a token against forged requests.
    """

    name: str
    role: Role
    source: str
    stores: frozenset[str] = frozenset()
    order: str = ""
    rights: frozenset[Right] | None = None
    by_cookie: bool = False

    def may(self, right: Right) -> bool:
        """Whether the caller has a right at all."""
        return right in RIGHTS[self.role] and (self.rights is None or right in self.rights)

    def may_in(self, store: str) -> bool:
        """Whether the caller may see and change data of a store."""
        return self.role not in OWN_STORES or store in self.stores

    def may_see(self, order: str) -> bool:
        """Whether the caller may see an order at all; which store has it is asked with `may_in`."""
        return self.role is not Role.CUSTOMER or order == self.order


def id_from(text: str) -> str:
    """A text as an id: itself, or its SHA-256 when it is too long, so that two texts never have one id."""
    return text if len(text) <= ID_LENGTH_MAX else sha256(text.encode()).hexdigest()
