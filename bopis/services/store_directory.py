"""The directory of stores: records of the compacted topic `stores`, imported from files."""

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from difflib import get_close_matches
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from bopis.contacts import is_phone, store_country
from bopis.domain.calendar.store_hours import StoreHours
from bopis.domain.inventory.rows import NO_STORE
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.names import STORES_TOPIC
from bopis.ports import Log, OpeningHours, Publisher
from bopis.tables.cells import CLEARED, given_cells
from bopis.wire.characters import text_problems, unclean
from bopis.wire.text import decode_clean

ALWAYS_OPEN = "24/7"
CAPACITY_MINUTES_MAX = 6_000
PICK_SECONDS_MAX = 36_000
COST_MAX = 1_000_000
PLACE_COLUMNS = ("store_id", "name", "street", "city", "state", "postal_code", "latitude", "longitude", "time_zone")
CONTACT_COLUMNS = ("phone",)
HOURS_COLUMNS = ("opening_hours", "holidays", "closures", "openings", "cutoff")
WORK_COLUMNS = ("capacity_minutes", "pick_seconds", "cost", "closed")
COLUMNS = PLACE_COLUMNS + HOURS_COLUMNS + WORK_COLUMNS + CONTACT_COLUMNS
YES, NO = ("yes", "true", "1"), ("", "no", "false", "0")
# Word processors and spreadsheets write a dash for the minus that the syntax of hours has.
_DASHES = str.maketrans("‐‑‒–—−", "------")
# The zone database has these, without summer time: a shop in New York would be an hour late for half of the year.
_WITHOUT_SUMMER = {"EST": "America/New_York, or America/Panama", "MST": "America/Denver, or America/Phoenix"}
_ABBREVIATED = re.compile(r"[A-Z]{2,5}|(?:UTC|GMT)?\s*[+-]\s*\d{1,2}(?::?\d\d)?")
_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{0,20})?")


class StoreRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A store, as its record in the log.

    `capacity_minutes` is the picking work that its staff do in one open hour, `pick_seconds` the time for one line,
    `cost` the cost of an order there in minor units; None leaves them to the rule set. `closed`: closed for good.
    `hours_changed_by` and `hours_reason` are who changed its hours last by hand, and why. An import of
    other hours empties them.
    """

    store_id: str
    name: str
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str = "UTC"
    opening_hours: str = ALWAYS_OPEN
    holidays: str = ""
    closures: str = ""
    openings: str = ""
    cutoff: str = ""
    capacity_minutes: int = 60
    pick_seconds: int | None = None
    cost: int | None = None
    closed: bool = False
    phone: str = ""
    hours_changed_by: str = ""
    hours_reason: str = ""

    @property
    def hours(self) -> StoreHours:
        return StoreHours(
            opening_hours=self.opening_hours,
            time_zone=self.time_zone,
            holidays=self.holidays,
            cutoff=self.cutoff,
            closures=self.closures,
            openings=self.openings,
        )

    @property
    def zone(self) -> tzinfo:
        """The zone of the store's clock."""
        return ZoneInfo(self.time_zone) if self.time_zone != "UTC" else UTC

    @property
    def country(self) -> str:
        """The country in two letters, empty if unknown."""
        return store_country(self.holidays, self.time_zone)


_decoder = msgspec.json.Decoder(StoreRecord)
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(StoreRecord)}


def read_store(
    cells: Mapping[str, str], opening_hours: OpeningHours, known: StoreRecord | None = None
) -> StoreRecord | list[str]:
    """The store in a row of a file, or every error in the row.

    An empty cell, and a column that the file has not, leave the value that the store has; ``-`` clears it.
    """
    given = read_store_cells(cells)
    return given if isinstance(given, list) else merged_store(given, opening_hours, known)


def read_store_cells(cells: Mapping[str, str]) -> dict[str, Any] | list[str]:
    """The values that a row of a file gives, by field, or every error in its cells."""
    row = {name: cell for name, cell in given_cells(cells).items() if name in COLUMNS}
    cleared = {name for name, cell in row.items() if cell == CLEARED and name != "store_id"}
    row = {name: cell for name, cell in row.items() if name not in cleared}
    # Text first: the other errors repeat what is in the cells.
    if problems := text_problems(row.items()):
        return problems
    problems = [*_id_problems(row.get("store_id", "")), *_zone_problems(row.get("time_zone", ""))]
    point, invalid_point = _point(row)
    work, invalid_work = _work(row)
    problems += invalid_point + invalid_work
    if row.get("phone") and not is_phone(row["phone"]):
        problems.append(f"phone {row['phone']!r} is not a phone number (write for example +1 270 555 0100)")
    if row.get("closed", "").lower() not in (*YES, *NO):
        problems.append(f"closed {row['closed']!r} is neither yes nor no")
    if problems:
        return problems
    given: dict[str, Any] = {**row, **point, **work}
    given |= {name: row[name].translate(_DASHES) for name in ("opening_hours", "openings") if name in row}
    if "closed" in row:
        given["closed"] = row["closed"].lower() in YES
    return given | {name: row["store_id"] if name == "name" else _DEFAULTS[name] for name in cleared}


def merged_store(
    given: Mapping[str, Any], opening_hours: OpeningHours, known: StoreRecord | None
) -> StoreRecord | list[str]:
    """The store with the values given, the others as known or by default; or its errors."""
    base = known or StoreRecord(store_id=given["store_id"], name=given["store_id"])
    record = msgspec.structs.replace(base, **given)
    if record.hours != base.hours:
        record = msgspec.structs.replace(record, hours_changed_by="", hours_reason="")
    problems = []
    if (record.latitude is None) != (record.longitude is None):
        problems.append("latitude and longitude go together: give both or none")
    if record.latitude == record.longitude == 0:
        problems.append("latitude 0 and longitude 0 are in the sea; leave both empty where the place is not known")
    # A store that is closed for good may have no open time.
    problems += (opening_hours.faults if record.closed else opening_hours.problems)(record.hours)
    return problems or record


def publish_store(publisher: Publisher, record: StoreRecord) -> object:
    """Add a store to the directory, or replace it."""
    return publisher.publish(STORES_TOPIC, record.store_id, msgspec.json.encode(record))


def decode_store(key: str, value: bytes) -> StoreRecord:
    """The store of a record. Raises `ValueError`, of which the errors of JSON are kinds, for an invalid one."""
    if found := unclean(key):
        raise ValueError(f"the key contains {found}")
    return decode_clean(_decoder, value)


def read_directory(log: Log) -> dict[str, StoreRecord]:
    """Every store in the directory, by id. An invalid record is skipped."""
    found: dict[str, StoreRecord] = {}
    for record in log.read(log.start_offsets((STORES_TOPIC,)), log.end_offsets((STORES_TOPIC,))):
        key = (record.key or b"").decode(errors="replace")
        try:
            found[key] = decode_store(key, record.value or b"null")
        except ValueError:
            found.pop(key, None)
    return found


def _id_problems(store: str) -> list[str]:
    if not store:
        return ["store_id is empty"]
    if store == NO_STORE:
        return [f"store_id {store!r} stands for no store; give the store another one"]
    if len(store) > STORE_LENGTH_MAX:
        return [f"store_id is longer than {STORE_LENGTH_MAX} characters"]
    # Row keys of the inventory are STORE|SKU, and @ marks rows that are no levels.
    if "|" in store or store[0] == "@":
        return [f"store_id {store!r} may not contain '|' nor start with '@'"]
    return []


def _zone_problems(zone: str) -> list[str]:
    known = _zone_names()
    if zone in _WITHOUT_SUMMER:
        return [f"time_zone {zone!r} has no summer time; write the zone's name: {_WITHOUT_SUMMER[zone]}"]
    if not zone or zone in known:
        return []
    if _ABBREVIATED.fullmatch(zone):
        # CST is in America, in China and in Cuba, and an offset has no clock changes.
        return [f"time_zone {zone!r} is an abbreviation; write the zone's name, for example America/Chicago"]
    # People write the city alone, or another case.
    names = {name.lower(): name for name in known} | {name.rpartition("/")[2].lower(): name for name in known}
    near = get_close_matches(zone.replace(" ", "_").lower(), names, 1)
    hint = f"did you mean {names[near[0]]}?" if near else "write for example America/Chicago"
    return [f"time_zone {zone!r} is not in the time zone database ({hint})"]


@cache
def _zone_names() -> frozenset[str]:
    """The names of zones. A machine also has files of other kinds beside them."""
    return frozenset(available_timezones())


def _point(row: Mapping[str, str]) -> tuple[dict[str, float], list[str]]:
    point: dict[str, float] = {}
    problems = []
    for name, bound in (("latitude", 90.0), ("longitude", 180.0)):
        if name in row:
            point[name], problem = _degrees(name, row[name], bound)
            problems += problem
    return point, problems


def _degrees(name: str, text: str, bound: float) -> tuple[float, list[str]]:
    # Spreadsheets of many countries write a decimal comma; degrees have no thousands.
    plain = text.replace(",", ".")
    if not _DEGREES.fullmatch(plain):
        return 0.0, [f"{name} {text!r} is not a number"]
    degrees = float(plain)
    if not -bound <= degrees <= bound:
        return 0.0, [f"{name} {text} lies outside -{bound:g} to {bound:g}"]
    return degrees, []


def _work(row: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """The numbers about a store's picking work."""
    bounds = {"capacity_minutes": CAPACITY_MINUTES_MAX, "pick_seconds": PICK_SECONDS_MAX, "cost": COST_MAX}
    work, problems = {}, []
    for name, most in bounds.items():
        if name not in row:
            continue
        if row[name].isascii() and row[name].isdigit() and int(row[name]) <= most:
            work[name] = int(row[name])
        else:
            problems.append(f"{name} {row[name]!r} is not a whole number from 0 to {most}")
    return work, problems
