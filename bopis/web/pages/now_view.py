"""The figures of the page of now: promises at risk, tiles, and stores on a map. Pure: it asks no clock and no log."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import cos, radians, sqrt
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.orders.state import PROGRESS, READY_STATES, Order
from bopis.domain.orders.store_queue import WorkStep, work_items
from bopis.domain.values import MINUTE_MS
from bopis.services.counter.store_times import StoreTimes
from bopis.services.store_directory import StoreRecord

RISK_MS = 15 * MINUTE_MS
OLD_FACTOR = 12
MAP_WIDTH, MAP_HEIGHT, MAP_EDGE = 1_000, 520, 40
RADIUS_MIN, RADIUS_MAX = 7, 24
LABELS_MAX = 40


class Tone(StrEnum):
    """How urgent a figure is; also a class of the style sheet."""

    NONE = ""
    WARN = "warn"
    BAD = "bad"


class Risk(NamedTuple):
    """A promise that is broken (`is_late`) or will be within `RISK_MS` unless the store gets ready."""

    order: str
    store: str
    ready_by_ms: int
    is_late: bool


class Unaccepted(NamedTuple):
    """An order that a store has not accepted, and when it was placed."""

    order: str
    store: str
    placed_ms: int


class OrderFigures(Struct, frozen=True, kw_only=True):
    """Figures of the open orders; `by_state` in the order of progress."""

    count: int
    by_state: tuple[tuple[str, int], ...]
    risks: tuple[Risk, ...]
    unaccepted: int
    oldest: Unaccepted | None


class Tile(Struct, frozen=True, kw_only=True):
    """One figure with its link. `id` keeps the keyboard focus when the tiles are drawn again."""

    id: str
    label: str
    value: str
    note: str
    href: str
    tone: Tone = Tone.NONE


class StoreFigures(Struct, frozen=True, kw_only=True):
    """A store as the map and its table show it. `age_ms` None: no device has reported yet."""

    record: StoreRecord
    age_ms: int | None
    grace_minutes: int
    pickup: bool
    orders: int
    minutes: int

    @property
    def tone(self) -> str:
        """The colour by data age: ``fresh`` within the grace time, ``old``, ``silent`` far beyond it, or ``never``."""
        if self.age_ms is None:
            return "never"
        grace_ms = self.grace_minutes * MINUTE_MS
        if self.age_ms <= grace_ms:
            return "fresh"
        return "old" if self.age_ms <= OLD_FACTOR * max(grace_ms, MINUTE_MS) else "silent"

    @property
    def name(self) -> str:
        """Id and name: ``319 Main Street``."""
        return f"{self.record.store_id} {self.record.name}".strip()


class Dot(Struct, frozen=True, kw_only=True):
    """A store on the map, in units of its view box."""

    store: StoreFigures
    x: float
    y: float
    radius: float


def promises_at_risk(orders: Iterable[Order], now_ms: int) -> list[Risk]:
    """Promises whose time has passed or passes within `RISK_MS` and whose goods are not ready; the earliest first."""
    found = []
    for order in orders:
        for work in order.work:
            if not work.promised or not work.ready_by_ms or work.ready_by_ms - now_ms > RISK_MS:
                continue
            if any(line.live and line.state not in READY_STATES for line in order.in_store(work.store)):
                found.append(Risk(order.order, work.store, work.ready_by_ms, work.ready_by_ms < now_ms))
    return sorted(found, key=lambda it: (it.ready_by_ms, it.order, it.store))


def order_figures(orders: Sequence[Order], now_ms: int) -> OrderFigures:
    """The figures of the open orders."""
    states = Counter(it.state for it in orders)
    unaccepted = [
        Unaccepted(order.order, item.store, order.placed_ms)
        for order in orders
        for item in work_items(order)
        if item.step is WorkStep.ACCEPT
    ]
    return OrderFigures(
        count=len(orders),
        by_state=tuple((it.value, states[it]) for it in sorted(states, key=PROGRESS.__getitem__)),
        risks=tuple(promises_at_risk(orders, now_ms)),
        unaccepted=len(unaccepted),
        oldest=min(unaccepted, key=lambda it: (it.placed_ms, it.order, it.store), default=None),
    )


def order_tiles(figures: OrderFigures, times: StoreTimes, now_ms: int) -> list[Tile]:
    """The tiles that are about orders."""
    late = sum(it.is_late for it in figures.risks)
    soon = len(figures.risks) - late
    oldest = figures.oldest
    return [
        Tile(
            id="tile-orders", label="Open orders", value=f"{figures.count:,}", href="/orders",
            note="no order is open" if not figures.count else f"{figures.unaccepted:,} to be accepted",
        ),
        Tile(
            id="tile-risk", label="Promises at risk", value=f"{len(figures.risks):,}", href="/orders?risk=true",
            note=f"{late:,} late, {soon:,} due within 15 min" if figures.risks else "every promise is in time",
            tone=Tone.BAD if late else Tone.WARN if soon else Tone.NONE,
        ),
        Tile(
            id="tile-oldest", label="Oldest unaccepted", href="/orders?unaccepted=true",
            value="none" if oldest is None else age_text(now_ms - oldest.placed_ms),
            note="every order is accepted" if oldest is None
            else f"placed {times.instant(oldest.placed_ms, oldest.store)} for store {oldest.store}",
            tone=Tone.WARN if oldest is not None and now_ms - oldest.placed_ms > RISK_MS else Tone.NONE,
        ),
    ]  # fmt: skip


def age_text(ms: int | None) -> str:
    """A span of time in its largest unit: ``8 s``, ``12 min``, ``3 h``, ``2 d``; ``never`` for none."""
    if ms is None:
        return "never"
    seconds = max(0, ms) // 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit == "min"):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def dots(stores: Iterable[StoreFigures]) -> list[Dot]:
    """Stores with a place, on a map whose degrees have one length at its middle (equirectangular).

    The busiest are drawn first, so that a small dot is never hidden behind a large one.
    """
    placed = [it for it in stores if it.record.latitude is not None and it.record.longitude is not None]
    if not placed:
        return []
    latitudes = [it.record.latitude or 0.0 for it in placed]
    longitudes = [it.record.longitude or 0.0 for it in placed]
    if max(longitudes) - min(longitudes) > 180:
        # Stores on both sides of the date line: count eastwards from it.
        longitudes = [it + 360 if it < 0 else it for it in longitudes]
    squeeze = cos(radians((max(latitudes) + min(latitudes)) / 2))
    xs, ys = [it * squeeze for it in longitudes], [-it for it in latitudes]
    width, height = MAP_WIDTH - 2 * MAP_EDGE, MAP_HEIGHT - 2 * MAP_EDGE
    scale = min(width / max(max(xs) - min(xs), 1e-6), height / max(max(ys) - min(ys), 1e-6))
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    busiest = max((it.orders for it in placed), default=0)
    found = [
        Dot(
            store=it,
            x=round(MAP_WIDTH / 2 + (x - middle_x) * scale, 1),
            y=round(MAP_HEIGHT / 2 + (y - middle_y) * scale, 1),
            radius=round(RADIUS_MIN + (RADIUS_MAX - RADIUS_MIN) * (sqrt(it.orders / busiest) if busiest else 0), 1),
        )
        for it, x, y in zip(placed, xs, ys, strict=True)
    ]
    return sorted(found, key=lambda it: (-it.radius, it.store.record.store_id))
