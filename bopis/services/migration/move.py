"""The move: look, fold, copy, compare, switch. Killed anywhere and started again, it goes on where it stood."""

from collections.abc import Iterator

import msgspec

from bopis.services.migration.changelog import NO_POSITION
from bopis.services.migration.checking import LEVELS_TOPIC, STOCK_TOPIC, check_books, check_copy
from bopis.services.migration.copies import (
    Source,
    every_copy,
    letter_copies,
    newest_copies,
    row_copies,
    stock_copies,
    store_of,
)
from bopis.services.migration.errors import (
    BooksDiffer,
    HistoryCut,
    NotDecided,
    NothingToMove,
    OldMoved,
    StoresSplit,
    WorkersRunning,
)
from bopis.services.migration.filling import Filling
from bopis.services.migration.letters import Places
from bopis.services.migration.survey import Survey, fold
from bopis.services.migration.target import Target
from bopis.services.migration.world import Advance, Copy, Moving, Span, Ways
from bopis.topics.known import Moved

STORES_TOLD_MAX = 5


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and what was done. ``moved`` counts the records that each new topic holds, ``appended`` those of
    this attempt."""

    messages: int
    stores: int
    rows: int
    ticks: int
    unread: int
    other_keys: int
    moved: dict[str, int] = {}
    appended: dict[str, int] = {}


class Move:
    """One move of every topic in ``moving``: the stock messages first, rows after the messages that they come from."""

    def __init__(self, ways: Ways, moving: list[Moving], prefixes: tuple[str, str]) -> None:
        self._ways = ways
        order = list(Moved)
        self._moving = sorted(moving, key=lambda it: order.index(it.topic.moved))
        self._prefixes = prefixes
        self._survey = Survey()
        self._rows = 0
        self._span = Span(starts={}, ends={})
        self._fillings: dict[str, Filling] = {}

    def look(self) -> Report:
        """Check that the old topics can be moved as they stand, and learn what is needed for it. Changes nothing."""
        self._check_idle()
        names = [it.topic.name for it in self._moving]
        old = self._ways.old
        self._span = Span(starts=old.start_offsets(names), ends=old.end_offsets(names))
        partitions = self._span.partitions(STOCK_TOPIC)
        if not partitions:
            raise NothingToMove(topic=self._old(STOCK_TOPIC))
        for it in partitions:
            if first := self._span.starts[STOCK_TOPIC, it]:
                raise HistoryCut(topic=self._old(STOCK_TOPIC), partition=it, first=first)
        self._check_decided()
        with self._ways.show("reading messages", self._span.records(STOCK_TOPIC)) as advance:
            for it in partitions:
                self._fold(it, advance)
        if split := sorted(self._survey.split):
            raise StoresSplit(stores=", ".join(split[:STORES_TOLD_MAX]), topic=self._old(STOCK_TOPIC))
        return self._report()

    def _check_decided(self) -> None:
        """Every processor's rows stand for every message of its topic. One that never ran has nothing to move: it will
        begin with the first message."""
        for it in self._moving:
            source = it.topic.rows_of
            if source != STOCK_TOPIC and not self._span.records(it.topic.name):
                continue
            for partition in self._span.partitions(source):
                end = self._span.ends[source, partition]
                position = self._source(it.topic.name).changelog(partition).position
                if position != (end - 1 if end else NO_POSITION):
                    raise NotDecided(topic=self._old(source), records=max(1, end - 1 - position))

    def _fold(self, partition: int, advance: Advance) -> None:
        where = (STOCK_TOPIC, partition)
        levels = self._source(LEVELS_TOPIC).changelog(partition)
        records = self._ways.old.read({where: 0}, {where: self._span.ends[where]})
        rows = fold(records, self._survey, advance)
        if (key := levels.first_difference(rows.rows)) is not None:
            raise BooksDiffer(topic=self._old(LEVELS_TOPIC), partition=partition, key=key)
        self._rows += len(levels.rows)

    def run(self, anew: bool) -> Report:
        """Copy what is not there yet, compare all of it, switch. `look` comes first."""
        target = Target(self._ways.new, self._ways.keeper, self._moving)
        if anew:
            target.clear()
        found = target.open()
        places = self._places()
        for it in self._moving:
            name = it.topic.name
            copier = self._ways.copier if name in target.unfinished else None
            filling = self._fillings[name] = Filling(it.plan.name, name, found[name], copier)
            with self._ways.show(f"copying {name}", self._span.records(name)) as advance:
                filling.take(self._copies(it, places), advance)
        self._check()
        self._check_idle()
        self._check_still()
        target.finish()
        return self._report()

    def _check(self) -> None:
        fillings, new = self._fillings, self._ways.new
        records = sum(content.records for filling in fillings.values() for content in filling.contents.values())
        messages = sum(content.records for content in fillings[STOCK_TOPIC].contents.values())
        with self._ways.show("comparing", records + messages) as advance:
            for it in self._moving:
                check_copy(new, it, fillings[it.topic.name], advance)
            name = self._moving[0].plan.name
            check_books(new, fillings[STOCK_TOPIC], fillings[LEVELS_TOPIC], name, advance)

    def _copies(self, moving: Moving, places: Places) -> Iterator[Copy]:
        source = self._source(moving.topic.name)
        match moving.topic.moved:
            case Moved.STOCK:
                return stock_copies(source, self._survey, places)
            case Moved.ROWS:
                rows_of = moving.topic.rows_of
                owner = store_of if rows_of == STOCK_TOPIC else bytes
                return row_copies(source, owner, list(self._fillings[rows_of].contents.values()))
            case Moved.LETTERS:
                return letter_copies(source, places)
            case Moved.NEWEST:
                return newest_copies(source, lambda key: key)
            case Moved.MARKS:
                return newest_copies(source, places.key)
            case Moved.EVERY | Moved.NOTHING:
                return every_copy(source, places)

    def _places(self) -> Places:
        by_kind = {it.topic.moved: it.topic.name for it in self._moving}
        letters, marks = (self._source(by_kind[it]).records() for it in (Moved.LETTERS, Moved.MARKS))
        return Places(letters, marks, *self._prefixes)

    def _source(self, topic: str) -> Source:
        partitions = next(it.plan.partitions for it in self._moving if it.topic.name == topic)
        place = self._ways.place
        return Source(
            log=self._ways.old,
            topic=topic,
            span=self._span,
            place=lambda key: place(key, partitions),
            partitions=partitions,
        )

    def _check_idle(self) -> None:
        if working := self._ways.working():
            raise WorkersRunning(groups=", ".join(working))

    def _check_still(self) -> None:
        """Nothing has come to the old topics since they were looked at."""
        for where, end in self._ways.old.end_offsets([it.topic.name for it in self._moving]).items():
            if end != self._span.ends.get(where, 0):
                raise OldMoved(topic=self._old(where[0]), records=end - self._span.ends.get(where, 0))

    def _old(self, topic: str) -> str:
        return self._prefixes[0] + topic

    def _report(self) -> Report:
        contents = {name: it.contents.values() for name, it in self._fillings.items()}
        return Report(
            messages=self._span.records(STOCK_TOPIC),
            stores=len(self._survey.homes),
            rows=self._rows,
            ticks=len(self._survey.ticks),
            unread=self._survey.unread,
            other_keys=self._survey.other_keys,
            moved={name: sum(it.records for it in found) for name, found in contents.items()},
            appended={name: it.appended for name, it in self._fillings.items()},
        )
