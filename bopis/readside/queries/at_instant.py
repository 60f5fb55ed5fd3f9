"""Available to promise at a past instant: by everything known today, or by the books of that time."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from bopis.domain.inventory.availability import rule_name, terms
from bopis.domain.inventory.movements import RATE_WINDOW_MS, window_start
from bopis.domain.inventory.rows import Level, StockRule, Store
from bopis.domain.inventory.staleness import LastReport, hours_of_store
from bopis.domain.inventory.trace import MovementKind
from bopis.domain.values import EPOCH_MS_MAX, epoch_ms
from bopis.readside.engine import Source, reading
from bopis.readside.errors import CellUnknown
from bopis.readside.history.holds import HELD, IN_DOUBT, STAGED
from bopis.readside.history.recorder import POLICY
from bopis.readside.queries.answers import AtAnswer, HistoryClock, instant_or_none
from bopis.readside.queries.stores import hours
from bopis.readside.schema import basket_hours, heard, hold_history, movements, policy_history, silences, standings

# Kinds that move no goods: a count sets on hand, a staging correction settles what a count did not include.
NOT_MOVED = (MovementKind.COUNT.value, MovementKind.STAGED.value)
BEGINNING_MS = -1


class Cell(NamedTuple):
    """One SKU in one store."""

    store: str
    sku: str

    def of(self, table: Any) -> Any:
        """The condition that a row is about this cell."""
        return and_(table.c.store == self.store, table.c.sku == self.sku)


class PastLevel(NamedTuple):
    """A level at an instant, the policy of its store then, and the time up to which the store had reported."""

    level: Level
    policy: Store
    report: LastReport | None


def at(
    source: Source, store: str, sku: str, instant: datetime, clock: HistoryClock | str = HistoryClock.OCCURRED
) -> AtAnswer:
    """Available to promise at an instant, term by term.

    On the clock ``occurred``, late reports and counts count at their own time, holds at the time they were decided. On
    the clock ``recorded``, the answer is the one that the books gave then. Raises `CellUnknown` for a SKU without
    history.
    """
    at_ms, cell, chosen = epoch_ms(instant), Cell(store, sku), HistoryClock(clock)
    with reading(source) as connection:
        if not is_known(connection, cell):
            raise CellUnknown(store=store, sku=sku)
        past = (occurred if chosen is HistoryClock.OCCURRED else recorded)(connection, cell, at_ms)
    found = terms(past.level, sku, past.policy, past.report, at_ms)
    return AtAnswer(
        store=store,
        sku=sku,
        instant=instant,
        clock=chosen,
        pickup=past.policy.pickup,
        atp=found.atp,
        terms=found,
        staged=past.level.staged,
        quarantined=past.level.quarantined,
        damaged=past.level.damaged,
        heard_at=instant_or_none(past.report.at_ms if past.report else None),
    )


def is_known(connection: Connection, cell: Cell) -> bool:
    """Whether the cell has any history."""
    return any(
        connection.execute(select(1).where(cell.of(table)).limit(1)).first() is not None
        for table in (movements, standings)
    )


def occurred(connection: Connection, cell: Cell, at_ms: int) -> PastLevel:
    """The level at an instant by everything known today."""
    count = newest_count(connection, cell, at_ms)
    counted_ms = count.occurred_ms if count else BEGINNING_MS
    base = count.change + staged_at_count(connection, cell, count) if count else 0
    standing = _standing(connection, cell, at_ms)
    level = Level(
        on_hand=base + moved_units(connection, cell, counted_ms, at_ms),
        held=hold_units(connection, cell, HELD, BEGINNING_MS, at_ms),
        staged=hold_units(connection, cell, STAGED, BEGINNING_MS, at_ms),
        # A count settles every doubt before it.
        in_doubt=hold_units(connection, cell, IN_DOUBT, counted_ms, at_ms),
        category=standing.category if standing else "",
    )
    level.quarantined, level.damaged = _kept_apart(connection, cell, at_ms)
    heard_ms = connection.execute(select(heard.c.heard_ms).where(heard.c.store == cell.store)).scalar()
    policy = _policy_at(connection, cell, level.category, at_ms)
    # A store that has reported beyond the instant was not silent then, so nothing is withheld by its selling rate.
    if heard_ms is not None and heard_ms < at_ms:
        _set_sales(connection, cell, level, movements.c.occurred_ms <= at_ms)
    return PastLevel(level, policy, _report(connection, cell.store, heard_ms, EPOCH_MS_MAX))


def recorded(connection: Connection, cell: Cell, at_ms: int) -> PastLevel:
    """The level in the books at an instant of the log."""
    newest = movements.c.recorded_ms.desc(), movements.c.offset.desc(), movements.c.line.desc()
    movement = connection.execute(
        select(movements).where(cell.of(movements), movements.c.recorded_ms <= at_ms).order_by(*newest).limit(1)
    ).first()
    standing = _standing(connection, cell, at_ms)
    level = Level(on_hand=movement.on_hand_after if movement else 0)
    if standing:
        level.held, level.staged, level.in_doubt = standing.held, standing.staged, standing.in_doubt
        level.category, level.quarantined, level.damaged = standing.category, standing.quarantined, standing.damaged
    heard_ms = _heard_then(connection, cell.store, at_ms)
    if heard_ms is not None:
        _set_sales(connection, cell, level, movements.c.recorded_ms <= at_ms)
    report = _report(connection, cell.store, heard_ms, at_ms)
    return PastLevel(level, _policy_at(connection, cell, level.category, at_ms), report)


def newest_count(connection: Connection, cell: Cell, at_ms: int = EPOCH_MS_MAX) -> Any:
    """The newest count at or before an instant; of two at the same time the one that the core takes."""
    counts = select(movements).where(
        cell.of(movements), movements.c.kind == MovementKind.COUNT.value, movements.c.occurred_ms <= at_ms
    )
    newest = counts.with_only_columns(func.max(movements.c.occurred_ms)).scalar_subquery()
    # The order of the core (`Level.counted_by`), so that both settle on the same count.
    rows = connection.execute(counts.where(movements.c.occurred_ms == newest)).all()
    return max(rows, key=lambda row: f"{row.source} {row.message_id}", default=None)


def staged_at_count(connection: Connection, cell: Cell, count: Any) -> int:
    """Units that were staged when the shelf was counted, and so are not in the count."""
    return 0 if count.staged_counted else hold_units(connection, cell, STAGED, BEGINNING_MS, count.occurred_ms)


def moved_units(connection: Connection, cell: Cell, after_ms: int, until_ms: int) -> int:
    """Units moved after an instant, up to and at another one."""
    at = movements.c.occurred_ms
    query = select(func.coalesce(func.sum(movements.c.change), 0)).where(
        cell.of(movements), at > after_ms, at <= until_ms, movements.c.kind.not_in(NOT_MOVED)
    )
    return int(connection.execute(query).scalar_one())


def hold_units(connection: Connection, cell: Cell, term: str, after_ms: int, until_ms: int) -> int:
    """The change of a term by holds after an instant, up to and at another one."""
    at = hold_history.c.occurred_ms
    query = select(func.coalesce(func.sum(hold_history.c.units), 0)).where(
        cell.of(hold_history), at > after_ms, at <= until_ms, hold_history.c.term == term
    )
    return int(connection.execute(query).scalar_one())


def set_policy(connection: Connection, store: str, name: str, at_ms: int = EPOCH_MS_MAX) -> Any:
    """The row of the message that last set a rule, or the policy of a store, by an instant; None if none did."""
    table = policy_history
    query = select(table).where(table.c.store == store, table.c.name == name, table.c.recorded_ms <= at_ms)
    return connection.execute(query.order_by(table.c.recorded_ms.desc(), table.c.offset.desc()).limit(1)).first()


def _kept_apart(connection: Connection, cell: Cell, at_ms: int) -> tuple[int, int]:
    """Units in quarantine and damaged units: the changes by every message that occurred by then, also by late ones."""
    # A standing has the value after its message; a late message changes it at its own time, so changes are summed.
    at = standings.c.recorded_ms, standings.c.offset
    changes = (
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
    query = select(func.coalesce(func.sum(changes.c.quarantined), 0), func.coalesce(func.sum(changes.c.damaged), 0))
    quarantined, damaged = connection.execute(query.where(changes.c.occurred_ms <= at_ms)).one()
    return int(quarantined), int(damaged)


def _policy_at(connection: Connection, cell: Cell, category: str, at_ms: int) -> Store:
    """The policy of the store that was decided by an instant, with the rules that can concern the cell."""
    # Rules count from when they were decided, on either clock.
    names = [rule_name(cell.sku, None), rule_name(None, None)]
    if category:
        names.append(rule_name(None, category))
    set_by = {name: set_policy(connection, cell.store, name, at_ms) for name in (*names, POLICY)}
    rules = {
        name: StockRule(row.safety_stock, row.walk_in_reserve)
        for name in names
        if (row := set_by[name]) is not None and (row.safety_stock, row.walk_in_reserve) != (None, None)
    }
    chosen = set_by[POLICY]
    if chosen is None:
        return Store(rules=rules)
    percent = Store().staleness_percent if chosen.staleness_percent is None else chosen.staleness_percent
    return Store(
        pickup=chosen.pickup,
        staleness_grace_minutes=chosen.staleness_grace_minutes,
        rules=rules,
        staleness_percent=percent,
    )


def _standing(connection: Connection, cell: Cell, at_ms: int) -> Any:
    query = select(standings).where(cell.of(standings), standings.c.recorded_ms <= at_ms)
    newest = standings.c.recorded_ms.desc(), standings.c.offset.desc()
    return connection.execute(query.order_by(*newest).limit(1)).first()


def _heard_then(connection: Connection, store: str, at_ms: int) -> int | None:
    """The time up to which a store had reported, seen at an instant of the log; None while it was not silent."""
    query = select(silences.c.heard_ms).where(
        silences.c.store == store, silences.c.since_ms <= at_ms, silences.c.until_ms > at_ms
    )
    silent = connection.execute(query.order_by(silences.c.since_ms.desc()).limit(1)).scalar()
    if silent is not None:
        return int(silent)
    # The silence that still lasts has no row yet.
    query = select(heard.c.heard_ms).where(heard.c.store == store, heard.c.since_ms <= at_ms)
    newest: int | None = connection.execute(query).scalar()
    return newest


def _report(connection: Connection, store: str, heard_ms: int | None, at_ms: int) -> LastReport | None:
    """The last report of a store, with the hours of its baskets that were in effect at an instant of the log."""
    if heard_ms is None:
        return None
    query = select(basket_hours).where(basket_hours.c.store == store, basket_hours.c.since_ms <= at_ms)
    in_order = query.order_by(basket_hours.c.since_ms, basket_hours.c.offset)
    in_effect = {row.source: row for row in connection.execute(in_order)}  # of each device the newest
    return LastReport(heard_ms, hours_of_store(hours(it.baskets_by_hour) for it in in_effect.values()))


def _set_sales(connection: Connection, cell: Cell, level: Level, known: Any) -> None:
    """Set the two windows of a level's selling rate from the sales that a condition includes."""
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
