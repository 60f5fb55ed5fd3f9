"""Codes that were resolved before a message was moved to other topics.

The catalogue is in the order of each partition, and a move gives stores other partitions. So a moved message keeps its
bytes, by which repeats are recognised, and a header says what its codes meant where it was decided.
"""

from collections.abc import Iterable

import msgspec

from bopis.domain.inventory.articles import CataloguedArticle
from bopis.domain.inventory.resolution import resolve
from bopis.domain.message import Message, as_resolved
from bopis.wire.errors import Undecodable

RESOLVED_HEADER = "bopis-resolved"

_decode = msgspec.json.Decoder(dict[str, CataloguedArticle]).decode


def resolved_header(articles: dict[str, CataloguedArticle]) -> tuple[str, bytes]:
    """The header that states the articles of codes."""
    return RESOLVED_HEADER, msgspec.json.encode(articles)


def with_resolved(message: Message, headers: Iterable[tuple[str, bytes | None]]) -> Message:
    """The message with its codes resolved as a header of its record says. Raises `Undecodable`."""
    stated = next((value for name, value in headers if name == RESOLVED_HEADER), None)
    if stated is None:
        return message
    try:
        data = resolve(_decode(stated).get, message.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"header {RESOLVED_HEADER}: {error}") from None
    return as_resolved(message, data)
