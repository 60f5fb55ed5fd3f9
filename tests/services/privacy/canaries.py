"""A thousand customers whose names, addresses, numbers and notes are known letter by letter, so that a search can tell
whether any of it is readable anywhere."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import select

from bopis.adapters.publisher import LogPublisher
from bopis.adapters.secrets.database import transaction
from bopis.adapters.secrets.key_table import keys
from bopis.adapters.secrets.vault import Vault
from bopis.domain.message import Message
from bopis.domain.orders.lines import WantedLine
from bopis.domain.orders.messages import PlaceOrder
from bopis.domain.orders.numbers import number_from
from bopis.domain.orders.vocabulary import CustomerRef
from bopis.wire.orders import ORDERS

# How the canaries and sealed values begin: searching once for each of these finds them all.
SHARED = (b"Zebulon Q", b"zebu", b"+49 30 77", b"ring twice at gate", b"s1.")


def customer(n: int) -> str:
    return f"c-{n:04d}"


def contact(n: int) -> dict[str, str]:
    return {"name": f"Zebulon Q{n:04d}flosser", "email": f"zebu{n:04d}@quasten.example", "phone": f"+49 30 77{n:04d}88"}


def note(n: int) -> str:
    return f"ring twice at gate {n:04d} please"


def order(n: int) -> str:
    return number_from(sha256(f"canary {n}".encode()).digest())


def strings(numbers: Iterable[int]) -> list[bytes]:
    """Everything that must be readable nowhere."""
    return [text.encode() for n in numbers for text in (*contact(n).values(), note(n))]


def place(vault: Vault, publisher: LogPublisher, store: str, numbers: Iterable[int]) -> None:
    """Place an order for each customer, sealed as the checkout seals it."""
    for n in numbers:
        code_hash, token_hash = vault.codes.hashes(order(n), 1)
        body = PlaceOrder(
            key=f"k{n}",
            request=f"r{n}",
            customer=CustomerRef(id=customer(n), sealed=vault.seal(customer(n), contact(n))),
            store=store,
            lines=(WantedLine(line=1, sku="A", quantity=1),),
            code_hash=code_hash,
            token_hash=token_hash,
            note=vault.seal(customer(n), {"note": note(n)}),
        )
        vault.remember(customer(n), [vault.lookups.email(contact(n)["email"])])
        said = Message(id=f"place-{n}", source="shop", time=datetime.now(UTC), subject=order(n), data=body)
        publisher.publish("orders", order(n), ORDERS.encode(said))
    publisher.flush()


def wrapped_keys(vault: Vault, numbers: Iterable[int]) -> list[bytes]:
    """The keys of customers as they are kept, raw and as text."""
    wanted = {customer(n) for n in numbers}
    with transaction(vault.keys._engine) as connection:
        rows = connection.execute(select(keys.c.customer, keys.c.wrapped)).all()
    raw = [bytes(row.wrapped) for row in rows if row.customer in wanted]
    return raw + [b64encode(it) for it in raw]


def found(wanted: Iterable[bytes], *places: Path) -> Mapping[bytes, Path]:
    """Which of the strings stand in which file at or below these places; each file is read whole, byte by byte."""
    texts = set(wanted)
    begins = _begins(texts)
    hits: dict[bytes, Path] = {}
    for place in places:
        for path in [place] if place.is_file() else sorted(it for it in place.rglob("*") if it.is_file()):
            content = path.read_bytes()
            for begin, lengths in begins.items():
                at = content.find(begin)
                while at >= 0:
                    hits |= {it: path for length in lengths if (it := content[at : at + length]) in texts}
                    at = content.find(begin, at + 1)
    return hits


def _begins(texts: Iterable[bytes]) -> dict[bytes, set[int]]:
    """The texts to search for: a common prefix of many strings, with their lengths; else each string itself."""
    found: dict[bytes, set[int]] = {}
    for it in texts:
        begin = next((shared for shared in SHARED if it.startswith(shared)), it)
        found.setdefault(begin, set()).add(len(it))
    return found
