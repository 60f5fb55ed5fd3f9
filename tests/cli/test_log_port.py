"""One suite for every log behind the ports: the one in memory that tests use, and the real one."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bopis.adapters.admin import LogAdmin
from bopis.adapters.errors import LogUnavailable, RecordTooLarge, TopicMissing
from bopis.adapters.log import LogReader
from bopis.adapters.publisher import REQUEST_BYTES_MAX, LogPublisher
from bopis.adapters.topics import TopicKeeper
from bopis.ports import RecordMetadata
from bopis.topics.plans import LOG_APPEND_TIME, TIMESTAMP_TYPE, PlannedSetting, TopicPlan
from tests.cli.fakes import PARTITIONS, FakeLog
from tests.cli.program import Installation

_numbers = itertools.count(1)
Pair = tuple[Any, Any]


def plan_of(name: str, partitions: int) -> TopicPlan:
    wanted = (PlannedSetting(TIMESTAMP_TYPE, LOG_APPEND_TIME),)
    return TopicPlan(name=name, partitions=partitions, settings=wanted, exact_partitions=True)


@pytest.fixture(params=["memory", "embedded"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Pair]]:
    """Makes a publisher and a reader of a log that has the topics."""
    with ExitStack() as stack:

        def opened(*topics: str) -> Pair:
            if request.param == "memory":
                log = FakeLog(*topics)
                return log, log
            address = request.getfixturevalue("bopis").ready["bootstrap"]
            prefix = f"port{next(_numbers)}."
            admin = stack.enter_context(LogAdmin(address, prefix))
            for topic in topics:
                TopicKeeper(admin).create([plan_of(prefix + topic, PARTITIONS)])
            publisher = stack.enter_context(LogPublisher(address, prefix))
            return publisher, stack.enter_context(LogReader(address, prefix))

        yield opened


def test_what_is_published_is_read_in_order_per_key(make: Callable[..., Pair]) -> None:
    publisher, reader = make("notes")
    said = [("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", None)]
    placed = [publisher.publish("notes", key, value).wait() for key, value in said]

    records = list(reader.read(reader.start_offsets(["notes"]), reader.end_offsets(["notes"])))

    assert {(it.key, it.value) for it in records} == {(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"b", None)}
    assert [it.value for it in records if it.key == b"a"] == [b"1", b"3"]
    assert {RecordMetadata(it.topic, it.partition, it.offset, it.timestamp_ms) for it in records} == set(placed)


def test_headers_and_bytes_arrive_as_they_were(make: Callable[..., Pair]) -> None:
    publisher, reader = make("notes")
    publisher.publish("notes", b"\xff", b"\x00\xff", headers=[("cause", b"\xfe")]).wait()

    record = next(iter(reader.read(reader.start_offsets(["notes"]), reader.end_offsets(["notes"]))))

    assert (record.key, record.value, list(record.headers)) == (b"\xff", b"\x00\xff", [("cause", b"\xfe")])


def test_only_the_asked_span_is_read(make: Callable[..., Pair]) -> None:
    publisher, reader = make("notes")
    placed = [publisher.publish("notes", "a", str(number).encode()).wait() for number in range(10)]
    where = ("notes", placed[0].partition)

    records = list(reader.read({where: 3}, {where: 6}))

    assert [it.value for it in records] == [b"3", b"4", b"5"]


def test_an_empty_span_ends_at_once(make: Callable[..., Pair]) -> None:
    _, reader = make("notes")

    assert list(reader.read(reader.start_offsets(["notes"]), reader.end_offsets(["notes"]))) == []


def test_topics_that_are_absent_are_left_out(make: Callable[..., Pair]) -> None:
    _, reader = make("notes")

    assert reader.start_offsets(["notes", "nothing"]) == {("notes", number): 0 for number in range(PARTITIONS)}
    assert reader.end_offsets(["nothing"]) == {}
    assert reader.offsets_at(["nothing"], 0) == {}


def test_offsets_are_found_by_the_time_the_log_learned_them(make: Callable[..., Pair]) -> None:
    publisher, reader = make("notes")
    placed = []
    for number in range(3):
        placed.append(publisher.publish("notes", "a", str(number).encode()).wait())
        time.sleep(0.005)
    where = ("notes", placed[0].partition)

    assert reader.offsets_at(["notes"], placed[1].timestamp_ms)[where] == 1
    assert reader.offsets_at(["notes"], placed[2].timestamp_ms + 1)[where] == 3
    assert reader.offsets_at(["notes"], 0)[where] == 0


def test_each_delivery_is_told_once(make: Callable[..., Pair]) -> None:
    publisher, _ = make("notes")
    told: list[Any] = []
    for number in range(20):
        publisher.publish("notes", "a", str(number).encode(), on_delivery=told.append)
    publisher.flush()

    assert [it.offset for it in told] == list(range(20))


def test_a_topic_that_is_absent_is_told(bopis: Installation) -> None:
    address = bopis.ready["bootstrap"]
    absent = pytest.raises(TopicMissing, match=r"absent\.notes")

    with LogPublisher(address, "absent.", timeout_seconds=1) as publisher, absent:
        publisher.publish("notes", "a", b"1")


def test_a_record_that_is_too_large_is_told(bopis: Installation) -> None:
    with LogPublisher(bopis.ready["bootstrap"], "bopis.") as publisher, pytest.raises(RecordTooLarge):
        publisher.publish("stock", "a", b"x" * (REQUEST_BYTES_MAX + 1))


@pytest.mark.parametrize("client", [LogPublisher, LogReader, LogAdmin])
def test_nobody_at_the_address_is_told_soon(client: Any) -> None:
    began = time.monotonic()
    with pytest.raises(LogUnavailable, match="bopis doctor"):
        client("127.0.0.1:1", "bopis.", timeout_seconds=0.5)

    assert time.monotonic() - began < 5


def test_topics_groups_and_settings_are_told_without_the_prefix(bopis: Installation) -> None:
    with LogAdmin(bopis.ready["bootstrap"], "bopis.") as admin:
        topics = {it.name: it.partitions for it in admin.topics()}
        settings = {it.name: it for it in admin.settings(["inventory-levels"])["inventory-levels"]}
        groups = admin.groups(["inventory", "nobody"])

    assert topics["stock"] == topics["inventory-levels"] == 4
    assert (settings["cleanup.policy"].value, settings["cleanup.policy"].own) == ("compact", True)
    assert settings["segment.ms"].own is False
    assert (groups["inventory"].members, groups["inventory"].partitions) == (1, 4)
    assert groups["nobody"].members == 0


def test_a_topic_that_is_there_stays_as_it_is(bopis: Installation) -> None:
    with LogAdmin(bopis.ready["bootstrap"], "bopis.") as admin:
        TopicKeeper(admin).create([plan_of("bopis.stock", 9)])

        assert {it.name: it.partitions for it in admin.topics()}["stock"] == 4


def test_a_partition_whose_leader_is_not_known_for_a_moment_is_not_left_out(bopis: Installation) -> None:
    address, prefix = bopis.ready["bootstrap"], f"port{next(_numbers)}."
    with (
        LogAdmin(address, prefix) as admin,
        LogPublisher(address, prefix) as publisher,
        LogReader(address, prefix) as reader,
    ):
        TopicKeeper(admin).create([plan_of(prefix + "notes", PARTITIONS)])
        placed = [publisher.publish("notes", str(number), b"x").wait() for number in range(40)]
        fetcher = reader._consumer._fetcher
        whole = fetcher._group_list_offset_requests

        def forgetful(timestamps: Any) -> Any:
            groups = whole(timestamps)
            if len(timestamps) > 1:
                for asked in groups.values():
                    asked.pop(max(asked))
            return groups

        fetcher._group_list_offset_requests = forgetful
        ends, begin = reader.end_offsets(["notes"]), reader.offsets_at(["notes"], placed[0].timestamp_ms)

    assert ends == {("notes", n): sum(it.partition == n for it in placed) for n in range(PARTITIONS)}
    assert set(begin.values()) == {0}
