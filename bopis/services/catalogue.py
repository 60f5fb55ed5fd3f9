"""The catalogue: rows of a file become articles of a compacted topic, and orders are read through it."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from bopis.domain.sourcing.request import Component
from bopis.domain.values import QUANTITY_MAX, SKU_LENGTH_MAX
from bopis.ports import Delivery, Log, Publisher
from bopis.services.errors import KitUnsound, SkuNotInCatalogue
from bopis.wire.catalogue import CATALOGUE_TOPIC, COMPONENTS_MAX, EACH, Article, decode, encode
from bopis.wire.errors import WireError

COLUMNS = ("sku", "name", "unit", "category", "gtins", "substitutes", "components")
SEPARATOR = ";"
TIMES = "*"

Gtin = Callable[[str], str | None]  # 14 digits of what a scanner read, None if that is no GTIN


class Wanted(Struct, frozen=True, kw_only=True):
    """A line as somebody asked for it: SKU or GTIN as typed or scanned, and how many."""

    code: str
    quantity: int
    unit_cents: int = 0


class Catalogue:
    """Articles by SKU and by GTIN. A SKU that is not in it is sold as itself: its code is all that is known of it."""

    def __init__(self, articles: Iterable[Article] = ()) -> None:
        self._articles: dict[str, Article] = {}
        self._by_gtin: dict[str, str] = {}
        for it in articles:
            self.take(it.sku, it)

    def take(self, sku: str, article: Article | None) -> None:
        """Take one record of the topic; None takes the article out."""
        known = self._articles.pop(sku, None)
        for gtin in known.gtins if known is not None else ():
            if self._by_gtin.get(gtin) == sku:
                del self._by_gtin[gtin]
        if article is not None:
            self._articles[sku] = article
            self._by_gtin.update(dict.fromkeys(article.gtins, sku))

    def all(self) -> list[Article]:
        """Every article, by SKU."""
        return [self._articles[sku] for sku in sorted(self._articles)]

    def get(self, sku: str) -> Article | None:
        return self._articles.get(sku)

    def name(self, sku: str) -> str:
        """What people call a SKU; its code when nothing else is known."""
        article = self._articles.get(sku)
        return article.name or sku if article is not None else sku

    def parts(self, sku: str) -> tuple[Component, ...]:
        """What one of a SKU takes from the shelf: its components, or itself."""
        article = self._articles.get(sku)
        return article.parts if article is not None else (Component(sku=sku, quantity=1),)

    def resolve(self, code: str, gtin: Gtin) -> str | None:
        """The SKU that a typed or scanned code means: a SKU as it stands, else the article with that GTIN."""
        if code in self._articles:
            return code
        scanned = gtin(code)
        return self._by_gtin.get(scanned) if scanned is not None else None

    def sku_of(self, code: str, gtin: Gtin) -> str:
        """The SKU of an order line. Raises `SkuNotInCatalogue` once there is a catalogue and it does not know it."""
        sku = self.resolve(code, gtin)
        if sku is None and self._articles:
            raise SkuNotInCatalogue(code=code)
        return sku or code


def read_catalogue(log: Log) -> Catalogue:
    """The catalogue as it stands in the log now; an absent topic is an empty one, an unreadable record is left out."""
    found = Catalogue()
    topics = (CATALOGUE_TOPIC,)
    for record in log.read(log.start_offsets(topics), log.end_offsets(topics)):
        if record.key is None:
            continue
        try:
            found.take(record.key.decode(), None if record.value is None else decode(record.value))
        except (WireError, UnicodeDecodeError):
            continue
    return found


def publish_article(publisher: Publisher, article: Article) -> Delivery:
    """Put an article into the catalogue; the newest record of a SKU stands."""
    return publisher.publish(CATALOGUE_TOPIC, article.sku, encode(article))


def take_out(publisher: Publisher, sku: str) -> Delivery:
    """Take an article out of the catalogue; what was ordered of it is not touched."""
    return publisher.publish(CATALOGUE_TOPIC, sku, None)


def read_article(cells: Mapping[str, str], gtin: Gtin) -> Article | list[str]:
    """The article that a row tells of, or everything that is wrong with the row.

    Several values in one cell are parted by ``;``; a component is written ``SKU`` or ``SKU*NUMBER``.
    """
    told = {name: cells.get(name, "").strip() for name in COLUMNS}
    gtins, problems = _gtins(told["gtins"], gtin)
    components, unsound = _components(told["sku"], told["components"])
    substitutes = tuple(dict.fromkeys(_parted(told["substitutes"])))
    problems += unsound
    if not told["sku"]:
        problems.insert(0, "sku is empty")
    elif len(told["sku"]) > SKU_LENGTH_MAX:
        problems.insert(0, f"sku is longer than {SKU_LENGTH_MAX} characters")
    if told["sku"] in substitutes:
        problems.append(f"{told['sku']} is no substitute for itself")
    if problems:
        return problems
    article = Article(
        sku=told["sku"],
        name=told["name"],
        unit=told["unit"] or EACH,
        category=told["category"],
        gtins=gtins,
        substitutes=substitutes,
        components=components,
    )
    try:
        encode(article)
    except WireError as error:
        return [str(error)]
    return article


def check_kits(catalogue: Catalogue, articles: Iterable[Article]) -> None:
    """A kit is made of things, not of kits: a hold is on what stands on the shelf. Raises `KitUnsound`."""
    coming = {it.sku: it for it in articles}
    for sku in coming:
        for part in coming[sku].components:
            within = coming.get(part.sku) or catalogue.get(part.sku)
            if within is not None and within.components:
                raise KitUnsound(kit=sku, part=part.sku)
    for known in catalogue.all():
        for part in known.components if known.sku not in coming else ():
            if part.sku in coming and coming[part.sku].components:
                raise KitUnsound(kit=known.sku, part=part.sku)


def kits_available(kit: Iterable[Component], atp: Callable[[str], int]) -> int:
    """How many of a kit can be promised: the minimum over its components, one that is named twice counted together."""
    per_kit: dict[str, int] = {}
    for part in kit:
        per_kit[part.sku] = per_kit.get(part.sku, 0) + part.quantity
    return min((max(0, atp(sku)) // units for sku, units in per_kit.items()), default=0)


def _gtins(text: str, gtin: Gtin) -> tuple[tuple[str, ...], list[str]]:
    found, problems = [], []
    for code in _parted(text):
        read = gtin(code)
        if read is None:
            problems.append(f"{code!r} is no GTIN: 8, 12, 13 or 14 digits, the last one a check")
        else:
            found.append(read)
    return tuple(dict.fromkeys(found)), problems


def _components(kit: str, text: str) -> tuple[tuple[Component, ...], list[str]]:
    found, problems = [], []
    for told in _parted(text):
        sku, times, number = told.rpartition(TIMES)
        if not times:
            sku, number = told, "1"
        sku, number = sku.strip(), number.strip()
        if not sku or not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= QUANTITY_MAX:
            problems.append(f"component {told!r} is neither SKU nor SKU{TIMES}NUMBER")
        elif sku == kit:
            problems.append(f"{kit} is a component of itself")
        else:
            found.append(Component(sku=sku, quantity=int(number)))
    if len(found) > COMPONENTS_MAX:
        problems.append(f"{len(found)} components are too many; a kit has at most {COMPONENTS_MAX}")
    return tuple(found), problems


def _parted(text: str) -> tuple[str, ...]:
    return tuple(it for it in (part.strip() for part in text.split(SEPARATOR)) if it)
