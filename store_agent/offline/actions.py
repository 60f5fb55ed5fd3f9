"""Actions as staff request them from the agent, and the message of each."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from bopis.domain.orders.lines import PickedLine
from bopis.domain.orders.messages import (
    AcceptPick,
    GoodsHandedOver,
    HandedLine,
    RecordPick,
    StageOrder,
    StartPicking,
)
from bopis.domain.orders.offline.local import PICKABLE, StoreAction
from bopis.domain.orders.offline.store_copy import CopyOrder
from bopis.domain.orders.state import STAGED_STATES
from bopis.domain.orders.vocabulary import ORDER_LINES_MAX, Document, Proof
from bopis.domain.values import LINES_MAX, Id
from store_agent.errors import ActionInvalid

TEXT_LENGTH_MAX = 400


class ActionKind(StrEnum):
    """Work on an order that the shop may do by itself."""

    ACCEPT = "accept"
    START = "start"
    PICK = "pick"
    STAGE = "stage"
    HAND_OVER = "hand-over"


class ActionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One action. ``found`` and ``missing`` are units by SKU or GTIN of a pick (no ``found``: all that is needed but
    missing units); ``code`` or ``document`` are the proof of a hand-over. A repeat of ``id`` changes nothing."""

    id: Id
    kind: ActionKind
    actor: Annotated[str, Meta(max_length=128)] = ""
    lines: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(max_length=ORDER_LINES_MAX)] = ()
    found: Annotated[dict[str, Annotated[int, Meta(ge=0)]], Meta(max_length=LINES_MAX)] | None = None
    missing: Annotated[dict[str, Annotated[int, Meta(ge=0)]], Meta(max_length=LINES_MAX)] = {}
    location: Annotated[str, Meta(max_length=64)] = ""
    code: Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)] = ""
    document: Document = Document.NONE


class ActionResult(Struct, frozen=True, kw_only=True):
    """An action that is on this machine's disk: the order's state after it, and the age of the copy in seconds.
    ``is_repeat``: it was done before. ``due_cents`` were to be taken first."""

    order: str
    id: str
    state: str
    copy_age_seconds: int
    is_repeat: bool = False
    due_cents: int = 0
    currency: str = ""


def body_of(order: CopyOrder, store: str, request: ActionRequest, sku_of: Callable[[str], str]) -> StoreAction:
    """The message of an action on an order. Raises `ActionInvalid`."""
    match request.kind:
        case ActionKind.ACCEPT:
            return AcceptPick(store=store)
        case ActionKind.START:
            return StartPicking(store=store)
        case ActionKind.PICK:
            return RecordPick(store=store, lines=_picks(order, request, sku_of))
        case ActionKind.STAGE:
            if not request.location:
                raise ActionInvalid(cause="name the place where the goods are staged")
            return StageOrder(store=store, location=request.location, lines=request.lines)
        case ActionKind.HAND_OVER:
            return _goods(order, store, request)


def _goods(order: CopyOrder, store: str, request: ActionRequest) -> GoodsHandedOver:
    named = request.lines or tuple(it.line for it in order.lines if it.state in STAGED_STATES)
    if not named:
        named = tuple(it.line for it in order.lines)
    known = {it.line: it for it in order.lines}
    if unknown := [it for it in named if it not in known]:
        raise ActionInvalid(cause=f"the shop has no line {unknown[0]} of this order")
    lines = tuple(HandedLine(line=it, sku=known[it].sku, quantity=known[it].quantity) for it in dict.fromkeys(named))
    if request.code:
        # Whether it is the code or the token, the check finds out.
        return GoodsHandedOver(store=store, lines=lines, proof=Proof.CODE, code_version=order.code.version)
    return GoodsHandedOver(store=store, lines=lines, proof=Proof.IDENTITY, document=request.document)


def _picks(order: CopyOrder, request: ActionRequest, sku_of: Callable[[str], str]) -> tuple[PickedLine, ...]:
    """Units of each SKU shared out over the lines that need it, in their order."""
    missing = {sku_of(code): units for code, units in request.missing.items()}
    found = None if request.found is None else {sku_of(code): units for code, units in request.found.items()}
    picks: list[PickedLine] = []
    for line in order.lines:
        if line.state not in PICKABLE:
            continue
        for place, part in enumerate(line.needed):
            needed = part.quantity * line.quantity - (line.picked[place] if line.picked else 0)
            gone = _take(missing, part.sku, needed)
            got = needed - gone if found is None else _take(found, part.sku, needed - gone)
            if got or gone:
                sku = part.sku if line.parts else None
                picks.append(PickedLine(line=line.line, picked=got, missing=gone, sku=sku))
    left = [sku for sku, units in _rest(missing, found or {}) if units]
    if left:
        raise ActionInvalid(cause=f"the order does not need that many units of {left[0]}")
    if not picks:
        # The rules of the shop then tell why: not accepted yet, or picked already.
        return tuple(PickedLine(line=it.line, picked=1) for it in order.lines)
    return tuple(picks)


def _take(units: dict[str, int], sku: str, most: int) -> int:
    taken = min(units.get(sku, 0), max(0, most))
    if taken:
        units[sku] -= taken
    return taken


def _rest(*counted: dict[str, int]) -> Iterable[tuple[str, int]]:
    return [it for units in counted for it in units.items()]
