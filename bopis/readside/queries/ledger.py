"""The centre's side of a ledger comparison, and the newest reports of store agents."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from bopis.domain.inventory.ledger import LedgerComparison, LedgerDifference, LedgerDigest, LedgerEntry, LedgerSpan
from bopis.domain.inventory.rows import Device, device_key
from bopis.readside.engine import Source, reading
from bopis.readside.queries.answers import instant
from bopis.readside.schema import agent_comparisons, agents, devices, fold_rows, ledger, ledger_closings
from bopis.wire.ledger import SourceMark, digest_of

_units = msgspec.json.Decoder(dict[str, int]).decode
_device = msgspec.msgpack.Decoder(Device).decode
_comparison = msgspec.json.Decoder(LedgerComparison).decode


class AgentAnswer(Struct, frozen=True, kw_only=True):
    """A store's agent by its newest heartbeat, and its newest comparison with the books; None without one.

    `open_differences` are the named differences that nobody has closed since. `drift` counts the located ones that are
    open.
    """

    store: str
    source: str
    version: str
    clock_ahead_ms: int | None
    depth: int
    rejects: int
    changed: int
    reported_at: datetime
    comparison: LedgerComparison | None = None
    open_differences: tuple[LedgerDifference, ...] = ()

    @property
    def drift(self) -> int:
        return 0 if self.comparison is None else self.comparison.still_open(self.open_differences)

    @property
    def needs_attention(self) -> bool:
        """Whether something of it waits for a person."""
        return bool(self.drift or self.rejects or self.changed)


class BooksLedger:
    """Implements `bopis.domain.inventory.ledger.Ledger` for a store: the messages of journals that its books took."""

    def __init__(self, connection: Connection, store: str) -> None:
        self._connection, self._store = connection, store

    def digests(self, spans: Sequence[LedgerSpan]) -> list[LedgerDigest]:
        return [digest_of(row.digest for row in self._rows(span, ledger.c.digest)) for span in spans]

    def entries(self, spans: Sequence[LedgerSpan]) -> list[list[LedgerEntry]]:
        return [self._entries(span) for span in spans]

    def marks(self, sources: Iterable[str]) -> list[SourceMark]:
        """The sequences of some sources that can be compared; sources that were never heard of are left out.

        A source whose messages were accepted by a version without a ledger can be compared from its first row on.
        """
        wanted = sorted(set(sources))
        oldest = (
            select(ledger.c.source, func.min(ledger.c.sequence).label("first"))
            .where(ledger.c.store == self._store, ledger.c.source.in_(wanted))
            .group_by(ledger.c.source)
        )
        first_of = {row.source: int(row.first) for row in self._connection.execute(oldest)}
        found = []
        for source, device in self._devices(wanted):
            first = first_of.get(source, device.mark + 1)
            found.append(SourceMark(source=source, first=first if device.mark >= first - 1 else 1, top=device.top))
        return found

    def _devices(self, sources: list[str]) -> list[tuple[str, Device]]:
        """The accepted sequences of sources, of the same fold and so at the same position as the ledger."""
        known = select(devices.c.source, devices.c.partition).where(
            devices.c.store == self._store, devices.c.source.in_(sources)
        )
        found = []
        for source, partition in self._connection.execute(known.order_by(devices.c.source)).all():
            query = select(fold_rows.c.row).where(
                fold_rows.c.partition == partition, fold_rows.c.key == device_key(self._store, source)
            )
            row = self._connection.execute(query).scalar()
            if row is not None:
                found.append((source, _device(row)))
        return found

    def _entries(self, span: LedgerSpan) -> list[LedgerEntry]:
        closed = set(
            self._connection.execute(
                select(ledger_closings.c.sequence).where(
                    ledger_closings.c.store == self._store,
                    ledger_closings.c.source == span.source,
                    ledger_closings.c.sequence.between(span.first, span.last),
                )
            ).scalars()
        )
        found = {
            row.sequence: LedgerEntry(
                sequence=row.sequence,
                id=row.message_id,
                digest=row.digest.hex(),
                at_ms=row.occurred_ms,
                units=_units(row.units),
                closed=row.sequence in closed,
            )
            for row in self._rows(span, *ledger.c)
        }
        for sequence in closed - found.keys():
            found[sequence] = LedgerEntry(sequence=sequence, closed=True)
        return [found[it] for it in sorted(found)]

    def _rows(self, span: LedgerSpan, *columns: Any) -> Iterable[Any]:
        query = select(*columns).where(
            ledger.c.store == self._store,
            ledger.c.source == span.source,
            ledger.c.sequence.between(span.first, span.last),
        )
        return self._connection.execute(query.order_by(ledger.c.sequence))


def store_agents(source: Source, store: str | None = None) -> list[AgentAnswer]:
    """The agent of each store, or of one; of several journals of a store the one that reported last."""
    query = select(agents).order_by(agents.c.store, agents.c.recorded_ms)
    if store is not None:
        query = query.where(agents.c.store == store)
    with reading(source) as connection:
        newest = {row.store: row for row in connection.execute(query)}
        return [_answer(connection, newest[it]) for it in sorted(newest)]


def _answer(connection: Connection, row: Any) -> AgentAnswer:
    text = connection.execute(
        select(agent_comparisons.c.comparison).where(
            agent_comparisons.c.store == row.store, agent_comparisons.c.source == row.source
        )
    ).scalar()
    comparison = _comparison(text) if text else None
    return AgentAnswer(
        store=row.store,
        source=row.source,
        version=row.version,
        clock_ahead_ms=row.clock_ahead_ms,
        depth=row.depth,
        rejects=row.rejects,
        changed=row.changed,
        reported_at=instant(row.recorded_ms),
        comparison=comparison,
        open_differences=() if comparison is None else open_differences(connection, row.store, comparison),
    )


def open_differences(connection: Connection, store: str, comparison: LedgerComparison) -> tuple[LedgerDifference, ...]:
    """The named differences of a comparison that nobody has closed."""
    if not comparison.differences:
        return ()
    query = select(ledger_closings.c.source, ledger_closings.c.sequence).where(ledger_closings.c.store == store)
    closed = {(row.source, row.sequence) for row in connection.execute(query)}
    return tuple(it for it in comparison.differences if (it.source, it.sequence) not in closed)
