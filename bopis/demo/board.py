"""The live board of the demonstration."""

import time
from datetime import UTC

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bopis.cli.app.render import duration
from bopis.demo.actors import INVENTORY, ORDERS, PAYMENT_RUNNER
from bopis.demo.auditor import HoldCounts
from bopis.demo.clock import instant
from bopis.demo.report import latency_of
from bopis.demo.state import DemoState, KilledWorker
from bopis.demo.world import World

STORE_COLUMNS, STORE_FIGURE = 40, 7  # columns of the terminal for one store, and for one of its figures
WIDE = 130  # from this number of columns on all panels are side by side
PANEL_LINES, HEAD_LINES = 7, 2
HOLDS_TITLE = "Holds on scarce units"
RATE_SECONDS = 1.0


class Board:
    """Draws the state of the demonstration, and rates since the drawing before."""

    def __init__(self, state: DemoState, world: World, console: Console) -> None:
        self._console = console
        self._state = state
        self._world = world
        self._last = (time.monotonic(), 0, 0)
        self._rates = (0.0, 0.0)
        scarce = {store for store, _ in world.scarce}
        # The store that goes offline and those with scarce units are the most interesting.
        ids = [store.id for store in world.stores]
        ranked = sorted(ids, key=lambda it: (it != state.offline_store, it not in scarce, it))
        self._shown = ranked

    def __rich__(self) -> RenderableType:
        state, now = self._state, time.monotonic()
        self._measure(now)
        width, height = self._console.size
        at = instant(state.log_clock.now_ms()).astimezone(UTC)
        head = Table.grid(padding=(0, 2), expand=True)
        for ratio in (None, None, 1):
            head.add_column(ratio=ratio, no_wrap=True)
        head.add_row(
            Text(f"A day at {state.clock.times_real:,.0f} x real time", style="bold"),
            Text(f"log's clock: {at:%a %d %b %H:%M} UTC"),
            ProgressBar(total=1.0, completed=state.clock.share(now)),
        )
        panels = [self._flow(), self._pickups(), _panel(HOLDS_TITLE, *hold_rows(state.holds)), self._trouble()]
        rows = [panels] if width >= WIDE else [panels[:2], panels[2:]]
        # The news are more interesting than the stores, which get the lines that are left.
        left = height - len(rows) * PANEL_LINES - len(state.news) - HEAD_LINES
        return Group(
            head,
            *map(_beside, rows),
            *([self._stores(left - HEAD_LINES, max(1, width // STORE_COLUMNS))] if left > HEAD_LINES + 1 else []),
            self._news(now),
        )

    def _measure(self, now: float) -> None:
        then, messages, lines = self._last
        if now - then >= RATE_SECONDS:
            state = self._state
            self._rates = ((state.messages - messages) / (now - then), (state.lines - lines) / (now - then))
            self._last = (now, state.messages, state.lines)

    def _flow(self) -> Panel:
        recent = latency_of(self._state.recent_latencies)
        return _panel(
            "Log",
            ("messages/s", f"{self._rates[0]:,.0f}"),
            ("till lines/s", f"{self._rates[1]:,.0f}"),
            ("messages", f"{self._state.messages:,}"),
            ("readable p50", f"{recent.p50:,.0f} ms"),
            ("readable p99", f"{recent.p99:,.0f} ms"),
        )

    def _trouble(self) -> Panel:
        state = self._state
        line = "online"
        if state.is_cut_off:
            line = f"OFFLINE, {state.held_back} baskets wait"
        elif state.late:
            line = f"back, {state.late} baskets came late"
        return _panel(
            "Trouble",
            (f"store {state.offline_store}", line),
            *((f"{name} worker", _worker(state.kills.get(name))) for name in (INVENTORY, ORDERS)),
            (PAYMENT_RUNNER, _worker(state.kills.get(PAYMENT_RUNNER))),
            ("not decided yet", f"{max(0, state.messages - state.decided):,} messages"),
        )

    def _pickups(self) -> Panel:
        tally = self._state.tally
        return _panel(
            "Pickup orders",
            ("placed", f"{len(tally.done):,}"),
            ("ready", f"{tally.ready:,}"),
            ("collected", f"{tally.handed_over:,}"),
            ("cancelled", f"{len(tally.cancelled):,}"),
            ("no-shows", f"{len(tally.expired):,}"),
        )

    def _stores(self, lines: int, beside: int) -> Table:
        """As many stores as fit into these lines, some beside each other."""
        grid = Table(box=None, pad_edge=False, padding=(0, 1), expand=True)
        for name in ("store", "on hand", "free", "held") * beside:
            if name == "store":
                grid.add_column(name, no_wrap=True, ratio=1)
            else:
                grid.add_column(name, no_wrap=True, justify="right", min_width=STORE_FIGURE)
        names = {store.id: store.record.city for store in self._world.stores}
        shown = self._shown[: beside * lines]
        rows = -(-len(shown) // beside)
        for row in range(rows):
            cells = [shown[at] if at < len(shown) else "" for at in range(row, beside * rows, rows)]
            grid.add_row(*(cell for store in cells for cell in self._cells(store, names)))
        return grid

    def _cells(self, store: str, names: dict[str, str]) -> tuple[str | Text, ...]:
        found = self._state.stores.get(store)
        if not store or found is None:
            return (names.get(store, ""), "", "", "")
        is_cut = store == self._state.offline_store and self._state.is_cut_off
        name = Text(f"{store} {names[store]}", style="red" if is_cut else "")
        return name, f"{found.on_hand:,}", f"{found.free:,}", f"{found.held:,}"

    def _news(self, now: float) -> RenderableType:
        return Group(*(_line(f"{now - at:4.0f} s ago  {text}") for at, text in self._state.news))


def hold_rows(holds: HoldCounts) -> tuple[tuple[str, str], ...]:
    """The rows of the panel of holds: label and value."""
    released, expired = holds.ended.get("released", 0), holds.ended.get("expired", 0)
    return (
        ("asked", f"{holds.asked:,}"),
        ("granted", f"{holds.granted:,}, {holds.active:,} held now"),
        ("refused", f"{sum(holds.refused.values()):,}"),
        ("collected", f"{holds.ended.get('collected', 0):,}"),
        ("released, expired", f"{released:,}, {expired:,}"),
    )


def _beside(panels: list[Panel]) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    for _ in panels:
        grid.add_column(ratio=1)
    grid.add_row(*panels)
    return grid


def _line(text: str) -> Text:
    return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def _worker(killed: KilledWorker | None) -> str:
    if killed is None:
        return "running"
    if not killed.ready_ms:
        return f"KILLED (was {killed.pid})"
    return f"back after {duration(killed.ready_ms - killed.killed_ms)}"


def _panel(title: str, *rows: tuple[str, str]) -> Panel:
    grid = Table.grid(padding=(0, 1))
    for label, value in rows:
        grid.add_row(Text(label, style="dim"), Text(value))
    return Panel(grid, title=title, title_align="left")
