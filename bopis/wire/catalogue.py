"""Articles in the compacted topic ``catalogue``, keyed by SKU."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bopis.domain.inventory.articles import COMPONENTS_MAX, GTINS_MAX
from bopis.domain.quantities import EACH, Unit
from bopis.domain.sourcing.request import Component
from bopis.domain.values import SKU_LENGTH_MAX, Sku
from bopis.wire.errors import Undecodable
from bopis.wire.text import decode_clean, has_unclean_text, refuse_unclean

NAME_LENGTH_MAX = 200
SUBSTITUTES_MAX = 16


class Article(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An article sold under one SKU. Quantities count ``unit``, the smallest one, so that they are whole numbers.

    ``gtins`` are its codes on packages, 14 digits each; ``substitutes`` SKUs that may be offered for it, the best
    first; ``components`` what one of it is taken from the shelf as, when it is a kit.
    """

    sku: Sku
    name: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] = ""
    unit: Unit = EACH
    category: Annotated[str, Meta(max_length=SKU_LENGTH_MAX)] = ""
    gtins: Annotated[tuple[Annotated[str, Meta(pattern="^[0-9]{14}$")], ...], Meta(max_length=GTINS_MAX)] = ()
    substitutes: Annotated[tuple[Sku, ...], Meta(max_length=SUBSTITUTES_MAX)] = ()
    components: Annotated[tuple[Component, ...], Meta(max_length=COMPONENTS_MAX)] = ()

    @property
    def parts(self) -> tuple[Component, ...]:
        """SKUs and units that one unit of the article takes from the shelf."""
        return self.components or (Component(sku=self.sku, quantity=1),)


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Article)


def encode(article: Article) -> bytes:
    """An article as bytes. Raises `Undecodable` when a value breaks a limit or text has a character that it may not
    have: what could not be read as it is is not written."""
    value = _encode(article)
    decode(value)
    if has_unclean_text(value):
        refuse_unclean(article)
    return value


def decode(value: bytes) -> Article:
    """The article in the bytes. Raises `Undecodable`, which says where they break the type."""
    try:
        return decode_clean(_decoder, value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from None
