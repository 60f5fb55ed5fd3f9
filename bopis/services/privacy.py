"""What is known of a customer: handed out whole, and made unreadable everywhere.

Log, tables and backups keep a customer's id and sealed values only, so deleting one key is enough, and nothing that
was counted or decided changes by it. Copies in clear text exist only where something was handed on from this machine.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from bopis.ports import Secrets

SEALED_MARK = "s1."
ERASED = "erased"


class Records(Protocol):
    """Where a customer's orders are found."""

    def of(self, customer: str) -> list[dict[str, Any]]:
        """Everything about each order of a customer, as documents; sealed values as they are kept."""
        ...


class Copies(Protocol):
    """What was written down for a customer in clear text."""

    def count(self, customer: str) -> int:
        """How many pieces there are."""
        ...

    def erase(self, customer: str) -> None:
        """Delete them."""
        ...


class Export(Struct, frozen=True, kw_only=True):
    """All that is known of a customer. ``readable`` is False once the customer was erased."""

    customer: str
    readable: bool
    contact: dict[str, str]
    orders: list[dict[str, Any]]


class Erased(Struct, frozen=True, kw_only=True):
    """What became of a customer's data: whether there was a key, and how many copies in clear text."""

    customer: str
    had_key: bool
    copies: int
    orders: int


def export(secrets: Secrets, records: Records, customer: str) -> Export | None:
    """Everything about a customer, opened; None for one that nobody ever heard of."""
    orders = records.of(customer)
    if not orders:
        return None
    contact: dict[str, str] = {}
    readable = True
    for order in orders:
        sealed = order.get("customer", {}).get("sealed", "")
        fields = secrets.open(customer, sealed) if sealed.startswith(SEALED_MARK) else {}
        readable = readable and fields is not None
        contact |= fields or {}
    told = [opened(secrets, customer, order) for order in orders]
    return Export(customer=customer, readable=readable, contact=contact, orders=told)


def erase(secrets: Secrets, records: Records, copies: Copies, customer: str) -> Erased:
    """Make everything sealed for a customer unreadable for ever, and delete copies in clear text.

    The key goes first: whatever is stopped in the middle can be done again.
    """
    count = copies.count(customer)
    had_key = secrets.erase(customer)
    copies.erase(customer)
    return Erased(customer=customer, had_key=had_key, copies=count, orders=len(records.of(customer)))


def opened(secrets: Secrets, customer: str, document: Any) -> Any:
    """A document with each sealed value in it opened; what cannot be opened any more is told as erased."""
    if isinstance(document, Mapping):
        return {name: opened(secrets, customer, it) for name, it in document.items()}
    if isinstance(document, list | tuple):
        return [opened(secrets, customer, it) for it in document]
    if isinstance(document, str) and document.startswith(SEALED_MARK):
        fields = secrets.open(customer, document)
        return ERASED if fields is None else fields
    return document
