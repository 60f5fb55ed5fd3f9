"""Key figures of a span of time: of all stores together, of each store, or of each of the stores' own days."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, select

from bopis.domain.calendar.stated import StatedHours
from bopis.domain.inventory.rows import Store
from bopis.domain.values import MINUTE_MS, epoch_ms
from bopis.readside.engine import reading
from bopis.readside.kpi.ages import Silent, data_age
from bopis.readside.kpi.catalogue import DATA_AGE, MADE
from bopis.readside.kpi.definitions import Figures, OpenMs
from bopis.readside.kpi.visits import Visit, visits
from bopis.readside.queries.places import policies
from bopis.readside.schema import heard, silences, stores

UTC_NAME = "UTC"
_hours = msgspec.json.Decoder(StatedHours).decode


class By(StrEnum):
    """What key figures are told apart by."""

    ALL = "all"
    STORE = "store"
    DAY = "day"


class KpiSpan(Struct, frozen=True, kw_only=True):
    """Orders promised from an instant to before another one, in one store or everywhere."""

    since: datetime
    until: datetime
    store: str | None = None


class KpiGroup(Struct, frozen=True, kw_only=True):
    """The key figures of one group: ``name`` is a store, a day (as 2026-03-01) or ``all``."""

    name: str
    visits: int
    kpis: dict[str, Figures]


def kpis(engine: Engine, span: KpiSpan, by: By, open_ms: OpenMs) -> list[KpiGroup]:
    """Every key figure, by group in the order of their names; a group without orders is left out.

    ``open_ms`` counts open milliseconds of a store between two instants. The age of data is not told by day.
    """
    since_ms, until_ms = epoch_ms(span.since), epoch_ms(span.until)
    with reading(engine) as connection:
        found = visits(connection, since_ms, until_ms, span.store)
        name_of = _namer(by, _zones(connection) if by is By.DAY else {})
        known, silent = _heard(connection, span, until_ms)
    groups: dict[str, list[Visit]] = {}
    for visit in found:
        groups.setdefault(name_of(visit), []).append(visit)
    if by is By.ALL:
        groups.setdefault(by.value, [])
    answers = []
    for name, mine in sorted(groups.items()):
        figures = {kpi: made(mine, open_ms) for kpi, made in MADE.items()}
        if by is not By.DAY:
            here = known if by is By.ALL else known & {name}
            told = [it for store, it in silent if store in here]
            figures[DATA_AGE.name] = data_age(told, len(here), since_ms, until_ms)
        answers.append(KpiGroup(name=name, visits=len(mine), kpis=figures))
    return answers


def store_hours(engine: Engine) -> dict[str, StatedHours]:
    """What stores state about their hours; a store that was imported before hours were kept is left out."""
    with reading(engine) as connection:
        rows = connection.execute(select(stores.c.store, stores.c.hours).where(stores.c.hours.is_not(None)))
        return {row.store: _hours(row.hours) for row in rows}


def _namer(by: By, zones: dict[str, ZoneInfo]) -> Callable[[Visit], str]:
    utc = ZoneInfo(UTC_NAME)

    def day(visit: Visit) -> str:
        at = datetime.fromtimestamp(visit.promised_ms / 1000, zones.get(visit.store, utc))
        return at.date().isoformat()

    if by is By.DAY:
        return day
    return (lambda visit: visit.store) if by is By.STORE else (lambda _: By.ALL.value)


def _zones(connection: Connection) -> dict[str, ZoneInfo]:
    found = {}
    for row in connection.execute(select(stores.c.store, stores.c.time_zone)):
        try:
            found[row.store] = ZoneInfo(row.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            continue  # A zone that this machine does not know is taken as UTC, as everywhere.
    return found


def _heard(connection: Connection, span: KpiSpan, until_ms: int) -> tuple[set[str], list[tuple[str, Silent]]]:
    """Stores that were ever heard from, and their silences; the one that lasts now is one like the others."""
    last = select(heard)
    past = select(silences)
    if span.store is not None:
        last, past = last.where(heard.c.store == span.store), past.where(silences.c.store == span.store)
    rows = connection.execute(last).all()
    found = [(it.store, Silent(it.since_ms, it.until_ms, it.heard_ms)) for it in connection.execute(past)]
    ruled = policies(connection, span.store)
    for it in rows:
        grace_ms = (ruled.get(it.store) or Store()).staleness_grace_minutes * MINUTE_MS
        if it.since_ms < until_ms and until_ms - it.heard_ms > grace_ms:
            found.append((it.store, Silent(it.since_ms, until_ms, it.heard_ms)))
    return {it.store for it in rows}, found
