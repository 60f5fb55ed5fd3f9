"""The state of a store's stock as rows, and the keys they are kept under.

A row is a mutable struct behind ``step``: copying a frozen one per basket line costs more than deciding it.
Every row is JSON in the compacted feed with its defaults left out, so a new field needs no migration.

========================  =======================================================
key                       row
========================  =======================================================
``STORE|SKU``             `Level`: the books of one SKU
``@store|STORE``          `Store`: policy and the devices it was heard from
``@device|STORE|SOURCE``  `Device`: which sequences were accepted
``@hold|STORE|HOLD``      `Hold`: units promised to an order
``@seen|STORE|SOURCE|ID`` `Seen`: a message without a sequence that was accepted
``@transfer|STORE|ID``    `Transfer`: what was announced and what arrived
``@expected|STORE|ID``    `Expected`: what a document will bring, and when
========================  =======================================================
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, cast

from msgspec import Struct, field


class Terms(Struct, frozen=True, kw_only=True):
    """Available to promise with each of its terms, and the rule behind the withheld ones."""

    on_hand: int
    held: int
    in_doubt: int
    safety_stock: int
    walk_in_reserve: int
    staleness: int
    safety_stock_rule: str
    walk_in_reserve_rule: str

    @property
    def atp(self) -> int:
        """Units that may be promised now; the promise is floored at zero, the books never are."""
        return max(0, self.on_hand - self.held - self.in_doubt - self.withheld)

    @property
    def withheld(self) -> int:
        """Units withheld by policy and by doubt about the age of the data."""
        return self.safety_stock + self.walk_in_reserve + self.staleness


class Incoming(Struct, frozen=True, kw_only=True):
    """Units on their way to a store, and from when on they can be promised."""

    at_ms: int
    quantity: int


class Level(Struct, omit_defaults=True, gc=False):
    """The books of one SKU in one store.

    ``moves`` holds recent movements, packed (see `movements`), so that a count can be placed at its own time;
    movements up to ``floor_ms`` have been forgotten. ``counted_ms`` is the time of the newest
    count: what happened up to then is inside it, whenever it arrives.
    """

    # What every sale touches stands first, in one line of the processor's cache.
    on_hand: int = 0
    held: int = 0
    counted_ms: int = -1
    moves: bytes = b""
    sold_since_ms: int = 0
    sold: int = 0
    sold_before: int = 0
    staged: int = 0
    in_doubt: int = 0
    quarantined: int = 0
    damaged: int = 0
    floor_ms: int = -1
    category: str = ""
    counted_by: str = ""
    staged_counted: bool = False
    doubted_ms: int = 0
    staged_floor_ms: int = -1
    staged_moves: bytes = b""
    holds: tuple[str, ...] = ()
    doubted_by: tuple[str, ...] = ()


class Rule(Struct, frozen=True, omit_defaults=True):
    """Units withheld; ``None`` leaves the term to the next wider rule."""

    safety_stock: int | None = None
    walk_in_reserve: int | None = None


class Store(Struct, omit_defaults=True, dict=True):
    """Policy of a store. ``rules`` are named ``sku:X``, ``category:Y`` or ``store``."""

    pickup: bool = True
    staleness_grace_minutes: int = 5
    rules: dict[str, Rule] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)

    @property
    def withheld_max(self) -> int:
        """No rule withholds more than this; reckoned once, as every basket asks for it, and never kept."""
        if "withheld_max" not in self.__dict__:
            safety = max((rule.safety_stock or 0 for rule in self.rules.values()), default=0)
            reserve = max((rule.walk_in_reserve or 0 for rule in self.rules.values()), default=0)
            self.__dict__["withheld_max"] = safety + reserve
        return cast(int, self.__dict__["withheld_max"])

    def set_rule(self, name: str, rule: Rule | None) -> None:
        """Put a rule in the place of the one of its name, or with None take it away."""
        self.__dict__.clear()
        if rule is None:
            self.rules.pop(name, None)
        else:
            self.rules[name] = rule


class Device(Struct, omit_defaults=True, gc=False):
    """Which sequences of a device were accepted: all up to ``mark``, and the ranges above it.

    ``digests`` remembers the content of the newest sequences, four bytes each at ``sequence % 64``, so that
    the same sequence with other content is told from a duplicate. ``closed`` holds holes settled by a count.
    """

    mark: int = 0
    top: int = 0
    heard_ms: int = 0
    ranges: list[list[int]] = field(default_factory=list)
    closed: list[list[int]] = field(default_factory=list)
    digests: bytearray = field(default_factory=bytearray)


class LineState(StrEnum):
    HELD = "held"
    COLLECTED = "collected"
    RELEASED = "released"
    EXPIRED = "expired"
    LOST = "lost"


class HoldLine(Struct, omit_defaults=True):
    """Units of one order line: ``quantity`` still counts while the line is held."""

    line: int
    sku: str
    quantity: int
    picked: int = 0
    lost: int = 0
    state: LineState = LineState.HELD


class Hold(Struct, omit_defaults=True):
    """Units promised to an order, or the memory of a refusal (no lines)."""

    order: str
    digest: int
    granted_ms: int
    until_ms: int
    promised_ms: int = 0
    due_ms: int = 0
    lines: list[HoldLine] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether any of its units are still promised."""
        return any(line.state is LineState.HELD for line in self.lines)


class Seen(Struct, omit_defaults=True):
    """A message without a sequence that was accepted, by the digest of its content."""

    digest: int
    due_ms: int = 0


class Transfer(Struct, omit_defaults=True):
    """Goods on their way here: what was announced, what arrived, and whether each side is complete."""

    from_store: str
    announced: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    is_announced: bool = False
    is_received: bool = False
    expected_ms: int = 0
    due_ms: int = 0

    @property
    def coming(self) -> dict[str, int]:
        """Units of each SKU that are still on their way."""
        if self.is_received:
            return {}
        left = {sku: units - self.received.get(sku, 0) for sku, units in self.announced.items()}
        return {sku: units for sku, units in left.items() if units > 0}


class Expected(Struct, omit_defaults=True):
    """What a document will bring and when; without lines the memory of one that was received or withdrawn.

    ``said_ms`` is the time of the newest word about it. ``overdue`` once its time has passed without a receipt.
    """

    said_ms: int
    expected_ms: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    overdue: bool = False
    due_ms: int = 0


Timed = Hold | Seen | Transfer | Expected
Row = Level | Store | Device | Hold | Seen | Transfer | Expected


class Rows(Protocol):
    """Rows of one partition by key; in memory, over a table of a processor, or over SQL.

    A row that was changed in place is put back: that is what marks it for keeping. ``put_all`` is for rows that
    came from here or were put before.
    """

    def get(self, key: str) -> Row | None: ...
    def put(self, key: str, row: Row) -> None: ...
    def put_all(self, rows: Mapping[str, Row]) -> None: ...
    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...
    def due(self, at_ms: int) -> list[str]: ...


def put_timed(rows: Rows, key: str, row: Timed, due_ms: int) -> None:
    """Keep a row that wants to be looked at when its time has come; the row itself remembers when."""
    row.due_ms = due_ms
    rows.put_timed(key, row, due_ms)


def level_key(store: str, sku: str) -> str:
    return f"{store}|{sku}"


def store_key(store: str) -> str:
    return f"@store|{store}"


def device_key(store: str, source: str) -> str:
    return f"@device|{store}|{source}"


def hold_key(store: str, hold: str) -> str:
    return f"@hold|{store}|{hold}"


def seen_key(store: str, source: str, message_id: str) -> str:
    return f"@seen|{store}|{source}|{message_id}"


def transfer_key(store: str, transfer: str) -> str:
    return f"@transfer|{store}|{transfer}"


def expected_key(store: str, document: str) -> str:
    return f"@expected|{store}|{document}"


ROW_TYPES: dict[str, type[Row]] = {
    "@store": Store,
    "@device": Device,
    "@hold": Hold,
    "@seen": Seen,
    "@transfer": Transfer,
    "@expected": Expected,
}


def row_type(key: str) -> type[Row]:
    """The type of the row kept under a key."""
    if key[0] != "@":
        return Level
    return ROW_TYPES[key[: key.index("|")]]


def split_key(key: str) -> tuple[str, str, str]:
    """Kind, store and the rest of a row's key; the kind of a level is ``level``."""
    if key[0] != "@":
        store, _, sku = key.partition("|")
        return "level", store, sku
    kind, store, *rest = key.split("|", 2)
    return kind[1:], store, rest[0] if rest else ""
