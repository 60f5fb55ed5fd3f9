"""How answers look to people: plain tables, instants, durations."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

NUMBERS = frozenset(
    "ATP held hand withheld doubt staged offset to partitions members lag restarts change after km safety "  # noqa: SIM905
    "reserve units staleness waiting announced way received short quarantined damaged".split()
)
SECOND_MS = 1000
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table; a column is set to the right when the last word of its name counts something."""
    grid = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for name in columns:
        numeric = name.split()[-1] in NUMBERS
        is_whole = numeric or name == columns[0]
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=is_whole)
    return grid


def instant(at_ms: int | None, zone: tzinfo = UTC) -> str:
    """An instant to the second, in UTC with a Z or in a named zone."""
    if at_ms is None or at_ms <= 0:
        return "-"
    at = datetime.fromtimestamp(at_ms / SECOND_MS, zone)
    return at.strftime("%Y-%m-%d %H:%M:%SZ") if zone is UTC else at.strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(at_ms: int | None) -> str | None:
    """An instant as RFC 3339 in UTC, for documents."""
    if at_ms is None or at_ms <= 0:
        return None
    return datetime.fromtimestamp(at_ms / SECOND_MS, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(ms: float | None) -> str:
    """A duration in its two greatest units."""
    if ms is None:
        return "-"
    if ms < SECOND_MS:
        return f"{max(0, int(ms))} ms"
    seconds = int(ms / SECOND_MS)
    parts = []
    for size, name in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def signed(change: int) -> str:
    """A change with its sign."""
    return f"{change:+d}" if change else "0"


def size(count: int) -> str:
    """A number of bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


def plain(text: Any) -> Text:
    """Text as it is: what stands in brackets in it is not markup."""
    return Text(str(text))
