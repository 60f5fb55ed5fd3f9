"""A paper for a receipt printer: 42 columns of plain text, as narrow printers set them."""

import textwrap
import unicodedata
from collections.abc import Iterator

from bopis.adapters.documents.papers import EACH, Kind, Paper, PaperLine

COLUMNS = 42
UNITS_WIDTH = 8
BOX = "[ ] "


def as_text(paper: Paper) -> str:
    """The paper as lines of at most 42 columns, with a line feed after each."""
    return "\n".join(it.rstrip() for it in _lines(paper)) + "\n"


def _lines(paper: Paper) -> Iterator[str]:
    yield _centred(paper.title.upper())
    yield _centred(paper.store)
    yield ""
    yield _centred(" ".join(paper.number))
    yield "=" * COLUMNS
    for label, value in paper.facts:
        yield from _fact(label, value)
    yield "-" * COLUMNS
    for line in paper.lines:
        yield from _line(line, paper.kind is Kind.PICK_LIST)
    yield "-" * COLUMNS
    told = f"{_counted(len(paper.lines), 'line')}, {_counted(paper.units, 'unit')}"
    yield told.rjust(COLUMNS)
    if paper.note:
        yield ""
        yield from textwrap.wrap(f"Note: {paper.note}", COLUMNS)
    if paper.signs:
        yield from ("", "", "_" * COLUMNS, "Signature")


def _line(line: PaperLine, box: bool) -> Iterator[str]:
    mark = BOX if box else ""
    units = f"{line.units} {'x' if line.unit == EACH else line.unit}"
    room = COLUMNS - UNITS_WIDTH - len(mark) - 1
    first, *more = _wrapped(line.name or line.sku, room)
    yield f"{mark}{units:<{UNITS_WIDTH}} {first}"
    indent = " " * (len(mark) + UNITS_WIDTH + 1)
    for it in more:
        yield indent + it
    if line.name and line.name != line.sku:
        yield from (indent + it for it in _wrapped(line.sku, room))
    if line.gtin and box:
        yield indent + line.gtin
    if line.part_of:
        yield from (indent + it for it in _wrapped(f"for {line.part_of}", room))
    if line.instead_of:
        yield from (indent + it for it in _wrapped(f"instead of {line.instead_of}", room))


def _fact(label: str, value: str) -> Iterator[str]:
    if len(label) + len(value) + 1 <= COLUMNS:
        yield f"{label}{value.rjust(COLUMNS - len(label))}"
        return
    yield label
    yield from (f"  {it}" for it in _wrapped(value, COLUMNS - 2))


def _centred(text: str) -> str:
    return "\n".join(it.center(COLUMNS).rstrip() for it in _wrapped(text, COLUMNS))


def _wrapped(text: str, room: int) -> list[str]:
    # A control character in a name would reach the printer as a command.
    plain = "".join(" " if unicodedata.category(it)[0] == "C" else it for it in text)
    return textwrap.wrap(plain, room) or [""]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
