"""The hours of a store: the usual week, exceptions and holidays, their effect on open promises, and saving them."""

import re
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace
from starlette.responses import Response

from bopis.access.roles import Right
from bopis.domain.calendar.hours import Calendar, open_ms_between
from bopis.domain.calendar.store_hours import StoreHours
from bopis.domain.orders.numbers import shown
from bopis.domain.orders.state import READY_STATES, STAGED_STATES, Order
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.errors import BopisError
from bopis.ports import OpeningHours
from bopis.services.counter.store_times import StoreTimes
from bopis.services.opening_days import OpeningDay, opening_days
from bopis.services.store_directory import StoreRecord, merged_store, publish_store, read_store_cells
from bopis.web.api.stores import StorePath
from bopis.web.pages.orders_actions import reason_of
from bopis.web.pages.page import Page, PageCall
from bopis.web.pages.stores import record_of
from bopis.web.problems import Problem, problem_of
from bopis.web.site import Site

WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# A week without changes of clocks in any zone: Monday 8 to Sunday 14 January 2024.
USUAL_MONDAY = date(2024, 1, 8)
DAYS_SHOWN = 14
AHEAD_DAYS = 60
AT_RISK_SHOWN = 20
POLL_SECONDS = 0.05
WEEK, RULES = "week", "rules"
# Days and times alone; months, weeks, holidays and comments are written as rules.
_WEEKLY = re.compile(r"(?:24/7|(?:Mo|Tu|We|Th|Fr|Sa|Su|off|closed|[\d:,;\s-])*)", re.IGNORECASE)
Times = Annotated[str, Meta(max_length=100)]
Text = Annotated[str, Meta(max_length=1_000)]


class HoursQuery(Struct, frozen=True, kw_only=True):
    """Hours as a browser sends them: times by weekday, or rules in OpenStreetMap's words; `kind` says which
    (empty: the hours as they are)."""

    store: Annotated[str, Meta(min_length=1, max_length=STORE_LENGTH_MAX)]
    kind: Annotated[str, Meta(max_length=10)] = ""
    mo: Times = ""
    tu: Times = ""
    we: Times = ""
    th: Times = ""
    fr: Times = ""
    sa: Times = ""
    su: Times = ""
    opening_hours: Text = ""
    holidays: Text = ""
    closures: Text = ""
    openings: Text = ""
    cutoff: Annotated[str, Meta(max_length=10)] = ""

    @property
    def week(self) -> tuple[str, ...]:
        return (self.mo, self.tu, self.we, self.th, self.fr, self.sa, self.su)


FIELDS = tuple(it for it in HoursQuery.__struct_fields__ if it != "store")


class AtRisk(Struct, frozen=True, kw_only=True):
    """An open order whose promise the new hours do not fit, and why."""

    order: str
    shown: str
    text: str


class HoursPreview(Struct, frozen=True, kw_only=True):
    """The effect of new hours: the next days now and then, and open promises that they do not fit."""

    differs: bool
    days: tuple[tuple[str, str, str], ...]
    at_risk: tuple[AtRisk, ...]
    at_risk_count: int
    promises: int


def draft_of(record: StoreRecord, hours: OpeningHours) -> HoursQuery:
    """The present hours of a store in the fields of the form."""
    week = usual_week(record.hours, hours)
    fields = {name.lower(): times for name, times in zip(WEEKDAYS, week or ("",) * 7, strict=True)}
    return HoursQuery(
        store=record.store_id, kind=WEEK if week is not None else RULES, opening_hours=record.opening_hours,
        holidays=record.holidays, closures=record.closures, openings=record.openings, cutoff=record.cutoff, **fields,
    )  # fmt: skip


def usual_week(stated: StoreHours, hours: OpeningHours) -> tuple[str, ...] | None:
    """Opening times by weekday, Monday first (``08:00-12:00, 14:00-18:00``); None for rules that have no usual week."""
    if not _WEEKLY.fullmatch(stated.opening_hours.strip()):
        return None
    plain = StoreHours(opening_hours=stated.opening_hours, time_zone="UTC")
    monday_ms = int(datetime.combine(USUAL_MONDAY, datetime.min.time(), UTC).timestamp()) * 1000
    try:
        days = opening_days(plain, hours, monday_ms, 7)
    except BopisError:
        return None
    return tuple(", ".join(f"{opens}-{closes}" for opens, closes in it.times) for it in days)


def written_week(week: Iterable[str]) -> str:
    """Times by weekday in OpenStreetMap's words: ``Mo-Fr 08:00-20:00; Sa 09:00-14:00``. Empty when never open."""
    runs: list[tuple[int, int, str]] = []
    for number, typed in enumerate(week):
        times = ",".join(it.strip() for it in re.sub(r"[‐‑‒–—−]", "-", typed).split(",") if it.strip())
        if not times or times.lower() in ("closed", "off"):
            continue
        if runs and runs[-1][1] == number - 1 and runs[-1][2] == times:
            runs[-1] = (runs[-1][0], number, times)
        else:
            runs.append((number, number, times))
    if [(first, last, times) for first, last, times in runs] == [(0, 6, "00:00-24:00")]:
        return "24/7"
    return "; ".join(
        f"{WEEKDAYS[first]}{'' if first == last else f'-{WEEKDAYS[last]}'} {times}" for first, last, times in runs
    )


def drafted(record: StoreRecord, asked: HoursQuery, hours: OpeningHours) -> StoreRecord:
    """The store with the hours of the form, checked as an import checks them. Raises `Problem` with every error."""
    rules = asked.opening_hours.strip() if asked.kind == RULES else written_week(asked.week)
    cells = {"store_id": record.store_id, "opening_hours": rules or "-"}
    # A dash clears a cell of an import, as an empty field clears it here.
    cells |= {name: getattr(asked, name).strip() or "-" for name in ("holidays", "closures", "openings", "cutoff")}
    if not rules:
        raise Problem(422, "hours-invalid", "The store would never open. Turn its pickup off in the policy instead.")
    read = read_store_cells(cells)
    merged = read if isinstance(read, list) else merged_store(read, hours, record)
    if isinstance(merged, list):
        raise Problem(422, "hours-invalid", "; ".join(f"{it[:1].upper()}{it[1:]}" for it in merged) + ".")
    return merged


def at_risk(orders: Iterable[Order], store: str, calendar: Calendar, times: StoreTimes, now_ms: int) -> list[AtRisk]:
    """Open promises of a store that its hours would not fit. A promise once given is not moved by new hours."""
    found = []
    for order in orders:
        work = order.at(store)
        lines = [line for line in order.in_store(store) if line.live]
        if work is None or not lines:
            continue
        text = ""
        if any(line.state in READY_STATES for line in lines):
            if not open_ms_between(calendar, now_ms, work.window_end_ms):
                text = f"is kept until {times.instant(work.window_end_ms, store)}, and the store is closed until then"
        elif work.promised and not all(line.state in STAGED_STATES for line in lines):
            at = times.instant(work.ready_by_ms, store)
            if not _is_open(calendar, work.ready_by_ms):
                text = f"is promised by {at}, when the store is closed"
            elif work.ready_by_ms > now_ms and not open_ms_between(calendar, now_ms, work.ready_by_ms):
                text = f"is promised by {at}, and the store is closed until then"
        if text:
            found.append(AtRisk(order=order.order, shown=shown(order.order), text=text))
    return found


def _is_open(calendar: Calendar, at_ms: int) -> bool:
    """Whether a store is open at an instant; at its closing the goods of the day are still ready in time."""
    return any(opens <= at_ms <= closes for opens, closes in calendar.opens)


def preview_of(site: Site, record: StoreRecord, then: StoreRecord) -> HoursPreview:
    """The effect of new hours on the next days and on the open promises of the store. Blocks."""
    now_ms, store = site.now_ms(), record.store_id
    orders = site.stock.routing.orders.in_store(store)
    before, after = (opening_days(it.hours, site.hours, now_ms, DAYS_SHOWN) for it in (record, then))
    calendar = site.hours.calendar(then.hours, now_ms, AHEAD_DAYS)
    risks = at_risk(orders, store, calendar, site.times(store), now_ms)
    return HoursPreview(
        differs=record.hours != then.hours,
        days=tuple(
            (f"{old.begins:%a %d %b}", _day_text(old), _day_text(new))
            for old, new in zip(before, after, strict=False)
            if old.opens != new.opens
        ),
        at_risk=tuple(risks[:AT_RISK_SHOWN]),
        at_risk_count=len(risks),
        promises=sum(any(it.live for it in order.in_store(store)) for order in orders),
    )


def _day_text(day: OpeningDay) -> str:
    return "all day" if day.all_day else day.spans or "closed"


async def show(call: PageCall) -> Response:
    """The hours of a store, or the effect of a draft before it is saved."""
    record, asked = record_of(call), call.params
    if not asked.kind:
        return _page(call, record, draft_of(record, call.site.hours))
    try:
        then = drafted(record, asked, call.site.hours)
        preview = await call.site.in_thread(preview_of, call.site, record, then)
    except (Problem, BopisError) as error:
        return _refused(call, record, asked, error)
    return _page(call, record, asked, preview=preview)


async def save(call: PageCall) -> Response:
    """Save new hours for a reason. Refused when they were changed since the form was made."""
    record = record_of(call)
    asked = replace(HoursQuery(store=record.store_id), **{name: call.field(name)[:1_000] for name in FIELDS})
    try:
        reason = reason_of(call)
        if call.field("seen") != _version(record):
            raise Problem(409, "hours-changed", "Somebody else changed these hours meanwhile. Look at them again.")
        then = drafted(record, asked, call.site.hours)
        if then.hours != record.hours:
            then = replace(then, hours_changed_by=call.caller.name, hours_reason=reason)
            await call.site.in_thread(_publish, call.site, then)
    except (Problem, BopisError) as error:
        return _refused(call, record, asked, error)
    text = "The hours are saved; routing and mails follow them from now on."
    return _page(call, then, draft_of(then, call.site.hours), note=text if then != record else "Nothing was changed.")


def _publish(site: Site, record: StoreRecord) -> None:
    """Publish a store and wait until the tables have it, so that the next page shows it. Blocks."""
    delivery: Any = publish_store(site.publisher, record)
    site.publisher.flush()
    delivery.wait()
    give_up = time.monotonic() + site.settings.read_wait_seconds
    while site.stock.routing.tables.record(record.store_id) != record and time.monotonic() < give_up:
        time.sleep(POLL_SECONDS)


def _page(call: PageCall, record: StoreRecord, draft: HoursQuery, status: int = 200, **values: Any) -> Response:
    shared = {
        "record": record, "draft": draft, "seen": _version(record), "fields": FIELDS, "preview": None, "note": "",
        "refusal": "", "day_names": tuple(zip(WEEKDAYS, DAY_NAMES, strict=True)),
    }  # fmt: skip
    return call.page("store-hours.html", status, **shared | values)


def _version(record: StoreRecord) -> str:
    """The hours that a form was made of, to see a change by somebody else."""
    return "|".join(str(it) for it in (getattr(record.hours, name) for name in StoreHours.__struct_fields__))


def _refused(call: PageCall, record: StoreRecord, asked: HoursQuery, error: Problem | BopisError) -> Response:
    found = error if isinstance(error, Problem) else problem_of(error)
    return _page(call, record, asked, found.status, refusal=found.detail)


PAGES = (
    Page(
        path="/stores/{store}/hours", show=show, right=Right.POLICIES_READ, params=HoursQuery, store="store"
    ),
    Page(
        path="/stores/{store}/hours", show=save, right=Right.POLICIES_CHANGE, method="POST", params=StorePath,
        store="store",
    ),
)  # fmt: skip
