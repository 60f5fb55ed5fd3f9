"""One answer is of one moment: one snapshot for each query, and for each command however many queries it needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bopis.domain.inventory.messages import PosSale, SaleLine, SetStorePolicy, StockExpected, StockLine
from bopis.readside import queries
from bopis.readside.engine import connect, reading
from bopis.readside.migrate import upgrade
from bopis.readside.queries import HistorySpan, Page, StoreSearch
from bopis.readside.queries.answers import LevelAnswer
from bopis.readside.queries.kpi import KpiGrouping, KpiSpan, kpis
from bopis.readside.queries.sources import books_by_sources, source_marks
from bopis.readside.writer import Projection
from tests.cli.program import Answer, run
from tests.readside.world import World, at, changelog

NOW, SOON = at(99), at(9_999)
AHEAD = "2199-01-01T08:00"
SOLD_BOTH = (SaleLine(sku="A", quantity=1), SaleLine(sku="B", quantity=1))

Levels = tuple[LevelAnswer, ...]
QUERIES: dict[str, Callable[[Engine, Levels], Any]] = {
    "all_stores": lambda engine, _: queries.all_stores(engine),
    "article": lambda engine, _: queries.article(engine, "A"),
    "articles": lambda engine, _: queries.articles(engine, ("A",)),
    "at": lambda engine, _: queries.at(engine, "S1", "A", NOW),
    "books_by_sources": lambda engine, _: books_by_sources(engine, "till/"),
    "expected": lambda engine, _: queries.expected(engine, now=NOW),
    "find": lambda engine, _: queries.find(engine, StoreSearch("A"), now=NOW),
    "find_later": lambda engine, _: queries.find_later(engine, StoreSearch("N"), on=SOON, now=NOW),
    "gaps": lambda engine, _: queries.gaps(engine),
    "history": lambda engine, _: queries.history(engine, "S1", "A", HistorySpan(limit=1)),
    "holds": lambda engine, _: queries.holds(engine, "S1"),
    "kpis": lambda engine, _: kpis(engine, KpiSpan(since=at(0), until=NOW), KpiGrouping.DAY, lambda *_: None),
    "later": lambda engine, levels: queries.later(engine, levels, on=SOON, now=NOW),
    "levels": lambda engine, _: queries.levels(engine, "S1", now=NOW, page=Page(limit=1)),
    "movements_of": lambda engine, _: queries.movements_of(engine, "S1", "desk", "m1"),
    "new_skus": lambda engine, _: queries.new_skus(engine, "S1", now=NOW),
    "newest_notices": lambda engine, _: queries.newest_notices(engine, None, 9),
    "on_hand": lambda engine, _: queries.on_hand(engine),
    "one_store": lambda engine, _: queries.one_store(engine, "S1"),
    "open_tasks": lambda engine, _: queries.open_tasks(engine),
    "order_history": lambda engine, _: queries.order_history(engine, "X"),
    "order_notices": lambda engine, _: queries.order_notices(engine, "X"),
    "order_outcomes": lambda engine, _: queries.order_outcomes(engine),
    "pickup_queue": lambda engine, _: queries.pickup_queue(engine),
    "positions": lambda engine, _: queries.positions(engine),
    "receipts_of": lambda engine, _: queries.receipts_of(engine, "S1", "d"),
    "source_marks": lambda engine, _: source_marks(engine, "till/"),
    "transfers": lambda engine, _: queries.transfers(engine),
    "transfers_named": lambda engine, _: queries.transfers_named(engine, "t"),
    "units_by_store": lambda engine, _: queries.units_by_store(engine),
    "unknown_codes": lambda engine, _: queries.unknown_codes(engine),
    "unknown_counts": lambda engine, _: queries.unknown_counts(engine),
    "unknown_stores": lambda engine, _: queries.unknown_stores(engine),
    "verify": lambda engine, _: queries.verify(engine),
    "why": lambda engine, _: queries.why(engine, "S1", "A", now=NOW),
}
COMMANDS = [
    ("stock", "show", "S1"),
    ("stock", "show", "S1", "A", "B"),
    ("stock", "show", "S1", "A", "N", "--on", AHEAD),
    ("stock", "show", "S1", "--on", AHEAD),
    ("stock", "find", "A", "--near", "47.0,-122.1"),
    ("stock", "find", "N", "--on", AHEAD),
    ("stock", "history", "S1", "A"),
    ("stock", "history", "S1", "A", "--until", "2020-01-01"),
    ("stock", "at", "S1", "A", "1h"),
    ("stock", "why", "S1", "A"),
    ("stock", "expected", "S1"),
    ("stock", "transfers", "S1"),
    ("stores", "show", "S1"),
    ("stores", "list"),
    ("kpi", "show", "--store", "S1"),
]


class Books:
    """A database that is written between the statements of its readers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = f"sqlite:///{home / 'readside.sqlite3'}"
        self._writer = connect(self.url)
        upgrade(self._writer)
        self._projection = Projection(self._writer)
        self.world = World(partitions=1)
        self._written = 0
        self.world.say("S1", StockExpected(document="d", lines=(StockLine(sku="N", quantity=9),), expected_at=at(500)))
        self.world.say("S1", SetStorePolicy(staleness_grace_minutes=10))
        for sku in ("A", "B"):
            self.world.receive("S1", sku, 100)
        self.world.receive("by hand", "A", 1)
        self.write()

    def write(self) -> None:
        """Project what is new in the world."""
        records = self.world.stock[0]
        self._projection.write("stock", 0, records)
        rows = changelog(records, every=1)
        self._projection.write("inventory-levels", 0, rows)

    def sell(self) -> None:
        """One basket with a unit of each of the two SKUs."""
        self.world.say("S1", PosSale(basket="b", lines=SOLD_BOTH), device="till/S1")
        self.write()

    @contextmanager
    def written_between_statements(self) -> Iterator[None]:
        def sell(connection: Any, *_: Any) -> None:
            if connection.engine is not self._writer:
                self.sell()

        event.listen(Engine, "after_cursor_execute", sell)
        try:
            yield
        finally:
            event.remove(Engine, "after_cursor_execute", sell)

    def ask(self, *words: str) -> Answer:
        return run(*words, "--json", "--data-dir", str(self.home), BOPIS_DATABASE=self.url)

    def close(self) -> None:
        self._writer.dispose()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


@contextmanager
def snapshots_of(kind: Any) -> Iterator[list[Any]]:
    """The transactions that are begun meanwhile on one engine, or on any."""
    begun: list[Any] = []

    def begin(connection: Any) -> None:
        begun.append(connection)

    event.listen(kind, "begin", begin)
    try:
        yield begun
    finally:
        event.remove(kind, "begin", begin)


def test_every_query_is_among_them() -> None:
    asked = {name for name in queries.__all__ if not name[0].isupper()}

    assert asked <= QUERIES.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_opens_one_snapshot(books: Books, name: str) -> None:
    engine = connect(books.url)
    levels = queries.levels(engine, "S1", now=NOW).levels

    with snapshots_of(engine) as begun:
        QUERIES[name](engine, levels)

    assert len(begun) == 1
    engine.dispose()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_in_a_snapshot_opens_none(books: Books, name: str) -> None:
    engine = connect(books.url)
    levels = queries.levels(engine, "S1", now=NOW).levels

    with reading(engine) as snapshot, snapshots_of(engine) as begun:
        QUERIES[name](snapshot, levels)  # type: ignore[arg-type]  # a query takes either

    assert begun == []
    engine.dispose()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_opens_one_snapshot(books: Books, words: tuple[str, ...]) -> None:
    with snapshots_of(Engine) as begun:
        answer = books.ask(*words)

    assert answer.code == 0, answer.err
    assert len(begun) == 1


def test_what_is_sold_between_two_questions_is_in_all_of_an_answer_or_in_nothing_of_it(books: Books) -> None:
    with books.written_between_statements():
        shown = books.ask("stock", "show", "S1", "A", "B").document["levels"]
        why = books.ask("stock", "why", "S1", "A").document

    assert shown[0]["terms"]["on_hand"] == shown[1]["terms"]["on_hand"]
    assert sum(it["change"] for it in why["on_hand"]["movements"]) == why["terms"]["on_hand"]


def test_a_page_behind_the_last_sku_of_a_store_that_was_never_imported_is_empty(books: Books) -> None:
    answer = books.ask("stock", "show", "by hand", "--after", "A")

    assert (answer.code, answer.document["levels"]) == (0, [])
