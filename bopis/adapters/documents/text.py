"""Papers for a receipt printer: plain text of 42 columns, the width of 80 mm paper."""

import textwrap
import unicodedata
from collections.abc import Iterator

from bopis.domain.papers import Paper, PaperKind, PaperLine
from bopis.domain.quantities import EACH
from bopis.wire.characters import printable

COLUMNS = 42
UNITS_WIDTH = 8
BOX = "[ ] "


def as_text(paper: Paper) -> str:
    """The paper as lines of at most 42 columns, each with a line feed."""
    return "\n".join(printable(line.rstrip(), lines=True) for line in _lines(paper)) + "\n"


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
        yield from _line(line, paper.kind is PaperKind.PICK_LIST)
    yield "-" * COLUMNS
    yield from (it.rjust(COLUMNS) for it in _wrapped(paper.totals, COLUMNS))
    if paper.total:
        yield _spread("Total", paper.total)
    if paper.note:
        yield ""
        yield from textwrap.wrap(f"Note: {paper.note}", COLUMNS)
    if paper.signs:
        yield from ("", "", "_" * COLUMNS, "Signature")


def _line(line: PaperLine, box: bool) -> Iterator[str]:
    mark = BOX if box else ""
    units = f"{line.units} x" if line.unit == EACH else line.quantity
    room = COLUMNS - UNITS_WIDTH - len(mark) - 1
    first, *more = _wrapped(line.name or line.sku, room)
    yield f"{mark}{units:<{UNITS_WIDTH}} {first}"
    indent = " " * (len(mark) + UNITS_WIDTH + 1)
    if line.name and line.name != line.sku:
        more += _wrapped(line.sku, room)
    if line.gtin and box:
        more.append(line.gtin)
    if line.part_of:
        more += _wrapped(f"for {line.part_of}", room)
    if line.instead_of:
        more += _wrapped(f"instead of {line.instead_of}", room)
    yield from (indent + text for text in more)
    if line.amount:
        yield line.amount.rjust(COLUMNS)


def _fact(label: str, value: str) -> Iterator[str]:
    if len(label) + len(value) + 1 <= COLUMNS:
        yield _spread(label, value)
        return
    yield label
    yield from (f"  {it}" for it in _wrapped(value, COLUMNS - 2))


def _spread(label: str, value: str) -> str:
    return f"{label}{value.rjust(COLUMNS - len(label))}"


def _centred(text: str) -> str:
    return "\n".join(it.center(COLUMNS).rstrip() for it in _wrapped(text, COLUMNS))


def _wrapped(text: str, room: int) -> list[str]:
    # The printer would execute a control character in a name as a command.
    plain = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return textwrap.wrap(plain, room) or [""]
