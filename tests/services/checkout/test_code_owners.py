"""Two imports at the same time read the same catalogue: a code that both give away goes to the one first in the log."""

import pytest

from bopis.adapters.barcodes import gtin14
from bopis.names import CATALOGUE_TOPIC
from bopis.services.catalogue import publish_article, read_catalogue, remove_article
from bopis.services.code_owners import CodeOwners, take_back_later_claims
from bopis.wire.catalogue import Article
from tests.cli.fakes import FakeLog

CODE, OTHER = "04006381333931", "05012345678900"


@pytest.fixture
def log() -> FakeLog:
    return FakeLog(CATALOGUE_TOPIC)


def test_the_import_that_is_later_in_the_log_gives_the_code_back(log: FakeLog) -> None:
    publish_article(log, Article(sku="MILK", gtins=(CODE,)))
    publish_article(log, Article(sku="EVIL", gtins=(OTHER, CODE)))

    kept = take_back_later_claims(log, log, ["MILK"], gtin14)
    lost = take_back_later_claims(log, log, ["EVIL"], gtin14)

    catalogue = read_catalogue(log)
    assert kept == []
    assert [(it.code, it.skus) for it in lost] == [(CODE, ("MILK", "EVIL"))]
    assert catalogue.owners(CODE) == ("MILK",)
    assert catalogue.owners(OTHER) == ("EVIL",)


def test_an_article_that_is_written_again_is_not_later_for_that(log: FakeLog) -> None:
    publish_article(log, Article(sku="MILK", gtins=(CODE,)))
    publish_article(log, Article(sku="EVIL", gtins=(CODE,)))
    publish_article(log, Article(sku="MILK", name="Milk", gtins=(CODE,)))

    assert CodeOwners(log, gtin14).contested()[0].skus == ("MILK", "EVIL")


def test_a_code_that_was_given_up_is_free(log: FakeLog) -> None:
    publish_article(log, Article(sku="MILK", gtins=(CODE,)))
    publish_article(log, Article(sku="OAT", gtins=(OTHER,)))
    publish_article(log, Article(sku="MILK"))
    remove_article(log, "OAT")
    publish_article(log, Article(sku="EVIL", gtins=(CODE, OTHER)))

    assert CodeOwners(log, gtin14).contested() == []


def test_a_sku_that_is_the_code_of_another_article_is_named_and_stays(log: FakeLog) -> None:
    publish_article(log, Article(sku="MILK", gtins=(CODE,)))
    publish_article(log, Article(sku=CODE[1:]))

    lost = take_back_later_claims(log, log, [CODE[1:]], gtin14)

    assert [it.skus for it in lost] == [("MILK", CODE[1:])]
    assert read_catalogue(log).get(CODE[1:]) is not None
