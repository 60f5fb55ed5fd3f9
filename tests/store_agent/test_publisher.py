"""The publisher for tills: durable by choice, clear about refusals, reports, and the example program."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.errors import AdapterError
from bopis.adapters.log import LogReader
from bopis.domain.message import Message
from bopis.journal.errors import JournalOfAnotherStore
from bopis.pos import (
    BasketChanged,
    Condition,
    MessageRefused,
    NotDelivered,
    PublisherOptions,
    ReturnLine,
    SaleLine,
    SalesPublisher,
    SourceInvalid,
)
from bopis.wire.placement import partition_of
from bopis.wire.stock import STOCK
from tests.engines.embedded import EmbeddedEngine

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = PublisherOptions(heartbeat_seconds=0.0, timeout_seconds=10.0)


def sent_by(log: EmbeddedEngine, source: str) -> list[Message]:
    """The messages of a till in the log; each is in its store's partition."""
    found = []
    with LogReader(log.bootstrap, "bopis.") as reader:
        for it in reader.read(reader.start_offsets(["stock"]), reader.end_offsets(["stock"])):
            message = STOCK.decode(it.value or b"")
            if message.source.startswith(source):
                assert it.partition == partition_of(message.subject.encode(), 4)
                found.append(message)
    return found


@pytest.fixture(params=["spool", "direct"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None


def test_sales_and_returns_reach_the_log(log: EmbeddedEngine, spool: Path | None) -> None:
    reports: list[Any] = []
    options = PublisherOptions(heartbeat_seconds=0.0, on_report=lambda *it: reports.append(it))
    name = f"reach-{spool is None}"
    with SalesPublisher(log.bootstrap, store="367", source=name, spool=spool, options=options) as till:
        till.sale("b-1", {"4011": 2})
        till.sale("b-2", [SaleLine("4011", 1, 59)], time=datetime(2026, 11, 1, tzinfo=UTC))
        till.returned("b-2", [ReturnLine(sku="4011", quantity=1, condition=Condition.DAMAGED)])
        till.flush()

        assert till.waiting == 0
    found = sent_by(log, name)
    assert [it.id for it in found] == ["b-1", "b-2", "b-2/return"]
    assert found[1].data.lines == (SaleLine("4011", 1, 59),)
    assert sorted(reports) == [("b-1", None), ("b-2", None), ("b-2/return", None)]
    assert [it.seq for it in found] == ([1, 2, 3] if spool else [found[0].seq] * 3)


def test_what_can_never_be_booked_is_refused_at_once(log: EmbeddedEngine, spool: Path | None) -> None:
    with SalesPublisher(log.bootstrap, store="367", source="refused", spool=spool, options=QUICK) as till:
        with pytest.raises(MessageRefused, match="sku of line 1 is empty"):
            till.sale("b-1", {"": 2})
        with pytest.raises(MessageRefused):
            till.sale("b-2", {})
        with pytest.raises(MessageRefused, match="2000 to 2100"):
            till.sale("b-3", {"4011": 1}, time=datetime(1999, 1, 1, tzinfo=UTC))
        till.flush()

    assert sent_by(log, "refused") == []


def test_with_a_spool_a_basket_counts_once_and_does_not_change(log: EmbeddedEngine, tmp_path: Path) -> None:
    for _ in range(2):
        with SalesPublisher(log.bootstrap, store="367", source="once", spool=tmp_path, options=QUICK) as till:
            till.sale("b-1", {"4011": 2})
            assert till.sale("b-1", {"4011": 2}).is_repeat
            with pytest.raises(BasketChanged, match="id of its own"):
                till.sale("b-1", {"4011": 3})
            till.flush()

    assert [it.seq for it in sent_by(log, "once")] == [1]
    with pytest.raises(JournalOfAnotherStore):
        SalesPublisher(log.bootstrap, store="319", source="once", spool=tmp_path)


def test_with_a_spool_sales_go_on_without_a_log_and_arrive_later(log: EmbeddedEngine, tmp_path: Path) -> None:
    options = PublisherOptions(heartbeat_seconds=0.0, timeout_seconds=1.0)
    with SalesPublisher("127.0.0.1:9", store="367", source="later", spool=tmp_path, options=options) as till:
        till.sale("b-1", {"4011": 2})
        till.sale("b-2", {"4011": 2})
        with pytest.raises(NotDelivered, match="2 messages"):
            till.flush(0.5)
        assert till.waiting == 2

    with SalesPublisher(log.bootstrap, store="367", source="later", spool=tmp_path, options=QUICK) as till:
        till.flush()

    assert [(it.seq, it.id) for it in sent_by(log, "later")] == [(1, "b-1"), (2, "b-2")]


def test_without_a_spool_an_absent_log_is_an_error_at_once() -> None:
    options = PublisherOptions(timeout_seconds=1.0)

    with pytest.raises(AdapterError, match=r"127\.0\.0\.1:9"):
        SalesPublisher("127.0.0.1:9", store="367", source="till", options=options)


def test_a_till_without_a_usable_name_is_refused(tmp_path: Path) -> None:
    for store, source in (("", "t"), ("3|9", "t"), ("@3", "t"), ("319", ""), ("319", "t" * 129)):
        with pytest.raises(SourceInvalid, match="lasting name"):
            SalesPublisher("127.0.0.1:9", store=store, source=source, spool=tmp_path)


def test_the_example_program_runs_twice_and_sells_once(log: EmbeddedEngine, tmp_path: Path) -> None:
    environment = {**os.environ, "BOPIS_LOG": log.bootstrap, "TILL_SPOOL": str(tmp_path / "spool")}
    environment["PYTHONPATH"] = str(EXAMPLES.parent)

    said = [
        subprocess.run(
            [sys.executable, str(EXAMPLES / "till.py")],
            env=environment, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=240,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip

    assert "319-3-000017 is in the log" in said[0]
    assert [it.id for it in sent_by(log, "store-319/till-3") if "heartbeat" not in it.id] == [
        "319-3-000017",
        "319-3-000018/return",
    ]
    lines = (EXAMPLES / "till.py").read_text().splitlines()
    assert sum(bool(it.strip()) for it in lines) <= 20
