"""A subject's partition is the one that every Kafka client gives it, and a record elsewhere is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from bopis.wire.errors import Misplaced
from bopis.wire.placement import ANYWHERE, Placement, murmur2, partition_of


@given(st.binary(max_size=80))
def test_the_hash_is_that_of_other_kafka_clients(key: bytes) -> None:
    assert murmur2(key) == kafka_murmur2(key) & 0xFFFFFFFF


# Source: UtilsTest.testMurmur2 of Apache Kafka 4.
@pytest.mark.parametrize(
    ("key", "digest"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_apache_kafka(key: bytes, digest: int) -> None:
    assert murmur2(key) == digest & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=20), st.integers(1, 64), st.integers(0, 63))
def test_a_subject_is_taken_in_its_own_partition_alone(subject: str, partitions: int, partition: int) -> None:
    placement = Placement(partition, partitions)

    if partition_of(subject.encode(), partitions) == partition:
        placement.check(subject, None)
        placement.check(subject, b"whatever")
    else:
        with pytest.raises(Misplaced):
            placement.check(subject, subject.encode())


def test_the_cause_names_the_right_partition_and_the_usual_reason() -> None:
    home = partition_of(b"319", 4)
    elsewhere = Placement((home + 1) % 4, 4)

    with pytest.raises(Misplaced, match=rf"'319' belongs in partition {home} of 4.*murmur2_random"):
        elsewhere.check("319", b"319")
    with pytest.raises(Misplaced, match="the record's key must be the subject, it is '77777'"):
        elsewhere.check("319", b"77777")
    with pytest.raises(Misplaced, match="it is empty"):
        elsewhere.check("319", None)


def test_without_a_number_of_partitions_every_subject_is_taken() -> None:
    ANYWHERE.check("319", None)
