"""Taking records into a journal: new ones get the next sequence of their source, changed ones are parked."""

import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import msgspec

from bopis.access.roles import id_from
from bopis.domain.inventory.admission import Rejected, check_plausible
from bopis.domain.inventory.messages import AgentHeartbeat, Report
from bopis.domain.inventory.outcomes import Outcome, outcome_of, remember
from bopis.domain.message import Message
from bopis.domain.values import EPOCH_MS_MAX, ID_LENGTH_MAX, epoch_ms
from bopis.journal.entries import Basket, Found, Reject, Taken
from bopis.journal.stored import encoded_net, encoded_versions, remembered
from bopis.wire.errors import WireError
from bopis.wire.stock import STOCK
from bopis.wire.text import explained

DIGEST_BYTES = 16
CONTENT_BYTES_MAX = 64_000
CHANGES = frozenset({Outcome.CHANGED, Outcome.WAITING})
CHANGED_CAUSE = "the basket was booked before with other content; it waits until somebody accepts it"

_encode = msgspec.json.Encoder().encode


class Owner(NamedTuple):
    """The store and the identity of a journal, and the time now (epoch milliseconds)."""

    store: str
    identity: str
    now_ms: int


class Taking:
    """Records of one source taken inside of a transaction of the journal of a store."""

    def __init__(self, writer: sqlite3.Connection, owner: Owner, source: str) -> None:
        self._writer, self._store = writer, owner.store
        self._now_ms = owner.now_ms
        writer.execute("INSERT OR IGNORE INTO source (name) VALUES (?)", (source,))
        query = "SELECT id, sequence FROM source WHERE name = ?"
        self._source_id, self._sequence = writer.execute(query, (source,)).fetchone()
        self._wire_source = wire_source(source, owner.identity)

    def take(self, found: Found) -> Taken:
        """Take one record, whatever is wrong with it."""
        if isinstance(found, Reject):
            return self._reject(found)
        query = "SELECT fingerprint, kind, units FROM basket WHERE source_id = ? AND key = ?"
        row = self._writer.execute(query, (self._source_id, found.key)).fetchone()
        result = outcome_of(found, remembered(row) if row else None, self._waiting(found.key) if row else ())
        try:
            match result:
                case Outcome.NEW:
                    return Taken(outcome=result, position=self.append(found, found.bodies, found.key))
                case Outcome.CHANGED:
                    self._park(found)
        except (WireError, Rejected) as error:
            # Of one body as it is, so that the record can be sent again.
            content = _encode(found.bodies[0] if len(found.bodies) == 1 else found.bodies)
            return self._reject(Reject(place=found.place, cause=explained(str(error)), content=content, key=found.key))
        return Taken(outcome=result, cause=CHANGED_CAUSE if result in CHANGES else "")

    def _waiting(self, key: str) -> frozenset[bytes]:
        """Fingerprints of the changes of a basket that are parked."""
        query = "SELECT fingerprint FROM changed WHERE source_id = ? AND key = ?"
        return frozenset(it for (it,) in self._writer.execute(query, (self._source_id, key)))

    def _park(self, found: Basket) -> None:
        columns = "(source_id, key, fingerprint, value, place, found_ms) VALUES (?, ?, ?, ?, ?, ?)"
        value = encoded_versions(found, [self._encoded(found, body, 1, found.key) for body in found.bodies])
        row = (self._source_id, found.key, found.fingerprint, value, found.place, self._now_ms)
        self._writer.execute(f"INSERT INTO changed {columns}", row)

    def append(self, basket: Basket, bodies: Iterable[Report], message_id: str) -> int:
        """Append messages of one basket, and remember it as booked. Returns the position of the last one.

        Raises `WireError` or `Rejected` for one that the inventory would refuse; nothing is written then.
        """
        values = [
            self._encoded(basket, body, self._sequence + number, f"{message_id}/{number}" if number > 1 else message_id)
            for number, body in enumerate(bodies, 1)
        ]
        position = 0
        for value in values:
            self._sequence += 1
            row = (self._source_id, self._sequence, self._now_ms, value)
            columns = "(source_id, sequence, taken_ms, value) VALUES (?, ?, ?, ?)"
            position = self._writer.execute(f"INSERT INTO entry {columns}", row).lastrowid or 0
        if any(isinstance(it, AgentHeartbeat) for it in basket.bodies):  # nobody repeats one, and there are many
            return position
        booked = remember(basket)
        version = (self._source_id, basket.key, booked.fingerprint, booked.kind, encoded_net(booked.net), self._now_ms)
        self._writer.execute("INSERT OR REPLACE INTO basket VALUES (?, ?, ?, ?, ?, ?)", version)
        return position

    def end(self) -> None:
        """Store the number of the last message."""
        row = (self._sequence, self._source_id)
        self._writer.execute("UPDATE source SET sequence = ? WHERE id = ?", row)

    def _reject(self, reject: Reject) -> Taken:
        put_reject(self._writer, self._source_id, reject, self._now_ms)
        return Taken(outcome=Outcome.REJECTED, cause=reject.cause)

    def _encoded(self, basket: Basket, body: Report, sequence: int, message_id: str) -> bytes:
        message = Message(
            id=id_from(message_id),
            source=self._wire_source,
            time=basket.time,
            subject=self._store,
            data=body,
            seq=sequence,
            actor=basket.actor or msgspec.UNSET,
        )
        # A clock is never a reason to refuse here: this machine's own may be the wrong one. The log has the last word.
        check_plausible(message, epoch_ms(message.time), EPOCH_MS_MAX)
        return STOCK.encode(message)


def put_reject(writer: sqlite3.Connection, source_id: int, reject: Reject, now_ms: int) -> None:
    """Store a reject once, however often its file is read."""
    content = reject.content[:CONTENT_BYTES_MAX]
    digest = sha256(_encode([source_id, reject.place, reject.cause, content])).digest()[:DIGEST_BYTES]
    columns = "(source_id, place, key, cause, content, digest, found_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
    row = (source_id, reject.place, reject.key, reject.cause, content, digest, now_ms)
    writer.execute(f"INSERT OR IGNORE INTO reject {columns}", row)


def wire_source(source: str, identity: str) -> str:
    """The source of messages of a journal: two journals never count under one name."""
    length = ID_LENGTH_MAX - len(identity) - 1
    if len(source) > length:
        digest = sha256(source.encode()).hexdigest()[:DIGEST_BYTES]
        source = f"{source[: length - DIGEST_BYTES - 1]}-{digest}"
    return f"{source}/{identity}"
