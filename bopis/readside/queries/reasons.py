"""The messages behind each term of what can be promised. They add up to the term."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, select

from bopis.domain.inventory.availability import DEFAULT_RULE, expected_since, terms
from bopis.domain.inventory.movements import sold_per_week
from bopis.domain.inventory.rows import Terms
from bopis.domain.values import EPOCH_MS_MAX, epoch_ms
from bopis.readside.engine import Source, reading
from bopis.readside.errors import CellUnknown
from bopis.readside.history.holds import GRANTED, HELD, IN_DOUBT
from bopis.readside.queries.answers import MovementAnswer, instant, instant_or_none
from bopis.readside.queries.at_instant import (
    BEGINNING_MS,
    NOT_MOVED,
    Cell,
    PastLevel,
    is_known,
    moved_units,
    newest_count,
    recorded,
    set_policy,
    staged_at_count,
)
from bopis.readside.queries.history import movement
from bopis.readside.schema import heard, hold_history, movements

MOVEMENTS_LISTED_MAX = 200


class OnHandWhy(Struct, frozen=True, kw_only=True):
    """On hand = the newest count + the units staged then + every movement since."""

    on_hand: int
    count: MovementAnswer | None
    staged_at_count: int
    movements: tuple[MovementAnswer, ...]
    # The sum of the movements that are too many to list.
    earlier_units: int


class HoldWhy(Struct, frozen=True, kw_only=True):
    """Units of one order line that are held or in doubt, and the message behind them."""

    hold: str
    order: str
    line: int
    units: int
    decided_at: datetime
    source: str
    actor: str | None
    message_id: str


class RuleWhy(Struct, frozen=True, kw_only=True):
    """Units withheld by a rule, and the message that set it; the default rule has none."""

    rule: str
    units: int
    set_at: datetime | None
    source: str | None
    actor: str | None
    message_id: str | None


class StalenessWhy(Struct, frozen=True, kw_only=True):
    """Units withheld because the store is silent: its last report and the age of that, the selling rate of the SKU, and
    the sales expected since then in thousandths of a unit, by the percentage of the store's policy."""

    units: int
    heard_at: datetime | None
    recorded_at: datetime | None
    source: str | None
    message_id: str | None
    data_age_ms: int | None
    grace_minutes: int
    percent: int
    sold_per_week: int
    expected_thousandths: int


class WhyAnswer(Struct, frozen=True, kw_only=True):
    """Available to promise, term by term, with the messages behind each."""

    store: str
    sku: str
    atp: int
    terms: Terms
    on_hand: OnHandWhy
    held: tuple[HoldWhy, ...]
    in_doubt: tuple[HoldWhy, ...]
    # Units in doubt since before the newest count, which arrived too late to settle them.
    in_doubt_carried: int
    safety_stock: RuleWhy
    walk_in_reserve: RuleWhy
    staleness: StalenessWhy


def why(source: Source, store: str, sku: str, *, now: datetime) -> WhyAnswer:
    """The messages behind each term. Raises `CellUnknown` for a SKU without history."""
    cell, now_ms = Cell(store, sku), epoch_ms(now)
    with reading(source) as connection:
        if not is_known(connection, cell):
            raise CellUnknown(store=store, sku=sku)
        past = recorded(connection, cell, EPOCH_MS_MAX)
        found = terms(past.level, sku, past.policy, past.report, now_ms)
        count = newest_count(connection, cell)
        in_doubt = _held(connection, cell, IN_DOUBT, count.occurred_ms if count else BEGINNING_MS)
        return WhyAnswer(
            store=store,
            sku=sku,
            atp=found.atp,
            terms=found,
            on_hand=_on_hand(connection, cell, count, found.on_hand),
            held=_held(connection, cell, HELD, BEGINNING_MS),
            in_doubt=in_doubt,
            in_doubt_carried=found.in_doubt - sum(it.units for it in in_doubt),
            safety_stock=_rule(connection, store, found.safety_stock_rule, found.safety_stock),
            walk_in_reserve=_rule(connection, store, found.walk_in_reserve_rule, found.walk_in_reserve),
            staleness=_staleness(connection, cell, found.staleness, past, now_ms),
        )


def _staleness(connection: Connection, cell: Cell, units: int, past: PastLevel, now_ms: int) -> StalenessWhy:
    last = connection.execute(select(heard).where(heard.c.store == cell.store)).first()
    report = past.report
    return StalenessWhy(
        units=units,
        heard_at=instant_or_none(last.heard_ms if last else None),
        recorded_at=instant_or_none(last.since_ms if last else None),
        source=last.source if last else None,
        message_id=last.message_id if last else None,
        data_age_ms=max(0, now_ms - report.at_ms) if report else None,
        grace_minutes=past.policy.staleness_grace_minutes,
        percent=past.policy.staleness_percent,
        sold_per_week=sold_per_week(past.level, report.at_ms) if report else 0,
        expected_thousandths=expected_since(past.level, past.policy, report, now_ms) // 1_000 if report else 0,
    )


def _on_hand(connection: Connection, cell: Cell, count: Any, on_hand: int) -> OnHandWhy:
    counted_ms = count.occurred_ms if count else BEGINNING_MS
    newest = movements.c.occurred_ms.desc(), movements.c.offset.desc(), movements.c.line.desc()
    query = (
        select(movements)
        .where(cell.of(movements), movements.c.occurred_ms > counted_ms, movements.c.kind.not_in(NOT_MOVED))
        .order_by(*newest)
        .limit(MOVEMENTS_LISTED_MAX)
    )
    listed = tuple(movement(row) for row in connection.execute(query))
    return OnHandWhy(
        on_hand=on_hand,
        count=movement(count) if count else None,
        staged_at_count=staged_at_count(connection, cell, count) if count else 0,
        movements=listed,
        earlier_units=moved_units(connection, cell, counted_ms, EPOCH_MS_MAX) - sum(it.change for it in listed),
    )


def _held(connection: Connection, cell: Cell, term: str, after_ms: int) -> tuple[HoldWhy, ...]:
    """Units of a term by order line, with the message that granted the hold or first put it in doubt."""
    table = hold_history
    query = select(table).where(cell.of(table), table.c.term == term, table.c.occurred_ms > after_ms)
    units: dict[tuple[str, int], int] = {}
    # The message behind a line is the one that granted it; units in doubt have only the one that reported them.
    causes: dict[tuple[str, int], Any] = {}
    if term == HELD:
        # Most holds of a busy SKU have ended; only the open ones are read.
        open_holds = (
            select(table.c.hold)
            .where(cell.of(table), table.c.term == term)
            .group_by(table.c.hold)
            .having(func.sum(table.c.units) != 0)
        )
        query = query.where(table.c.hold.in_(open_holds))
    for row in connection.execute(query.order_by(table.c.offset, table.c.line)):
        key = (row.hold, row.order_line)
        units[key] = units.get(key, 0) + row.units
        if key not in causes or row.how == GRANTED:
            causes[key] = row
    return tuple(
        HoldWhy(
            hold=hold,
            order=causes[hold, line].order_id,
            line=line,
            units=left,
            decided_at=instant(causes[hold, line].recorded_ms),
            source=causes[hold, line].source,
            actor=causes[hold, line].actor,
            message_id=causes[hold, line].message_id,
        )
        for (hold, line), left in units.items()
        if left
    )


def _rule(connection: Connection, store: str, rule: str, units: int) -> RuleWhy:
    row = None if rule == DEFAULT_RULE else set_policy(connection, store, rule)
    return RuleWhy(
        rule=rule,
        units=units,
        set_at=instant(row.recorded_ms) if row else None,
        source=row.source if row else None,
        actor=row.actor if row else None,
        message_id=row.message_id if row else None,
    )
