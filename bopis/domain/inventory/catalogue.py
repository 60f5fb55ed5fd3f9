"""The catalogue in the rows of a partition: which codes there are, and of which article.

Changes arrive as messages in the partition itself, so what a code meant at any place of the log follows from the log
alone (decision 24). A partition without a catalogue takes every code as it is.
"""

from collections.abc import Iterator
from typing import cast

from bopis.domain.article_codes import GTIN_LENGTHS, folded, gtins_in, has_case
from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle
from bopis.domain.inventory.rows import (
    ARTICLE_PREFIX,
    CODE_PREFIX,
    KIT_PREFIX,
    MARK_KEY,
    ArticleCode,
    CatalogueMark,
    StockRows,
)


def change(rows: StockRows, changed: CatalogueChanged) -> None:
    """Put changed articles into the rows; a repeat of an earlier message changes nothing."""
    mark = mark_of(rows) or CatalogueMark()
    partition, following = str(changed.partition), changed.following
    known = mark.following.get(partition, 0)
    if 0 < following <= known:
        return
    lost_shelf = False
    for article in changed.articles:
        lost_shelf |= _replace(rows, article.sku, article)
        units = max((part.quantity for part in article.components), default=0)
        mark.component_max = max(mark.component_max, units)
    for sku in changed.removed:
        lost_shelf |= _replace(rows, sku, None)
    mark.following[partition] = max(known, following)
    if lost_shelf or not mark.version:
        mark.version += 1
    rows.put(MARK_KEY, mark)


def mark_of(rows: StockRows) -> CatalogueMark | None:
    """The mark of the partition; None without a catalogue."""
    return cast(CatalogueMark | None, rows.get(MARK_KEY))


def article_of(rows: StockRows, sku: str) -> CataloguedArticle | None:
    """The article or kit with exactly this SKU."""
    found = rows.get(ARTICLE_PREFIX + sku) or rows.get(KIT_PREFIX + sku)
    return cast(CataloguedArticle | None, found)


def resolved(rows: StockRows, code: str) -> CataloguedArticle | None:
    """The article of a code; None for a code that the catalogue does not know.

    In this order: a SKU, a SKU with blanks around it, a GTIN in any form, a SKU in other case if it is the only one.
    """
    for sku in dict.fromkeys((code, code.strip())):
        if (article := article_of(rows, sku)) is not None:
            return article
    for gtin in gtins_in(code):
        if owners := _owners(rows, gtin):
            return article_of(rows, owners[-1])
    owners = _owners(rows, folded(code))
    # Two SKUs that differ in case alone are two articles: no guess.
    return article_of(rows, owners[0]) if len(owners) == 1 else None


def has_shelf(article: CataloguedArticle, code: str) -> bool:
    """Whether a code is the article's own SKU, and the article has a shelf: a kit has none."""
    return article.sku == code and not article.components


def keys_to_read(code: str) -> Iterator[str]:
    """Keys of the rows that decide what a code is, as far as they follow from the code alone."""
    for sku in dict.fromkeys((code, code.strip())):
        yield ARTICLE_PREFIX + sku
        yield KIT_PREFIX + sku
    for alias in (*gtins_in(code), folded(code)):
        yield CODE_PREFIX + alias


def _replace(rows: StockRows, sku: str, article: CataloguedArticle | None) -> bool:
    """Replace an article; returns whether its SKU had a shelf of its own and has none any more."""
    before = article_of(rows, sku)
    if before is not None:
        for code in _codes(before):
            _put_owners(rows, code, tuple(it for it in _owners(rows, code) if it != sku))
        rows.drop(_key(before))
    if article is not None:
        for code in _codes(article):
            _put_owners(rows, code, (*_owners(rows, code), sku))
        rows.put(_key(article), article)
    had_shelf = before is not None and not before.components
    return had_shelf and (article is None or bool(article.components))


def _codes(article: CataloguedArticle) -> Iterator[str]:
    """The codes that an article claims: its GTINs, its SKU where that is one, and its SKU without case."""
    own = gtins_in(article.sku) if len(article.sku) in GTIN_LENGTHS else ()
    yield from dict.fromkeys((*article.gtins, *own))
    if has_case(article.sku):
        yield folded(article.sku)


def _key(article: CataloguedArticle) -> str:
    return (KIT_PREFIX if article.components else ARTICLE_PREFIX) + article.sku


def _owners(rows: StockRows, code: str) -> tuple[str, ...]:
    row = cast(ArticleCode | None, rows.get(CODE_PREFIX + code))
    return row.skus if row is not None else ()


def _put_owners(rows: StockRows, code: str, skus: tuple[str, ...]) -> None:
    if skus:
        rows.put(CODE_PREFIX + code, ArticleCode(skus))
    else:
        rows.drop(CODE_PREFIX + code)
