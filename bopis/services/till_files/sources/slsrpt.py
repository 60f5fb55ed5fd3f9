"""Quantities of an EANCOM sales report (SLSRPT D.96A) as records. Source: GS1 EANCOM 2002 S3, UN/EDIFACT syntax 3."""

import codecs
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from bopis.services.till_files.errors import TillFileRefused
from bopis.services.till_files.facts import Record
from bopis.services.till_files.mapping import SlsrptLayout

BLOCK_BYTES = 1 << 16
SEGMENT_CHARACTERS_MAX = 100_000
SEGMENTS_MAX = 200_000  # of one message, which is kept until its end shows that it is whole
REMEDY = "Fetch the file again; it is read when it is whole."
# Character sets of the syntax identifier in UNB (ISO 9735).
ENCODINGS = {"UNOA": "ascii", "UNOB": "ascii", "UNOC": "iso-8859-1", "UNOD": "iso-8859-2", "UNOE": "iso-8859-5",
             "UNOF": "iso-8859-7", "UNOY": "utf-8", "UNOW": "utf-8"}  # fmt: skip
# Forms of dates by the code of element 2379.
DATE_LENGTHS = {"102": 8}


class Marks(NamedTuple):
    """The characters of the service string: component, element, decimal mark, release, segment end."""

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    end: str = "'"


class Segment(NamedTuple):
    """A segment: its number in the file (UNA is 0), its elements of components, and its text."""

    number: int
    elements: Sequence[Sequence[str]]
    text: str

    @property
    def tag(self) -> str:
        return self.elements[0][0]

    def part(self, element: int, component: int = 0) -> str:
        """A component; empty if the segment does not have it."""
        if element >= len(self.elements) or component >= len(self.elements[element]):
            return ""
        return self.elements[element][component].strip()


def records(name: str, file: BinaryIO, layout: SlsrptLayout, encoding: str = "") -> Iterator[Record]:
    """Every quantity of every message, in order.

    A message with a wrong count of segments is one reject. Raises `TillFileRefused` for a file that is cut off or is no
    interchange.
    """
    marks, segments = _segments(name, file, encoding)
    tag, begun, message = "", 0, list[Segment]()
    for segment in segments:
        tag = segment.tag
        if tag == "UNH":
            if message:
                yield _unended(message)
            message = [segment]
        elif message:
            message.append(segment)
            if len(message) > SEGMENTS_MAX:
                raise TillFileRefused(
                    name=name, cause=f"a message has more than {SEGMENTS_MAX:,} segments", remedy=REMEDY
                )
        if tag == "UNT" and message:
            begun += 1
            yield from _message(message, layout, marks)
            message = []
    if message or tag != "UNZ" or not begun:
        cause = "it ends within a message" if message else "it has no end (UNZ)" if begun else "it has no message (UNH)"
        raise TillFileRefused(name=name, cause=cause, remedy=REMEDY)


def _unended(message: Sequence[Segment]) -> Record:
    first = message[0]
    return Record(str(first.number), {}, cause="a message without its end (UNT)", text=first.text)


def _message(message: Sequence[Segment], layout: SlsrptLayout, marks: Marks) -> Iterator[Record]:
    first, last = message[0], message[-1]
    if not last.part(1).isdigit() or int(last.part(1)) != len(message) or last.part(2) != first.part(1):
        cause = f"its message has {len(message)} segments, its end counts {last.part(1)}: a part is missing"
        yield Record(str(first.number), {}, cause=cause, text=last.text)
        return
    if first.part(2) != "SLSRPT":
        yield Record(str(first.number), {}, why=f"message {first.part(2)}", text=first.text)
        return
    fields = {"message": first.part(1)}
    for segment in message:
        match segment.tag:
            case "BGM":
                fields["document"] = segment.part(2)
            case "LOC" if segment.part(1) == layout.location:
                fields = _kept(fields, ("message", "document")) | {"location": segment.part(2)}
            case "DTM" if segment.part(1, 0) == layout.day:
                fields |= {"day": segment.part(1, 1), "day_form": segment.part(1, 2)}
            case "LIN":
                fields = _kept(fields, ("message", "document", "location", "day", "day_form"))
                fields |= {"line": segment.part(1), "gtin": segment.part(3, 0), "gtin_type": segment.part(3, 1)}
            case "RFF":
                fields[f"RFF+{segment.part(1, 0)}"] = segment.part(1, 1)
            case "PIA":
                fields |= {f"PIA+{it[1].strip()}": it[0].strip() for it in segment.elements[2:] if len(it) > 1}
            case "QTY":
                yield _quantity(segment, fields, marks)


def _quantity(segment: Segment, fields: dict[str, str], marks: Marks) -> Record:
    quantity = segment.part(1, 1).replace(marks.decimal, ".")
    own = {"qualifier": segment.part(1, 0), "quantity": quantity, "unit": segment.part(1, 2)}
    form = fields.get("day_form", "")
    cause = ""
    if fields.get("day") and len(fields["day"]) != DATE_LENGTHS.get(form, -1):
        cause = f"day {fields['day']!r} of form {form!r} is no day; only form 102 (CCYYMMDD) is read"
    return Record(str(segment.number), fields | own, cause=cause, text=segment.text, is_row=True)


def _kept(fields: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: fields[name] for name in names if name in fields}


def _segments(name: str, file: BinaryIO, encoding: str) -> tuple[Marks, Iterator[Segment]]:
    head = file.read(9)
    if head.startswith(b"\xef\xbb\xbf"):
        head = head[3:] + file.read(3)
    marks = Marks()
    if head.startswith(b"UNA"):
        service = head[3:9].decode("latin-1")
        marks = Marks(service[0], service[1], service[2], service[3], service[5]) if len(service) == 6 else marks
        rest = b""
    else:
        rest = head
    if len(set(marks) - {" "}) < 5 - (" " in marks):
        raise TillFileRefused(name=name, cause="its service string (UNA) has equal marks", remedy=REMEDY)
    start = rest + file.read(1_000)
    if not start.lstrip().startswith(b"UNB"):
        raise TillFileRefused(
            name=name, cause="it does not begin with UNA or UNB", remedy="Check that it is an EDIFACT file."
        )
    syntax = start.lstrip()[4:8].decode("latin-1")
    known = encoding or ENCODINGS.get(syntax)
    if known is None:
        cause = f"its character set {syntax!r} is not known"
        raise TillFileRefused(name=name, cause=cause, remedy="State layout.encoding in the mapping.")
    return marks, _split(name, _characters(start, file, known), marks)


def _characters(start: bytes, file: BinaryIO, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    yield decoder.decode(start)
    while block := file.read(BLOCK_BYTES):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _split(name: str, blocks: Iterator[str], marks: Marks) -> Iterator[Segment]:
    """The segments; line ends between them do not count."""
    number, rest = 0, ""
    for block in blocks:
        rest += block
        begin = place = 0
        while place < len(rest):
            character = rest[place]
            if character == marks.release and marks.release != " ":
                if place + 1 == len(rest):
                    break
                place += 2
                continue
            if character == marks.end:
                text = rest[begin:place].lstrip("\r\n\t ")
                if text:
                    number += 1
                    yield Segment(number, _elements(text, marks), text)
                begin = place + 1
            place += 1
        rest = rest[begin:]
        if len(rest) > SEGMENT_CHARACTERS_MAX:
            raise TillFileRefused(name=name, cause="a segment does not end", remedy=REMEDY)
    if rest.strip("\r\n\t \x1a"):
        raise TillFileRefused(name=name, cause="it ends within a segment", remedy=REMEDY)


def _elements(text: str, marks: Marks) -> list[list[str]]:
    elements, components, part = list[list[str]](), list[str](), ""
    characters = iter(text)
    for character in characters:
        if character == marks.release and marks.release != " ":
            part += next(characters, "")
        elif character in (marks.component, marks.element):
            components.append(part)
            part = ""
            if character == marks.element:
                elements.append(components)
                components = []
        else:
            part += character
    elements.append([*components, part])
    return elements
