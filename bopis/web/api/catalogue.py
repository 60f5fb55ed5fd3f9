"""The catalogue: articles by SKU, GTIN or name."""

from typing import Annotated

from msgspec import Meta, Struct

from bopis.access.roles import Right
from bopis.adapters.barcodes import gtin14
from bopis.domain.values import SKU_LENGTH_MAX
from bopis.web.answers import PageSize, decode_cursor, encode_cursor, note_age
from bopis.web.endpoint import Call, Endpoint, Provided
from bopis.web.problems import Problem
from bopis.wire.catalogue import Article

TAG = "catalogue"


class ArticlesQuery(Struct, frozen=True, kw_only=True):
    """Articles by SKU; `search` finds parts of SKU and name, `category` is exact."""

    search: Annotated[str, Meta(max_length=200)] = ""
    category: Annotated[str, Meta(max_length=200)] = ""
    limit: PageSize = 100
    cursor: Annotated[str, Meta(max_length=400)] = ""


class Articles(Struct, frozen=True, kw_only=True):
    """A page of articles; `cursor` is empty on the last one."""

    articles: tuple[Article, ...]
    cursor: str


class ArticlePath(Struct, frozen=True, kw_only=True):
    """The SKU or GTIN of an article."""

    code: Annotated[str, Meta(min_length=1, max_length=SKU_LENGTH_MAX)]


async def read_list(call: Call) -> Articles:
    """Articles of the catalogue."""
    asked: ArticlesQuery = call.params
    call.site.require_ready()
    after = decode_cursor(asked.cursor, str) if asked.cursor else ""
    needle = asked.search.casefold()
    found = [
        it
        for it in call.site.stock.catalogue.all()
        if it.sku > after
        and (not asked.category or it.category == asked.category)
        and (needle in it.sku.casefold() or needle in it.name.casefold())
    ]
    found.sort(key=lambda it: it.sku)
    page = found[: asked.limit]
    note_age(call)
    return Articles(articles=tuple(page), cursor=encode_cursor(page[-1].sku) if len(found) > len(page) else "")


async def read(call: Call) -> Article:
    """One article, by SKU or GTIN."""
    call.site.require_ready()
    sku = call.site.stock.catalogue.resolve(call.params.code, gtin14)
    article = call.site.stock.catalogue.get(sku) if sku is not None else None
    if article is None:
        raise Problem(404, "article-unknown", f"The catalogue has no article {call.params.code}.")
    note_age(call)
    return article


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/catalogue", handle=read_list, right=Right.CATALOGUE_READ, tag=TAG,
        summary="Articles", params=ArticlesQuery, answer=Articles, statuses=(400, 503),
        provides=(Provided("code", "$response.body#/articles/0/sku"), Provided("cursor", "$response.body#/cursor")),
    ),
    Endpoint(
        method="GET", path="/v1/catalogue/{code}", handle=read, right=Right.CATALOGUE_READ, tag=TAG,
        summary="One article", params=ArticlePath, answer=Article, statuses=(404, 503),
    ),
)  # fmt: skip
