"""Articles as stock needs them, and the message that brings changes of the catalogue into a partition."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.quantities import EACH, Unit
from bopis.domain.values import Quantity, Sku

LogOffset = Annotated[int, Meta(ge=0)]
Gtin = Annotated[str, Meta(pattern="^[0-9]{14}$")]

ARTICLES_MAX = 500
GTINS_MAX = 32
COMPONENTS_MAX = 50


class KitComponent(Struct, frozen=True, kw_only=True):
    """Units of one SKU in one unit of a kit."""

    sku: Sku
    quantity: Quantity


class CataloguedArticle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An article as far as stock needs it: its codes, its unit, and its components if it is a kit."""

    sku: Sku
    unit: Unit = EACH
    gtins: Annotated[tuple[Gtin, ...], Meta(max_length=GTINS_MAX)] = ()
    components: Annotated[tuple[KitComponent, ...], Meta(max_length=COMPONENTS_MAX)] = ()


class CatalogueChanged(Struct, frozen=True, kw_only=True):
    """Articles of the catalogue were added, changed or removed; written by the inventory into its own partition.

    The catalogue's records of its ``partition`` before the offset ``following`` are in this message or in earlier ones.
    With 0 it is about articles whose removal is no longer in the catalogue's topic.
    """

    partition: LogOffset
    following: LogOffset
    articles: Annotated[tuple[CataloguedArticle, ...], Meta(max_length=ARTICLES_MAX)] = ()
    removed: Annotated[tuple[Sku, ...], Meta(max_length=ARTICLES_MAX)] = ()
