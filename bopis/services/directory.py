"""The directory of stores: rows of a file become records of the compacted topic ``stores``."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bopis.domain.calendar.stated import StatedHours
from bopis.domain.values import STORE_LENGTH_MAX
from bopis.ports import Log, OpeningHours, Publisher

STORES_TOPIC = "stores"
ALWAYS_OPEN = "24/7"
CAPACITY_MINUTES_MAX = 6_000
PICK_SECONDS_MAX = 36_000
COST_MAX = 1_000_000
PLACE_COLUMNS = ("store_id", "name", "street", "city", "state", "postal_code", "latitude", "longitude", "time_zone")
WORK_COLUMNS = ("opening_hours", "holidays", "cutoff", "capacity_minutes", "pick_seconds", "cost", "closed")
COLUMNS = PLACE_COLUMNS + WORK_COLUMNS
YES, NO = ("yes", "true", "1"), ("", "no", "false", "0")


class StoreRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A store as the log has it.

    ``capacity_minutes`` is the picking work that its staff do in one open hour, ``pick_seconds`` what one line takes
    them, ``cost`` what an order there costs in minor units; None leaves both to the rule set. ``closed`` says that
    it is closed for good.
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
    cutoff: str = ""
    capacity_minutes: int = 60
    pick_seconds: int | None = None
    cost: int | None = None
    closed: bool = False

    @property
    def hours(self) -> StatedHours:
        """What the store states about its hours."""
        return StatedHours(
            opening_hours=self.opening_hours, time_zone=self.time_zone, holidays=self.holidays, cutoff=self.cutoff
        )


def read_store(cells: Mapping[str, str], opening_hours: OpeningHours) -> StoreRecord | list[str]:
    """The store that a row tells of, or everything that is wrong with the row."""
    told = {name: cells.get(name, "").strip() for name in COLUMNS}
    problems = [*_id_problems(told["store_id"]), *_zone_problems(told["time_zone"])]
    point, nowhere = _point(told)
    work, unsound = _work(told)
    problems += nowhere + unsound
    if told["closed"].lower() not in (*YES, *NO):
        problems.append(f"closed {told['closed']!r} is neither yes nor no")
    if problems:
        return problems
    record = StoreRecord(
        store_id=told["store_id"],
        name=told["name"] or told["store_id"],
        street=told["street"],
        city=told["city"],
        state=told["state"],
        postal_code=told["postal_code"],
        latitude=point["latitude"],
        longitude=point["longitude"],
        time_zone=told["time_zone"] or "UTC",
        opening_hours=told["opening_hours"] or ALWAYS_OPEN,
        holidays=told["holidays"],
        cutoff=told["cutoff"],
        closed=told["closed"].lower() in YES,
        **work,
    )
    return opening_hours.problems(record.hours) or record


def publish_store(publisher: Publisher, record: StoreRecord) -> object:
    """Put a store into the directory; the newest record of an id stands."""
    return publisher.publish(STORES_TOPIC, record.store_id, msgspec.json.encode(record))


def read_directory(log: Log) -> dict[str, StoreRecord]:
    """Every store in the directory, by id; a record that is none is left out."""
    found: dict[str, StoreRecord] = {}
    for record in log.read(log.start_offsets((STORES_TOPIC,)), log.end_offsets((STORES_TOPIC,))):
        key = (record.key or b"").decode(errors="replace")
        try:
            found[key] = msgspec.json.decode(record.value or b"null", type=StoreRecord)
        except msgspec.MsgspecError:
            found.pop(key, None)
    return found


def _id_problems(store: str) -> list[str]:
    if not store:
        return ["store_id is empty"]
    if len(store) > STORE_LENGTH_MAX:
        return [f"store_id is longer than {STORE_LENGTH_MAX} characters"]
    if "|" in store or store[0] == "@":
        return [f"store_id {store!r} may not contain '|' nor start with '@'"]
    return []


def _zone_problems(zone: str) -> list[str]:
    try:
        if zone:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [f"time_zone {zone!r} is not in the time zone database (write for example America/Chicago)"]
    return []


def _point(told: Mapping[str, str]) -> tuple[dict[str, float | None], list[str]]:
    point: dict[str, float | None] = {}
    problems = []
    for name, bound in (("latitude", 90.0), ("longitude", 180.0)):
        point[name], problem = _degrees(name, told[name], bound)
        problems += problem
    if not problems and (point["latitude"] is None) != (point["longitude"] is None):
        problems.append("latitude and longitude go together")
    return point, problems


def _degrees(name: str, text: str, bound: float) -> tuple[float | None, list[str]]:
    if not text:
        return None, []
    try:
        degrees = float(text)
    except ValueError:
        return None, [f"{name} {text!r} is not a number"]
    if not -bound <= degrees <= bound:
        return None, [f"{name} {text} lies outside -{bound:g} to {bound:g}"]
    return degrees, []


def _work(told: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """What a row says of a store's picking work; a column that is empty leaves its default."""
    bounds = {"capacity_minutes": CAPACITY_MINUTES_MAX, "pick_seconds": PICK_SECONDS_MAX, "cost": COST_MAX}
    work, problems = {}, []
    for name, most in bounds.items():
        if not told[name]:
            continue
        if told[name].isascii() and told[name].isdigit() and int(told[name]) <= most:
            work[name] = int(told[name])
        else:
            problems.append(f"{name} {told[name]!r} is not a whole number from 0 to {most}")
    return work, problems
