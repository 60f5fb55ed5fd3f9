"""Objects of an NDJSON file or a till's journal as records: one per line, with a list of items or without."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from bopis.services.till_files.facts import Item, Record
from bopis.services.till_files.mapping import JsonLayout
from bopis.tables.rows import json_text, repeated_name

LINE_BYTES_MAX = 4 * 1024 * 1024
BLANK = b" \t\r\n\x1a"
_BOM = b"\xef\xbb\xbf"
# Numbers as they are written: a binary float would change some of them.
_decode = msgspec.json.Decoder(float_hook=str).decode


class RawLine:
    """A line of bytes: its number, the offset behind it, and whether it has its line end."""

    __slots__ = ("content", "end", "is_complete", "is_long", "number", "start")

    def __init__(self, number: int, start: int, content: bytes, end: int, is_long: bool) -> None:
        self.number, self.start, self.content, self.end, self.is_long = number, start, content, end, is_long
        self.is_complete = content.endswith(b"\n")


def raw_lines(file: BinaryIO, offset: int, number: int) -> Iterator[RawLine]:
    """The lines of a file from an offset on; of a line that is too long only the beginning is kept."""
    start = offset
    while content := file.readline(LINE_BYTES_MAX):
        end, is_long = start + len(content), False
        while not content.endswith(b"\n") and (rest := file.readline(LINE_BYTES_MAX)):
            is_long, end = True, end + len(rest)
            if rest.endswith(b"\n"):
                content = content[:1_000] + b"\n"
        yield RawLine(number, start, content, end, is_long)
        start, number = end, number + 1


def record_of(line: RawLine, layout: JsonLayout) -> Record | None:
    """The record of a line; None if it is empty."""
    bare = line.content.removeprefix(_BOM if line.start == 0 else b"").strip(BLANK)
    if not bare:
        return None
    label, text = str(line.number), bare.decode("utf-8", "replace")
    if line.is_long:
        return Record(label, {}, cause=f"longer than {LINE_BYTES_MAX} bytes", text=text, end=line.end)
    try:
        found = _decode(bare)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        return Record(label, {}, cause=f"not a JSON object: {error}", text=text, end=line.end)
    if not isinstance(found, dict):
        return Record(label, {}, cause="not a JSON object", text=text, end=line.end)
    if repeated := repeated_name(text) if text.count('":') > len(found) else "":
        return Record(label, {}, cause=repeated, text=text, end=line.end)
    fields = JsonFields(found)
    if not layout.lines:
        return Record(label, fields, text=text, is_row=True, end=line.end)
    listed = fields.find(layout.lines)
    if not isinstance(listed, list):
        # Messages about the drawer and the like have no items: the rules say whether they are known.
        cause = "" if listed is None else f"{layout.lines} is no list"
        items = [Item(label, fields, cause=cause)] if cause else []
        return Record(label, fields, items, text=text, end=line.end)
    items = [
        Item(
            f"{label}#{number}",
            JsonFields(found, layout.lines, it),
            cause="" if isinstance(it, dict) else "not a JSON object",
        )
        for number, it in enumerate(listed, start=1)
    ]
    return Record(label, fields, items, text=text, end=line.end)


class JsonFields:
    """Fields of an object by path: ``customer.name``; below `prefix` those of one item."""

    __slots__ = ("_item", "_prefix", "_whole")

    def __init__(self, whole: Mapping[str, Any], prefix: str = "", item: Any = None) -> None:
        self._whole, self._prefix, self._item = whole, prefix, item

    def get(self, name: str, default: str = "", /) -> str:
        """The text of a value: nothing for null and missing ones, JSON for lists and objects."""
        found = self.find(name)
        return default if found is None else json_text(found)

    def find(self, name: str) -> Any:
        """The value at a path; None if there is none."""
        if self._prefix and name.startswith(self._prefix + "."):
            return _at(self._item, name[len(self._prefix) + 1 :])
        return _at(self._whole, name)


def _at(value: Any, path: str) -> Any:
    """The value at a path. A name that itself has a dot wins."""
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    first, dot, rest = path.partition(".")
    return _at(value.get(first), rest) if dot else None
