"""The live board of the demonstration."""

import time
from datetime import UTC

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bopis.commands.demo_actors import INVENTORY, ORDERS
from bopis.commands.demo_scene import Killed, Scene
from bopis.commands.tables import duration
from bopis.services.demo.clock import instant
from bopis.services.demo.report import latency_of
from bopis.services.demo.world import World

STORES_SHOWN_MAX = 14
WIDE = 130  # columns from which on all panels stand side by side
PANEL_LINES, HEAD_LINES, HEAD_BAR = 7, 2, 14
RATE_SECONDS = 1.0


class Board:
    """Draws the scene; keeps what it needs to tell a rate."""

    def __init__(self, scene: Scene, world: World, console: Console) -> None:
        self._console = console
        self._scene = scene
        self._world = world
        self._last = (time.monotonic(), 0, 0)
        self._rates = (0.0, 0.0)
        scarce = {store for store, _ in world.scarce}
        # The one that will be cut off and those with something scarce are worth looking at.
        ids = [store.id for store in world.stores]
        ranked = sorted(ids, key=lambda it: (it != scene.offline_store, it not in scarce, it))
        self._shown = ranked[:STORES_SHOWN_MAX]

    def __rich__(self) -> RenderableType:
        scene, now = self._scene, time.monotonic()
        self._measure(now)
        width, height = self._console.size
        at = instant(scene.hands.now_ms()).astimezone(UTC)
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(f"A day at {scene.clock.times_real:,.0f} x real time", style="bold"),
            Text(f"log's clock: {at:%a %d %b %H:%M} UTC"),
            ProgressBar(total=1.0, completed=scene.clock.share(now), width=HEAD_BAR),
        )
        panels = [self._flow(), self._pickups(), self._holds(), self._trouble()]
        rows = [panels] if width >= WIDE else [panels[:2], panels[2:]]
        # What happens is worth more than the stores: they get the lines that are left.
        left = height - len(rows) * PANEL_LINES - len(scene.news) - HEAD_LINES
        return Group(
            head,
            *map(_beside, rows),
            *([self._stores(left - HEAD_LINES)] if left > HEAD_LINES + 1 else []),
            self._news(now),
        )

    def _measure(self, now: float) -> None:
        then, messages, lines = self._last
        if now - then >= RATE_SECONDS:
            scene = self._scene
            self._rates = ((scene.messages - messages) / (now - then), (scene.lines - lines) / (now - then))
            self._last = (now, scene.messages, scene.lines)

    def _flow(self) -> Panel:
        recent = latency_of(self._scene.recent_latencies)
        return _panel(
            "Log",
            ("messages/s", f"{self._rates[0]:,.0f}"),
            ("till lines/s", f"{self._rates[1]:,.0f}"),
            ("messages", f"{self._scene.messages:,}"),
            ("readable p50", f"{recent.p50:,.0f} ms"),
            ("readable p99", f"{recent.p99:,.0f} ms"),
        )

    def _holds(self) -> Panel:
        scene = self._scene
        return _panel(
            "Holds on scarce units",
            ("asked", f"{scene.asked:,}"),
            ("granted", f"{scene.granted:,}"),
            ("refused", f"{scene.refused:,}"),
            ("collected", f"{scene.ends.get('collected', 0):,}"),
            ("given back, expired", f"{scene.ends.get('released', 0):,}, {scene.ends.get('expired', 0):,}"),
        )

    def _trouble(self) -> Panel:
        scene = self._scene
        line = "online"
        if scene.is_cut_off:
            line = f"OFFLINE, {scene.held_back} baskets wait"
        elif scene.late:
            line = f"back, {scene.late} baskets came late"
        return _panel(
            "Trouble",
            (f"shop {scene.offline_store}", line),
            *((f"{name} worker", _worker(scene.kills.get(name))) for name in (INVENTORY, ORDERS)),
            ("not decided yet", f"{max(0, scene.messages - scene.decided):,} messages"),
        )

    def _pickups(self) -> Panel:
        tally = self._scene.tally
        return _panel(
            "Pickup orders",
            ("placed", f"{len(tally.done):,}"),
            ("ready", f"{tally.ready:,}"),
            ("collected", f"{tally.handed_over:,}"),
            ("cancelled", f"{len(tally.cancelled):,}"),
            ("no-shows", f"{len(tally.expired):,}"),
        )

    def _stores(self, lines: int) -> Table:
        grid = Table(box=None, pad_edge=False, padding=(0, 1))
        for name in ("store", "on hand", "ATP", "held") * 2:
            grid.add_column(name, justify="left" if name == "store" else "right", no_wrap=True)
        names = {store.id: store.record.city for store in self._world.stores}
        shown = self._shown[: 2 * lines]
        half = -(-len(shown) // 2)
        for left, right in zip(shown[:half], [*shown[half:], ""], strict=False):
            grid.add_row(*self._cells(left, names), *self._cells(right, names))
        return grid

    def _cells(self, store: str, names: dict[str, str]) -> tuple[str | Text, ...]:
        found = self._scene.stores.get(store)
        if not store or found is None:
            return (names.get(store, ""), "", "", "")
        is_cut = store == self._scene.offline_store and self._scene.is_cut_off
        name = Text(f"{store} {names[store]}", style="red" if is_cut else "")
        return name, f"{found.on_hand:,}", f"{found.atp:,}", f"{found.held:,}"

    def _news(self, now: float) -> RenderableType:
        return Group(*(_line(f"{now - at:4.0f} s ago  {text}") for at, text in self._scene.news))


def _beside(panels: list[Panel]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(*panels)
    return grid


def _line(text: str) -> Text:
    return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def _worker(killed: Killed | None) -> str:
    if killed is None:
        return "running"
    if not killed.ready_ms:
        return f"KILLED (was {killed.pid})"
    return f"back after {duration(killed.ready_ms - killed.killed_ms)}"


def _panel(title: str, *rows: tuple[str, str]) -> Panel:
    grid = Table.grid(padding=(0, 1))
    for label, value in rows:
        grid.add_row(Text(label, style="dim"), Text(value))
    return Panel(grid, title=title, title_align="left", expand=False)
