"""Codes that several articles of the catalogue claim, and which of them had the code first in the log.

An import gives a code to one article only, by the catalogue that it has read. Two imports at the same time read the
same one, so each looks a second time after it has written: the claim that came later in the log is taken back.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from bopis.names import CATALOGUE_TOPIC
from bopis.ports import Log, Publisher, Record
from bopis.services.catalogue import GtinParser, publish_article
from bopis.wire.catalogue import Article, decode
from bopis.wire.errors import WireError


class ContestedCode(NamedTuple):
    """A GTIN and the SKUs of the articles that claim it, the one that had it first in front."""

    code: str
    skus: tuple[str, ...]


class _Claim(NamedTuple):
    """The place of a record in the order of the log, and the SKU that claims a code since then."""

    timestamp_ms: int
    partition: int
    offset: int
    sku: str


class CodeOwners:
    """Articles in the log, and since when each has its codes: GTINs, and a SKU that is a GTIN itself."""

    def __init__(self, log: Log, gtin: GtinParser) -> None:
        self.articles: dict[str, Article] = {}
        self._gtin = gtin
        self._codes: dict[str, set[str]] = {}
        self._claims: dict[str, dict[str, _Claim]] = {}
        topics = (CATALOGUE_TOPIC,)
        for record in log.read(log.start_offsets(topics), log.end_offsets(topics)):
            self._take(record)

    def contested(self) -> list[ContestedCode]:
        """Every code that more than one article claims."""
        return [
            ContestedCode(code, tuple(it.sku for it in sorted(claims.values())))
            for code, claims in sorted(self._claims.items())
            if len(claims) > 1
        ]

    def _take(self, record: Record) -> None:
        try:
            sku = (record.key or b"").decode()
            article = None if record.value is None else decode(record.value)
        except (WireError, UnicodeDecodeError):
            return
        codes = set(article.gtins) if article is not None else set()
        if article is not None and (own := self._gtin(sku)):
            codes.add(own)
        for code in self._codes.pop(sku, set()) - codes:
            del self._claims[code][sku]
        for code in codes:
            # A record that repeats a code is no new claim.
            claim = _Claim(record.timestamp_ms, record.partition, record.offset, sku)
            self._claims.setdefault(code, {}).setdefault(sku, claim)
        if article is None:
            self.articles.pop(sku, None)
        else:
            self.articles[sku], self._codes[sku] = article, codes


def take_back_later_claims(
    log: Log, publisher: Publisher, skus: Iterable[str], gtin: GtinParser
) -> list[ContestedCode]:
    """Publish again, without the codes that another article had first, those of the articles that were just imported.

    Returns these codes. A SKU that is itself a GTIN of another article stays: only a person can say what it means.
    """
    owners, imported = CodeOwners(log, gtin), set(skus)
    lost = [it for it in owners.contested() if imported.intersection(it.skus[1:])]
    for sku in sorted(imported):
        codes = {it.code for it in lost if sku in it.skus[1:]}
        article = owners.articles.get(sku)
        if article is not None and codes.intersection(article.gtins):
            kept = tuple(code for code in article.gtins if code not in codes)
            publish_article(publisher, replace(article, gtins=kept)).wait()
    return lost


def contested_text(contested: ContestedCode) -> str:
    """A code and its claimants in words: ``GTIN 04006381333931 belongs to OAT-1L; EVIL claims it, too``."""
    owner, *others = contested.skus
    verb = "claims" if len(others) == 1 else "claim"
    return f"GTIN {contested.code} belongs to {owner}; {' and '.join(others)} {verb} it, too"
