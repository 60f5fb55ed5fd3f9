"""A first mapping for a file, with its doubts: facts of the file are written, the rest is asked, never guessed."""

import itertools
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from bopis.services.replay.columns import ALIASES
from bopis.services.till_files.checks import REQUIRED
from bopis.services.till_files.defaults import DEFAULTS
from bopis.services.till_files.expressions import names_in
from bopis.services.till_files.mapping import Kind
from bopis.services.till_files.mapping_file import parse_mapping, shipped_names, shipped_text
from bopis.services.till_files.sources.table import header_of
from bopis.tables.header import folded
from bopis.tables.kinds import check_kind
from bopis.tables.numbers import COMMA, POINT, decimal_of
from bopis.tables.rows import csv_rows, delimiter_of
from bopis.tables.source import UTF_8, TableFile
from bopis.tables.workbook import workbook_rows

ROWS_MAX = 1_000
WORDS_MAX = 15
HEAD_BYTES = 4_096
# Words of namespaces that tell the dialects of POSLog apart.
DIALECTS = {
    "retalix": "poslog-r10",
    "ncr.com": "poslog-ncr-acs",
    "wincor": "poslog-wincor",
    "dtv": "poslog-xstore",
    "v6.0.0/poslog": "poslog-decathlon",
}
FORMS = (
    "iso",
    *(
        f"{day}{gap}{hour}"
        for day in (
            "%d/%m/%Y",
            "%m/%d/%Y",
            "%d.%m.%Y",
            "%d-%m-%Y",
            "%m/%d/%y",
            "%d/%m/%y",
            "%d.%m.%y",
            "%Y/%m/%d",
            "%d-%b-%Y",
        )
        for gap in (" ", ", ")
        for hour in ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
    ),
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %I:%M %p",
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y%m%d"),
)
OUT_WORDS = ("sale", "payment", "verkauf", "vente", "venta", "vendita", "sold", "purchase")
IN_WORDS = ("refund", "return", "rückerstattung", "rückgabe", "retour", "remboursement", "devolución", "reso")
DECIDING = ("type", "typ", "status", "event", "void", "operation", "kind", "storno", "statut", "etat")


class Proposal(NamedTuple):
    """A mapping as TOML, and the decisions that a person has to make before it can be used."""

    text: str
    doubts: tuple[str, ...]


class _Sample(NamedTuple):
    """The beginning of a table."""

    header: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    encoding_doubt: str
    kind: Kind


def propose(path: Path) -> Proposal:
    """A mapping for a file. Raises the errors of `bopis.tables.errors`."""
    dialect = _dialect(path)
    if dialect:
        return _extending(dialect)
    sample = _sample(path)
    if sample.header:
        for name in shipped_names():
            if _fits(name, sample.header):
                return _extending(name)
    return _from_table(path.name, sample)


def _dialect(path: Path) -> str:
    """The shipped mapping of a file that is no table; empty for tables."""
    if path.is_dir() or (zipfile.is_zipfile(path) and "index.xml" in _names_in_archive(path)):
        return "dsfinvk"
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return ""
    text = head.decode("latin-1").lower()
    if "<poslog" in text or ":poslog" in text:
        return next((name for word, name in DIALECTS.items() if word in text), "poslog-xstore")
    if text.lstrip("\ufeff\xef\xbb\xbf \r\n").startswith(("una", "unb")):
        return "slsrpt-d96a"
    return ""


def _names_in_archive(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return {name.rpartition("/")[2] for name in archive.namelist()}


def _fits(name: str, header: Sequence[str]) -> bool:
    """Whether a file has every column of a shipped mapping."""
    mapping = parse_mapping(shipped_text(name), name)
    if mapping.kind is not Kind.CSV:
        return False
    present = set(header)
    found = [names_in(expression) for expression in mapping.columns.values()]
    needed = {column for it in found for column in it.needed}
    return needed <= present and all(present & set(group) for it in found for group in it.alternatives)


def _extending(name: str) -> Proposal:
    mapping = parse_mapping(shipped_text(name), name)
    doubts = [*mapping.doubts]
    lines = [f"extends = {_quoted(name)}", f"name = {_quoted(mapping.name)}"]
    columns = DEFAULTS.get(mapping.kind, {}) | mapping.columns
    if mapping.store:
        lines.append('store = "STORE"  # the id of your store')
        doubts.insert(0, "Write the id of your store at store.")
    if not mapping.time.zone and "zone" not in mapping.columns and mapping.time.formats != ("%Y-%m-%d %H:%M:%S %z",):
        lines += ["", "[time]", 'zone = "UTC"  # the zone of the till, for example Europe/Berlin']
        doubts.insert(0, "The file does not name its time zone: write it at time.zone.")
    if "store" in columns and not mapping.store:
        lines += ["", "[stores]", '# "Name in the file" = "id of your store"']
        doubts.insert(0, "Without [stores], the names of shops in the file are taken as ids of stores.")
    return Proposal("\n".join(lines) + "\n", tuple(doubts))


def _sample(path: Path) -> _Sample:
    file = TableFile(str(path))
    try:
        if check_kind(file):
            rows = list(itertools.islice(workbook_rows(file), ROWS_MAX))
            header = header_of([rows[0].values])
            return _Sample(header, _fields(header, [it.values for it in rows[1:]]), "", Kind.XLSX)
        first = next((line for line in file.lines() if line.strip()), "")
        if first.lstrip("\ufeff").lstrip().startswith("{"):
            return _Sample((), (), "", Kind.NDJSON)
        doubt = ""
        if file.encoding == UTF_8 and file.settle_encoding():
            doubt = "The bytes are not UTF-8: write the encoding at layout.encoding, such as windows-1252."
        lines = enumerate(itertools.islice(file.lines(), ROWS_MAX), start=1)
        text = [(number, line.lstrip("\ufeff")) for number, line in lines]
        head = max((line for _, line in text[:40]), key=_names_known, default="")
        delimiter = delimiter_of(head)
        begin = next(place for place, (_, line) in enumerate(text) if line == head)
        rows = list(csv_rows(iter(text[begin:]), delimiter))
        header = header_of([rows[0].values])
        return _Sample(header, _fields(header, [it.values for it in rows[1:] if not it.cause]), doubt, Kind.CSV)
    finally:
        file.close()


def _names_known(line: str) -> int:
    cells = {folded(cell) for cell in line.replace('"', "").replace("\t", ",").replace(";", ",").split(",")}
    return sum(folded(alias) in cells for aliases in ALIASES.values() for alias in aliases)


def _fields(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(header, (value.strip() for value in row), strict=False)) for row in rows]


def _from_table(name: str, sample: _Sample) -> Proposal:
    doubts = [sample.encoding_doubt] if sample.encoding_doubt else []
    lines = [f"name = {_quoted(name)}", f"kind = {_quoted(sample.kind)}"]
    if sample.kind is Kind.NDJSON:
        doubts.append("Name the fields of the objects at columns, and their list of lines at ndjson.lines.")
        return Proposal("\n".join([*lines, *_empty_columns(), "", "[ndjson]", 'lines = ""']) + "\n", tuple(doubts))
    columns = _columns(sample, doubts)
    if "store" not in columns:
        lines.append('store = "STORE"  # the id of your store')
        doubts.append("No column names the shop: write the id of the store at store.")
    if sample.encoding_doubt:
        lines += ["", "[layout]", 'encoding = ""  # not UTF-8']
    lines += ["", "[columns]"]
    for field in ("store", *REQUIRED):
        if field in columns:
            lines.append(f"{field} = {_expression(columns[field])}")
        elif field != "store":
            lines.append(f'{field} = ""  # one of: {", ".join(sample.header)}')
            doubts.append(f"No column was found for the {field}: write its name at columns.{field}.")
    lines += ["", *_time(sample, columns, doubts), "", *_numbers(sample, columns, doubts)]
    lines += _words(sample, doubts)
    return Proposal("\n".join(lines) + "\n", tuple(doubts))


def _empty_columns() -> list[str]:
    return ["", "[columns]", *(f'{field} = ""' for field in REQUIRED)]


def _columns(sample: _Sample, doubts: list[str]) -> dict[str, tuple[str, ...]]:
    by_fold = {folded(name): name for name in reversed(sample.header)}
    found: dict[str, tuple[str, ...]] = {}
    for field in ("store", *REQUIRED):
        alike = [by_fold[folded(alias)] for alias in ALIASES[field] if folded(alias) in by_fold]
        if not alike:
            continue
        found[field] = (alike[0],)
        if field == "sold_at" and {"date", "time"} <= by_fold.keys():
            found[field] = (by_fold["date"], by_fold["time"])
        elif len(alike) > 1:
            doubts.append(f"The {field} could also be {' or '.join(alike[1:])}: check columns.{field}.")
    return found


def _time(sample: _Sample, columns: Mapping[str, Sequence[str]], doubts: list[str]) -> Iterator[str]:
    yield "[time]"
    yield 'zone = ""  # the zone of the till, for example Europe/Berlin'
    doubts.append("The file does not name its time zone: write it at time.zone.")
    texts = [" ".join(row.get(it, "") for it in columns.get("sold_at", ())) for row in sample.rows]
    fitting = [form for form in FORMS if any(texts) and all(_is_of(text, form) for text in texts if text.strip())]
    if len(fitting) == 1 or fitting[:1] == ["iso"]:
        yield f"formats = [{_quoted(fitting[0])}]"
        return
    yield f"formats = []  # {' or '.join(map(_quoted, fitting)) if fitting else 'strptime codes'}"
    cause = f"could be {' or '.join(fitting)}" if fitting else "have a form that was not recognised"
    doubts.append(f"The times {cause}: write the right one at time.formats.")


def _is_of(text: str, form: str) -> bool:
    try:
        if form == "iso":
            datetime.fromisoformat(text.strip())
        else:
            datetime.strptime(text.strip(), form)
    except ValueError:
        return False
    return True


def _numbers(sample: _Sample, columns: Mapping[str, Sequence[str]], doubts: list[str]) -> Iterator[str]:
    texts = [row.get(it, "") for row in sample.rows for it in columns.get("quantity", ()) if row.get(it, "")]
    marks = [mark for mark in (POINT, COMMA) if all(decimal_of(text, mark) is not None for text in texts)]
    yield "[numbers]"
    if len(marks) == 1 or not any(COMMA in text or POINT in text for text in texts):
        yield f"decimal = {_quoted(marks[0] if marks else POINT)}"
    else:
        yield 'decimal = ""  # . or ,'
        doubts.append("Quantities can be read with a decimal point or a decimal comma: write it at numbers.decimal.")
    if not marks and texts:
        strange = next(text for text in texts if decimal_of(text, POINT) is None)
        doubts.append(f"Quantity {strange!r} is no plain number: see numbers.negative, numbers.words and not_stock.")


def _words(sample: _Sample, doubts: list[str]) -> Iterator[str]:
    """Words of columns that decide: those that are known everywhere are sorted, the others are asked."""
    is_directed = False
    for column in sample.header:
        words = sorted({row.get(column, "") for row in sample.rows})
        if not any(word in folded(column) for word in DECIDING) or not 1 <= len(words) <= WORDS_MAX:
            continue
        out = [word for word in words if word.casefold() in OUT_WORDS]
        came = [word for word in words if word.casefold() in IN_WORDS]
        shown = ", ".join(map(_quoted, words))
        if out and not is_directed:
            is_directed = True
            yield from ("", "[direction]", f"column = {_quoted(column)}  # its words: {shown}")
            yield from (f"out = [{', '.join(map(_quoted, out))}]", f"in = [{', '.join(map(_quoted, came))}]")
            rest = [word for word in words if word not in (*out, *came)]
            if rest:
                doubts.append(f"Words of {column} that are neither sale nor return: {', '.join(rest)}; add them.")
        else:
            yield from ("", f"# [[not_stock]]: {column} has the words {shown}")
            doubts.append(
                f"{column} has the words {', '.join(word or '(blank)' for word in words)}: which are no sale?"
            )
    yield from ("", "[returns]", 'condition = "sellable"  # or damaged, quarantine')
    doubts.append("Returned goods are taken as sellable: check returns.condition.")


def _expression(columns: Sequence[str]) -> str:
    return _quoted(columns[0]) if len(columns) == 1 else f"[{', '.join(map(_quoted, columns))}]"


def _quoted(text: str) -> str:
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'
