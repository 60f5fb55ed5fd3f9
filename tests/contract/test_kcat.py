"""kcat, and with it librdkafka: the client that most other languages use."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.contract.reading import read_all
from tests.engines.wire import Wire

Kcat = Callable[..., "subprocess.CompletedProcess[bytes]"]


def test_it_lists_topics_and_partitions(kcat: Kcat, make_topic: Callable[..., str]) -> None:
    topic = make_topic(3)

    listed = kcat("-L").stdout.decode()

    assert f'topic "{topic}" with 3 partitions' in listed


def test_it_writes_and_reads(kcat: Kcat, make_topic: Callable[..., str]) -> None:
    topic = make_topic()

    kcat("-P", "-t", topic, "-K:", given=b"one:first\ntwo:second\n")
    read = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %k %s\n").stdout

    assert read == b"0 one first\n1 two second\n"


def test_its_idempotent_producer_writes_each_record_once(
    kcat: Kcat, wire: Wire, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    lines = [b"line-%d" % number for number in range(5_000)]

    kcat("-P", "-t", topic, "-X", "enable.idempotence=true", "-X", "linger.ms=1", given=b"\n".join(lines))

    assert [row.value for row in read_all(wire, topic)] == lines


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_compression_passes_untouched(kcat: Kcat, make_topic: Callable[..., str], codec: str) -> None:
    topic = make_topic()
    given = b"\n".join([b"the same line again and again"] * 200)

    kcat("-P", "-t", topic, "-z", codec, given=given)
    read = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q").stdout

    assert read.strip() == given


def test_its_group_consumer_reads_everything(kcat: Kcat, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(3)
    kcat("-P", "-t", topic, "-K:", given=b"\n".join(b"%d:%d" % (number, number) for number in range(300)))

    read = kcat("-G", group, "-X", "auto.offset.reset=earliest", "-q", "-e", topic).stdout

    assert sorted(read.split()) == sorted(b"%d" % number for number in range(300))


def test_it_finds_offsets_by_time(kcat: Kcat, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    kcat("-P", "-t", topic, given=b"a\nb\n")

    found = kcat("-Q", "-t", f"{topic}:0:1").stdout.decode()

    assert "offset 0" in found
