"""What is on its way: documents and transfers with their dates, and what may be promised for a later instant."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Engine, select

from bopis.domain.inventory.availability import available_on
from bopis.domain.inventory.rows import Incoming
from bopis.domain.values import epoch_ms
from bopis.readside.engine import reading
from bopis.readside.errors import StoreUnknown
from bopis.readside.queries.answers import (
    FoundAnswer,
    IncomingAnswer,
    LaterAnswer,
    LevelAnswer,
    TransferAnswer,
    TransferLineAnswer,
    instant,
    instant_or_none,
)
from bopis.readside.queries.places import one_store
from bopis.readside.queries.present import Point, carrying, empty_level, found_answer, nearest
from bopis.readside.schema import expected_lines, transfer_lines
from bopis.readside.schema import levels as level_rows
from bopis.readside.schema import transfers as transfer_rows

TRANSFERS_MAX = 1_000


def expected(
    engine: Engine, store: str | None = None, sku: str | None = None, *, now: datetime
) -> list[IncomingAnswer]:
    """Units that are expected in a store, or everywhere: of one SKU or of all, the earliest first."""
    with reading(engine) as connection:
        found = _documents(connection, store, sku, epoch_ms(now)) + _transferred(connection, store, sku, epoch_ms(now))
    return sorted(found, key=lambda it: (it.expected_at, it.store, it.sku, it.document or "", it.transfer or ""))


def later(engine: Engine, levels: Iterable[LevelAnswer], *, on: datetime, now: datetime) -> list[LaterAnswer]:
    """What may be promised of each level for a later instant."""
    told = list(levels)
    coming: dict[tuple[str, str], list[IncomingAnswer]] = {}
    for store in dict.fromkeys(it.store for it in told):
        for it in expected(engine, store, now=now):
            coming.setdefault((it.store, it.sku), []).append(it)
    return [_later(it, tuple(coming.get((it.store, it.sku), ())), on, now) for it in told]


def new_skus(engine: Engine, store: str, *, now: datetime) -> list[LevelAnswer]:
    """SKUs that are expected in a store and never were in its books, by SKU; each stands at nothing now."""
    skus = {it.sku for it in expected(engine, store, now=now)}
    with reading(engine) as connection:
        kept = select(level_rows.c.sku).where(level_rows.c.store == store, level_rows.c.sku.in_(skus))
        skus -= set(connection.execute(kept).scalars())
    return [empty_level(engine, store, sku, now) for sku in sorted(skus)]


def find_later(
    engine: Engine, sku: str, wanted: tuple[Point | None, int], *, on: datetime, now: datetime
) -> list[FoundAnswer]:
    """Stores that take pickups and can promise so many of a SKU for a later instant; ``atp`` is what they can then.

    ``wanted`` is where to look from, and how many.
    """
    near, minimum = wanted
    coming: dict[str, list[IncomingAnswer]] = {}
    for it in expected(engine, None, sku, now=now):
        coming.setdefault(it.store, []).append(it)
    told = carrying(engine, sku, now)
    for store in coming.keys() - {level.store for _, level, _ in told}:
        with suppress(StoreUnknown):
            about = one_store(engine, store)
            told.append((about, empty_level(engine, store, sku, now), about.pickup))
    found = []
    for row, level, pickup in told:
        units = _later(level, tuple(coming.get(level.store, ())), on, now).available
        if pickup and units >= minimum:
            found.append(replace(found_answer(row, level, near), atp=units))
    return nearest(found)


def transfers(engine: Engine, store: str | None = None) -> list[TransferAnswer]:
    """Transfers to or from a store, or all that are remembered, the one last heard of first; a thousand at most."""
    query = select(transfer_rows).order_by(transfer_rows.c.heard_ms.desc(), transfer_rows.c.transfer)
    if store is not None:
        query = query.where((transfer_rows.c.store == store) | (transfer_rows.c.from_store == store))
    with reading(engine) as connection:
        rows = connection.execute(query.limit(TRANSFERS_MAX)).all()
        lines: dict[tuple[str, str], list[Any]] = {}
        for name in {row.store for row in rows}:
            for line in connection.execute(select(transfer_lines).where(transfer_lines.c.store == name)):
                lines.setdefault((line.store, line.transfer), []).append(line)
    return [_transfer(row, lines.get((row.store, row.transfer), [])) for row in rows]


def _later(level: LevelAnswer, incoming: tuple[IncomingAnswer, ...], on: datetime, now: datetime) -> LaterAnswer:
    units = [Incoming(at_ms=epoch_ms(it.expected_at), quantity=it.quantity) for it in incoming]
    available = available_on(level.terms, units, epoch_ms(on), epoch_ms(now))
    return LaterAnswer(
        store=level.store, sku=level.sku, on=on, available=available, atp_now=level.atp, incoming=incoming
    )


def _documents(connection: Connection, store: str | None, sku: str | None, now_ms: int) -> list[IncomingAnswer]:
    query = _of(select(expected_lines), expected_lines, (store, sku))
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
    """Lines of transfers on their way of which it was said when they come."""
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
        for row in connection.execute(_of(query, transfer_lines, (store, sku)))
    ]


def _of(query: Any, table: Any, cell: tuple[str | None, str | None]) -> Any:
    for column, value in zip((table.c.store, table.c.sku), cell, strict=True):
        if value is not None:
            query = query.where(column == value)
    return query


def _transfer(row: Any, lines: list[Any]) -> TransferAnswer:
    told = tuple(_line(row, line) for line in sorted(lines, key=lambda it: it.sku))
    if not row.is_received:
        state = "received in part" if any(line.received for line in told) else "on the way"
    elif not row.is_announced:
        state = "received, not announced"
    else:
        state = "short" if any(line.short for line in told) else "received"
    return TransferAnswer(
        transfer=row.transfer,
        from_store=row.from_store,
        to_store=row.store,
        state=state,
        expected_at=instant_or_none(row.expected_ms),
        heard_at=instant(row.heard_ms),
        lines=told,
    )


def _line(row: Any, line: Any) -> TransferLineAnswer:
    missing = max(0, line.announced - line.received)
    return TransferLineAnswer(
        sku=line.sku,
        announced=line.announced,
        received=line.received,
        on_the_way=0 if row.is_received else missing,
        short=missing if row.is_received and row.is_announced else 0,
    )
