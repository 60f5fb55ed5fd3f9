"""Files of tills in their own formats, read by a mapping. Loaded only where a source has one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bopis.journal.entries import Basket, Found, Reject
from bopis.journal.errors import FileRefused
from bopis.services.till_files.baskets import ReadBasket
from bopis.services.till_files.errors import TillFileError
from bopis.services.till_files.facts import Missing, ReadTo, Rejected, Warned
from bopis.services.till_files.mapping import Kind, Mapping
from bopis.services.till_files.of_store import mapping_of_folder, mapping_of_growing_file
from bopis.services.till_files.reader import Position, TillFact, read_till_file
from bopis.tables.errors import TableError
from store_agent.sources.growing_file import Part

RECORDS_PER_PART = 500
MISSING_SHOWN_MAX = 10
COUNTED_BYTES = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OnWarnings = Callable[[list[str]], None]


class MappedFiles:
    """Reads complete files of a store; implements `bopis.journal.entries.Reader`.

    `index` is the file that names the others of an export, if there are several. `on_warnings` gets what a person
    should look at after each file. Raises `MappingInvalid` or `MappingUnknown`.
    """

    def __init__(self, mapping: str, store: str, on_warnings: OnWarnings) -> None:
        stated = mapping_of_folder(mapping, store)
        # The file is complete, so its last line counts without a line end, too.
        self._mapping = _with_tail(stated, is_growing=False)
        self._store, self._on_warnings = store, on_warnings
        self.index = stated.dsfinvk.index if stated.kind is Kind.DSFINVK else ""

    def __call__(self, path: Path, name: str) -> Iterator[Found]:
        warnings: list[str] = []
        try:
            for fact in read_till_file(path, self._mapping):
                warnings += warnings_of(fact, name)
                yield from records_of(fact, name, self._mapping, self._store)
        except (TillFileError, TableError) as error:
            raise _problem_of(error, path) from error
        if warnings:
            self._on_warnings(warnings)


class MappedLines:
    """Reads a growing journal of a store; implements `store_agent.sources.growing_file.LineReader`.

    Raises `MappingInvalid` or `MappingUnknown`.
    """

    def __init__(self, mapping: str, store: str, on_warnings: OnWarnings) -> None:
        self._mapping = _with_tail(mapping_of_growing_file(mapping, store), is_growing=True)
        self._store, self._on_warnings = store, on_warnings
        # The number of the line at an offset, for the places of records.
        self._at = Position()

    def __call__(self, path: Path, offset: int) -> Iterator[Part]:
        if self._at.offset != offset:
            self._at = Position(offset, 1 + _lines_before(path, offset))
        found: list[Found] = []
        warnings: list[str] = []
        end = offset
        for fact in self._facts(path):
            warnings += warnings_of(fact, path.name)
            found += records_of(fact, path.name, self._mapping, self._store)
            if isinstance(fact, ReadTo):
                self._at = Position(*fact)
                end = fact.offset
            elif isinstance(fact, ReadBasket):  # every record up to its end was read
                end = fact.end
            if len(found) >= RECORDS_PER_PART:
                yield Part(found, end)
                found = []
        if found or end > offset:
            yield Part(found, end)
        if warnings:
            self._on_warnings(warnings)

    def _facts(self, path: Path) -> Iterator[TillFact]:
        try:
            yield from read_till_file(path, self._mapping, self._at)
        except TillFileError as error:
            raise OSError(str(error)) from error


def records_of(fact: TillFact, name: str, mapping: Mapping, store: str) -> Iterator[Found]:
    """The record of a fact, if it has one: rows that are no stock, or that repeat others, have none."""
    match fact:
        case ReadBasket() if fact.store == store:
            yield Basket(
                key=fact.key,
                fingerprint=fact.fingerprint,
                bodies=fact.bodies,
                time=_EPOCH + timedelta(milliseconds=fact.at_ms),
                place=f"{name}:{fact.first_line}",
                number=fact.basket,
            )
        case ReadBasket() if fact.lines and mapping.other_stores == "refuse":
            cause = (
                f"the basket is of store {fact.store}, and this agent is store {store}'s; if that is as it should be, "
                'state other_stores = "pass_over" in the mapping'
            )
            content = msgspec.json.encode(fact.lines)
            yield Reject(place=f"{name}:{fact.first_line}", cause=cause, content=content, key=fact.key)
        case Rejected() if not _is_passed_over(fact, mapping, store):
            content = fact.text.encode(errors="backslashreplace")
            key = fact.head.key if fact.head else ""
            yield Reject(place=f"{name}:{fact.line}", cause=fact.cause, content=content, key=key)


def warnings_of(fact: TillFact, name: str) -> Iterator[str]:
    """A sentence about a fact that is booked, or lost at the till, and needs a person."""
    match fact:
        case Warned():
            yield f"{name}:{fact.line}: {fact.why}"
        case Missing():
            shown = ", ".join(map(str, fact.numbers[:MISSING_SHOWN_MAX]))
            more = len(fact.numbers) - MISSING_SHOWN_MAX
            shown += f" and {more:,} more" if more > 0 else ""
            yield f"{name}: {fact.device or 'the till'} has no number {shown}"


def _is_passed_over(fact: Rejected, mapping: Mapping, store: str) -> bool:
    return mapping.other_stores == "pass_over" and fact.head is not None and fact.head.store != store


def _with_tail(mapping: Mapping, *, is_growing: bool) -> Mapping:
    return msgspec.structs.replace(mapping, ndjson=msgspec.structs.replace(mapping.ndjson, tail=is_growing))


def _lines_before(path: Path, offset: int) -> int:
    """Line ends before an offset."""
    count = 0
    with path.open("rb") as file:
        while offset > 0 and (block := file.read(min(COUNTED_BYTES, offset))):
            count += block.count(b"\n")
            offset -= len(block)
    return count


def _problem_of(error: TillFileError | TableError, path: Path) -> Exception:
    """A disk or share that fails may serve the file later; anything else about a file stays as it is."""
    cause = error.__cause__
    if isinstance(cause, OSError) and not (isinstance(cause, FileNotFoundError) and path.exists()):
        return cause
    # A name that is not UTF-8 cannot be stored as it is.
    return FileRefused(str(error).encode(errors="replace").decode())
