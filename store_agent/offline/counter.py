"""The counter of a shop without the centre: the queue of its copy, and actions, on the disk once they return."""

import hmac
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bopis.adapters.secrets.store_codes import hash_of_digits, hash_of_token
from bopis.domain.message import Message
from bopis.domain.orders.limits import CODE_TRIES_MAX
from bopis.domain.orders.messages import GoodsHandedOver
from bopis.domain.orders.numbers import parse, shown
from bopis.domain.orders.offline.local import LocalRefusal, StoreAction, after, refusal_of
from bopis.domain.orders.offline.store_copy import CopyOrder
from bopis.domain.orders.state import LineState
from bopis.domain.orders.vocabulary import Document, Proof, Refusal
from bopis.domain.values import HOUR_MS, MINUTE_MS
from bopis.journal.actions import Actions, NewAction
from bopis.journal.journal import Journal
from bopis.journal.shop_copy import CopyState, ShopCopyFile
from bopis.services.counter.code_check import code_in, token_in
from bopis.wire.offline import ActionOutcome
from bopis.wire.orders import ORDERS
from store_agent.errors import ActionInvalid, CopyMissing, CopyOld, NotDoneHere, OrderNotInCopy, ProofRefused
from store_agent.offline.actions import ActionKind, ActionRequest, ActionResult, body_of

SOURCE = "store-agent"
# An action that was answered is shown on top of the copy until a copy is newer than the answer by this much.
SETTLED_MS = 5_000
CAUSES = {
    LocalRefusal.UNKNOWN_LINE: "the shop has no such line or article of it",
    LocalRefusal.TOO_EARLY: "it is not that far yet; `bopis pickup queue` shows the next step",
    LocalRefusal.TOO_LATE: "it is further on already, or handed over",
    LocalRefusal.TOO_MANY_UNITS: "those are more units than it needs",
    LocalRefusal.NEEDS_CENTRE: "parts of a line and missing parts of a kit need the centre",
    LocalRefusal.SHORT: "units of it are missing, and what becomes of them the centre decides",
    LocalRefusal.WINDOW_OVER: "its pickup window was over in this copy; whether it was extended only the centre knows",
    LocalRefusal.UNPAID: "it was not paid in this copy, or its authorisation has ended",
}


class CounterLine(Struct, frozen=True, kw_only=True):
    """A line as staff see it; ``on_hand`` is what the books had of the SKU, where the copy has it."""

    line: int
    sku: str
    name: str
    quantity: int
    state: str
    location: str = ""
    on_hand: int | None = None


class CounterOrder(Struct, frozen=True, kw_only=True):
    """An open order as staff see it; times are epoch milliseconds, 0 for none."""

    order: str
    state: str
    ready_by_ms: int
    window_end_ms: int
    picker: str
    due_cents: int
    currency: str
    lines: tuple[CounterLine, ...]


class CounterQueue(Struct, frozen=True, kw_only=True):
    """The work of the shop by its copy, the most urgent first, and how old the copy is."""

    store: str
    time_zone: str
    copy_age_seconds: int
    open_actions: int
    orders: tuple[CounterOrder, ...]


class Counter:
    """Work on the copy of one store. Several threads may use it; `on_taken` is called for each new action."""

    def __init__(
        self, journal: Journal, copy: ShopCopyFile, offline_hours: float, on_taken: Callable[[], None]
    ) -> None:
        self._journal, self._copy = journal, copy
        self._actions = Actions(journal)
        self._offline_hours, self._on_taken = offline_hours, on_taken
        # Goods are looked at and handed over in one step: two people at two tills hand an order over once.
        self._one_at_a_time = threading.Lock()

    def queue(self) -> CounterQueue:
        """What the shop has to do. Raises `CopyMissing`; an old copy is still shown, with its age."""
        state = self._state()
        age_ms = self._age_ms(state)
        found = [self._current(it, state) for it in self._copy.orders()]
        orders = [it for it in found if it.state is not LineState.HANDED_OVER]
        orders.sort(key=lambda it: (it.ready_by_ms or it.window_end_ms, it.order))
        return CounterQueue(
            store=self._journal.store,
            time_zone=state.time_zone,
            copy_age_seconds=age_ms // 1000,
            open_actions=self._actions.open_count(),
            orders=tuple(self._shown(it) for it in orders),
        )

    def act(self, text: str, request: ActionRequest) -> ActionResult:
        """Do one action: it is on the disk when this returns. A repeat has the result of now, and does nothing.

        Raises the errors of `store_agent.errors`, `ActionChanged` for an id with other content, and `JournalFull`.
        """
        state, number = self._state(), self._number(text)
        with self._one_at_a_time:
            if self._actions.repeated(request.id, number, _content(request)) is not None:
                return self._result(number, request, state, is_repeat=True)
            order = self._put(number, request, state)
        self._on_taken()
        result = self._result(number, request, state)
        return replace(result, due_cents=order.due_cents, currency=order.currency)

    def _put(self, number: str, request: ActionRequest, state: CopyState) -> CopyOrder:
        """Check an action and store it; returns the order before it."""
        order = self._order(number, state)
        self._require_current(state)
        if request.kind is ActionKind.HAND_OVER and not request.code and request.document is Document.NONE:
            raise ActionInvalid(cause="a hand-over needs the pickup code, or the kind of an identity document")
        body = body_of(order, self._journal.store, request, self._copy.sku_of)
        refused = refusal_of(order, body, self._journal.now_ms())
        if refused is not None:
            raise NotDoneHere(order=shown(number), cause=CAUSES[refused], reason=refused.value)
        if isinstance(body, GoodsHandedOver) and request.code:
            body = replace(body, proof=self._proof(order, request.code, state))
        self._actions.put(self._action(order, body, request))
        return order

    def _order(self, number: str, state: CopyState) -> CopyOrder:
        order = self._copy.order(number)
        if order is None:
            raise OrderNotInCopy(
                order=shown(number) if parse(number) else number, minutes=self._age_ms(state) // MINUTE_MS
            )
        return self._current(order, state)

    def _number(self, text: str) -> str:
        """The number of an order as it was typed: whole, or its first characters if no other order begins with them."""
        number = parse(text)
        if number is not None:
            return number
        begin = text.upper().replace("-", "")
        found = [it.order for it in self._copy.orders() if it.order.startswith(begin)]
        return found[0] if len(found) == 1 else begin

    def _state(self) -> CopyState:
        state = self._copy.state()
        if not state.current_ms:
            raise CopyMissing()
        return state

    def _age_ms(self, state: CopyState) -> int:
        return max(0, self._journal.now_ms() - state.current_ms)

    def _require_current(self, state: CopyState) -> None:
        hours = self._age_ms(state) / HOUR_MS
        if hours > self._offline_hours:
            raise CopyOld(hours=hours, most=self._offline_hours)

    def _current(self, order: CopyOrder, state: CopyState) -> CopyOrder:
        """The order after what was done here and is not in the copy yet. What was handed over stays handed over."""
        version = order.version
        for action in self._actions.of_order(order.order):
            body = ORDERS.decode(action.value).data
            answer = action.answer
            is_refused = answer is not None and answer.outcome is ActionOutcome.REFUSED
            is_settled = answer is not None and (
                answer.version == version or action.answered_ms + SETTLED_MS < state.current_ms
            )
            if not is_refused and (not is_settled or isinstance(body, GoodsHandedOver)):
                order = after(order, body)
        return order

    def _proof(self, order: CopyOrder, text: str, state: CopyState) -> Proof:
        """Whether the code or the token is the right one. A text that is none costs no try. Raises `ProofRefused`."""
        token, digits, code = token_in(text), code_in(text), order.code
        if token is None and digits is None:
            cause = "it is no code: six digits, or the content of the QR code"
            raise ProofRefused(order=shown(order.order), cause=cause, reason="misread")
        tries = code.tries + self._actions.tries(order.order, code.version)
        if code.used or tries >= CODE_TRIES_MAX:
            reason = Refusal.CODE_USED if code.used else Refusal.CODE_LOCKED
            cause = "its code cannot be used any more; check an identity document"
            raise ProofRefused(order=shown(order.order), cause=cause, reason=reason.value)
        key = bytes.fromhex(state.key)
        if token is not None and hmac.compare_digest(hash_of_token(key, order.order, token), code.token):
            return Proof.TOKEN
        if token is None and hmac.compare_digest(hash_of_digits(key, order.order, digits or ""), code.digits):
            return Proof.CODE
        self._actions.add_try(order.order, code.version)
        left = CODE_TRIES_MAX - tries - 1
        cause = f"the code is wrong; {left} more tries, then only an identity document is accepted"
        raise ProofRefused(order=shown(order.order), cause=cause, reason=Refusal.WRONG_CODE.value)

    def _action(self, order: CopyOrder, body: StoreAction, request: ActionRequest) -> NewAction:
        journal = self._journal
        message = Message(
            id=request.id,
            source=f"{SOURCE}/{journal.store}/{journal.identity}",
            time=datetime.fromtimestamp(journal.now_ms() / 1000, UTC),
            subject=order.order,
            data=body,
            actor=request.actor or msgspec.UNSET,
        )
        return NewAction(
            id=request.id,
            order=order.order,
            expected=order.version,
            content=_content(request),
            value=ORDERS.encode(message),
        )

    def _result(
        self, number: str, request: ActionRequest, state: CopyState, *, is_repeat: bool = False
    ) -> ActionResult:
        order = self._copy.order(number)
        state_now = self._current(order, state).state.value if order is not None else ""
        age = self._age_ms(state) // 1000
        return ActionResult(order=number, id=request.id, state=state_now, copy_age_seconds=age, is_repeat=is_repeat)

    def _shown(self, order: CopyOrder) -> CounterOrder:
        lines = []
        for line in order.lines:
            level = self._copy.level(line.sku)
            lines.append(
                CounterLine(
                    line=line.line,
                    sku=line.sku,
                    name=self._copy.name(line.sku),
                    quantity=line.quantity,
                    state=line.state.value,
                    location=line.location,
                    on_hand=level.on_hand if level is not None else None,
                )
            )
        return CounterOrder(
            order=order.order,
            state=order.state.value,
            ready_by_ms=order.ready_by_ms,
            window_end_ms=order.window_end_ms,
            picker=order.picker,
            due_cents=order.due_cents,
            currency=order.currency,
            lines=tuple(lines),
        )


def _content(request: ActionRequest) -> bytes:
    """What makes it the same action. The code is left out: no code is on the disk."""
    return msgspec.json.encode(replace(request, code="shown" if request.code else ""))
