"""Till lines as baskets, and baskets as messages. Pure: equal lines give equal bytes in every run."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from bopis.domain.inventory.messages import PosSale, SaleLine
from bopis.domain.message import Message
from bopis.domain.values import LINES_MAX
from bopis.services.till_files.times import EPOCH
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.stock import STOCK

SOURCE_DIGEST_LENGTH = 16
PART_BYTES_MAX = MESSAGE_BYTES_MAX // 2  # the sizes below are estimates
_LINE_BYTES = 64  # an upper bound of a line in JSON without its SKU
_CHARACTER_BYTES_MAX = 6  # a character that JSON must escape, as \u001f


class LineContent(NamedTuple):
    """A line without its place in the file: two equal ones may be a repeat."""

    at_ms: int
    sku: str
    quantity: int
    amount_cents: int


class StagedLine(NamedTuple):
    """A line of one basket. `run` numbers the unbroken stretches of one basket among the lines of its store."""

    number: int
    run: int
    at_ms: int
    sku: str
    quantity: int
    amount_cents: int

    @property
    def content(self) -> LineContent:
        return LineContent(*self[2:])


class TillBasket(Struct, frozen=True, kw_only=True, gc=False):
    """A basket, or a part of one that is too large for one message; `part` counts from 1 within its number.

    `lines` are (SKU, quantity, amount in cents). The fields are part of the digest that `fingerprint` stores: renaming
    one makes every earlier replay look like another reading.
    """

    store: str
    number: str
    part: int
    first_line: int
    at_ms: int
    lines: tuple[tuple[str, int, int], ...]


def without_repeats(lines: Iterable[StagedLine]) -> tuple[list[StagedLine], int]:
    """The lines of one basket without repeats of the whole basket, and the number of repeats.

    The basket's unbroken stretches are read in order. If the next stretches together equal all lines kept so far, they
    are a repeat; otherwise the next stretch is kept. So equal lines within a stretch count each, and scattered lines
    of a basket come together.
    """
    stretches = [list(stretch) for _, stretch in groupby(lines, key=attrgetter("run"))]
    kept = stretches[0]
    if len(stretches) == 1:
        return kept, 0
    contents = Counter(line.content for line in kept)
    repeats, at = 0, 1
    while at < len(stretches):
        length = _repeat_length(stretches, at, contents)
        if length:
            repeats += 1
        else:
            kept += stretches[at]
            contents.update(line.content for line in stretches[at])
        at += length or 1
    return kept, repeats


def parts_of(store: str, number: str, lines: list[StagedLine], first_part: int) -> Iterator[TillBasket]:
    """A basket in as many parts as the limits of a message require. It was sold at the time of its last line."""
    at_ms = max(line.at_ms for line in lines)
    part, size = first_part, 0
    batch: list[StagedLine] = []
    for line in lines:
        line_bytes = _LINE_BYTES + _CHARACTER_BYTES_MAX * len(line.sku)
        if batch and (len(batch) == LINES_MAX or size + line_bytes > PART_BYTES_MAX):
            yield _part(store, number, part, at_ms, batch)
            part, size, batch = part + 1, 0, []
        batch.append(line)
        size += line_bytes
    yield _part(store, number, part, at_ms, batch)


def source_of(digest: str, store: str) -> str:
    """The source of a store's messages: derived from the file's content, so that every run has the same."""
    return f"{source_prefix(digest)}{store}"


def source_prefix(digest: str) -> str:
    """The common prefix of the sources of one file."""
    return f"replay/{digest[:SOURCE_DIGEST_LENGTH]}/"


def as_message(basket: TillBasket, digest: str, sequence: int) -> bytes:
    """The message that a till would send for a basket. Part 2 of basket 17 has the id ``17~2``."""
    return STOCK.encode(
        Message(
            id=basket.number if basket.part == 1 else f"{basket.number}~{basket.part}",
            source=source_of(digest, basket.store),
            time=EPOCH + timedelta(milliseconds=basket.at_ms),
            subject=basket.store,
            seq=sequence,
            data=PosSale(basket=basket.number, lines=tuple(SaleLine(*line) for line in basket.lines)),
        )
    )


def _repeat_length(stretches: list[list[StagedLine]], at: int, contents: Counter[LineContent]) -> int:
    """The number of stretches from `at` on that together have exactly these contents; 0 if none have."""
    left = contents.total()
    found: Counter[LineContent] = Counter()
    for length, stretch in enumerate(stretches[at:], start=1):
        left -= len(stretch)
        found.update(line.content for line in stretch)
        if left < 0 or any(found[line.content] > contents[line.content] for line in stretch):
            return 0
        if left == 0:
            return length
    return 0


def _part(store: str, number: str, part: int, at_ms: int, lines: list[StagedLine]) -> TillBasket:
    return TillBasket(
        store=store,
        number=number,
        part=part,
        first_line=lines[0].number,
        at_ms=at_ms,
        lines=tuple((line.sku, line.quantity, line.amount_cents) for line in lines),
    )
