"""Resolution of a message's codes before the message is decided: each line under the SKU that the catalogue knows, and
a kit as its components, because only they have a shelf.

A code that the catalogue does not know stays as it is: the message counts, and ``bopis stock unknown`` lists the code.
Reservations are not resolved: their lines are those of orders, which were resolved when the order was placed.
"""

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

from msgspec.structs import replace

from bopis.domain.inventory.admission import Rejected
from bopis.domain.inventory.articles import CataloguedArticle
from bopis.domain.inventory.catalogue import has_shelf, resolved
from bopis.domain.inventory.messages import (
    CategoriseSkus,
    CategoryLine,
    CountLine,
    PosReturn,
    PosSale,
    ReturnLine,
    SaleLine,
    SetStockRule,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockLine,
    StockReceived,
    TransferAnnounced,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.inventory.rows import CatalogueMark, Level, StockRows, level_key
from bopis.domain.values import LINES_MAX, QUANTITY_MAX, ChangeLine

# The packed movements of a level keep four bytes of signed change.
CHANGE_MAX = 2**31 - 1
# With components up to this many units no line can exceed it.
COMPONENT_SAFE = CHANGE_MAX // QUANTITY_MAX

WITH_LINES = (
    PosSale, PosReturn, StockReceived, StockExpected, StockCounted, StockAdjusted, TransferShipped, TransferAnnounced,
    TransferReceived, CategoriseSkus,
)  # fmt: skip
# The article of a code; None for an unknown one.
Find = Callable[[str], CataloguedArticle | None]
_UNITS: dict[type, str] = {
    SaleLine: "quantity",
    ReturnLine: "quantity",
    StockLine: "quantity",
    CountLine: "counted",
    ChangeLine: "change",
}


def resolve(find: Find, data: Any) -> Any:
    """The body with every code resolved; the same object where nothing changes. `find` knows the article of a code.

    Raises `Rejected` for kits of more components than one message or one movement can have.
    """
    if type(data) is SetStockRule:
        return _resolved_rule(find, data)
    if type(data) not in WITH_LINES:
        return data
    lines: list[Any] = []
    for line in data.lines:
        article = find(line.sku)
        if article is None or has_shelf(article, line.sku):
            lines.append(line)
        elif article.components and (type(line) is CategoryLine or _is_empty_count(line)):
            # A kit has no shelf: no category applies to it, and of its loose components no kit found says nothing.
            continue
        else:
            lines += taken_apart(line, article)
    if len(lines) == len(data.lines) and all(map(is_, lines, data.lines)):
        return data
    _check(data, lines)
    return replace(data, lines=tuple(lines))


def taken_apart(line: Any, article: CataloguedArticle) -> Sequence[Any]:
    """A line under the SKU of its article; for a kit a line of each component."""
    if not article.components:
        return [replace(line, sku=article.sku)]
    name = _UNITS[type(line)]
    units = getattr(line, name)
    return [replace(line, **{"sku": part.sku, name: units * part.quantity}) for part in article.components]


def other_articles(find: Find, data: Any) -> dict[str, CataloguedArticle]:
    """The codes in a body that are not the SKU of a shelf, with their articles."""
    lines = data.lines if type(data) in WITH_LINES else ()
    codes = [data.sku] if type(data) is SetStockRule else [line.sku for line in lines]
    found = {code: find(code) for code in codes if code is not None}
    return {code: it for code, it in found.items() if it is not None and not has_shelf(it, code)}


def check_units(rows: StockRows, sale: PosSale, mark: CatalogueMark) -> None:
    """Raise `Rejected` for a basket with more units of a kit than one movement can have."""
    if mark.component_max <= COMPONENT_SAFE:
        return
    for line in sale.lines:
        if abs(line.quantity) * mark.component_max > CHANGE_MAX:
            article = resolved(rows, line.sku)
            _check(sale, taken_apart(line, article) if article is not None else ())


def mark_articles(rows: StockRows, store: str, sale: PosSale, mark: CatalogueMark) -> None:
    """Note in each level that its SKU has a shelf of its own, as `hot_path.sell` does."""
    for line in sale.lines:
        key = level_key(store, line.sku)
        level = rows.get(key) if line.quantity else None
        if isinstance(level, Level) and level.article_version != mark.version:
            article = resolved(rows, line.sku)
            if article is not None and has_shelf(article, line.sku):
                level.article_version = mark.version
                rows.put(key, level)


def _is_empty_count(line: Any) -> bool:
    return type(line) is CountLine and not line.counted


def _resolved_rule(find: Find, rule: SetStockRule) -> SetStockRule:
    article = find(rule.sku) if rule.sku is not None else None
    return rule if article is None else replace(rule, sku=article.sku)


def _check(data: Any, lines: Sequence[Any]) -> None:
    # A till's sale is always true, as far as a movement can hold it; everything else obeys the limits of its type, also
    # because a shipment is announced to the other store as a message.
    if type(data) is not PosSale and len(lines) > LINES_MAX:
        raise Rejected(f"{len(lines)} lines with kits taken apart; at most {LINES_MAX} are allowed, send it in parts")
    units_max = CHANGE_MAX if type(data) is PosSale else QUANTITY_MAX
    for line in lines:
        units = getattr(line, _UNITS[type(line)]) if type(line) in _UNITS else 0
        if abs(units) > units_max:
            raise Rejected(f"{units} units of {line.sku!r} on one line; at most {units_max} are allowed")
