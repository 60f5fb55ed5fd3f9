"""Till lines as baskets, and baskets as messages. Pure: the same lines give the same bytes, run after run."""

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
from bopis.services.replay.times import EPOCH
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.stock import STOCK

SOURCE_DIGEST_LENGTH = 16
PART_BYTES_MAX = MESSAGE_BYTES_MAX // 2
_LINE_BYTES = 64  # what JSON adds to a line's SKU, and its numbers
_CHARACTER_BYTES_MAX = 6  # a character that JSON must escape

Said = tuple[int, str, int, int]  # time, SKU, quantity, amount


class StagedLine(NamedTuple):
    """A line of one basket. ``run`` numbers the unbroken stretches of one basket in its store."""

    number: int
    run: int
    at_ms: int
    sku: str
    quantity: int
    amount_cents: int

    @property
    def said(self) -> Said:
        """What the line says, wherever it stands."""
        return self[2:]


class Basket(Struct, frozen=True, kw_only=True, gc=False):
    """A basket, or a part of one that is too large for one message; ``part`` counts from 1 within its number."""

    store: str
    number: str
    part: int
    first_line: int
    at_ms: int
    lines: tuple[tuple[str, int, int], ...]


def without_repeats(lines: Iterable[StagedLine]) -> tuple[list[StagedLine], int]:
    """The lines of one basket with each repeat of the whole basket left out, and how many there were.

    The basket's unbroken stretches are taken in their order: if the next ones together say exactly what all
    lines kept so far say, they are a repeat; if not, the next one is kept, for it says more of the basket.
    So equal lines within a stretch are as many lines, and scattered lines come together.
    """
    stretches = [list(stretch) for _, stretch in groupby(lines, key=attrgetter("run"))]
    kept = stretches[0]
    if len(stretches) == 1:
        return kept, 0
    said = Counter(line.said for line in kept)
    repeats, at = 0, 1
    while at < len(stretches):
        length = _repeated(stretches, at, said)
        if length:
            repeats += 1
        else:
            kept += stretches[at]
            said.update(line.said for line in stretches[at])
        at += length or 1
    return kept, repeats


def parts_of(store: str, number: str, lines: list[StagedLine], first_part: int) -> Iterator[Basket]:
    """A basket in as many parts as the limits of a message ask for; it was sold at the time of its last line."""
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
    """The device that a store's tills are for the inventory: named after the file's content, not after the run."""
    return f"{source_prefix(digest)}{store}"


def source_prefix(digest: str) -> str:
    """What the sources of all stores of one file begin with."""
    return f"replay/{digest[:SOURCE_DIGEST_LENGTH]}/"


def as_message(basket: Basket, digest: str, sequence: int) -> bytes:
    """The message a till would send for a basket; part 2 of basket 17 is called ``17~2``."""
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


def _repeated(stretches: list[list[StagedLine]], at: int, said: Counter[Said]) -> int:
    """How many stretches from here on together say exactly this; 0 if none do."""
    left = said.total()
    again: Counter[Said] = Counter()
    for length, stretch in enumerate(stretches[at:], start=1):
        left -= len(stretch)
        again.update(line.said for line in stretch)
        if left < 0 or any(again[line.said] > said[line.said] for line in stretch):
            return 0
        if left == 0:
            return length
    return 0


def _part(store: str, number: str, part: int, at_ms: int, lines: list[StagedLine]) -> Basket:
    return Basket(
        store=store,
        number=number,
        part=part,
        first_line=lines[0].number,
        at_ms=at_ms,
        lines=tuple((line.sku, line.quantity, line.amount_cents) for line in lines),
    )
