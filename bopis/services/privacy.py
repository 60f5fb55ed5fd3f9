"""Export and erasure of a customer's data.

Log, tables and backups contain only a customer's id and sealed values. So deleting one key erases the data, and no
figure or decision changes. Copies in clear text exist only in the outbox.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from bopis.ports import Secrets

SEALED_MARK = "s1."
ERASED = "erased"


class Records(Protocol):
    """Orders of a customer, for example in the read side."""

    def of(self, customer: str) -> list[dict[str, Any]]:
        """One document per order of a customer, with everything about the order; sealed values stay sealed."""
        ...


class Copies(Protocol):
    """Copies of a customer's data in clear text."""

    def count(self, customer: str) -> int:
        """The number of copies."""
        ...

    def erase(self, customer: str) -> None:
        """Delete them."""
        ...


class CustomerExport(Struct, frozen=True, kw_only=True):
    """All data of a customer. `readable` is False after the customer was erased."""

    customer: str
    readable: bool
    contact: dict[str, str]
    orders: list[dict[str, Any]]


class Erased(Struct, frozen=True, kw_only=True):
    """Result of an erasure: whether there was a key, the number of deleted copies in clear text, and of orders."""

    customer: str
    had_key: bool
    copies: int
    orders: int


def export(secrets: Secrets, records: Records, customer: str) -> CustomerExport | None:
    """All data of a customer, with sealed values opened; None for an unknown customer."""
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
    documents = [opened(secrets, customer, order) for order in orders]
    return CustomerExport(customer=customer, readable=readable, contact=contact, orders=documents)


def erase(secrets: Secrets, records: Records, copies: Copies, customer: str) -> Erased:
    """Delete a customer's key, which makes every sealed value unreadable for ever, and copies in clear text.

    The key is deleted first. An interrupted erasure can be repeated.
    """
    # Counted first, because erasing the key also empties the outbox.
    count = copies.count(customer)
    had_key = secrets.erase(customer)
    copies.erase(customer)
    return Erased(customer=customer, had_key=had_key, copies=count, orders=len(records.of(customer)))


def opened(secrets: Secrets, customer: str, document: Any) -> Any:
    """A document with each sealed value opened; a value that cannot be opened any more becomes ``erased``."""
    if isinstance(document, Mapping):
        return {name: opened(secrets, customer, it) for name, it in document.items()}
    if isinstance(document, list | tuple):
        return [opened(secrets, customer, it) for it in document]
    if isinstance(document, str) and document.startswith(SEALED_MARK):
        fields = secrets.open(customer, document)
        return ERASED if fields is None else fields
    return document
