"""Goods on their way: documents and transfers with their dates, and units that can be promised for a later instant."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, select

from bopis.domain.inventory.availability import available_on
from bopis.domain.inventory.rows import Incoming
from bopis.domain.values import epoch_ms
from bopis.readside.engine import Source, reading
from bopis.readside.errors import StoreAbsent
from bopis.readside.queries.answers import (
    FoundAnswer,
    IncomingAnswer,
    LaterAnswer,
    LevelAnswer,
    StoreSearch,
    TransferAnswer,
    TransferLineAnswer,
    instant,
    instant_or_none,
)
from bopis.readside.queries.current import (
    STORES_FOUND_MAX,
    Stocked,
    empty_level,
    found_answer,
    nearest,
    stocked_in,
)
from bopis.readside.queries.stores import one_store
from bopis.readside.schema import expected_lines, transfer_lines
from bopis.readside.schema import levels as level_rows
from bopis.readside.schema import transfers as transfer_rows

TRANSFERS_MAX = 1_000


def expected(
    source: Source, store: str | None = None, sku: str | None = None, *, now: datetime
) -> list[IncomingAnswer]:
    """Expected units of one store or of all, of one SKU or of all, the earliest first."""
    with reading(source) as connection:
        found = _documents(connection, store, sku, epoch_ms(now)) + _transferred(connection, store, sku, epoch_ms(now))
    return sorted(found, key=lambda it: (it.expected_at, it.store, it.sku, it.document or "", it.transfer or ""))


def later(source: Source, levels: Iterable[LevelAnswer], *, on: datetime, now: datetime) -> list[LaterAnswer]:
    """Units of each level that can be promised for a later instant."""
    wanted = list(levels)
    incoming: dict[tuple[str, str], list[IncomingAnswer]] = {}
    with reading(source) as connection:
        for store in dict.fromkeys(level.store for level in wanted):
            for it in expected(connection, store, now=now):
                incoming.setdefault((it.store, it.sku), []).append(it)
    return [_later(level, incoming.get((level.store, level.sku), ()), on, now) for level in wanted]


def new_skus(source: Source, store: str, *, now: datetime) -> list[LevelAnswer]:
    """Empty levels of the SKUs that a store expects and does not have in its books, by SKU."""
    with reading(source) as connection:
        skus = {it.sku for it in expected(connection, store, now=now)}
        booked = select(level_rows.c.sku).where(level_rows.c.store == store, level_rows.c.sku.in_(skus))
        skus -= set(connection.execute(booked).scalars())
        return [empty_level(connection, store, sku, now) for sku in sorted(skus)]


def find_later(
    source: Source, search: StoreSearch, *, on: datetime, now: datetime, limit: int | None = STORES_FOUND_MAX
) -> list[FoundAnswer]:
    """Stores that take pickups and can promise enough units for a later instant. Their `atp` is what they can promise
    then."""
    incoming: dict[str, list[IncomingAnswer]] = {}
    with reading(source) as connection:
        for it in expected(connection, None, search.sku, now=now):
            incoming.setdefault(it.store, []).append(it)
        candidates = stocked_in(connection, search.sku, now)
        booked = {it.level.store for it in candidates}
        for store in sorted(incoming.keys() - booked):
            candidates += _new(connection, store, search, now)
    found = []
    for stocked in candidates:
        units = _later(stocked.level, incoming.get(stocked.level.store, ()), on, now).available
        if stocked.pickup and units >= search.minimum:
            found.append(replace(found_answer(stocked, search.near), atp=units))
    return nearest(found)[:limit]


def transfers(source: Source, store: str | None = None) -> list[TransferAnswer]:
    """Transfers to or from a store, or all, the most recently reported first, at most `TRANSFERS_MAX`."""
    query = select(transfer_rows).order_by(transfer_rows.c.heard_ms.desc(), transfer_rows.c.transfer)
    if store is not None:
        query = query.where((transfer_rows.c.store == store) | (transfer_rows.c.from_store == store))
    with reading(source) as connection:
        rows = connection.execute(query.limit(TRANSFERS_MAX)).all()
        lines: dict[tuple[str, str], list[Any]] = {}
        # By store, not by transfer: most answers are about few stores with many transfers.
        for name in {row.store for row in rows}:
            for line in connection.execute(select(transfer_lines).where(transfer_lines.c.store == name)):
                lines.setdefault((line.store, line.transfer), []).append(line)
    return [_transfer(row, lines.get((row.store, row.transfer), [])) for row in rows]


def transfers_named(source: Source, transfer: str) -> list[TransferAnswer]:
    """The transfers with a number, by the store that they are on the way to."""
    with reading(source) as connection:
        rows = connection.execute(select(transfer_rows).where(transfer_rows.c.transfer == transfer)).all()
        lines = select(transfer_lines).where(transfer_lines.c.transfer == transfer)
        found = connection.execute(lines).all()
    return [_transfer(row, [it for it in found if it.store == row.store]) for row in rows]


def _new(connection: Connection, store: str, search: StoreSearch, now: datetime) -> list[Stocked]:
    """A store that expects a SKU and does not have it in its books; nothing for a store that is not known itself."""
    try:
        place = one_store(connection, store)
    except StoreAbsent:
        return []
    return [Stocked(place, empty_level(connection, store, search.sku, now), place.pickup)]


def _later(level: LevelAnswer, incoming: Iterable[IncomingAnswer], on: datetime, now: datetime) -> LaterAnswer:
    parts = tuple(incoming)
    units = [Incoming(at_ms=epoch_ms(it.expected_at), quantity=it.quantity) for it in parts]
    available = available_on(level.terms, units, epoch_ms(on), epoch_ms(now))
    return LaterAnswer(store=level.store, sku=level.sku, on=on, available=available, atp_now=level.atp, incoming=parts)


def _documents(connection: Connection, store: str | None, sku: str | None, now_ms: int) -> list[IncomingAnswer]:
    query = _restricted(select(expected_lines), expected_lines, store, sku)
    return [
        IncomingAnswer(
            store=row.store,
            sku=row.sku,
            quantity=row.quantity,
            expected_at=instant(row.expected_ms),
            overdue=row.expected_ms <= now_ms,
            document=row.document,
        )
        for row in connection.execute(query)
    ]


def _transferred(connection: Connection, store: str | None, sku: str | None, now_ms: int) -> list[IncomingAnswer]:
    """Lines of transfers on their way that have a date."""
    query = (
        select(transfer_lines, transfer_rows.c.expected_ms)
        .join(
            transfer_rows,
            (transfer_rows.c.store == transfer_lines.c.store) & (transfer_rows.c.transfer == transfer_lines.c.transfer),
        )
        .where(
            transfer_rows.c.expected_ms > 0,
            transfer_rows.c.is_received.is_(False),
            transfer_lines.c.announced > transfer_lines.c.received,
        )
    )
    return [
        IncomingAnswer(
            store=row.store,
            sku=row.sku,
            quantity=row.announced - row.received,
            expected_at=instant(row.expected_ms),
            overdue=row.expected_ms <= now_ms,
            transfer=row.transfer,
        )
        for row in connection.execute(_restricted(query, transfer_lines, store, sku))
    ]


def _restricted(query: Any, table: Any, store: str | None, sku: str | None) -> Any:
    for column, value in ((table.c.store, store), (table.c.sku, sku)):
        if value is not None:
            query = query.where(column == value)
    return query


def _transfer(row: Any, lines: list[Any]) -> TransferAnswer:
    answers = tuple(_line(row, line) for line in sorted(lines, key=lambda line: line.sku))
    if not row.is_received:
        state = "received in part" if any(line.received for line in answers) else "on the way"
    elif not row.is_announced:
        state = "received, not announced"
    else:
        state = "short" if any(line.short for line in answers) else "received"
    return TransferAnswer(
        transfer=row.transfer,
        from_store=row.from_store,
        to_store=row.store,
        state=state,
        expected_at=instant_or_none(row.expected_ms),
        heard_at=instant(row.heard_ms),
        lines=answers,
    )


def _line(row: Any, line: Any) -> TransferLineAnswer:
    missing = max(0, line.announced - line.received)
    return TransferLineAnswer(
        sku=line.sku,
        announced=line.announced,
        received=line.received,
        on_the_way=0 if row.is_received else missing,
        short=missing if row.is_received and row.is_announced else 0,
        state=_line_state(row, line),
    )


def _line_state(row: Any, line: Any) -> str:
    """The state of one SKU: a SKU that was not announced is never short."""
    if row.is_announced and not line.announced:
        return "not announced"
    if not row.is_received:
        return "received in part" if line.received else "on the way"
    if not row.is_announced:
        return "received, not announced"
    if line.received > line.announced:
        return "more than announced"
    return "short" if line.received < line.announced else "received"
