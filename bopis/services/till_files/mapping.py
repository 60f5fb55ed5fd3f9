"""The language of mapping files: how the files of one till are read. Every part is a frozen value.

An expression names the text of a field: ``"Qty"`` (a column), ``["Date", "Time"]`` (joined with a blank), or a table:
``{first_of = [...]}``, ``{join = [...], with = "-"}``, ``{column = "Item", pattern = '(\\d+) x'}``,
``{constant = "1"}``, and for quantities ``{product = [...], blank = "1"}`` and ``{plus = [...], minus = [...]}``.
"""

from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, field

from bopis.domain.inventory.messages import Condition

Expression = Any  # a text, a list or a table; `expressions` checks it
Factor = int | str  # a whole number, or a decimal as text: binary fractions are no exact factors


class Kind(StrEnum):
    """A format of till files."""

    CSV = "csv"
    XLSX = "xlsx"
    NDJSON = "ndjson"
    POSLOG = "poslog"
    DSFINVK = "dsfinvk"
    SLSRPT = "slsrpt"


class Layout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text of the file, as far as it cannot be seen.

    `header_at` is the line of the header (0: the first row that has every column), `header_lines` its height,
    `names` the columns of a file without a header. `titles` are columns whose text stands above the header, each with a
    pattern; the named groups of the pattern `file_name` are columns, too.
    """

    encoding: str = ""
    delimiter: str = ""
    header_at: int = 0
    header_lines: int = 1
    names: tuple[str, ...] = ()
    sheet: str = ""
    extra_cells: Literal["refuse", "pass_over"] = "refuse"
    missing_cells: Literal["refuse", "blank"] = "refuse"
    unwrap: tuple[Literal["formula", "apostrophe"], ...] = ()
    remove: tuple[str, ...] = ()
    titles: dict[str, str] = {}
    file_name: str = ""


class RowTypes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of several types in one file without a header: the first cell names the type.

    `heads` are types whose columns belong to all following lines, `lines` those of goods, each with the names of its
    columns; `pass_over` are types that are no stock, with the reason.
    """

    heads: dict[str, tuple[str, ...]]
    lines: dict[str, tuple[str, ...]]
    pass_over: dict[str, str] = {}


class Numbers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How numbers are written. `negative`: further forms of minus one (``1-``, ``(1)``); `words`: numbers in words."""

    decimal: Literal["", ".", ","] = ""
    thousands: str = ""
    negative: tuple[str, ...] = ()
    words: dict[str, str] = {}


class Times(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How times are written.

    `formats` are tried in order: strptime forms, ``iso``, ``unix``, ``unix-ms``, ``excel-1900``, ``excel-1904``.
    `zones` are the words of the column `zone`, `store_zones` the zones of stores. `time_of_day` is the time at which a
    day's total is booked where the file has only days. `words` are replaced before a form is tried.
    """

    zone: str = ""
    formats: tuple[str, ...] = ("iso",)
    zones: dict[str, str] = {}
    store_zones: dict[str, str] = {}
    time_of_day: str = ""
    words: dict[str, str] = {}


class Units(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Factors to the smallest unit: of words of the column `unit`, and of SKUs where no column has the unit.

    `kept_in` are the units of SKUs that are not counted in pieces, `measured_by` the words of each such unit where
    a line has several quantities.
    """

    words: dict[str, Factor] = {}
    skus: dict[str, Factor] = {}
    kept_in: dict[str, str] = {}
    measured_by: dict[str, tuple[str, ...]] = {}


class RowTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"in_": "in", "and_": "and"}):
    """A test of one column (any of the comparisons fits), and of others behind `and`; or of a whole row."""

    column: Expression = None
    row: Literal["", "header"] = ""
    row_starts_with: str = ""
    in_: tuple[str, ...] = ()
    not_in: tuple[str, ...] = ()
    blank: bool = False
    not_blank: bool = False
    starts_with: str = ""
    ends_with: str = ""
    contains: str = ""
    matches: str = ""
    is_true: bool = False
    negative: bool = False
    ignore_case: bool = False
    optional: bool = False
    and_: tuple["RowTest", ...] = ()


class Rule(RowTest, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"in_": "in", "and_": "and"}):
    """A test of a row and the reason that is given when it fits."""

    why: str


class Words(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All words of a column that decides; any other rejects the row."""

    column: Expression
    known: tuple[str, ...]


class Direction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"in_": "in"}):
    """Words of a column for sales (`out`), returns (`in`) and lines that take back another one of the basket (`void`).

    Or tests for returns, where everything else is a sale.
    """

    column: Expression = None
    out: tuple[str, ...] = ()
    in_: tuple[str, ...] = ()
    void: tuple[str, ...] = ()
    in_when: tuple[RowTest, ...] = ()


class Returns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The condition of returned goods, by words of a column or one for all. Only sellable ones return to the shelf."""

    condition: Condition | None = None
    column: Expression = None
    words: dict[str, Condition] = {}


class CarryDown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns that only the first row of an order has; other rows repeat `while_same` or leave `while_blank` empty."""

    columns: tuple[str, ...]
    while_same: str = ""
    while_blank: str = ""


class Gtins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns with GTINs: compared as GTIN-14 with check digit, booked as `catalogue` spells them, else shortened."""

    columns: tuple[str, ...]
    catalogue: tuple[str, ...] = ()
    others: Literal["refuse", "as_written"] = "refuse"


class TillSequence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The till's own numbers: a missing one is a warning about the till."""

    device: Expression
    number: Expression


class Items(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several items in one cell: each part between separators that fits the pattern has its named groups as columns."""

    column: str
    separator: str
    pattern: str


class JsonLayout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The path of the list of items in an object, and whether the file is still being written."""

    lines: str = ""
    tail: bool = False


class VoidReading(StrEnum):
    """The meaning of a void flag on a line of a POSLog."""

    SIGNED = "signed"
    COUNTED_AGAINST = "counted_against"
    MARKS_ITS_LINE = "marks_its_line"


class PosLogLayout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dialect of a POSLog. Paths begin at a line; ``item/`` are its goods, ``transaction/`` is the transaction."""

    void: VoidReading | None = None
    void_flags: tuple[str, ...] = ("@VoidFlag",)
    transaction: str = "Transaction"
    retail: str = "RetailTransaction"
    lines: str = "LineItem"
    items: dict[str, Literal["out", "in"]] = field(default_factory=lambda: {"Sale": "out", "Return": "in"})
    not_sold_items: dict[str, str] = {}
    quantity: str = "Quantity"
    offset: str = ""


class DsfinvkLayout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files of an export and the columns that join them; `line` is the column that numbers a receipt's lines."""

    index: str = "index.xml"
    transactions: str = "transactions.csv"
    lines: str = "lines.csv"
    on: tuple[str, ...] = ("Z_KASSE_ID", "Z_ERSTELLUNG", "Z_NR", "BON_ID")
    line: str = "POS_ZEILE"


class SlsrptLayout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Qualifiers of the segments of a sales report: LOC of the shop, DTM of the day."""

    location: str = "162"
    day: str = "356"


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the files of one till are read. `other_stores`: baskets of other stores than the agent's."""

    name: str
    kind: Kind
    version: Literal[1] = 1
    about: str = ""
    doubts: tuple[str, ...] = ()
    columns: dict[str, Expression] = {}
    store: str = ""
    stores: dict[str, str] = {}
    other_stores: Literal["refuse", "pass_over"] = "refuse"
    layout: Layout = Layout()
    rows: RowTypes | None = None
    numbers: Numbers = Numbers()
    time: Times = Times()
    units: Units = Units()
    direction: Direction = Direction()
    returns: Returns | None = None
    not_stock: tuple[Rule, ...] = ()
    words: tuple[Words, ...] = ()
    warn: tuple[Rule, ...] = ()
    carry_down: CarryDown | None = None
    patterns: dict[str, str] = {}
    gtin: Gtins | None = None
    basket_key: tuple[Literal["store", "basket", "day", "device"], ...] = ("store", "basket")
    till_sequence: TillSequence | None = None
    items: Items | None = None
    ndjson: JsonLayout = JsonLayout()
    poslog: PosLogLayout = PosLogLayout()
    dsfinvk: DsfinvkLayout = DsfinvkLayout()
    slsrpt: SlsrptLayout = SlsrptLayout()
