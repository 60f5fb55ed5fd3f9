"""The one reader of till files: a file and a mapping become baskets and rejects, in order.

Memory use is bounded for files of any size: lines that are scattered over a file are gathered on disk. Nothing is given
before the whole file was found sound, except from a journal that is still being written.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bopis.services.till_files.baskets import ReadBasket, assembled, basket_line
from bopis.services.till_files.codes import Spelling
from bopis.services.till_files.errors import TillFileRefused
from bopis.services.till_files.expressions import Fields, Reader, ReadText, text_reader
from bopis.services.till_files.facts import Line, Missing, NotStock, Pending, ReadTo, Record, Rejected, Repeated, Warned
from bopis.services.till_files.gathering import Gathering
from bopis.services.till_files.lines import IsOfItem, LineReader
from bopis.services.till_files.mapping import Kind, Mapping
from bopis.services.till_files.numbers import number_parser
from bopis.services.till_files.sequences import Numbers
from bopis.services.till_files.sources import dsfinvk, ndjson, poslog, slsrpt, table
from bopis.services.till_files.sources.xml_stream import check_whole
from bopis.tables.source import TableFile, encoding_of

UTF_8_SIG = "utf-8-sig"

LineFact = Line | NotStock | Rejected | Warned
TillFact = ReadBasket | NotStock | Rejected | Warned | Repeated | Pending | ReadTo | Missing


class Position(NamedTuple):
    """Where the reading of a journal goes on: the offset of a line's first byte, and the number of that line."""

    offset: int = 0
    line: int = 1


START = Position()


def read_till_file(
    path: Path, mapping: Mapping, start: Position = START, spelling: Spelling | None = None
) -> Iterator[TillFact]:
    """The facts of a file: every row is in a basket, or is no stock, repeated or rejected.

    `start` is for journals of kind ndjson; `spelling` gives the catalogue's spelling of a GTIN. Raises
    `TillFileRefused` or the errors of `bopis.tables.errors` for a file that is refused as a whole.
    """
    reading = _Reading(path, mapping, start, spelling)
    with closing(reading):
        if mapping.kind is Kind.POSLOG or (mapping.kind is Kind.NDJSON and mapping.ndjson.lines):
            yield from reading.whole()
        else:
            yield from reading.gathered()
        yield from reading.missing()


def read_lines(path: Path, mapping: Mapping, spelling: Spelling | None = None) -> Iterator[LineFact]:
    """Every line of a file, before lines become baskets. Raises as `read_till_file`."""
    reading = _Reading(path, mapping, START, spelling)
    with closing(reading):
        for _, facts in reading.facts():
            yield from facts


class _Reading:
    """One reading of one file."""

    def __init__(self, path: Path, mapping: Mapping, start: Position, spelling: Spelling | None) -> None:
        self._path, self._mapping, self._start = path, mapping, start
        self._lines = LineReader(mapping, _is_of_item(mapping), spelling)
        self._devices, self._till = Numbers(of_till=False), Numbers(of_till=True)
        self._till_number = _till_number(mapping)
        self._ends: list[Pending | ReadTo] = []
        self._file = TableFile(str(path), _encoding(path, mapping))

    def close(self) -> None:
        self._file.close()

    def gathered(self) -> Iterator[TillFact]:
        """Facts of a file whose baskets may be scattered over it."""
        with Gathering() as gathering:
            for _, facts in self.facts():
                for fact in facts:
                    if not isinstance(fact, Warned):
                        gathering.add(fact)
                    if not isinstance(fact, Line):
                        yield fact
            yield from gathering.baskets()
        yield from self._ends

    def whole(self) -> Iterator[TillFact]:
        """Facts of a file in which each record is one basket."""
        for record, facts in self.facts():
            lines, rejected, head = [], 0, None
            for fact in facts:
                if isinstance(fact, Line):
                    lines.append(fact)
                else:
                    yield fact
                    rejected += isinstance(fact, Rejected)
                head = head or (None if isinstance(fact, Warned) else fact.head)
            if head is not None and not _is_rejected(record, facts):
                of_basket = map(basket_line, lines)
                yield assembled(head, of_basket, first_line=record.line, rejected=rejected, end=record.end)
        yield from self._ends

    def missing(self) -> Iterator[Missing]:
        """Missing numbers: of messages, and of the till's own."""
        yield from self._devices.missing()
        yield from self._till.missing()

    def facts(self) -> Iterator[tuple[Record, list[LineFact]]]:
        """Every record with its facts."""
        for record in self._records():
            facts = list(self._lines.read(record))
            if self._mapping.kind is not Kind.DSFINVK:
                self._count_till(record.fields)
            if not _is_rejected(record, facts) and (number := self._lines.number_of(record.fields)):
                self._devices.add(*number)
            yield record, facts

    def _records(self) -> Iterator[Record]:
        mapping, path = self._mapping, self._path
        match mapping.kind:
            case Kind.CSV | Kind.XLSX:
                yield from table.records(self._file, mapping)
            case Kind.NDJSON:
                yield from self._journal()
            case Kind.POSLOG:
                encoding = mapping.layout.encoding
                with _opened(path) as file:
                    check_whole(path.name, file, encoding)
                with _opened(path) as file:
                    yield from poslog.records(path.name, file, mapping)
            case Kind.DSFINVK:
                yield from dsfinvk.records(path, mapping, self._count_till)
            case Kind.SLSRPT:
                with _opened(path) as file:
                    for _ in slsrpt.records(path.name, file, mapping.slsrpt, mapping.layout.encoding):
                        pass  # the first reading finds out whether the file is whole
                with _opened(path) as file:
                    yield from slsrpt.records(path.name, file, mapping.slsrpt, mapping.layout.encoding)

    def _journal(self) -> Iterator[Record]:
        layout = self._mapping.ndjson
        with _opened(self._path) as file:
            file.seek(self._start.offset)
            self._read_to = ReadTo(*self._start)
            for line in ndjson.raw_lines(file, *self._start):
                if layout.tail and not line.is_complete:
                    self._ends.append(Pending(str(line.number)))
                    break
                self._read_to = ReadTo(line.end, line.number + 1)
                record = ndjson.record_of(line, layout)
                if record is not None:
                    yield record
            if layout.tail:
                self._ends.append(self._read_to)

    def _count_till(self, fields: Fields) -> None:
        if self._till_number is None:
            return
        device, number = (read(fields) for read in self._till_number)
        if number.isascii() and number.isdigit() and len(number) <= 15:
            self._till.add(device, int(number))


def _is_rejected(record: Record, facts: list[LineFact]) -> bool:
    """Whether the whole record was rejected, not only some of its lines."""
    return any(isinstance(fact, Rejected) and fact.line == record.line for fact in facts)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        cause = f"it cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise TillFileRefused(name=path.name, cause=cause, remedy="Check the path and the rights.") from error


def _encoding(path: Path, mapping: Mapping) -> str | None:
    """The stated encoding, or none where a byte order mark has another one."""
    stated = mapping.layout.encoding
    if not stated or mapping.kind not in (Kind.CSV, Kind.XLSX):
        return stated or None
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except (OSError, ValueError):
        return stated
    is_marked = head.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) and encoding_of(head) != stated
    return None if is_marked else stated


def _is_of_item(mapping: Mapping) -> IsOfItem | None:
    match mapping.kind:
        case Kind.POSLOG:
            return poslog.is_of_line
        case Kind.NDJSON if mapping.ndjson.lines:
            return lambda name: name.startswith(f"{mapping.ndjson.lines}.")
        case _ if mapping.items is not None:
            made = re.compile(mapping.items.pattern).groupindex
            return lambda name: name in made
        case _:
            return None


def _till_number(mapping: Mapping) -> tuple[ReadText, ReadText] | None:
    stated = mapping.till_sequence
    if stated is None:
        return None
    reader = Reader({}, number_parser(mapping.numbers))
    return text_reader(stated.device, reader), text_reader(stated.number, reader)
