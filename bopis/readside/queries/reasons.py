"""Why a SKU stands where it stands: for each term the messages behind it, so that they add up to it."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Engine, func, select

from bopis.domain.inventory.availability import DEFAULT_RULE, terms
from bopis.domain.inventory.movements import sold_per_week
from bopis.domain.inventory.rows import Terms
from bopis.domain.values import EPOCH_MS_MAX, epoch_ms
from bopis.readside.engine import reading
from bopis.readside.errors import CellUnknown
from bopis.readside.promises import GRANTED, HELD, IN_DOUBT
from bopis.readside.queries.answers import MovementAnswer, instant, instant_or_none
from bopis.readside.queries.instants import (
    NOT_MOVED,
    Cell,
    is_known,
    moved,
    newest_count,
    recorded,
    set_policy,
    staged_at_count,
)
from bopis.readside.queries.past import movement
from bopis.readside.schema import heard, hold_history, movements

MOVEMENTS_LISTED_MAX = 200


class OnHandWhy(Struct, frozen=True, kw_only=True):
    """On hand = what the newest count found + what was staged then + every movement since."""

    on_hand: int
    count: MovementAnswer | None
    staged_at_count: int
    movements: tuple[MovementAnswer, ...]
    # Of the movements too many to list, how many units they moved together.
    earlier_units: int


class HoldWhy(Struct, frozen=True, kw_only=True):
    """Units that one order line holds or left in doubt, and the message that made it so."""

    hold: str
    order: str
    line: int
    units: int
    decided_at: datetime
    source: str
    actor: str | None
    message_id: str


class RuleWhy(Struct, frozen=True, kw_only=True):
    """Units withheld by a rule, and the message that set it; the default rule was set by nobody."""

    rule: str
    units: int
    set_at: datetime | None
    source: str | None
    actor: str | None
    message_id: str | None


class StalenessWhy(Struct, frozen=True, kw_only=True):
    """Units withheld for silence: what the store last told, when the log learned it, and how fast the SKU sells."""

    units: int
    heard_at: datetime | None
    recorded_at: datetime | None
    source: str | None
    message_id: str | None
    grace_minutes: int
    sold_per_week: int


class WhyAnswer(Struct, frozen=True, kw_only=True):
    """Available to promise, term by term, with the messages behind each."""

    store: str
    sku: str
    atp: int
    terms: Terms
    on_hand: OnHandWhy
    held: tuple[HoldWhy, ...]
    in_doubt: tuple[HoldWhy, ...]
    # Units in doubt that were reported before the newest count, which arrived too late to settle them.
    in_doubt_carried: int
    safety_stock: RuleWhy
    walk_in_reserve: RuleWhy
    staleness: StalenessWhy


def why(engine: Engine, store: str, sku: str, *, now: datetime) -> WhyAnswer:
    """The messages behind each term. Raises `CellUnknown` for a SKU of which nothing is in the history."""
    cell, now_ms = Cell(store, sku), epoch_ms(now)
    with reading(engine) as connection:
        if not is_known(connection, cell):
            raise CellUnknown(store=store, sku=sku)
        seen = recorded(connection, cell, EPOCH_MS_MAX)
        found = terms(seen.level, sku, seen.policy, seen.heard_ms, now_ms)
        count = newest_count(connection, cell)
        doubted = _held(connection, cell, IN_DOUBT, count.occurred_ms if count else -1)
        told = connection.execute(select(heard).where(heard.c.store == store)).first()
        return WhyAnswer(
            store=store,
            sku=sku,
            atp=found.atp,
            terms=found,
            on_hand=_on_hand(connection, cell, count, found.on_hand),
            held=_held(connection, cell, HELD, -1),
            in_doubt=doubted,
            in_doubt_carried=found.in_doubt - sum(it.units for it in doubted),
            safety_stock=_rule(connection, store, found.safety_stock_rule, found.safety_stock),
            walk_in_reserve=_rule(connection, store, found.walk_in_reserve_rule, found.walk_in_reserve),
            staleness=StalenessWhy(
                units=found.staleness,
                heard_at=instant_or_none(told.heard_ms if told else None),
                recorded_at=instant_or_none(told.since_ms if told else None),
                source=told.source if told else None,
                message_id=told.message_id if told else None,
                grace_minutes=seen.policy.staleness_grace_minutes,
                sold_per_week=sold_per_week(seen.level, seen.heard_ms) if seen.heard_ms is not None else 0,
            ),
        )


def _on_hand(connection: Connection, cell: Cell, count: Any, on_hand: int) -> OnHandWhy:
    counted_ms = count.occurred_ms if count else -1
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
        earlier_units=moved(connection, cell, counted_ms, EPOCH_MS_MAX) - sum(it.change for it in listed),
    )


def _held(connection: Connection, cell: Cell, term: str, after_ms: int) -> tuple[HoldWhy, ...]:
    """What each order line still holds of a term, with the message that granted it or first left it in doubt."""
    table = hold_history
    query = select(table).where(cell.of(table), table.c.term == term, table.c.occurred_ms > after_ms)
    units: dict[tuple[str, int], int] = {}
    causes: dict[tuple[str, int], Any] = {}
    if term == HELD:
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
