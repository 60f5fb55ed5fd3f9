"""A store's copy of its orders, policy, levels and catalogue: a SQLite file of its own, which can be fetched again."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.orders.offline.store_copy import CopyOrder
from bopis.journal.database import named_failures, transaction
from bopis.journal.limits import JournalLimits
from bopis.wire.offline import CopyRule, ShopCopy

COPY_FILE = "shop.sqlite3"
FORMAT = 1
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE orders (number TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE level (sku TEXT PRIMARY KEY, on_hand INTEGER NOT NULL, atp INTEGER NOT NULL, turn INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE article (sku TEXT PRIMARY KEY, name TEXT NOT NULL, unit TEXT NOT NULL, turn INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE code (gtin TEXT PRIMARY KEY, sku TEXT NOT NULL, turn INTEGER NOT NULL) WITHOUT ROWID;
"""
_order = msgspec.json.Decoder(CopyOrder).decode


class CopyState(Struct, frozen=True, kw_only=True):
    """A copy without its orders. `current_ms` is the instant that it is true of (epoch milliseconds, 0 for never);
    `etag` names its content."""

    store: str = ""
    current_ms: int = 0
    etag: str = ""
    pickup: bool = True
    rules: tuple[CopyRule, ...] = ()
    key_day: str = ""
    key: str = ""
    levels_ms: int = 0
    catalogue_ms: int = 0
    time_zone: str = "UTC"


class LevelRow(Struct, frozen=True, kw_only=True):
    """What the books of the store have of a SKU, and what can be promised."""

    sku: str
    on_hand: int
    atp: int


class ArticleRow(Struct, frozen=True, kw_only=True):
    """Name, unit and codes of an article."""

    sku: str
    name: str = ""
    unit: str = ""
    gtins: tuple[str, ...] = ()


class ShopCopyFile:
    """The file of a copy; a file that cannot be read, or is of another store or version, is begun again."""

    def __init__(self, directory: Path, store: str) -> None:
        self.path = directory / COPY_FILE
        self._lock, self._limits = threading.RLock(), JournalLimits()
        directory.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._open()
            if self.state().store != store:
                raise sqlite3.DatabaseError("it is of another store")
        except (sqlite3.DatabaseError, msgspec.MsgspecError):
            self._begin_again(store)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __enter__(self) -> "ShopCopyFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def state(self) -> CopyState:
        """The copy without its orders."""
        with self._lock:
            found = self._connection.execute("SELECT value FROM meta WHERE name = 'state'").fetchone()
        return msgspec.json.decode(found[0], type=CopyState) if found else CopyState()

    def orders(self) -> list[CopyOrder]:
        """The open orders, by number."""
        return [_order(value) for (value,) in self._ask("SELECT value FROM orders ORDER BY number")]

    def order(self, number: str) -> CopyOrder | None:
        """The open order of a number."""
        found = self._ask("SELECT value FROM orders WHERE number = ?", number)
        return _order(found[0][0]) if found else None

    def put(self, copy: ShopCopy, etag: str, current_ms: int) -> None:
        """Replace orders and policy."""
        with self._writing() as writer:
            writer.execute("DELETE FROM orders")
            rows = [(it.order, msgspec.json.encode(it)) for it in copy.orders]
            writer.executemany("INSERT INTO orders VALUES (?, ?)", rows)
            self._change(
                etag=etag, current_ms=current_ms, pickup=copy.pickup, rules=copy.rules, key_day=copy.key_day,
                key=copy.key, time_zone=copy.time_zone,
            )  # fmt: skip

    def still_current(self, current_ms: int) -> None:
        """Note that the copy is true of a later instant, too."""
        with self._writing():
            self._change(current_ms=current_ms)

    def put_levels(self, pages: Iterable[list[LevelRow]], now_ms: int) -> None:
        """Replace levels, page by page; the ones before stay until the last page is there."""
        for page in pages:
            with self._writing() as writer:
                rows = [(it.sku, it.on_hand, it.atp, now_ms) for it in page]
                writer.executemany("INSERT OR REPLACE INTO level VALUES (?, ?, ?, ?)", rows)
        with self._writing() as writer:
            writer.execute("DELETE FROM level WHERE turn < ?", (now_ms,))
            self._change(levels_ms=now_ms)

    def put_articles(self, pages: Iterable[list[ArticleRow]], now_ms: int) -> None:
        """Replace the catalogue, page by page."""
        for page in pages:
            with self._writing() as writer:
                rows = [(it.sku, it.name, it.unit, now_ms) for it in page]
                writer.executemany("INSERT OR REPLACE INTO article VALUES (?, ?, ?, ?)", rows)
                codes = [(gtin, it.sku, now_ms) for it in page for gtin in it.gtins]
                writer.executemany("INSERT OR REPLACE INTO code VALUES (?, ?, ?)", codes)
        with self._writing() as writer:
            writer.execute("DELETE FROM article WHERE turn < ?", (now_ms,))
            writer.execute("DELETE FROM code WHERE turn < ?", (now_ms,))
            self._change(catalogue_ms=now_ms)

    def name(self, sku: str) -> str:
        """The name of an article; its SKU if the catalogue has none."""
        found = self._ask("SELECT name FROM article WHERE sku = ?", sku)
        return str(found[0][0]) if found and found[0][0] else sku

    def sku_of(self, code: str) -> str:
        """The SKU of a code: of an article's GTIN in any of its forms, else the code itself."""
        if not (code.isascii() and code.isdigit()):
            return code
        found = self._ask("SELECT sku FROM code WHERE gtin = ?", code.zfill(14))
        is_sku = self._ask("SELECT 1 FROM article WHERE sku = ?", code)
        return str(found[0][0]) if found and not is_sku else code

    def level(self, sku: str) -> LevelRow | None:
        """The level of a SKU; None if the store never had it."""
        found = self._ask("SELECT on_hand, atp FROM level WHERE sku = ?", sku)
        return LevelRow(sku=sku, on_hand=found[0][0], atp=found[0][1]) if found else None

    def counts(self) -> tuple[int, int, int]:
        """How many orders, levels and articles the copy has."""
        orders, levels, articles = (
            int(self._ask(f"SELECT count(*) FROM {it}")[0][0]) for it in ("orders", "level", "article")
        )
        return orders, levels, articles

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._lock, named_failures(self.path, self._limits):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, named_failures(self.path, self._limits), transaction(self._connection):
            yield self._connection

    def _change(self, **changes: Any) -> None:
        state = msgspec.structs.replace(self.state(), **changes)
        row = ("state", msgspec.json.encode(state))
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA cache_size = -512")
        connection.execute("PRAGMA journal_mode = WAL")
        # Nothing is lost with it: it is fetched again.
        connection.execute("PRAGMA synchronous = NORMAL")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise sqlite3.DatabaseError(f"it has format {found}")
        return connection

    def _begin_again(self, store: str) -> None:
        with named_failures(self.path, self._limits):
            if hasattr(self, "_connection"):
                self._connection.close()
            for end in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            self._connection = self._open()
            with transaction(self._connection):
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {FORMAT}")
                self._change(store=store)


def read_state(directory: Path) -> CopyState | None:
    """The state of the copy in a directory, read beside the agent; None where there is none that can be read."""
    path = directory / COPY_FILE
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT value FROM meta WHERE name = 'state'").fetchone()
            return msgspec.json.decode(found[0], type=CopyState) if found else None
    except (sqlite3.Error, msgspec.MsgspecError):
        return None
