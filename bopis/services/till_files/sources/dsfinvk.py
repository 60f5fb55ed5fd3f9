"""Lines of a DSFinV-K export joined with their receipts, as records. Source: DSFinV-K 2.3 (BZSt), GDPdU index.xml.

An export is a folder, or a zip archive, with ``index.xml``, which describes the other files.
"""

import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from bopis.services.sorter import Sorter
from bopis.services.till_files.errors import TillFileRefused
from bopis.services.till_files.facts import Record
from bopis.services.till_files.mapping import DsfinvkLayout, Mapping
from bopis.services.till_files.sources.table import undecoded
from bopis.services.till_files.sources.xml_stream import Node, nodes
from bopis.tables.rows import TableRow, csv_rows, named
from bopis.tables.source import LINE_CHARACTERS_MAX, complete

REMEDY = "Export it again, with all its files."
UNPACKED_BYTES_MAX = 4 * 1024**3
# Names of the elements that state an encoding (GDPdU).
ENCODINGS = {
    "UTF8": "utf-8-sig",
    "UTF7": "utf-7",
    "UTF16": "utf-16",
    "ANSI": "cp1252",
    "OEM": "cp850",
    "Macintosh": "mac-roman",
}
_RECEIPT, _LINE = 0, 1

OnReceipt = Callable[[dict[str, str]], None]


class TableForm(NamedTuple):
    """A table as the index describes it."""

    url: str
    encoding: str
    delimiter: str
    decimal: str
    thousands: str
    first_row: int
    columns: tuple[str, ...]


class Export:
    """The files of an export, in a folder or in a zip archive."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._folder: Path | None = None
        self._archive: zipfile.ZipFile | None = None
        if path.is_dir():
            self._folder = path
        elif zipfile.is_zipfile(path):
            self._archive = zipfile.ZipFile(path)
            if sum(it.file_size for it in self._archive.infolist()) > UNPACKED_BYTES_MAX:
                raise self.refused(f"it unpacks to more than {UNPACKED_BYTES_MAX // 1024**3} GiB")
        else:
            self._folder = path.parent

    def open(self, url: str) -> BinaryIO:
        """One of its files. Raises `TillFileRefused`."""
        # A name from the index may not lead out of the export.
        bare = url.replace("\\", "/").rpartition("/")[2]
        try:
            if self._archive is not None:
                found = next((it for it in self._archive.namelist() if it.rpartition("/")[2] == bare), bare)
                return cast(BinaryIO, self._archive.open(found))
            return (cast(Path, self._folder) / bare).open("rb")
        except (OSError, KeyError, ValueError, RuntimeError, NotImplementedError) as error:
            raise self.refused(f"it has no file {bare} that can be read") from error

    def refused(self, cause: str) -> TillFileRefused:
        """The error of an export that cannot be read."""
        return TillFileRefused(name=self.name, cause=cause, remedy=REMEDY)

    def close(self) -> None:
        """Close the archive."""
        if self._archive is not None:
            self._archive.close()


def table_forms(export: Export, layout: DsfinvkLayout) -> dict[str, TableForm]:
    """The tables of an export by the names of their files. Raises `TillFileRefused`."""
    with export.open(layout.index) as index:
        found = [_form(it) for it in nodes(export.name, index, "Table")]
    return {it.url: it for it in found}


def _form(table: Node) -> TableForm:
    def text(node: Node | None, name: str, otherwise: str) -> str:
        child = node.child(name) if node is not None else None
        return child.text.strip("\r\n") if child is not None and child.text.strip("\r\n") else otherwise

    variable = table.child("VariableLength")
    columns = (
        [it for it in variable.children if it.name in ("VariablePrimaryKey", "VariableColumn")] if variable else []
    )
    encoding = next((ENCODINGS[it.name] for it in table.children if it.name in ENCODINGS), "cp1252")
    first_row = text(table.child("Range"), "From", "1").strip()
    return TableForm(
        text(table, "URL", "").strip(),
        encoding,
        text(variable, "ColumnDelimiter", ";"),
        text(table, "DecimalSymbol", ","),
        text(table, "DigitGroupingSymbol", "."),
        int(first_row) if first_row.isdigit() else 1,
        tuple(text(it, "Name", "").strip() for it in columns),
    )


def records(path: Path, mapping: Mapping, on_receipt: OnReceipt) -> Iterator[Record]:
    """Every line with the columns of its receipt, in order; `on_receipt` is called with each receipt.

    Raises `TillFileRefused`. Lines are joined on disk: memory use does not grow with the export.
    """
    layout = mapping.dsfinvk
    with ExitStack() as opened:
        export = Export(path)
        opened.callback(export.close)
        forms = table_forms(export, layout)
        for name in (layout.transactions, layout.lines):
            if name not in forms:
                raise export.refused(f"its index has no table {name}")
            if lacking := [column for column in layout.on if column not in forms[name].columns]:
                raise export.refused(f"{name} has no column {', '.join(lacking)}")
        joined, ordered = Sorter(), Sorter()
        opened.callback(joined.close)
        opened.callback(ordered.close)
        for row in _rows(export, forms[layout.transactions]):
            if not row.cause:
                on_receipt(row.fields)
                joined.add((_key(row, layout), _RECEIPT, row.line, msgspec.json.encode(row.fields)))
        for row in _rows(export, forms[layout.lines]):
            if row.cause:
                ordered.add(
                    (
                        row.line,
                        msgspec.json.encode([{}, row.cause, "", row.text.encode("utf-8", "backslashreplace").decode()]),
                    )
                )
            else:
                joined.add((_key(row, layout), _LINE, row.line, msgspec.json.encode(row.fields)))
        for _, group in itertools.groupby(joined, key=lambda it: it[0]):
            for number, record in _joined(group, layout):
                ordered.add((number, msgspec.json.encode(record)))
        for number, encoded in ordered:
            fields, cause, why, text = msgspec.json.decode(encoded)
            yield Record(str(number), fields, cause=cause, why=why, text=text, is_row=True)


def _key(row: TableRow, layout: DsfinvkLayout) -> str:
    return msgspec.json.encode([row.fields[column].strip() for column in layout.on]).decode()


def _joined(group: Iterator[tuple[str, int, int, bytes]], layout: DsfinvkLayout) -> Iterator[tuple[int, list[object]]]:
    """The lines of one receipt: with its columns, or with the cause that they cannot be booked."""
    receipt: dict[str, str] | None = None
    is_contradicted = False
    seen: dict[str, dict[str, str]] = {}
    for _, kind, number, encoded in group:
        fields = msgspec.json.decode(encoded, type=dict[str, str])
        if kind == _RECEIPT:
            is_contradicted = is_contradicted or (receipt is not None and receipt != fields)
            receipt = receipt or fields
            continue
        own = fields.get(layout.line, "").strip()
        cause, why = "", ""
        if receipt is None:
            cause = f"no receipt {fields[layout.on[-1]].strip()} in {layout.transactions}"
        elif is_contradicted:
            cause = f"receipt {fields[layout.on[-1]].strip()} is in {layout.transactions} twice, with other content"
        elif own and own in seen:
            why = "repeated-line" if seen[own] == fields else ""
            cause = "" if why else f"line {own} of the receipt is there twice, with other content"
        seen.setdefault(own, fields)
        yield number, [(receipt or {}) | fields, cause, why, " ".join(it for it in fields.values() if it)]


def _rows(export: Export, form: TableForm) -> Iterator[TableRow]:
    """The rows of one table. Raises `TillFileRefused`."""
    with export.open(form.url) as file:
        lines = enumerate(_text_lines(export, file, form), start=1)
        data = itertools.dropwhile(lambda line: line[0] < form.first_row, lines)
        for row in named(form.columns, csv_rows(data, form.delimiter), form.delimiter, len(form.columns)):
            yield row._replace(
                cause=row.cause or undecoded(row.text), fields=row.fields if not undecoded(row.text) else {}
            )


def _text_lines(export: Export, file: BinaryIO, form: TableForm) -> Iterator[str]:
    try:
        with io.TextIOWrapper(file, form.encoding, errors="surrogateescape", newline="") as text:
            while line := text.readline(LINE_CHARACTERS_MAX):
                yield line
                rest = line
                while rest and not complete(rest):
                    rest = text.readline(LINE_CHARACTERS_MAX)
    except (UnicodeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise export.refused(f"{form.url} cannot be read: {error}") from error
