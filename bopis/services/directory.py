"""The directory of stores: rows of a file become records of the compacted topic ``stores``."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bopis.domain.values import STORE_LENGTH_MAX
from bopis.ports import Publisher

STORES_TOPIC = "stores"
COLUMNS = ("store_id", "name", "city", "state", "postal_code", "latitude", "longitude", "time_zone")


class StoreRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A store as the log has it."""

    store_id: str
    name: str
    city: str = ""
    state: str = ""
    postal_code: str = ""
    latitude: float | None = None
    longitude: float | None = None
    time_zone: str = "UTC"


def read_store(cells: Mapping[str, str]) -> StoreRecord | list[str]:
    """The store that a row tells of, or everything that is wrong with the row."""
    told = {name: cells.get(name, "").strip() for name in COLUMNS}
    problems = [*_id_problems(told["store_id"]), *_zone_problems(told["time_zone"])]
    point: dict[str, float | None] = {}
    for name, bound in (("latitude", 90.0), ("longitude", 180.0)):
        point[name], problem = _degrees(name, told[name], bound)
        problems += problem
    if not problems and (point["latitude"] is None) != (point["longitude"] is None):
        problems.append("latitude and longitude go together")
    if problems:
        return problems
    return StoreRecord(
        store_id=told["store_id"],
        name=told["name"] or told["store_id"],
        city=told["city"],
        state=told["state"],
        postal_code=told["postal_code"],
        latitude=point["latitude"],
        longitude=point["longitude"],
        time_zone=told["time_zone"] or "UTC",
    )


def publish_store(publisher: Publisher, record: StoreRecord) -> object:
    """Put a store into the directory; the newest record of an id stands."""
    return publisher.publish(STORES_TOPIC, record.store_id, msgspec.json.encode(record))


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
