"""Reading back what was copied: every byte, and the messages folded anew against the rows beside them."""

from collections.abc import Iterable, Iterator

from bopis.ports import Log, Record
from bopis.services.migration.changelog import Changelog
from bopis.services.migration.errors import TargetDiffers
from bopis.services.migration.filling import Content, Filling
from bopis.services.migration.survey import Survey, fold
from bopis.services.migration.world import Advance, Moving

STOCK_TOPIC, LEVELS_TOPIC = "stock", "inventory-levels"


def check_copy(log: Log, moving: Moving, filling: Filling, advance: Advance) -> None:
    """Raise `TargetDiffers` unless each partition holds what was to be copied, with its times and headers."""
    for partition, content in filling.contents.items():
        found = Content()
        for record in _records(log, moving.topic.name, partition, content.records):
            found.take(record.key, record.value, record.headers, record.timestamp_ms)
            advance(1)
        if found != content:
            raise TargetDiffers(topic=moving.plan.name, partition=partition)


def check_books(log: Log, stock: Filling, levels: Filling, name: str, advance: Advance) -> None:
    """Raise `TargetDiffers` unless the new messages, decided from the first to the last, come to the new rows and the
    position beside them is their end."""
    survey = Survey()
    for partition, content in stock.contents.items():
        rows = fold(_records(log, STOCK_TOPIC, partition, content.records), survey, advance)
        changelog = Changelog(_records(log, LEVELS_TOPIC, partition, levels.contents[partition].records))
        if changelog.first_difference(rows.rows) is not None or changelog.position != content.records - 1:
            raise TargetDiffers(topic=name, partition=partition)


def _records(log: Log, topic: str, partition: int, records: int) -> Iterator[Record]:
    where = (topic, partition)
    yield from _whole(log.read({where: 0}, {where: records}))


def _whole(records: Iterable[Record]) -> Iterator[Record]:
    """Offsets of a partition that was only copied into have no holes, so an offset is a number."""
    for number, record in enumerate(records):
        if record.offset != number:
            return
        yield record
