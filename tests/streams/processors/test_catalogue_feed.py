"""A stock partition is fed with the catalogue: what it lacks, in order, once; after any crash the same."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.inventory.catalogue import mark_of, resolved
from bopis.domain.sourcing.request import Component
from bopis.wire.catalogue import Article, encode
from bopis.wire.stock import STOCK
from streams.engine.exact_step import step
from streams.engine.rows import PartitionRows
from streams.processors.catalogue_feed import CatalogueFeed, PartitionCatalogue
from streams.processors.inventory import InventoryProcessor

NOW_MS = 1_800_000_000_000
BEER = Article(sku="BEER", name="Beer", gtins=("05012345678900",))
SIX = Article(sku="SIX", components=(Component(sku="BEER", quantity=6),))


RECORDS = (BEER, SIX, Article(sku="SIX"), Article(sku="ALE", gtins=BEER.gtins), "BEER", "SIX")


class Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = NOW_MS
    headers: tuple[Any, ...] = ()


class Stock:
    """One stock partition and its owner."""

    def __init__(self) -> None:
        self.feed = CatalogueFeed()
        self.rows = self._no_rows()
        self.partition: PartitionCatalogue = self.feed.of_partition()
        self.log: list[Record] = []
        self.offsets = [0, 0]

    def _no_rows(self) -> PartitionRows:
        processor = InventoryProcessor()
        return PartitionRows(processor.decode, processor.encode)

    def publish(self, *articles: Article | str, partition: int = 0) -> None:
        """Records of the catalogue; a SKU alone is a removal."""
        for it in articles:
            sku = it if isinstance(it, str) else it.sku
            value = None if isinstance(it, str) else encode(it)
            self.feed.take("catalogue", Record(self.offsets[partition], sku.encode(), value), partition)
            self.offsets[partition] += 1

    def append(self) -> int:
        """Append what the partition lacks, without deciding it."""
        messages = self.partition.messages(self.rows)
        self.log += [Record(len(self.log) + at, key, value) for at, (key, value) in enumerate(messages)]
        return len(messages)

    def decide(self, position: int = -1) -> None:
        result = step(InventoryProcessor(), self.rows, position, self.log[position + 1 :], 1 << 20)
        assert not result.parked
        self.rows.changes()

    def settle(self) -> None:
        """Append and decide until nothing is lacking."""
        decided = len(self.log) - 1
        while self.append():
            self.decide(decided)
            decided = len(self.log) - 1

    def sku(self, code: str) -> str | None:
        article = resolved(self.rows, code)
        return None if article is None else article.sku


@pytest.fixture
def stock() -> Stock:
    return Stock()


def test_a_partition_without_a_catalogue_gets_no_message(stock: Stock) -> None:
    assert stock.append() == 0
    assert mark_of(stock.rows) is None


def test_a_partition_gets_what_it_lacks_once(stock: Stock) -> None:
    stock.publish(BEER, SIX)

    stock.settle()

    assert stock.sku("5012345678900") == "BEER"
    assert stock.sku("six") == "SIX"
    assert stock.append() == 0


def test_a_new_name_is_no_change_for_the_inventory(stock: Stock) -> None:
    stock.publish(BEER)
    stock.settle()
    stock.publish(Article(sku="BEER", name="Ale", gtins=BEER.gtins))

    assert stock.append() == 0


def test_a_removed_article_is_unknown(stock: Stock) -> None:
    stock.publish(BEER, SIX)
    stock.settle()
    stock.publish("BEER")

    stock.settle()

    assert stock.sku("BEER") is None
    assert stock.sku("SIX") == "SIX"


def test_a_removal_that_compaction_has_dropped_is_found_by_the_next_owner(stock: Stock) -> None:
    stock.publish(BEER, SIX)
    stock.settle()

    stock.feed = CatalogueFeed()
    stock.offsets = [1, 0]
    stock.publish(SIX)
    stock.partition = stock.feed.of_partition()
    stock.settle()

    assert stock.sku("BEER") is None
    assert stock.sku("SIX") == "SIX"


def test_an_owner_that_has_read_less_than_the_rows_know_changes_nothing(stock: Stock) -> None:
    stock.publish(BEER, Article(sku="BEER", gtins=("00049000006346",)))
    stock.settle()

    stock.feed = CatalogueFeed()
    stock.offsets = [0, 0]
    stock.publish(BEER)
    stock.partition = stock.feed.of_partition()

    assert stock.append() == 0


def test_an_unreadable_record_leaves_the_article_as_it_was(stock: Stock) -> None:
    stock.publish(BEER)
    stock.settle()

    for value in (b"{", encode(SIX)):
        with pytest.raises(ValueError):
            stock.feed.take("catalogue", Record(1, b"BEER", value), 0)

    assert stock.append() == 0
    assert stock.sku("BEER") == "BEER"


def test_the_largest_articles_fit_into_messages(stock: Stock) -> None:
    parts = tuple(Component(sku=f"{number:04d}" * 16, quantity=1) for number in range(50))
    stock.publish(*(Article(sku=f"K{number}" + "€" * 60, components=parts) for number in range(120)))

    stock.settle()

    assert all(len(record.value or b"") < 200_000 for record in stock.log)
    assert stock.sku("K119" + "€" * 60) is not None


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from([BEER, SIX, Article(sku="SIX"), Article(sku="ALE", gtins=BEER.gtins), "BEER", "SIX"])
            ),
            st.sampled_from(["append", "crash", "settle"]),
        ),
        max_size=20,
    )
)
def test_after_any_crash_between_changes_the_rows_are_those_of_the_catalogue_and_of_the_log(story: list[Any]) -> None:
    stock = Stock()
    newest: dict[str, Article | None] = {}
    for event in story:
        if isinstance(event, tuple):
            [it] = event
            sku = it if isinstance(it, str) else it.sku
            stock.publish(it, partition=len(sku) % 2)
            newest[sku] = None if isinstance(it, str) else it
        elif event == "append":
            stock.append()
            stock.decide()
        elif event == "settle":
            stock.settle()
        else:  # A new owner decides the log from its beginning, and compares again.
            stock.rows = stock._no_rows()
            stock.partition = stock.feed.of_partition()
            stock.decide()

    stock.settle()
    replayed = Stock()
    replayed.log = stock.log
    replayed.decide()

    assert list(replayed.rows.items()) == list(stock.rows.items())
    for sku, article in newest.items():
        assert stock.sku(sku) == (None if article is None else sku)
    for record in stock.log:
        assert STOCK.decode(record.value or b"").subject == "-"
