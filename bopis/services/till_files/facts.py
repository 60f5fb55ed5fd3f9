"""The facts of a till file: each of its rows has at least one."""

from collections.abc import Sequence
from typing import NamedTuple

from bopis.domain.inventory.messages import Condition
from bopis.services.till_files.expressions import Fields


class Item(NamedTuple):
    """One line of goods in a record: its place in the file and its fields.

    `direction` is out or in where the format itself has it, `is_voided` that the line takes another one back, `why`
    that it is no stock, and `cause` that it cannot be read.
    """

    line: str
    fields: Fields
    direction: str = ""
    is_voided: bool = False
    why: str = ""
    cause: str = ""


class Record(NamedTuple):
    """One record of a file: a row, an object or a transaction, and its lines of goods.

    `is_row` says that the record itself is the line. `text` is the record as it is in the file, for rejects.
    """

    line: str
    fields: Fields
    items: Sequence[Item] = ()
    cause: str = ""
    why: str = ""
    text: str = ""
    is_row: bool = False
    end: int = 0


class Head(NamedTuple):
    """The basket of a record. `device` and `sequence` are the till's number of the message, if it has one."""

    store: str
    basket: str
    at_ms: int
    day: int
    key: str
    device: str = ""
    sequence: int = 0


class Line(NamedTuple):
    """A line of goods that counts. `units` left the shop, below zero they came back in `condition`."""

    line: str
    head: Head
    sku: str
    units: int
    condition: Condition | None


class NotStock(NamedTuple):
    """A line, or a whole record, that is no stock, with the reason."""

    line: str
    why: str
    head: Head | None = None


class Rejected(NamedTuple):
    """A row that cannot be booked, its cause with the remedy, and its text."""

    line: str
    cause: str
    text: str = ""
    head: Head | None = None


class Warned(NamedTuple):
    """A row that is booked and needs a person."""

    line: str
    why: str


class Repeated(NamedTuple):
    """A row that repeats one of the same file."""

    line: str


class Pending(NamedTuple):
    """A last line that is still being written: it is read the next time."""

    line: str


class ReadTo(NamedTuple):
    """Where the next reading of a journal begins: the offset of a line's first byte, and the number of that line."""

    offset: int
    line: int


class Missing(NamedTuple):
    """Numbers of a device that are missing among those of the file; `of_till` are the till's own, a warning only."""

    device: str
    numbers: tuple[int, ...]
    of_till: bool
