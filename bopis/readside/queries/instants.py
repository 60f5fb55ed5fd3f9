"""What could be promised at a past instant: as it was by everything known today, or as the books said then."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, and_, case, func, select

from bopis.domain.inventory.availability import rule_name, terms
from bopis.domain.inventory.movements import RATE_WINDOW_MS, window_start
from bopis.domain.inventory.rows import Level, Rule, Store
from bopis.domain.inventory.trace import Kind
from bopis.domain.values import EPOCH_MS_MAX, epoch_ms
from bopis.readside.engine import reading
from bopis.readside.errors import CellUnknown
from bopis.readside.ledger import POLICY
from bopis.readside.promises import HELD, IN_DOUBT, STAGED
from bopis.readside.queries.answers import AtAnswer, Clock, instant_or_none
from bopis.readside.schema import heard, hold_history, movements, policy_history, silences, standings

# Kinds that are no movement of goods: a count says what is there, a staging correction what a count did not see.
NOT_MOVED = (Kind.COUNT.value, Kind.STAGED.value)


class Cell(NamedTuple):
    """One SKU in one store."""

    store: str
    sku: str

    def of(self, table: Any) -> Any:
        return and_(table.c.store == self.store, table.c.sku == self.sku)


class Standpoint(NamedTuple):
    """A level as seen from an instant on a clock, and when its store had been heard from."""

    level: Level
    policy: Store
    heard_ms: int | None


def at(engine: Engine, store: str, sku: str, instant: datetime, clock: Clock | str = Clock.OCCURRED) -> AtAnswer:
    """Every term of what could be promised at an instant.

    On the clock of what occurred, late reports and counts are taken at their own time and promises at the time
    they were decided. On the clock of what was recorded, the answer is the one the books gave then. Raises
    `CellUnknown` for a SKU of which nothing is in the history.
    """
    at_ms, cell, chosen = epoch_ms(instant), Cell(store, sku), Clock(clock)
    with reading(engine) as connection:
        if not is_known(connection, cell):
            raise CellUnknown(store=store, sku=sku)
        seen = (occurred if chosen is Clock.OCCURRED else recorded)(connection, cell, at_ms)
    found = terms(seen.level, sku, seen.policy, seen.heard_ms, at_ms)
    return AtAnswer(
        store=store,
        sku=sku,
        instant=instant,
        clock=chosen,
        pickup=seen.policy.pickup,
        atp=found.atp,
        terms=found,
        staged=seen.level.staged,
        quarantined=seen.level.quarantined,
        damaged=seen.level.damaged,
        heard_at=instant_or_none(seen.heard_ms),
    )


def is_known(connection: Connection, cell: Cell) -> bool:
    """Whether anything was ever said about the cell."""
    return any(
        connection.execute(select(1).where(cell.of(table)).limit(1)).first() is not None
        for table in (movements, standings)
    )


def occurred(connection: Connection, cell: Cell, at_ms: int) -> Standpoint:
    """What was true at an instant, by everything known today."""
    count = newest_count(connection, cell, at_ms)
    counted_ms = count.occurred_ms if count else -1
    base = count.change + staged_at_count(connection, cell, count) if count else 0
    category = _standing(connection, cell, at_ms)
    level = Level(
        on_hand=base + moved(connection, cell, counted_ms, at_ms),
        held=promised(connection, cell, HELD, (-1, at_ms)),
        staged=promised(connection, cell, STAGED, (-1, at_ms)),
        in_doubt=promised(connection, cell, IN_DOUBT, (counted_ms, at_ms)),
        category=category.category if category else "",
    )
    level.quarantined, level.damaged = kept_apart(connection, cell, at_ms)
    told = connection.execute(select(heard.c.heard_ms).where(heard.c.store == cell.store)).scalar()
    policy = policy_at(connection, cell, level.category, at_ms)
    if told is not None and told < at_ms:
        _note_sales(connection, cell, level, movements.c.occurred_ms <= at_ms)
    return Standpoint(level, policy, told)


def recorded(connection: Connection, cell: Cell, at_ms: int) -> Standpoint:
    """What the books said at an instant of the log."""
    newest = movements.c.recorded_ms.desc(), movements.c.offset.desc(), movements.c.line.desc()
    moved_row = connection.execute(
        select(movements).where(cell.of(movements), movements.c.recorded_ms <= at_ms).order_by(*newest).limit(1)
    ).first()
    stood = _standing(connection, cell, at_ms)
    level = Level(on_hand=moved_row.on_hand_after if moved_row else 0)
    if stood:
        level.held, level.staged, level.in_doubt = stood.held, stood.staged, stood.in_doubt
        level.category, level.quarantined, level.damaged = stood.category, stood.quarantined, stood.damaged
    heard_ms = _heard_then(connection, cell.store, at_ms)
    if heard_ms is not None:
        _note_sales(connection, cell, level, movements.c.recorded_ms <= at_ms)
    return Standpoint(level, policy_at(connection, cell, level.category, at_ms), heard_ms)


def newest_count(connection: Connection, cell: Cell, at_ms: int = EPOCH_MS_MAX) -> Any:
    """The count that anchors an instant: the newest one made by then; of two at once, the one the core takes."""
    counts = select(movements).where(
        cell.of(movements), movements.c.kind == Kind.COUNT.value, movements.c.occurred_ms <= at_ms
    )
    newest = counts.with_only_columns(func.max(movements.c.occurred_ms)).scalar_subquery()
    rows = connection.execute(counts.where(movements.c.occurred_ms == newest)).all()
    return max(rows, key=lambda row: f"{row.source} {row.message_id}", default=None)


def staged_at_count(connection: Connection, cell: Cell, count: Any) -> int:
    """Units that were set aside when the shelf was counted, and so not seen by the count."""
    return 0 if count.staged_counted else promised(connection, cell, STAGED, (-1, count.occurred_ms))


def moved(connection: Connection, cell: Cell, after_ms: int, until_ms: int) -> int:
    """Sum of the goods moved after an instant up to another one."""
    at = movements.c.occurred_ms
    query = select(func.coalesce(func.sum(movements.c.change), 0)).where(
        cell.of(movements), at > after_ms, at <= until_ms, movements.c.kind.not_in(NOT_MOVED)
    )
    return int(connection.execute(query).scalar_one())


def promised(connection: Connection, cell: Cell, term: str, span: tuple[int, int]) -> int:
    """Sum of what holds did to a term after an instant up to another one."""
    at = hold_history.c.occurred_ms
    query = select(func.coalesce(func.sum(hold_history.c.units), 0)).where(
        cell.of(hold_history), at > span[0], at <= span[1], hold_history.c.term == term
    )
    return int(connection.execute(query).scalar_one())


def kept_apart(connection: Connection, cell: Cell, at_ms: int) -> tuple[int, int]:
    """Units in quarantine and damaged at an instant: what every message by then has changed of them, late ones too."""
    at = standings.c.recorded_ms, standings.c.offset
    stood = (
        select(
            standings.c.occurred_ms,
            *(
                (term - func.lag(term, 1, 0).over(order_by=at)).label(term.name)
                for term in (standings.c.quarantined, standings.c.damaged)
            ),
        )
        .where(cell.of(standings))
        .subquery()
    )
    query = select(func.coalesce(func.sum(stood.c.quarantined), 0), func.coalesce(func.sum(stood.c.damaged), 0))
    quarantined, damaged = connection.execute(query.where(stood.c.occurred_ms <= at_ms)).one()
    return int(quarantined), int(damaged)


def policy_at(connection: Connection, cell: Cell, category: str, at_ms: int) -> Store:
    """The store's policy as it had been decided by an instant, with the rules that can concern the cell."""
    names = [rule_name(cell.sku, None), rule_name(None, None)]
    if category:
        names.append(rule_name(None, category))
    set_by = {name: set_policy(connection, cell.store, name, at_ms) for name in (*names, POLICY)}
    rules = {
        name: Rule(row.safety_stock, row.walk_in_reserve)
        for name in names
        if (row := set_by[name]) is not None and (row.safety_stock, row.walk_in_reserve) != (None, None)
    }
    chosen = set_by[POLICY]
    if chosen is None:
        return Store(rules=rules)
    return Store(pickup=chosen.pickup, staleness_grace_minutes=chosen.staleness_grace_minutes, rules=rules)


def set_policy(connection: Connection, store: str, name: str, at_ms: int = EPOCH_MS_MAX) -> Any:
    """The message that last set a rule or the policy of a store by an instant; None if none did."""
    table = policy_history
    query = select(table).where(table.c.store == store, table.c.name == name, table.c.recorded_ms <= at_ms)
    return connection.execute(query.order_by(table.c.recorded_ms.desc(), table.c.offset.desc()).limit(1)).first()


def _standing(connection: Connection, cell: Cell, at_ms: int) -> Any:
    query = select(standings).where(cell.of(standings), standings.c.recorded_ms <= at_ms)
    newest = standings.c.recorded_ms.desc(), standings.c.offset.desc()
    return connection.execute(query.order_by(*newest).limit(1)).first()


def _heard_then(connection: Connection, store: str, at_ms: int) -> int | None:
    """Up to when the store had been heard from at an instant of the log; None while it was not silent."""
    query = select(silences.c.heard_ms).where(
        silences.c.store == store, silences.c.since_ms <= at_ms, silences.c.until_ms > at_ms
    )
    silent = connection.execute(query.order_by(silences.c.since_ms.desc()).limit(1)).scalar()
    if silent is not None:
        return int(silent)
    query = select(heard.c.heard_ms).where(heard.c.store == store, heard.c.since_ms <= at_ms)
    told: int | None = connection.execute(query).scalar()
    return told


def _note_sales(connection: Connection, cell: Cell, level: Level, known: Any) -> None:
    """Give a level the two windows of its selling rate, from the sales known."""
    sales = and_(cell.of(movements), movements.c.sold != 0, known)
    newest_ms = connection.execute(select(func.max(movements.c.occurred_ms)).where(sales)).scalar()
    if newest_ms is None:
        return
    level.sold_since_ms = window_start(newest_ms)
    is_current = movements.c.occurred_ms >= level.sold_since_ms
    units = movements.c.sold
    level.sold, level.sold_before = (
        int(part)
        for part in connection.execute(
            select(
                func.coalesce(func.sum(case((is_current, units), else_=0)), 0),
                func.coalesce(func.sum(case((is_current, 0), else_=units)), 0),
            ).where(sales, movements.c.occurred_ms >= level.sold_since_ms - RATE_WINDOW_MS)
        ).one()
    )
