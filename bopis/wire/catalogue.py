"""One article as it stands in the compacted topic ``catalogue``, under its SKU."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bopis.domain.sourcing.request import Component
from bopis.domain.values import SKU_LENGTH_MAX, Sku
from bopis.wire.errors import Undecodable

CATALOGUE_TOPIC = "catalogue"
NAME_LENGTH_MAX = 200
GTINS_MAX = 32
SUBSTITUTES_MAX = 16
COMPONENTS_MAX = 50
EACH = "each"


class Article(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sold under one SKU. Quantities of it count ``unit``: the smallest one, so that they are whole numbers.

    ``gtins`` are its codes on packages, 14 digits each; ``substitutes`` SKUs that may be offered for it, the best
    first; ``components`` what one of it is taken from the shelf as, when it is a kit.
    """

    sku: Sku
    name: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] = ""
    unit: Annotated[str, Meta(min_length=1, max_length=16)] = EACH
    category: Annotated[str, Meta(max_length=SKU_LENGTH_MAX)] = ""
    gtins: Annotated[tuple[Annotated[str, Meta(pattern="^[0-9]{14}$")], ...], Meta(max_length=GTINS_MAX)] = ()
    substitutes: Annotated[tuple[Sku, ...], Meta(max_length=SUBSTITUTES_MAX)] = ()
    components: Annotated[tuple[Component, ...], Meta(max_length=COMPONENTS_MAX)] = ()

    @property
    def parts(self) -> tuple[Component, ...]:
        """What one of it takes from the shelf."""
        return self.components or (Component(sku=self.sku, quantity=1),)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Article).decode


def encode(article: Article) -> bytes:
    """An article as bytes. Raises `Undecodable` when a value breaks a limit: what could not be read is not written."""
    value = _encode(article)
    decode(value)
    return value


def decode(value: bytes) -> Article:
    """The article in the bytes. Raises `Undecodable`, which says where they break the type."""
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from None
