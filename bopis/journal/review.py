"""Records of a journal that wait for a person: rejects, and changed baskets, which are accepted or discarded."""

from typing import Any

from msgspec import Struct

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.outcomes import difference
from bopis.journal.entries import Basket, Entry
from bopis.journal.errors import ChangeNotBookable, ChangeUnknown
from bopis.journal.journal import ENTRY_COLUMNS, Journal, entry_of
from bopis.journal.stored import changed_version, remembered
from bopis.wire.errors import WireError
from bopis.wire.text import explained

UNKNOWN_CHANGE = (
    "no message books it; that is so for transfers, and where goods came back damaged before and now did not"
)


class RejectRow(Struct, frozen=True, kw_only=True):
    """One record that was not booked, and why. The time is epoch milliseconds."""

    number: int
    source: str
    place: str
    key: str
    cause: str
    content: bytes
    found_ms: int


class ChangedBasket(Struct, frozen=True, kw_only=True):
    """One basket that was booked with other content before; `basket` is its newer version."""

    number: int
    source: str
    key: str
    place: str
    found_ms: int
    basket: Basket


class Accepted(Struct, frozen=True, kw_only=True):
    """What the acceptance of a changed basket booked: the change of units that each message makes, by position."""

    number: int
    source: str
    key: str
    messages: int
    position: int


def rejects(journal: Journal, limit: int) -> list[RejectRow]:
    """The newest rejects, the newest first."""
    rows = journal.ask(
        "SELECT r.id, coalesce(s.name, 'sent'), r.place, r.key, r.cause, r.content, r.found_ms FROM reject r"
        " LEFT JOIN source s ON s.id = r.source_id ORDER BY r.id DESC LIMIT ?",
        limit,
    )
    names = RejectRow.__struct_fields__
    return [RejectRow(**dict(zip(names, row, strict=True))) for row in rows]


def discard_rejects(journal: Journal, number: int) -> int:
    """Remove the rejects up to a number: somebody has dealt with them. Returns how many."""
    with journal.writing() as writer:
        return writer.execute("DELETE FROM reject WHERE id <= ?", (number,)).rowcount


def changed_baskets(journal: Journal, limit: int) -> list[ChangedBasket]:
    """Changed baskets that wait, the oldest first."""
    return [_changed(row) for row in journal.ask(f"{_CHANGED} ORDER BY c.id LIMIT ?", limit)]


def entries(journal: Journal, limit: int, source: str = "") -> list[Entry]:
    """The newest messages of the journal, the newest first; of one source, or of all."""
    rows = journal.ask(
        f"SELECT {ENTRY_COLUMNS} WHERE ? IN ('', s.name) ORDER BY e.position DESC LIMIT ?", source, limit
    )
    return [entry_of(row) for row in rows]


def accept(journal: Journal, number: int) -> Accepted:
    """Book the difference of a changed basket. Raises `ChangeUnknown` or `ChangeNotBookable`."""
    with journal.writing() as writer:
        found = _one(journal, number)
        query = (
            "SELECT b.fingerprint, b.kind, b.units FROM basket b JOIN source s ON s.id = b.source_id"
            " WHERE s.name = ? AND b.key = ?"
        )
        row = writer.execute(query, (found.source, found.key)).fetchone()
        bodies = difference(remembered(row), found.basket) if row else None
        if bodies is None:
            raise ChangeNotBookable(number=number, cause=UNKNOWN_CHANGE)
        session = journal.taking(writer, found.source)
        try:
            position = session.append(found.basket, bodies, f"{found.key}/changed-{number}")
        except (WireError, Rejected) as error:
            raise ChangeNotBookable(number=number, cause=explained(str(error))) from error
        session.end()
        writer.execute("DELETE FROM changed WHERE id = ?", (number,))
    return Accepted(number=number, source=found.source, key=found.key, messages=len(bodies), position=position)


def discard(journal: Journal, number: int) -> ChangedBasket:
    """Leave a changed basket as it was booked. Raises `ChangeUnknown`."""
    with journal.writing() as writer:
        found = _one(journal, number)
        writer.execute("DELETE FROM changed WHERE id = ?", (number,))
    return found


_CHANGED = (
    "SELECT c.id, s.name, c.key, c.place, c.found_ms, c.value, c.fingerprint FROM changed c"
    " JOIN source s ON s.id = c.source_id"
)


def _one(journal: Journal, number: int) -> ChangedBasket:
    rows = journal.ask(f"{_CHANGED} WHERE c.id = ?", number)
    if not rows:
        raise ChangeUnknown(number=number)
    return _changed(rows[0])


def _changed(row: Any) -> ChangedBasket:
    return ChangedBasket(
        number=row[0],
        source=row[1],
        key=row[2],
        place=row[3],
        found_ms=row[4],
        basket=changed_version(row[2], row[6], row[3], row[5]),
    )
