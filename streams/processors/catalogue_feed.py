"""The catalogue for the inventory: a table of the compacted topic, and what each stock partition lacks of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle, KitComponent
from bopis.domain.inventory.catalogue import article_of, mark_of
from bopis.domain.inventory.rows import ARTICLE_PREFIX, KIT_PREFIX, NO_STORE, CatalogueMark
from bopis.domain.inventory.step import INVENTORY
from bopis.domain.message import Message
from bopis.names import CATALOGUE_TOPIC
from bopis.wire import catalogue
from bopis.wire.catalogue import Article
from bopis.wire.stock import STOCK
from streams.engine.processor import LogRecord
from streams.engine.rows import PartitionRows
from streams.processors.wiring import at_instant

# Together with its envelope a message stays well below `MESSAGE_BYTES_MAX`.
ARTICLES_PER_MESSAGE_MAX = 200
ARTICLES_BYTES_MAX = 150_000
MESSAGES_PER_BATCH_MAX = 16

_T = TypeVar("_T")


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The newest record of a SKU: where it is in the catalogue's topic, and the article; None if it was removed.

    ``number`` counts the records in the order in which they were read.
    """

    number: int
    partition: int
    offset: int
    recorded_ms: int
    sku: str
    article: CataloguedArticle | None


class CatalogueFeed:
    """The catalogue as one worker has read it."""

    topics = (CATALOGUE_TOPIC,)

    def __init__(self) -> None:
        self.number = 0
        # A dict keeps the order in which SKUs were put: the newest records are last.
        self._entries: dict[str, CatalogueEntry] = {}

    def take(self, topic: str, record: LogRecord, partition: int) -> None:  # noqa: ARG002  (the protocol's)
        """Take one record. Raises ValueError for an article that cannot be read; its earlier version stays."""
        sku = (record.key or b"").decode()
        article = None if record.value is None else as_catalogued(catalogue.decode(record.value))
        if article is not None and article.sku != sku:
            raise ValueError(f"the record's key is {sku!r}, its article {article.sku!r}")
        self.number += 1
        self._entries.pop(sku, None)
        self._entries[sku] = CatalogueEntry(
            number=self.number,
            partition=partition,
            offset=record.offset,
            recorded_ms=record.timestamp,
            sku=sku,
            article=article,
        )

    def of_partition(self) -> "PartitionCatalogue":
        """The feed of one more partition of stock."""
        return PartitionCatalogue(self)

    def since(self, number: int) -> list[CatalogueEntry]:
        """Entries read after this many records."""
        found = []
        for entry in reversed(self._entries.values()):
            if entry.number <= number:
                break
            found.append(entry)
        return found

    def __contains__(self, sku: str) -> bool:
        return sku in self._entries


class PartitionCatalogue:
    """What one partition of stock lacks of the catalogue. Its rows are known to have the first `_seen` records."""

    def __init__(self, feed: CatalogueFeed) -> None:
        self._feed = feed
        self._seen = 0
        self._compared = False
        self._last: list[CatalogueChanged] = []

    def messages(self, rows: PartitionRows) -> Sequence[tuple[bytes, bytes]]:
        """The next changes as messages."""
        if self._compared and self._seen == self._feed.number:
            return ()
        read = self._feed.number
        lacking = [it for it in self._feed.since(self._seen) if _is_lacking(rows, it)]
        bodies = [*_changes(lacking)]
        if not self._compared:
            # Removed for so long that compaction has dropped the record of it, too.
            gone = [sku for sku in _skus(rows) if sku not in self._feed]
            bodies += [CatalogueChanged(partition=0, following=0, removed=tuple(it)) for it in _parts(gone)]
        # Messages that changed nothing were parked, and would be parked again.
        if not bodies or bodies == self._last:
            self._seen, self._compared = read, True
            return ()
        self._last = bodies
        at_ms = max((it.recorded_ms for it in lacking), default=0)
        return [(NO_STORE.encode(), _message(rows, body, at_ms)) for body in bodies[:MESSAGES_PER_BATCH_MAX]]


def as_catalogued(article: Article) -> CataloguedArticle:
    """An article as far as the inventory needs it."""
    components = tuple(KitComponent(sku=it.sku, quantity=it.quantity) for it in article.components)
    return CataloguedArticle(sku=article.sku, unit=article.unit, gtins=article.gtins, components=components)


def _is_lacking(rows: PartitionRows, entry: CatalogueEntry) -> bool:
    mark = mark_of(rows) or CatalogueMark()
    is_newer = entry.offset >= mark.following.get(str(entry.partition), 0)
    # A change of a name changes nothing here.
    return is_newer and article_of(rows, entry.sku) != entry.article


def _changes(lacking: Iterable[CatalogueEntry]) -> Iterator[CatalogueChanged]:
    """Bodies in the order of each partition of the catalogue, so that a mark never skips an article."""
    by_partition: dict[int, list[CatalogueEntry]] = {}
    for entry in sorted(lacking, key=lambda it: (it.partition, it.offset)):
        by_partition.setdefault(entry.partition, []).append(entry)
    for partition, entries in by_partition.items():
        for part in _parts(entries):
            yield CatalogueChanged(
                partition=partition,
                following=part[-1].offset + 1,
                articles=tuple(it.article for it in part if it.article is not None),
                removed=tuple(it.sku for it in part if it.article is None),
            )


def _parts(found: Sequence[_T]) -> Iterator[list[_T]]:
    part: list[_T] = []
    size = 0
    for it in found:
        added = len(msgspec.json.encode(it))
        if part and (len(part) == ARTICLES_PER_MESSAGE_MAX or size + added > ARTICLES_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(it)
        size += added
    if part:
        yield part


def _skus(rows: PartitionRows) -> Iterator[str]:
    for prefix in (ARTICLE_PREFIX, KIT_PREFIX):
        yield from (key.removeprefix(prefix) for key in rows.keys(prefix))


def _message(rows: PartitionRows, body: CatalogueChanged, at_ms: int) -> bytes:
    place = f"{body.partition}/{body.following}/{rows.placement.partition}"
    return STOCK.encode_trusted(
        Message(id=f"catalogue/{place}", source=INVENTORY, time=at_instant(at_ms), subject=NO_STORE, data=body)
    )
