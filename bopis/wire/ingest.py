"""Messages of tills over HTTP: the body of a request, and the answer to each message in it.

The centre (`bopis web`) and a store agent take the same requests, so that a till can be moved from one to the other.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bopis.domain.inventory.messages import (
    AgentHeartbeat,
    ExpectationWithdrawn,
    PosReturn,
    PosSale,
    StockAdjusted,
    StockCounted,
    StockExpected,
    StockReceived,
    TransferReceived,
    TransferShipped,
)

PATH = "/v1/pos/baskets"
MESSAGES_MAX = 5_000
BODY_BYTES_MAX = 8 << 20
# Reports that a store sends about itself. Picks and announcements are written by processors, for orders and transfers.
REPORTS_OF_STORES = (
    PosSale,
    PosReturn,
    StockReceived,
    StockExpected,
    ExpectationWithdrawn,
    StockCounted,
    StockAdjusted,
    TransferShipped,
    TransferReceived,
    AgentHeartbeat,
)
NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


class ItemStatus(StrEnum):
    """What became of one message. A store agent also recognises repeats (`duplicate`), and parks a basket that comes
    again with other content until a person accepts it (`changed`)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    CHANGED = "changed"


class RefusalCode(StrEnum):
    """Why a message was refused: its bytes, its type, its content, or its store. The last two are about who sends, so
    the same message may be accepted later."""

    MALFORMED = "malformed"
    NOT_A_REPORT = "not-a-report"
    IMPLAUSIBLE = "implausible"
    OTHER_STORE = "other-store"
    UNKNOWN_STORE = "unknown-store"


class ItemAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message: its place in the log, or why it was refused. `item` counts from 1; `code` names the
    kind of a refusal."""

    item: Annotated[int, Meta(ge=1)]
    status: ItemStatus
    id: str = ""
    source: str = ""
    position: str = ""
    code: RefusalCode | None = None
    problem: str = ""


class IngestAnswer(Struct, frozen=True, kw_only=True):
    """An answer per message. Those that were accepted are in the log, also when others were refused."""

    accepted: int
    refused: int
    items: tuple[ItemAnswer, ...]


def values_in(body: bytes, content_type: str) -> list[bytes]:
    """The messages in a body: one JSON object, a list, or one per line. Raises `ValueError` for a body that is no
    JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in NDJSON_TYPES:
        return [line for line in body.splitlines() if line.strip()]
    try:
        found: Any = msgspec.json.decode(body, type=list[msgspec.Raw] if body.lstrip()[:1] == b"[" else msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"The body is no JSON: {error}") from error
    return [bytes(it) for it in found] if isinstance(found, list) else [bytes(found)]
