"""The catalogue by which one partition resolves its codes, as it was before each message.

The inventory keeps its index up to date with every change; this model keeps the articles alone, in the order of their
newest change, and makes an index of all of them when a code is looked up.
"""

from collections.abc import Iterable

from bopis.domain.article_codes import GTIN_LENGTHS, folded, gtins_in
from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle
from bopis.domain.inventory.messages import StockCounted


class Articles:
    """The articles of one partition."""

    def __init__(self) -> None:
        self._articles: dict[str, CataloguedArticle] = {}
        self._following: dict[int, int] = {}
        self._index: dict[str, list[CataloguedArticle]] = {}

    def change(self, changed: CatalogueChanged) -> bool:
        """Take a change; returns whether it counts: a repeat does not."""
        known = self._following.get(changed.partition, 0)
        if 0 < changed.following <= known:
            return False
        self._following[changed.partition] = max(known, changed.following)
        for article in changed.articles:
            self._articles.pop(article.sku, None)
            self._articles[article.sku] = article
        for sku in changed.removed:
            self._articles.pop(sku, None)
        self._index.clear()
        return True

    def shelves(self, changes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Units by code as units by SKU: of a kit, those of its components."""
        found = []
        for code, units in changes:
            article = self._find(code)
            parts = [(part.sku, part.quantity) for part in article.components] if article is not None else []
            own = code if article is None else article.sku
            found += [(sku, units * each) for sku, each in parts or [(own, 1)]]
        return found

    def counted(self, counted: StockCounted) -> dict[str, int]:
        """Units found by SKU; no kit found says nothing of loose components."""
        units: dict[str, int] = {}
        for line in counted.lines:
            article = self._find(line.sku)
            if article is not None and article.components and not line.counted:
                continue
            for sku, found in self.shelves([(line.sku, line.counted)]):
                units[sku] = units.get(sku, 0) + found
        return units

    def _find(self, code: str) -> CataloguedArticle | None:
        for sku in (code, code.strip()):
            if sku in self._articles:
                return self._articles[sku]
        if not self._index:
            self._make_index()
        for gtin in gtins_in(code):
            if gtin in self._index:
                return self._index[gtin][-1]
        alike = self._index.get(folded(code), [])
        return alike[0] if len(alike) == 1 else None

    def _make_index(self) -> None:
        for article in self._articles.values():
            own = gtins_in(article.sku) if len(article.sku) in GTIN_LENGTHS else ()
            for code in {*article.gtins, *own, folded(article.sku)}:
                self._index.setdefault(code, []).append(article)
