"""Rows of a store's stock, and their keys in the table and in the compacted topic ``inventory-levels``.

Rows are mutable: copying a frozen row per basket line costs more than deciding the line. Only ``step`` changes them.
Each row is JSON on the topic with its defaults left out, so a new field needs no migration.

========================  =======================================================
key                       row
========================  =======================================================
``STORE|SKU``             `Level`: the books of one SKU
``@store|STORE``          `Store`: policy, and the devices that report for it
``@device|STORE|SOURCE``  `Device`: which sequences were accepted
``@hold|STORE|HOLD``      `Hold`: units promised to an order
``@seen|STORE|SOURCE|ID`` `Seen`: an accepted message without a sequence
``@transfer|STORE|ID``    `Transfer`: units announced and received
``@expected|STORE|ID``    `Expected`: units that a document announces, and when
``@article|-|SKU``        `CataloguedArticle`: an article with a shelf of its own
``@kit|-|SKU``            `CataloguedArticle`: a kit, which has none
``@code|-|CODE``          `ArticleCode`: a GTIN or folded SKU, and whose it is
``@catalogue|-``          `CatalogueMark`: how far the partition has the catalogue
========================  =======================================================
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field

from bopis.domain.inventory.articles import CataloguedArticle


class Terms(Struct, frozen=True, kw_only=True):
    """Terms of available to promise, and the rules that set the withheld ones."""

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
        """Available to promise: on hand - held - in doubt - withheld, at least 0. Only the promise is floored."""
        return max(0, self.on_hand - self.held - self.in_doubt - self.withheld)

    @property
    def withheld(self) -> int:
        """Units withheld by policy, and for staleness of the store's data."""
        return self.safety_stock + self.walk_in_reserve + self.staleness


class Incoming(Struct, frozen=True, kw_only=True):
    """Units on their way to a store; they can be promised from ``at_ms`` on."""

    at_ms: int
    quantity: int


class Level(Struct, omit_defaults=True, gc=False):
    """The books of one SKU in one store.

    ``moves`` are recent movements, packed (see `movements`), so that a late count can be placed at its own time;
    movements up to ``floor_ms`` have been forgotten. ``counted_ms`` is the time of the newest count, which includes
    every movement up to then, whenever it arrives. ``article_version`` is the version of the partition's catalogue by
    which the SKU was last found to be an article with a shelf of its own; 0: never.
    """

    # Fields that every sale touches come first, to share a cache line of the CPU.
    on_hand: int = 0
    held: int = 0
    counted_ms: int = -1
    moves: bytes = b""
    sold_since_ms: int = 0
    sold: int = 0
    sold_before: int = 0
    article_version: int = 0
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


class StockRule(Struct, frozen=True, omit_defaults=True):
    """Units withheld; ``None`` leaves the term to the next wider rule."""

    safety_stock: int | None = None
    walk_in_reserve: int | None = None


class Store(Struct, omit_defaults=True, dict=True):
    """Policy of a store, and its devices. ``rules`` are named ``sku:X``, ``category:Y`` or ``store``.

    A store with pickup off gives its open orders away unless it ``finishes_open`` ones. ``staleness_percent`` of the
    sales expected since the last report count for staleness; 0 switches it off. ``withheld_max`` is derived
    from the rules and not part of the stored row: no SKU has more units withheld by them.
    """

    pickup: bool = True
    staleness_grace_minutes: int = 5
    rules: dict[str, StockRule] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    finishes_open: bool = False
    staleness_percent: int = 100

    def __post_init__(self) -> None:
        self.withheld_max = _withheld_max(self.rules)

    def set_rule(self, name: str, rule: StockRule | None) -> None:
        """Replace the rule of this name; None removes it."""
        if rule is None:
            self.rules.pop(name, None)
        else:
            self.rules[name] = rule
        self.withheld_max = _withheld_max(self.rules)


def _withheld_max(rules: Mapping[str, StockRule]) -> int:
    # The two terms of a SKU may come from different rules, so each has its own maximum.
    safety_stock = max((rule.safety_stock or 0 for rule in rules.values()), default=0)
    walk_in_reserve = max((rule.walk_in_reserve or 0 for rule in rules.values()), default=0)
    return safety_stock + walk_in_reserve


class Device(Struct, omit_defaults=True, gc=False):
    """Accepted sequences of a device: all up to ``mark``, and the ranges above it.

    ``digests`` are CRC-32s of the newest sequences, four bytes each at ``sequence % 64``, to tell a duplicate from the
    same sequence with other content. ``ids`` are CRC-32s of their ids in the same places, to recognise an event that is
    sent again under a new sequence; an id beyond ``greatest_id``, by length and then by characters, is new. ``closed``
    are holes that a count has settled. ``heard_ms`` is the newest time that the device reported about.
    ``baskets_by_hour`` counts baskets by hour of the day in the week ``baskets_week`` since the epoch and, each week
    halved, before it; ``hours_in_effect`` are these counts as they were when that week began (see `staleness`).
    """

    mark: int = 0
    top: int = 0
    heard_ms: int = 0
    ranges: list[list[int]] = field(default_factory=list)
    closed: list[list[int]] = field(default_factory=list)
    digests: bytearray = field(default_factory=bytearray)
    ids: bytearray = field(default_factory=lambda: bytearray(256))
    greatest_id: str = ""
    baskets_week: int = 0
    baskets_by_hour: bytearray = field(default_factory=bytearray)
    hours_in_effect: bytes = b""


class HoldLineState(StrEnum):
    HELD = "held"
    COLLECTED = "collected"
    RELEASED = "released"
    EXPIRED = "expired"
    LOST = "lost"


class HoldLine(Struct, omit_defaults=True):
    """Units of one order line; ``quantity`` is what the hold still covers, ``doubted`` what was released in doubt."""

    line: int
    sku: str
    quantity: int
    picked: int = 0
    lost: int = 0
    state: HoldLineState = HoldLineState.HELD
    doubted: int = 0


class Hold(Struct, omit_defaults=True):
    """Units promised to an order; without lines, the memory of a refused reservation."""

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
        return any(line.state is HoldLineState.HELD for line in self.lines)


class Seen(Struct, omit_defaults=True):
    """An accepted message without a sequence, with the digest of its body."""

    digest: int
    due_ms: int = 0


class Transfer(Struct, omit_defaults=True):
    """Transfer to this store: units announced and received, and whether each side is complete."""

    from_store: str
    announced: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    is_announced: bool = False
    is_received: bool = False
    expected_ms: int = 0
    due_ms: int = 0

    @property
    def coming(self) -> dict[str, int]:
        """Units still on their way, by SKU."""
        if self.is_received:
            return {}
        left = {sku: units - self.received.get(sku, 0) for sku, units in self.announced.items()}
        return {sku: units for sku, units in left.items() if units > 0}


class Expected(Struct, omit_defaults=True):
    """Units that a document announces, and when; without lines, the memory of a document received or withdrawn.

    ``announced_ms`` is the time of the newest message about the document. ``overdue`` is set once its date has passed
    without a receipt.
    """

    announced_ms: int = field(name="said_ms")
    expected_ms: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    overdue: bool = False
    due_ms: int = 0


class ArticleCode(Struct, frozen=True, omit_defaults=True):
    """A code of articles, and the SKUs that claim it, the newest claim last."""

    skus: tuple[str, ...] = ()


class CatalogueMark(Struct, omit_defaults=True):
    """How far a partition has the catalogue.

    ``following`` is by partition of the catalogue (in decimal) the first offset that is not in the rows. ``version``
    changes when an article with a shelf of its own may have lost it. No component of a kit ever had more
    units than ``component_max``.
    """

    version: int = 0
    component_max: int = 0
    following: dict[str, int] = field(default_factory=dict)


Timed = Hold | Seen | Transfer | Expected
CatalogueRow = CataloguedArticle | ArticleCode | CatalogueMark
Row = Level | Store | Device | Hold | Seen | Transfer | Expected | CatalogueRow


class StockRows(Protocol):
    """Rows of one partition by key: in memory, over a processor's table, or over SQL.

    Putting a row back marks it as changed. ``put_all`` takes rows that were got or put before, ``put_timed`` a row
    that is due at a deadline. ``due`` returns the keys of the rows due at an instant, earliest deadline first.
    """

    def get(self, key: str) -> Row | None: ...
    def put(self, key: str, row: Row) -> None: ...
    def put_all(self, rows: Mapping[str, Row]) -> None: ...
    def put_timed(self, key: str, row: Row, deadline_ms: int) -> None: ...
    def drop(self, key: str) -> None: ...
    def due(self, at_ms: int) -> list[str]: ...


def put_timed(rows: StockRows, key: str, row: Timed, due_ms: int) -> None:
    """Put a row that is due at an instant; the row keeps the instant for recovery."""
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


# Stands for the store in messages and rows about a partition, such as those of the catalogue; no store is called so.
NO_STORE = "-"
MARK_KEY = f"@catalogue|{NO_STORE}"
ARTICLE_PREFIX = f"@article|{NO_STORE}|"
KIT_PREFIX = f"@kit|{NO_STORE}|"
CODE_PREFIX = f"@code|{NO_STORE}|"


ROW_TYPES: dict[str, type[Row]] = {
    "@store": Store,
    "@device": Device,
    "@hold": Hold,
    "@seen": Seen,
    "@transfer": Transfer,
    "@expected": Expected,
    "@article": CataloguedArticle,
    "@kit": CataloguedArticle,
    "@code": ArticleCode,
    "@catalogue": CatalogueMark,
}


def row_type(key: str) -> type[Row]:
    """The type of the row kept under a key."""
    if key[0] != "@":
        return Level
    return ROW_TYPES[key[: key.index("|")]]


def split_key(key: str) -> tuple[str, str, str]:
    """Kind, store and rest of a row's key; the kind of a level is ``level``."""
    if key[0] != "@":
        store, _, sku = key.partition("|")
        return "level", store, sku
    kind, store, *rest = key.split("|", 2)
    return kind[1:], store, rest[0] if rest else ""
