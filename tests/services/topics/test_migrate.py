"""Everything moves to a new prefix with another number of partitions, and nothing is lost, doubled or decided again."""

import json
import sqlite3
import uuid
from datetime import timedelta
from typing import Any

import pytest

from bopis.domain.inventory.messages import StockTick
from bopis.ports import Record
from bopis.services.dead_letters import letters
from bopis.services.migration.survey import read
from bopis.services.progress import decided_positions
from bopis.topics.definitions import TOPICS, MigrationRule
from bopis.wire.placement import partition_of as home_of
from streams.engine.exact_step import NO_POSITION, step
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor
from tests.engines import Engine
from tests.services.topics import history
from tests.services.topics.history import STORES, hold, now, sale
from tests.services.topics.installation import Installation

OLD_PARTITIONS = 4
RECORD_BYTES_MAX = 1 << 20
# Where a record stands, and which of the rows made from one record a row is: a move changes the first, and splits
# ticks, so that it changes the second.
PLACES = {"partition", "offset", "line"}
MOVED = tuple(it.name for it in TOPICS if it.migration is not MigrationRule.NOTHING)
NOT_COMPARED = ("consumed", "alembic_version")


@pytest.fixture(scope="module")
def pasts() -> dict[str, Installation]:
    """The installation of each engine: a move leaves the old topics as they are, so one past serves every test."""
    return {}


@pytest.fixture
def old(engine: Engine, pasts: dict[str, Installation], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with a past, everything decided and its worker stopped."""
    if engine.name not in pasts:
        home = tmp_path_factory.mktemp("past")
        place = Installation(engine, home, f"m{uuid.uuid4().hex[:8]}.", OLD_PARTITIONS)
        assert place.command("topics", "create").returncode == 0
        with place.worker():
            history.live(place)
        pasts[engine.name] = place
    return pasts[engine.name]


def new_of(old: Installation, partitions: int) -> Installation:
    return Installation(old.engine, old.home / f"new-{partitions}", f"{old.prefix}to{partitions}.", partitions)


def migrate(old: Installation, new: Installation, *options: str, dying: str = "") -> Any:
    words = ("topics", "migrate", "--to-prefix", new.prefix, "--partitions", str(new.partitions), "--json", *options)
    return old.die(dying, *words) if dying else old.command(*words)


def test_a_move_that_is_killed_again_and_again_loses_and_doubles_nothing(old: Installation) -> None:
    new = new_of(old, 7)
    # Each attempt takes a quarter of a minute on Apache Kafka.
    deaths = ("append:250", "append:300", "alter:4") if old.engine.name == "embedded" else ("append:250", "alter:4")

    codes, copied = [], [0]
    for moment in deaths:
        codes.append(migrate(old, new, dying=moment).returncode)
        copied.append(sum(len(new.records(it)) for it in MOVED))
    done = migrate(old, new)

    assert codes == [-9] * len(deaths)
    assert copied == sorted(set(copied)), "each attempt goes on where the one before it was killed"
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["moved"].values()) == copied[-1]
    assert_moved(old, new)
    assert_goes_on(old, new)


def test_a_move_to_fewer_partitions_and_on_to_more_ends_where_it_began(old: Installation) -> None:
    fewer, more = new_of(old, 2), new_of(old, 5)

    assert migrate(old, fewer).returncode == 0
    assert_moved(old, fewer)
    assert migrate(fewer, more).returncode == 0
    assert_moved(fewer, more)

    tables = [tables_of(it) for it in (old, fewer, more)]
    for name, rows in tables[0].items():
        assert tables[1][name] == rows, name
        assert tables[2][name] == rows, name
    assert tables[0]["movements"]
    assert tables[0]["hold_history"]
    assert tables[0]["inventory_events"]


def assert_moved(old: Installation, new: Installation) -> None:
    assert_rows_are_the_same(old, new)
    assert_each_store_has_its_messages(old, new)
    assert_conclusions_are_those_of_the_messages(old, new)
    assert_letters_name_their_messages(old, new)
    for topic in ("stock", "inventory-events", "dead-letters"):
        for partition in range(new.partitions):
            times = [it.timestamp_ms for it in new.records(topic) if it.partition == partition]
            assert times == sorted(times), f"the times of {topic} run backwards in {partition}"
    assert not new.judged().violations


def assert_rows_are_the_same(old: Installation, new: Installation) -> None:
    before, after = newest(old.records("inventory-levels")), newest(new.records("inventory-levels"))
    assert {key: it.value for key, it in before.items()} == {key: it.value for key, it in after.items()}
    for key, record in after.items():
        store = key.decode().split("|")[1 if key[:1] == b"@" else 0]
        assert record.partition == home_of(store.encode(), new.partitions)
    with new.reader() as reader:
        ends = {where[1]: end for where, end in reader.end_offsets(["stock"]).items() if end}
        assert decided_positions(reader) == {partition: end - 1 for partition, end in ends.items()}


def newest(records: list[Record]) -> dict[bytes, Record]:
    found: dict[bytes, Record] = {}
    for record in records:
        if record.key and record.key[0] != 0:
            found.pop(record.key, None)
            if record.value is not None:
                found[record.key] = record
    return found


def assert_each_store_has_its_messages(old: Installation, new: Installation) -> None:
    assert by_store(old) == by_store(new)
    for record in new.records("stock"):
        if record.key is not None:
            assert record.partition == home_of(record.key, new.partitions)


def by_store(place: Installation) -> dict[bytes | None, list[tuple[Any, ...]]]:
    """The records of each key, in order and with their times; ticks are about several stores and left out."""
    found: dict[bytes | None, list[tuple[Any, ...]]] = {}
    for record in place.records("stock"):
        message = read(record, place.partitions)
        if message is None or not isinstance(message.data, StockTick):
            found.setdefault(record.key, []).append((record.timestamp_ms, record.value, tuple(record.headers)))
    return found


def assert_conclusions_are_those_of_the_messages(old: Installation, new: Installation) -> None:
    """Deciding every moved message once more says what the moved conclusions say, with their ids, byte by byte."""
    said = {(it.key, it.value) for it in new.records("inventory-events")}
    told = {(it.key, it.value) for it in old.records("inventory-events")}
    stock = new.records("stock")
    anew = set()
    for partition in range(new.partitions):
        rows = PartitionRows(InventoryProcessor().decode, InventoryProcessor().encode)
        mine = [Seen(it) for it in stock if it.partition == partition]
        outputs = step(InventoryProcessor(), rows, NO_POSITION, mine, RECORD_BYTES_MAX).outputs
        anew |= {(it.key, it.value) for it in outputs if it.topic == "inventory-events"}
    assert said == told
    assert anew == said


class Seen:
    """A record with the names that a processor reads."""

    def __init__(self, it: Record) -> None:
        self.offset, self.timestamp, self.key, self.value, self.headers = (
            it.offset, it.timestamp_ms, it.key, it.value, it.headers,
        )  # fmt: skip


def assert_letters_name_their_messages(old: Installation, new: Installation) -> None:
    found = []
    for place in (old, new):
        stock = {(it.partition, it.offset): it for it in place.records("stock")}
        with place.reader() as reader:
            parked = letters(reader, place.prefix)
        for it in parked:
            assert it.topic == "stock"
            assert (stock[it.partition, it.offset].value or b"") == it.value
        found.append(sorted((it.cause, it.key, it.value, it.recorded_ms, it.state) for it in parked))
    assert found[0] == found[1]
    assert len(found[0]) >= 5


def tables_of(place: Installation) -> dict[str, list[str]]:
    """Every table of the read side, built from the log alone, without the places of records in it."""
    place.ask("readside", "rebuild", "--yes")
    with sqlite3.connect(place.home / "readside.sqlite3") as base:
        names = [it[0] for it in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {}
        for name in names:
            if name.startswith(("sqlite_", *NOT_COMPARED)):
                continue
            columns = [it[1] for it in base.execute(f"PRAGMA table_info({name})") if it[1] not in PLACES]
            told = ", ".join(f'"{it}"' for it in columns)
            tables[name] = sorted(map(repr, base.execute(f"SELECT {told} FROM {name}")))
    base.close()
    return tables


def assert_goes_on(old: Installation, new: Installation) -> None:
    """Sell and hold under the new prefix: nothing is decided twice, and the sum is the plain one."""
    moved = new.records("stock")
    events = len(new.records("inventory-events"))
    before = new.wait_decided().rows
    with new.worker():
        new.send("stock", *((it.key, it.value) for it in moved if b"bopis.pos.sale" in (it.value or b"")))
        new.tell(*(sale(store, history.BASKETS + 1) for store in STORES))
        new.tell(*(hold(it, f"n-{it}", now() + timedelta(seconds=1)) for it in STORES))
        history.wait_expired(new, 4 * len(STORES))
        after = new.wait_decided().rows

    for store in STORES:
        for at, sku in enumerate(history.SKUS):
            key = f"{store}|{sku}"
            sold = 1 + (history.BASKETS + 1 + at) % 3
            assert after[key].on_hand == before[key].on_hand - sold  # type: ignore[union-attr]  # the key tells
            assert after[key].held == before[key].held  # type: ignore[union-attr]  # the key tells
    assert len(new.records("inventory-events")) == events + 2 * len(STORES)
    assert not new.judged().violations
