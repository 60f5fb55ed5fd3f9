"""The fake gateway without its network: calls go in, answers come out, and time makes things happen."""

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bopis.adapters.gateways import fake_moves as moves
from bopis.adapters.gateways.fake_answers import (
    answer_about,
    capture_max,
    checksum,
    entry_about,
    failed,
    report_about,
)
from bopis.adapters.gateways.fake_book import (
    Authorisation,
    Book,
    CallbackDue,
    DueKind,
    FakeState,
    KeyUse,
    Record,
    Step,
    StepState,
)
from bopis.adapters.gateways.fake_moves import Move, Terms
from bopis.adapters.gateways.fake_script import Behaviour, FakeOptions, Refusal, happens, script_of
from bopis.domain.payments.gateway import (
    CallOutcome,
    DeclineClass,
    GatewayAnswer,
    GatewayCall,
    GatewayEntry,
    GatewayReport,
    Operation,
    ReportKind,
)

PAGE_SIZE = 500
BUSY_WAIT_MS = 500
LIVE = frozenset({FakeState.APPROVED, FakeState.IN_REVIEW})
RELEASED = frozenset({FakeState.VOIDED, FakeState.ENDED, FakeState.DECLINED})


class Reply(NamedTuple):
    """An answer; None where the connection is dropped instead. The effect is in the book all the same."""

    answer: GatewayAnswer | None


DROPPED = Reply(None)


class FakeBank:
    """A gateway with a book. `clock` gives milliseconds since 1970; `url` is its address, for links."""

    def __init__(self, book: Book, options: FakeOptions, clock: Callable[[], int], url: str = "") -> None:
        self.book = book
        self.options = options
        self.url = url
        self.clock = clock
        # Without a receiver nothing is reported.
        self.is_reporting = False
        self.callbacks_due: list[tuple[int, str]] = [(it.at_ms, it.id) for it in book.outbox.values()]
        heapq.heapify(self.callbacks_due)
        # Calls that a close will overtake, and keys whose connection was dropped once: both die with the process.
        self._parked: dict[str, GatewayCall] = {}
        self._dropped: set[str] = set()
        self._dues: list[tuple[int, str]] = [
            (due.at_ms, auth.ref) for auth in book.authorisations.values() for due in auth.dues
        ]
        heapq.heapify(self._dues)

    @property
    def now_ms(self) -> int:
        """The gateway's time."""
        return self.clock() + self.options.clock_offset_ms

    @property
    def terms(self) -> Terms:
        """What holds at this instant."""
        return Terms(self.options, self.url, self.now_ms)

    def call(self, call: GatewayCall) -> Reply:
        """Do one call; its key decides whether it was done before."""
        self.tick()
        auth = self.book.find(call.reference, call.authorisation or call.key)
        if call.operation is Operation.FIND:
            return Reply(answer_about(auth, self.options, self.url) if auth else _gone())
        if call.operation is Operation.CLOSE:
            return self._close(call, auth)
        ref = "" if auth is None or call.operation is Operation.AUTHORISE else auth.ref
        used = self.book.keys.get(call.key)
        if used is not None and self.now_ms - used.at_ms < self.options.key_life_s * 1000:
            is_same = used.parameters == checksum(call, ref)
            return Reply(used.answer if is_same else GatewayAnswer(outcome=CallOutcome.KEY_REUSED, code="key_reused"))
        if self._drops(call, auth, "timeout_before"):
            return DROPPED
        reply = self._authorise(call) if call.operation is Operation.AUTHORISE else self._change(call, auth)
        if reply.answer is None or self._drops(call, auth, "timeout_after"):
            return DROPPED
        return reply

    def challenge(self, ref: str, passed: bool) -> bool:
        """Take the customer's answer to a challenge; False if none is open."""
        self.tick()
        auth = self.book.authorisations.get(ref)
        if auth is None or auth.state is not FakeState.ACTION_REQUIRED:
            return False
        if passed and auth.behaviour is not Behaviour.CHALLENGE_FAIL:
            self._commit(moves.approve(self.book, auth, self.terms))
        else:
            refusal = Refusal(DeclineClass.AUTHENTICATE, "authentication_failed")
            self._commit(moves.declined(auth, refusal, self.terms))
        return True

    def review(self, ref: str, approved: bool) -> bool:
        """Take the decision of a fraud review; False if none is open."""
        self.tick()
        auth = self.book.authorisations.get(ref)
        if auth is None or auth.state is not FakeState.IN_REVIEW:
            return False
        if not approved or auth.behaviour is Behaviour.REVIEW_REJECT:
            self._commit(moves.reject_review(self.book, auth, self.terms))
            return True
        auth = replace(auth, state=FakeState.APPROVED)
        report = report_about(auth, ReportKind.REVIEW_APPROVED, self.options, self.url)
        self._commit(Move(auth, (), (report,)))
        return True

    def page(self, since_ms: int, cursor: str) -> tuple[Sequence[GatewayEntry], str]:
        """Authorisations created since an instant, oldest first; the cursor is empty at the end."""
        found = sorted(
            ((it.created_ms, it.ref) for it in self.book.authorisations.values() if it.created_ms >= since_ms),
        )
        after = [it for it in found if f"{it[0]:015d}.{it[1]}" > cursor]
        part = after[:PAGE_SIZE]
        entries = [entry_about(self.book.authorisations[ref], self.book) for _, ref in part]
        is_more = len(after) > len(part)
        return entries, f"{part[-1][0]:015d}.{part[-1][1]}" if is_more else ""

    def tick(self) -> None:
        """Let everything happen that is due."""
        now_ms = self.now_ms
        while self._dues and self._dues[0][0] <= now_ms:
            _, ref = heapq.heappop(self._dues)
            if ref in self._parked:
                self._land(ref)
                continue
            auth = self.book.authorisations.get(ref)
            if auth is not None:
                self._let_happen(auth, now_ms)

    def _let_happen(self, auth: Authorisation, now_ms: int) -> None:
        due = min((it for it in auth.dues if it.at_ms <= now_ms), default=None)
        if due is None:
            return
        auth = replace(auth, dues=tuple(it for it in auth.dues if it != due))
        terms, step = self.terms, auth.step(due.key)
        move = Move(auth)
        match due.kind:
            case DueKind.LAND if auth.state is FakeState.PROCESSING:
                move = moves.approve(self.book, auth, terms)
            # An authorisation with a capture on its way ends after it.
            case DueKind.ENDS if self.book.ledger.open_amount(auth.pending) and not auth.is_busy:
                move = moves.release(self.book, auth, FakeState.ENDED, "ended", terms)
            case DueKind.LINK_ENDS if auth.state is FakeState.ACTION_REQUIRED:
                move = moves.declined(auth, Refusal(DeclineClass.AUTHENTICATE, "challenge_expired"), terms)
            case DueKind.STEP_DONE if step is not None:
                move = moves.finish_step(self.book, auth, step, terms)
            case DueKind.STEP_FAILS if step is not None:
                move = moves.fail_step(self.book, auth, step, terms)
            case DueKind.REPAIR if step is not None:
                move = moves.repair_step(self.book, auth, step)
        self._commit(move)

    def _authorise(self, call: GatewayCall) -> Reply:
        if call.key in self._parked:
            return Reply(_busy())
        if call.key in self.book.closed:
            return Reply(GatewayAnswer(outcome=CallOutcome.VOIDED, code="closed"))
        if not call.amount or call.reference:
            return Reply(failed("invalid_request"))
        script = script_of(call.token, call.key, self.options)
        if script.behaviour is Behaviour.LANDS_AFTER_CLOSE:
            self._parked[call.key] = call
            # Without a close it lands by itself.
            heapq.heappush(self._dues, (self.now_ms + self.options.late_ms, call.key))
            return DROPPED
        auth = self._decide(call)
        is_dropped = auth.behaviour in (Behaviour.TIMEOUT_AFTER, Behaviour.LATE_OK)
        return DROPPED if is_dropped else Reply(answer_about(auth, self.options, self.url))

    def _decide(self, call: GatewayCall) -> Authorisation:
        script = script_of(call.token, call.key, self.options)
        number = len(self.book.authorisations) + 1
        gift = f"gift:{script.gift}:{call.currency}"
        auth = Authorisation(
            ref=f"fa_{number:08d}",
            key=call.key,
            order=call.order,
            attempt=call.attempt,
            token=call.token,
            asked=call.amount,
            currency=call.currency,
            created_ms=self.now_ms,
            state=FakeState.PROCESSING,
            behaviour=script.behaviour,
            payer=gift if script.gift else f"payers:{call.currency}",
            number=script.number,
            scripted=script.named,
            initiated_by=call.initiated_by,
            transaction=call.transaction or f"net_{number:08d}",
        )
        move = moves.decide(self.book, auth, self.terms)
        self._commit(move, self._use(call, "", answer_about(move.authorisation, self.options, self.url)))
        return move.authorisation

    def _close(self, call: GatewayCall, auth: Authorisation | None) -> Reply:
        key = call.authorisation or call.key
        if auth is None:
            if key not in self.book.closed:
                self.book.commit(Record(closed=key))
            if key in self._parked:
                self._land(key)
            return Reply(GatewayAnswer(outcome=CallOutcome.VOIDED, code="never_was"))
        return Reply(self._void(auth))

    def _land(self, key: str) -> None:
        self._decide(self._parked.pop(key))

    def _change(self, call: GatewayCall, auth: Authorisation | None) -> Reply:
        if auth is None:
            return Reply(_gone())
        if auth.is_busy:
            return Reply(_busy())
        match call.operation:
            case Operation.VOID:
                answer = self._void(auth, call)
            case Operation.ADJUST:
                answer = self._adjust(auth, call)
            case _:
                answer = self._step(auth, call)
        return Reply(answer)

    def _void(self, auth: Authorisation, call: GatewayCall | None = None) -> GatewayAnswer:
        if auth.is_busy:
            return _busy()
        if auth.state in RELEASED:
            return _voided(auth, 0, "already_voided")
        reserved = self.book.ledger.open_amount(auth.pending)
        if auth.captured and not reserved:
            return replace(failed("already_captured", auth), captured=auth.captured, refunded=auth.refunded)
        answer = _voided(auth, reserved, "")
        move = moves.release(self.book, auth, FakeState.VOIDED, "", self.terms)
        self._commit(move, None if call is None else self._use(call, auth.ref, answer))
        return answer

    def _adjust(self, auth: Authorisation, call: GatewayCall) -> GatewayAnswer:
        if not self.options.adjust:
            return GatewayAnswer(outcome=CallOutcome.UNSUPPORTED, code="adjust_not_offered", reference=auth.ref)
        if auth.state is not FakeState.APPROVED or auth.captured or not call.amount:
            return failed("not_adjustable", auth)
        back = self.book.ledger.open_amount(auth.pending) + self.book.ledger.account(auth.payer).available
        if auth.behaviour is Behaviour.GIFT and call.amount > back:
            return failed("balance_too_low", auth)
        move = moves.adjust(self.book, auth, call.amount)
        answer = answer_about(move.authorisation, self.options, self.url)
        self._commit(move, self._use(call, auth.ref, answer))
        return answer

    def _step(self, auth: Authorisation, call: GatewayCall) -> GatewayAnswer:
        refusal = self._step_refusal(auth, call)
        if refusal:
            return failed(refusal, auth)
        is_final = call.final or not self.options.multicapture
        step = Step(key=call.key, operation=call.operation, amount=call.amount, state=StepState.DONE, final=is_final)
        is_capture = call.operation is Operation.CAPTURE
        is_drawn = not auth.scripted and happens(self.options.accepted, self.options.seed, f"{call.key}/accepted")
        is_later = is_drawn or (is_capture and auth.behaviour is Behaviour.CAPTURE_ACCEPTED)
        if is_later:
            move = moves.begin_step(auth, step, self.terms)
        else:
            move = moves.finish_step(self.book, auth, step, self.terms)
        then = move.authorisation
        answer = GatewayAnswer(
            outcome=CallOutcome.ACCEPTED if is_later else CallOutcome.APPROVED,
            amount=call.amount,
            currency=auth.currency,
            reference=auth.ref,
            captured=then.captured,
            refunded=then.refunded,
            multicapture=self.options.multicapture,
        )
        self._commit(move, self._use(call, auth.ref, answer))
        return answer

    def _step_refusal(self, auth: Authorisation, call: GatewayCall) -> str:
        if not call.amount or (call.currency and call.currency != auth.currency):
            return "invalid_request"
        if call.operation is Operation.REFUND:
            return "amount_too_large" if call.amount > auth.captured - auth.refunded else ""
        if auth.state is not FakeState.APPROVED:
            return auth.code or auth.state.value
        if not self.book.ledger.open_amount(auth.pending):
            return "already_captured"
        most = capture_max(auth, self.options)
        # A gift card gives no more than it holds.
        if auth.behaviour in (Behaviour.GIFT, Behaviour.PARTIAL):
            most = auth.amount
        return "amount_too_large" if auth.captured + call.amount > most else ""

    def _drops(self, call: GatewayCall, auth: Authorisation | None, option: str) -> bool:
        """Whether the connection of a call is dropped: each time-out happens once to a key."""
        name = f"{call.key}/{option}"
        if name in self._dropped:
            return False
        if auth is None:
            script = script_of(call.token, call.key, self.options)
            is_named, behaviour = script.named, script.behaviour
        else:
            is_named, behaviour = auth.scripted, auth.behaviour
        drops = option == "timeout_before" and auth is None and behaviour is Behaviour.TIMEOUT_BEFORE
        drops = drops or (not is_named and happens(getattr(self.options, option), self.options.seed, name))
        if drops:
            self._dropped.add(name)
        return drops

    def _use(self, call: GatewayCall, ref: str, answer: GatewayAnswer) -> KeyUse:
        return KeyUse(key=call.key, parameters=checksum(call, ref), at_ms=self.now_ms, answer=answer)

    def _commit(self, move: Move, key: KeyUse | None = None) -> None:
        before = self.book.authorisations.get(move.authorisation.ref)
        reports = move.reports if self.is_reporting else ()
        callbacks = [self._callback(number, report) for number, report in enumerate(reports, 1)]
        self.book.commit(
            Record(authorisation=move.authorisation, transfers=move.transfers, key=key, callbacks=tuple(callbacks))
        )
        known = () if before is None else before.dues
        for due in move.authorisation.dues:
            if due not in known:
                heapq.heappush(self._dues, (due.at_ms, move.authorisation.ref))
        for callback in callbacks:
            heapq.heappush(self.callbacks_due, (callback.at_ms, callback.id))

    def _callback(self, number: int, report: GatewayReport) -> CallbackDue:
        options, event = self.options, f"evt_{self.book.callbacks + number:08d}"
        at_ms = self.now_ms
        # Held back for a moment, the next one overtakes it; held back for long, it is late.
        if happens(options.late_callbacks, options.seed, f"{event}/late"):
            at_ms += options.late_ms
        elif happens(options.reorder_callbacks, options.seed, f"{event}/reorder"):
            at_ms += options.late_ms // 4
        return CallbackDue(id=event, at_ms=at_ms, report=report)


def _gone() -> GatewayAnswer:
    return GatewayAnswer(outcome=CallOutcome.GONE, code="not_found")


def _busy() -> GatewayAnswer:
    return GatewayAnswer(outcome=CallOutcome.NOT_SENT, code="lock_timeout", wait_ms=BUSY_WAIT_MS)


def _voided(auth: Authorisation, released: int, code: str) -> GatewayAnswer:
    return GatewayAnswer(
        outcome=CallOutcome.VOIDED,
        amount=released,
        currency=auth.currency,
        reference=auth.ref,
        captured=auth.captured,
        refunded=auth.refunded,
        code=code,
    )
