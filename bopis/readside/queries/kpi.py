"""Key figures of a span of time, for all stores together, by store, or by day in the zone of each store."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from bopis.domain.calendar.hours import open_ms_between
from bopis.domain.calendar.store_hours import StoreHours
from bopis.domain.inventory.rows import Store
from bopis.domain.values import MINUTE_MS, epoch_ms
from bopis.ports import OpeningHours
from bopis.readside.engine import Source, reading
from bopis.readside.kpi.catalogue import DATA_AGE, VISIT_KPIS
from bopis.readside.kpi.definitions import Figures, OpenMs, Silent, data_age
from bopis.readside.kpi.visits import Visit, visits
from bopis.readside.queries.stores import policies
from bopis.readside.schema import heard, silences, stores

UTC_NAME = "UTC"
DAY_MS = 86_400_000
CALENDAR_DAYS = 60
_hours = msgspec.json.Decoder(StoreHours).decode


class KpiGrouping(StrEnum):
    """Grouping dimension of key figures."""

    ALL = "all"
    STORE = "store"
    DAY = "day"


class KpiSpan(Struct, frozen=True, kw_only=True):
    """Orders promised from `since` to before `until`, in one store or in all."""

    since: datetime
    until: datetime
    store: str | None = None


class KpiGroup(Struct, frozen=True, kw_only=True):
    """Key figures of one group. `name` is a store, a day (as 2026-03-01) or ``all``."""

    name: str
    visits: int
    kpis: dict[str, Figures]


def kpis(source: Source, span: KpiSpan, by: KpiGrouping, open_ms: OpenMs) -> list[KpiGroup]:
    """Every key figure, by group in the order of their names. Groups without orders are left out.

    `open_ms` counts the open milliseconds of a store between two instants. Data age has no figure by day.
    """
    since_ms, until_ms = epoch_ms(span.since), epoch_ms(span.until)
    with reading(source) as connection:
        found = visits(connection, since_ms, until_ms, span.store)
        name_of = _namer(by, _zones(connection) if by is KpiGrouping.DAY else {})
        reporting, silent = _reports(connection, span, until_ms)
    groups: dict[str, list[Visit]] = {}
    for visit in found:
        groups.setdefault(name_of(visit), []).append(visit)
    if by is KpiGrouping.ALL:
        groups.setdefault(by.value, [])
    answers = []
    for name, mine in sorted(groups.items()):
        figures = {kpi.definition.name: kpi.compute(mine, open_ms) for kpi in VISIT_KPIS}
        if by is not KpiGrouping.DAY:
            here = reporting if by is KpiGrouping.ALL else reporting & {name}
            silences_here = [it for it in silent if it.store in here]
            figures[DATA_AGE.name] = data_age(silences_here, len(here), since_ms, until_ms)
        answers.append(KpiGroup(name=name, visits=len(mine), kpis=figures))
    return answers


def store_hours(source: Source) -> dict[str, StoreHours]:
    """Stated hours by store. Stores that were imported before hours were kept are left out."""
    with reading(source) as connection:
        rows = connection.execute(select(stores.c.store, stores.c.hours).where(stores.c.hours.is_not(None)))
        return {row.store: _hours(row.hours) for row in rows}


def open_time(source: Source, hours: OpeningHours) -> OpenMs:
    """A function that counts a store's open milliseconds between two instants, by its opening hours."""
    stated = {store: text for store, text in store_hours(source).items() if not hours.problems(text)}

    def open_ms(store: str, from_ms: int, to_ms: int) -> int | None:
        opening_hours = stated.get(store)
        if opening_hours is None or to_ms - from_ms > CALENDAR_DAYS * DAY_MS:
            return None
        # One calendar serves all orders of sixty days; one per order would take most of the time.
        begin_ms = from_ms - from_ms % (CALENDAR_DAYS * DAY_MS)
        calendar = hours.calendar(opening_hours, begin_ms, 2 * CALENDAR_DAYS + 2)
        return open_ms_between(calendar, from_ms, to_ms)

    return open_ms


def _namer(by: KpiGrouping, zones: dict[str, ZoneInfo]) -> Callable[[Visit], str]:
    utc = ZoneInfo(UTC_NAME)

    def day(visit: Visit) -> str:
        at = datetime.fromtimestamp(visit.promised_ms / 1000, zones.get(visit.store, utc))
        return at.date().isoformat()

    if by is KpiGrouping.DAY:
        return day
    return (lambda visit: visit.store) if by is KpiGrouping.STORE else (lambda _: KpiGrouping.ALL.value)


def _zones(connection: Connection) -> dict[str, ZoneInfo]:
    found = {}
    for row in connection.execute(select(stores.c.store, stores.c.time_zone)):
        try:
            found[row.store] = ZoneInfo(row.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            continue  # An unknown zone counts as UTC, as in the other commands.
    return found


def _reports(connection: Connection, span: KpiSpan, until_ms: int) -> tuple[set[str], list[Silent]]:
    """Stores that have ever reported, and their silences, including the one that lasts at the end of the span."""
    last = select(heard)
    past = select(silences)
    if span.store is not None:
        last, past = last.where(heard.c.store == span.store), past.where(silences.c.store == span.store)
    rows = connection.execute(last).all()
    found = [Silent(it.store, it.since_ms, it.until_ms, it.heard_ms) for it in connection.execute(past)]
    policy_of = policies(connection, span.store)
    for it in rows:
        grace_ms = (policy_of.get(it.store) or Store()).staleness_grace_minutes * MINUTE_MS
        if it.since_ms < until_ms and until_ms - it.heard_ms > grace_ms:
            found.append(Silent(it.store, it.since_ms, until_ms, it.heard_ms))
    return {it.store for it in rows}, found
