"""The catalogue: a compacted topic of articles, imported from files, by which order lines are resolved."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.article_codes import GTIN_LENGTHS, folded, gtins_in
from bopis.domain.inventory.articles import COMPONENTS_MAX
from bopis.domain.orders.state import Line
from bopis.domain.orders.vocabulary import LineSum
from bopis.domain.quantities import EACH, goods_text, quantity_text, read_unit
from bopis.domain.sourcing.request import Component
from bopis.domain.values import QUANTITY_MAX, SKU_LENGTH_MAX
from bopis.names import CATALOGUE_TOPIC
from bopis.ports import Log, PendingDelivery, Publisher
from bopis.services.errors import KitInvalid, SkuNotInCatalogue
from bopis.tables.cells import CLEARED, ROUNDED, given_cells, is_rounded
from bopis.wire.catalogue import Article, decode, encode
from bopis.wire.characters import text_problems
from bopis.wire.errors import WireError
from bopis.wire.text import in_words

COLUMNS = ("sku", "name", "unit", "category", "gtins", "substitutes", "components")
SEPARATOR = ";"
GTIN_DIGITS = 14
_SHORTENED = re.compile(r"[1-9][0-9]{8,10}")
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Article)}
TIMES = "*"
# "MUG x 2", "2 x MUG", "2x MUG", "MUG×2": a quantity that would become a part of the SKU.
_TIMES_MEANT = re.compile(r"\s[x×]\s*\d+$|^\d+\s*[x×]\s|×", re.IGNORECASE)

# Returns the GTIN in a scanned or typed text as 14 digits; None if there is none.
GtinParser = Callable[[str], str | None]


class RequestedLine(Struct, frozen=True, kw_only=True):
    """A line as it was requested: SKU or GTIN as typed or scanned, and the quantity in the SKU's smallest unit."""

    code: str
    quantity: int
    unit_cents: int = 0


class Catalogue:
    """Articles by SKU and by GTIN. A SKU without an article is sold under its code."""

    def __init__(self, articles: Iterable[Article] = ()) -> None:
        self._articles: dict[str, Article] = {}
        # Imports give a GTIN to one article; in a log written before, the newest of several owners has it, and an
        # owner that is removed or gives it up leaves it to the others.
        self._by_gtin: dict[str, list[str]] = {}
        self._by_folded: dict[str, dict[str, None]] = {}
        for article in articles:
            self.apply(article.sku, article)

    def apply(self, sku: str, article: Article | None) -> None:
        """Apply one record of the topic; None removes the article."""
        known = self._articles.pop(sku, None)
        for gtin in known.gtins if known is not None else ():
            owners = self._by_gtin[gtin]
            owners.remove(sku)
            if not owners:
                del self._by_gtin[gtin]
        if known is not None:
            self._by_folded[folded(sku)].pop(sku, None)
        if article is not None:
            self._articles[sku] = article
            self._by_folded.setdefault(folded(sku), {})[sku] = None
            for gtin in dict.fromkeys(article.gtins):
                self._by_gtin.setdefault(gtin, []).append(sku)

    def all(self) -> list[Article]:
        """Every article, by SKU."""
        return [self._articles[sku] for sku in sorted(self._articles)]

    def get(self, sku: str) -> Article | None:
        return self._articles.get(sku)

    def name(self, sku: str) -> str:
        """The name of a SKU; its code if it has none."""
        return self.known_name(sku) or sku

    def known_name(self, sku: str) -> str:
        """The name of a SKU; empty if it has none, or only its code."""
        article = self._articles.get(sku)
        return article.name if article is not None and article.name != sku else ""

    def goods(self, quantity: int, sku: str) -> str:
        """A quantity of a SKU with its unit and name: ``3 x Lemons``, ``300 g Bananas``."""
        return goods_text(quantity, self.unit(sku), self.name(sku))

    def quantity(self, quantity: int, sku: str) -> str:
        """A quantity of a SKU with its unit: ``3``, ``300 g``."""
        return quantity_text(quantity, self.unit(sku))

    def total(self, goods: Iterable[Line | LineSum]) -> str:
        """The units of several lines, each unit on its own: ``3``, ``300 g``, ``3, 300 g``."""
        totals: dict[str, int] = {}
        for it in goods:
            totals[self.unit(it.sku)] = totals.get(self.unit(it.sku), 0) + it.quantity
        # Pieces first: most goods are counted.
        ordered = sorted(totals.items(), key=lambda it: it[0] != EACH)
        return ", ".join(quantity_text(total, unit) for unit, total in ordered)

    def parts(self, sku: str) -> tuple[Component, ...]:
        """The SKUs that one unit takes from the shelf: the components of a kit, or the SKU itself."""
        article = self._articles.get(sku)
        return article.parts if article is not None else (Component(sku=sku, quantity=1),)

    def resolve(self, code: str, gtin: GtinParser) -> str | None:
        """The SKU of a typed or scanned code: the code itself if it is a SKU, else the article with that GTIN in any
        form, else the only SKU that differs from it in case alone. The inventory resolves messages by the same rule."""
        # Some retailers use GTINs or other digits as SKUs: the catalogue's own code wins.
        for sku in (code, code.strip()):
            if sku in self._articles:
                return sku
        scanned = gtin(code)
        # A log written before GTINs were checked may have a shop's own eight digits.
        own = code.strip().zfill(GTIN_DIGITS)
        for candidate in dict.fromkeys((*gtins_in(code), *([scanned] if scanned is not None else []), own)):
            if owners := self._by_gtin.get(candidate):
                return owners[-1]
            if (owner := self._sku_of_gtin(candidate)) is not None:
                return owner
        # Two SKUs that differ in case alone are two articles: no guess.
        alike = self._by_folded.get(folded(code), ())
        return next(iter(alike)) if len(alike) == 1 else None

    def unit(self, sku: str) -> str:
        """The unit of a SKU's quantities."""
        article = self._articles.get(sku)
        return article.unit if article is not None else EACH

    def owners(self, gtin: str) -> tuple[str, ...]:
        """The SKUs of the articles that list a GTIN (14 digits), the one that has it last."""
        return tuple(self._by_gtin.get(gtin, ()))

    def _sku_of_gtin(self, gtin: str) -> str | None:
        """The SKU that is this GTIN in a shorter form."""
        forms = (gtin[-length:] for length in GTIN_LENGTHS if not gtin[:-length].strip("0"))
        return next((form for form in forms if form in self._articles), None)

    def sku_of(self, code: str, gtin: GtinParser) -> str:
        """The SKU of an order line. Raises `SkuNotInCatalogue` if there is a catalogue without it."""
        sku = self.resolve(code, gtin)
        if sku is None and self._articles:
            raise SkuNotInCatalogue(code=code)
        return sku or code


NO_CATALOGUE = Catalogue()


def read_catalogue(log: Log) -> Catalogue:
    """The current catalogue in the log. A missing topic is an empty catalogue, an invalid record is skipped."""
    catalogue = Catalogue()
    topics = (CATALOGUE_TOPIC,)
    for record in log.read(log.start_offsets(topics), log.end_offsets(topics)):
        if record.key is None:
            continue
        try:
            catalogue.apply(record.key.decode(), None if record.value is None else decode(record.value))
        except (WireError, UnicodeDecodeError):
            continue
    return catalogue


def publish_article(publisher: Publisher, article: Article) -> PendingDelivery:
    """Add an article to the catalogue, or replace it."""
    return publisher.publish(CATALOGUE_TOPIC, article.sku, encode(article))


def remove_article(publisher: Publisher, sku: str) -> PendingDelivery:
    """Remove an article from the catalogue; existing orders do not change."""
    return publisher.publish(CATALOGUE_TOPIC, sku, None)


def read_article(cells: Mapping[str, str], gtin: GtinParser, known: Article | None = None) -> Article | list[str]:
    """The article in a row of a file, or every error in the row.

    Several values in one cell are separated by ``;``; a component is written ``SKU`` or ``SKU*NUMBER``. An empty cell,
    and a column that the file has not, leave the value that the article has; ``-`` clears it.
    """
    row = {name: cell for name, cell in given_cells(cells).items() if name in COLUMNS}
    if problems := text_problems(row.items()):
        return problems
    sku = row.get("sku", "")
    cleared = {name for name, cell in row.items() if cell == CLEARED and name != "sku"}
    given: dict[str, Any] = {name: _DEFAULTS[name] if name in cleared else cell for name, cell in row.items()}
    problems = _sku_problems(sku)
    if "gtins" in row.keys() - cleared:
        given["gtins"], invalid = _gtins(row["gtins"], gtin)
        problems += invalid
    if "components" in row.keys() - cleared:
        given["components"], invalid = _components(sku, row["components"])
        problems += invalid
    if "unit" in row.keys() - cleared:
        given["unit"] = read_unit(row["unit"]) or ""
        if not given["unit"]:
            problems.append(f"unit {row['unit']!r} is none; write for example each, g, ml, or lb/100 (hundredths)")
    if "substitutes" in row.keys() - cleared:
        given["substitutes"] = tuple(dict.fromkeys(_values(row["substitutes"])))
        if sku in given["substitutes"]:
            problems.append(f"{sku} is no substitute for itself")
    if problems:
        return problems
    article = msgspec.structs.replace(known or Article(sku=sku), **given)
    try:
        encode(article)
    except WireError as error:
        return [in_words(str(error))]
    return article


def _sku_problems(sku: str) -> list[str]:
    if not sku or sku == CLEARED:
        return ["sku is empty"]
    if len(sku) > SKU_LENGTH_MAX:
        return [f"sku is longer than {SKU_LENGTH_MAX} characters"]
    return [f"sku {sku} {ROUNDED}"] if is_rounded(sku) else []


def code_conflicts(catalogue: Catalogue, articles: Iterable[Article], gtin: GtinParser) -> dict[str, list[str]]:
    """Codes that new articles claim and that belong to another article, as sentences by SKU.

    Judged is the catalogue as it will be: an article of the same file that gives a code up leaves it free. A code is a
    GTIN of one article only, and no SKU may be the GTIN of another article, because a scan must mean one article. Of
    two articles that claim a code anew, the first one gets it. What the catalogue has already is not judged again.
    """
    new = {article.sku: article for article in articles}
    after = {**{known.sku: known for known in catalogue.all()}, **new}
    claims: dict[str, list[str]] = {}
    for sku, article in after.items():
        for code in dict.fromkeys((*article.gtins, *((own,) if (own := gtin(sku)) else ()))):
            claims.setdefault(code, []).append(sku)

    def is_known(sku: str, code: str) -> bool:
        known = catalogue.get(sku)
        return known is not None and (code in known.gtins or gtin(sku) == code)

    places = {sku: place for place, sku in enumerate(new)}
    conflicts: dict[str, list[str]] = {}
    for code, skus in claims.items():
        ranked = sorted(skus, key=lambda sku: (not is_known(sku, code), places.get(sku, -1)))
        for sku in ranked[1:]:
            if not is_known(sku, code):
                conflicts.setdefault(sku, []).append(_claim_text(after[ranked[0]], after[sku], code))
    return conflicts


def _claim_text(owner: Article, article: Article, code: str) -> str:
    if code not in article.gtins and code not in owner.gtins:
        return f"sku {article.sku} is the same GTIN as the SKU of another article, {owner.sku}"
    if code not in article.gtins:
        return f"sku {article.sku} is a GTIN of {owner.sku}"
    if code not in owner.gtins:
        return f"GTIN {code} is the SKU of another article, {owner.sku}"
    return f"GTIN {code} belongs to {owner.sku} already"


def check_kits(catalogue: Catalogue, articles: Iterable[Article]) -> None:
    """Raise `KitInvalid` if a component of a kit is a kit itself, among new articles and those of the catalogue.

    Holds are on units of the shelf, so a kit is resolved in one step.
    """
    new = {article.sku: article for article in articles}
    for sku in new:
        for part in new[sku].components:
            component = new.get(part.sku) or catalogue.get(part.sku)
            if component is not None and component.components:
                raise KitInvalid(kit=sku, part=part.sku)
    # A new kit may also be a component of a kit that is in the catalogue already.
    for known in catalogue.all():
        for part in known.components if known.sku not in new else ():
            if part.sku in new and new[part.sku].components:
                raise KitInvalid(kit=known.sku, part=part.sku)


def kits_available(kit: Iterable[Component], atp: Callable[[str], int]) -> int:
    """The number of kits that can be promised: the minimum over its components. `atp` returns the units of a SKU."""
    per_kit: dict[str, int] = {}
    for part in kit:
        per_kit[part.sku] = per_kit.get(part.sku, 0) + part.quantity
    return min((max(0, atp(sku)) // units for sku, units in per_kit.items()), default=0)


def _gtins(text: str, gtin: GtinParser) -> tuple[tuple[str, ...], list[str]]:
    found, problems = [], []
    for code in _values(text):
        parsed = gtin(code)
        if parsed is None:
            problems.append(_no_gtin(code))
        else:
            found.append(parsed)
    return tuple(dict.fromkeys(found)), problems


def _no_gtin(code: str) -> str:
    if is_rounded(code):
        return f"{code!r} is no GTIN: it {ROUNDED}"
    if _SHORTENED.fullmatch(code):
        return f"{code!r} is no GTIN: a spreadsheet may have taken zeros from its beginning; format the column as text"
    return f"{code!r} is no GTIN: 8, 12, 13 or 14 digits, or UPC-E, the last one a check digit"


def _components(kit: str, text: str) -> tuple[tuple[Component, ...], list[str]]:
    found, problems = [], []
    for value in _values(text):
        sku, times, number = value.rpartition(TIMES)
        if not times:
            sku, number = value, "1"
        sku, number = sku.strip(), number.strip()
        if _TIMES_MEANT.search(value):
            problems.append(f"component {value!r}: write {TIMES} before the number, for example MUG{TIMES}2")
        elif not sku or not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= QUANTITY_MAX:
            problems.append(f"component {value!r} is neither SKU nor SKU{TIMES}NUMBER")
        elif sku == kit:
            problems.append(f"{kit} is a component of itself")
        else:
            found.append(Component(sku=sku, quantity=int(number)))
    if len(found) > COMPONENTS_MAX:
        problems.append(f"{len(found)} components are too many; a kit has at most {COMPONENTS_MAX}")
    return tuple(found), problems


def _values(text: str) -> tuple[str, ...]:
    """The values in one cell."""
    return tuple(value for value in (part.strip() for part in text.split(SEPARATOR)) if value)
