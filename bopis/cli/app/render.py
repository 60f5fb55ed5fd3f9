"""Tables, instants, durations and sizes as people read them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.filesize import pick_unit_and_suffix
from rich.table import Table
from rich.text import Text

from bopis.wire.characters import printable

NUMBERS = frozenset(
    "ATP held hand withheld doubt staged offset to partitions members lag restarts change after km safety "  # noqa: SIM905
    "reserve units lines attempts records staleness waiting announced way received short quarantined damaged".split()
)
SECOND_MS = 1000
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
GAP = 2  # columns between two cells
WHOLE_MAX = 16  # shorter cells stay in one line; longer words, such as ids, may be broken
SIZES = ["B", "KiB", "MiB", "GiB"]


class WordTable(Table):
    """A plain table that breaks cells between words where the terminal is narrow, and within a word only where it must:
    Rich takes space from the widest column first, so it would break short words of others by letters."""

    def add_row(self, *cells: Any, **style: Any) -> None:
        """Add a row. Text from outside may be passed as it is: brackets in it are no markup."""
        super().add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in cells), **style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = [[column.header, *column.cells] for column in self.columns]
        texts = [[str(cell) for cell in column] for column in cells]
        full = [max(map(cell_len, column)) for column in texts]
        words = [max(cell_len(word) for text in column for word in text.split() or [""]) for column in texts]
        least = [wide if wide <= WHOLE_MAX else min(word, WHOLE_MAX) for wide, word in zip(full, words, strict=True)]
        room = options.max_width - GAP * (len(full) - 1)
        for column, width in zip(self.columns, widths(full, least, room), strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)


def widths(full: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths of columns in `room` characters: `full` if they fit, else at least `least`, the rest shared by need."""
    if sum(full) <= room:
        return list(full)
    spare, needs = max(0, room - sum(least)), [wide - narrow for wide, narrow in zip(full, least, strict=True)]
    found = [narrow + spare * need // sum(needs) for narrow, need in zip(least, needs, strict=True)]
    while sum(found) > room and max(found) > 1:
        found[found.index(max(found))] -= 1
    return found


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table; a column is aligned right when the last word of its name is a number's name."""
    grid = WordTable(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for name in columns:
        grid.add_column(name, justify="right" if name.split()[-1] in NUMBERS else "left", overflow="fold")
    return grid


def instant(at_ms: int | None, zone: tzinfo = UTC) -> str:
    """An instant to the second, in UTC with a Z or in a named zone."""
    if at_ms is None or at_ms <= 0:
        return "-"
    at = datetime.fromtimestamp(at_ms / SECOND_MS, zone)
    return at.strftime("%Y-%m-%d %H:%M:%SZ") if zone is UTC else at.strftime("%Y-%m-%d %H:%M:%S %Z")


def iso(at_ms: int | None) -> str | None:
    """An instant as RFC 3339 in UTC, for JSON documents."""
    if at_ms is None or at_ms <= 0:
        return None
    return datetime.fromtimestamp(at_ms / SECOND_MS, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(ms: float | None) -> str:
    """A duration in its two greatest units: ``2 d 3 h``, ``1 min 5 s``, ``900 ms``.

    humanize.precisedelta has no abbreviations, which tables need.
    """
    if ms is None:
        return "-"
    if ms < SECOND_MS:
        return f"{max(0, int(ms))} ms"
    seconds = int(ms / SECOND_MS)
    parts = []
    for unit_seconds, name in UNITS:
        count, seconds = divmod(seconds, unit_seconds)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def size(count: int) -> str:
    """A number of bytes: ``2.0 KiB``."""
    unit, suffix = pick_unit_and_suffix(count, SIZES, 1024)
    return f"{count} {suffix}" if unit == 1 else f"{count / unit:.1f} {suffix}"


def signed(change: int) -> str:
    """A change with its sign."""
    return f"{change:+d}" if change else "0"


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number and its noun: ``1 order``, ``2 orders``, ``1,000 copies``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def plain(text: Any) -> Text:
    """Text without markup: brackets in it are brackets. It stays in one line, and terminals obey nothing in it."""
    return Text(printable(str(text)))


def print_lines(out: Console, lines: Iterable[str]) -> None:
    """Print texts as they are, one a line."""
    for line in lines:
        print_line(out, line)


def print_line(out: Console, text: str) -> None:
    """Print text as it is; the terminal breaks long lines, so that a pipe gets them whole."""
    out.print(printable(text, lines=True), markup=False, soft_wrap=True)
