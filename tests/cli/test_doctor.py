"""Lines of `bopis doctor` about a log: misplaced messages, codes of two articles, records of state that are no rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from bopis.cli.operate import doctor
from bopis.names import CATALOGUE_TOPIC, LEVELS_TOPIC, NOTICE_STATE_TOPIC, ORDER_STATE_TOPIC
from bopis.services import dead_letters
from bopis.wire.catalogue import Article, encode
from tests.cli.fakes import FakeLog
from tests.services.test_split_books import ELSEWHERE, Shop
from tests.services.topics.memory import OLD

MILK = "04006381333931"


def context(log: Any) -> Any:
    @contextmanager
    def reader() -> Iterator[Any]:
        yield log

    return SimpleNamespace(reader=reader)


def test_o2_01_doctor_names_the_till_whose_messages_are_misplaced(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(checks=True)
    shop.sell(1, ELSEWHERE)
    monkeypatch.setattr(doctor, "open_letters", lambda ctx: dead_letters.letters(shop.log, OLD))  # type: ignore[arg-type]

    [found] = doctor._misplaced(context(shop.log))

    assert (found.check, found.result) == ("misplaced", doctor.FAIL)
    assert "1 message of till/320/1" in found.seen
    assert "murmur2" in found.advice


def test_doctor_is_content_with_messages_where_they_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "open_letters", lambda ctx: [])

    [found] = doctor._misplaced(context(None))

    assert found.result == doctor.OK


def test_doctor_names_a_code_that_two_articles_claim() -> None:
    log = FakeLog(CATALOGUE_TOPIC)
    for sku in ("MILK", "EVIL"):
        log.publish(CATALOGUE_TOPIC, sku, encode(Article(sku=sku, gtins=(MILK,))))

    [found] = doctor._catalogue(context(log))

    assert (found.result, found.seen) == (doctor.FAIL, f"GTIN {MILK} belongs to MILK; EVIL claims it, too")
    assert found.advice


def test_o2_57_doctor_names_records_of_state_topics_that_are_no_rows() -> None:
    log = FakeLog(LEVELS_TOPIC, ORDER_STATE_TOPIC, NOTICE_STATE_TOPIC)
    placed = log.publish(ORDER_STATE_TOPIC, "7K3M0000", b"{").wait()

    [found] = doctor._state(context(log))

    assert found.result == doctor.WARN
    assert "1 record without a row" in found.seen
    assert f"{ORDER_STATE_TOPIC}/{placed.partition}/{placed.offset}" in found.seen


def test_a_log_without_mistakes_has_good_lines_only() -> None:
    log = FakeLog(CATALOGUE_TOPIC, LEVELS_TOPIC, ORDER_STATE_TOPIC, NOTICE_STATE_TOPIC)
    log.publish(CATALOGUE_TOPIC, "MILK", encode(Article(sku="MILK", gtins=(MILK,))))

    found = [*doctor._catalogue(context(log)), *doctor._state(context(log))]

    assert [it.result for it in found] == [doctor.OK, doctor.OK]
