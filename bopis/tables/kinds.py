"""Files of other kinds under the name of a table, recognised by their first bytes."""

from typing import NamedTuple

from bopis.tables.errors import NotATable, TableEmpty
from bopis.tables.source import TableFile

ZIP_MAGIC = b"PK"
CONTROLS_SHARE = 20  # more than one control character in so many is no text
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
BLANK = "\r\n \t\ufeff\x1a"  # some tills end a file by the end-of-file mark of CP/M
_AS_TABLE = "Save it as CSV in UTF-8 or as .xlsx."
_ONE_EACH = "Write one object per line (NDJSON), without brackets around them, or CSV."


class _Kind(NamedTuple):
    """How a kind of file begins, its name, and how it becomes a table."""

    begins: bytes
    name: str
    remedy: str


_BINARY = (
    _Kind(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", _AS_TABLE),
    _Kind(b"\x09\x08\x10\x00", "an old Excel workbook (.xls)", _AS_TABLE),
    _Kind(b"%PDF", "a PDF document", "Export the table as CSV or as .xlsx instead."),
    _Kind(b"\x89PNG", "a picture (PNG)", _AS_TABLE),
    _Kind(b"\xff\xd8\xff", "a picture (JPEG)", _AS_TABLE),
    _Kind(b"BZh", "packed with bzip2", "Unpack it, or pack it with gzip or xz."),
    _Kind(b"\x28\xb5\x2f\xfd", "packed with zstd", "Unpack it, or pack it with gzip or xz."),
    _Kind(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it, or pack it with gzip or xz."),
    _Kind(b"Rar!", "a RAR archive", "Unpack it, or pack it with gzip or xz."),
    _Kind(b"PAR1", "a Parquet file", _AS_TABLE),
    _Kind(b"SQLite format 3\x00", "an SQLite database", _AS_TABLE),
)


def check_kind(file: TableFile) -> bool:
    """Whether the file is a workbook; raises `NotATable` or `TableEmpty` when it holds neither that nor text."""
    head = file.head()
    if not head:
        raise TableEmpty(name=file.name)
    if head.startswith(ZIP_MAGIC) and head[2:4] in (b"\x03\x04", b"\x05\x06", b"\x07\x08"):
        if file.suffix in TEXT_SUFFIXES:
            kind = f"a zip archive or an Excel workbook under the name of a {file.suffix} file"
            raise NotATable(name=file.name, kind=kind, remedy="Name a workbook .xlsx, or save it as CSV in UTF-8.")
        return True
    for begins, name, remedy in _BINARY:
        if head.startswith(begins):
            raise NotATable(name=file.name, kind=name, remedy=remedy)
    _check_text(file, head)
    return False


def _check_text(file: TableFile, head: bytes) -> None:
    text = head.decode(file.encoding, "replace")
    controls = sum(character < " " and character not in "\r\n\t\v\f\x1a" for character in text)
    if controls * CONTROLS_SHARE > len(text):
        raise NotATable(name=file.name, kind="binary, or text in another encoding", remedy=_AS_TABLE)
    first = text.lstrip(BLANK)[:512]
    if first[:1] == "<":
        lowered = first.lower()
        is_page = "<html" in lowered or "<!doctype html" in lowered or "<table" in lowered or "<head" in lowered
        kind = "a web page (HTML), perhaps that of a log-in" if is_page else "XML"
        raise NotATable(name=file.name, kind=kind, remedy=_AS_TABLE)
    if first[:1] == "[" and first[1:].lstrip(BLANK)[:1] in ("{", "[", "]", '"', ""):
        raise NotATable(name=file.name, kind="a JSON array", remedy=_ONE_EACH)
    if first.startswith("{\\rtf"):
        raise NotATable(name=file.name, kind="a text document (RTF)", remedy=_AS_TABLE)
    line = first.splitlines()[0].rstrip(BLANK) if first else ""
    if first[:1] == "{" and len(line) < len(first.rstrip(BLANK)) and line.count("{") > line.count("}"):
        raise NotATable(name=file.name, kind="one JSON object over several lines", remedy=_ONE_EACH)
