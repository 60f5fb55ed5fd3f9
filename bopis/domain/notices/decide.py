"""Rules of an order's notices, by message: pure and total."""

from collections.abc import Iterable
from typing import NamedTuple, assert_never

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue, Event, LinesClosed, NoticeOpened, ResendRefused
from bopis.domain.notices.evolve import evolve
from bopis.domain.notices.limits import (
    ANSWER_MS,
    BACKOFF_MS,
    FAILURES_MAX,
    HEAL_MS,
    POSTPONED_MS_MAX,
    VALID_MS,
)
from bopis.domain.notices.messages import (
    DeliveryAnswered,
    LinesEnded,
    NoticeMessage,
    NoticeRequest,
    NoticeTick,
    ResendNotice,
)
from bopis.domain.notices.relevance import REPLACES, have_lines_ended, is_too_late, why_superseded
from bopis.domain.notices.state import OPEN, PERHAPS_SENT, Delivery, Notice, OrderNotices
from bopis.domain.notices.vocabulary import (
    END_MILESTONES,
    Channel,
    DeliveryState,
    Milestone,
    ResendRefusal,
    SendOutcome,
)

CORRECTED = frozenset({Milestone.READY, Milestone.REMINDER})
# The receiver of a webhook recognises repeats by their id, so an unknown delivery may be tried again there.
REPEATABLE = frozenset({Channel.WEBHOOK})
# Outcomes of an attempt that sent nothing, and that may be tried again.
NOT_SENT = frozenset({SendOutcome.FAILED, SendOutcome.STALE, SendOutcome.POSTPONED})
UNDELIVERABLE = {SendOutcome.ERASED: DeliveryState.ERASED, SendOutcome.NO_ADDRESS: DeliveryState.NO_ADDRESS}


class FailedAttempt(NamedTuple):
    """State of a delivery between attempts, its state once attempts are exhausted, and the cause of the failure."""

    waiting: DeliveryState
    given_up: DeliveryState
    cause: str


class NoticeDecision:
    """One message being decided; each event is folded into the row at once."""

    def __init__(self, row: OrderNotices, now_ms: int, cause: str, message_id: str) -> None:
        self.row = row
        self.now_ms = now_ms
        self.cause = cause
        self.message_id = message_id
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Add an event and fold it into the row."""
        self.events.append(event)
        self.row = evolve(self.row, event)

    def change(
        self, notice: Notice, delivery: Delivery, state: DeliveryState, cause: str = "", due_ms: int = 0
    ) -> None:
        """Change the state of a delivery, with the time of its next deadline."""
        changed = DeliveryChanged(
            at_ms=self.now_ms,
            delivery=notice.ref(delivery.channel),
            attempt=delivery.attempt,
            state=state,
            failures=delivery.failures,
            due_ms=due_ms,
            cause=cause,
        )
        self.emit(changed)

    def request(self, notice: Notice, delivery: Delivery) -> None:
        """Request the next attempt from the notifier; fail the delivery when its notice comes too late."""
        if is_too_late(notice, self.now_ms):
            self.change(notice, delivery, DeliveryState.FAILED, delivery.cause or "too late to be of use")
            return
        due = DeliveryDue(
            at_ms=self.now_ms,
            delivery=notice.ref(delivery.channel),
            attempt=delivery.attempt + 1,
            valid_until_ms=self.now_ms + VALID_MS,
            answer_by_ms=self.now_ms + ANSWER_MS,
            customer=self.row.customer,
            notice=notice.notice,
            code_version=self.row.code_version,
        )
        self.emit(due)


def decide(decision: NoticeDecision, data: NoticeMessage) -> None:
    """Emit the events that follow from a message. A repeat emits nothing."""
    match data:
        case NoticeRequest():
            _open_notice(decision, data)
        case LinesEnded():
            _close(decision, data.lines)
        case ResendNotice():
            _resend(decision, data)
        case DeliveryAnswered():
            _record_answer(decision, data)
        case NoticeTick():
            _fire(decision)
        case _:
            assert_never(data)


def next_due_ms(row: OrderNotices) -> int:
    """Next deadline of an order's notices in epoch milliseconds; 0 if there is none."""
    return min(
        (delivery.due_ms for notice in row.notices for delivery in notice.deliveries if delivery.due_ms), default=0
    )


def _open_notice(decision: NoticeDecision, request: NoticeRequest) -> None:
    row = decision.row
    named = (request.milestone, request.version)
    if any((it.notice.milestone, it.notice.version) == named for it in row.notices):
        return
    if request.milestone in END_MILESTONES:
        # Before the notice opens, so that what it makes untrue is withdrawn first.
        _close(decision, tuple(line.line for line in request.lines))
    idle = _idle_channels(decision.row, request)
    _withdraw_replaced(decision, request)
    notice = _open(decision, request, 1, request.customer.channels)
    for delivery in notice.deliveries:
        if request.milestone not in END_MILESTONES and have_lines_ended(decision.row, request):
            decision.change(notice, delivery, DeliveryState.WITHDRAWN, "the order has ended")
        elif delivery.channel in idle:
            decision.change(notice, delivery, DeliveryState.WITHDRAWN, "nothing was sent that needs a correction")
        else:
            decision.request(notice, delivery)


def _open(decision: NoticeDecision, request: NoticeRequest, copy: int, channels: Iterable[Channel]) -> Notice:
    # E-mail is the channel of a customer who chose none.
    wanted = tuple(dict.fromkeys(channels)) or (Channel.EMAIL,)
    opened = NoticeOpened(at_ms=decision.now_ms, notice=request, copy=copy, channels=wanted, asked_by=decision.cause)
    decision.emit(opened)
    return decision.row.notices[-1]


def _idle_channels(row: OrderNotices, request: NoticeRequest) -> frozenset[Channel]:
    """Channels on which a correction is pointless: nothing to be corrected may have been sent there."""
    if request.milestone is not Milestone.NOT_READY:
        return frozenset()
    informed = {
        delivery.channel
        for notice in row.notices
        if notice.notice.milestone in CORRECTED and notice.notice.store == request.store
        for delivery in notice.deliveries
        if delivery.state in PERHAPS_SENT
    }
    return frozenset(Channel) - informed


def _withdraw_replaced(decision: NoticeDecision, request: NoticeRequest) -> None:
    replaced = REPLACES.get(request.milestone, frozenset())
    for notice in decision.row.notices:
        if notice.notice.milestone in replaced and notice.notice.store == request.store:
            _withdraw(decision, notice, "replaced by a newer notice")


def _close(decision: NoticeDecision, lines: tuple[int, ...]) -> None:
    """Record that lines have ended, and withdraw what was not sent about them."""
    if set(lines) <= set(decision.row.gone):
        return
    decision.emit(LinesClosed(at_ms=decision.now_ms, lines=lines))
    for notice in decision.row.notices:
        if notice.notice.milestone not in END_MILESTONES and have_lines_ended(decision.row, notice.notice):
            _withdraw(decision, notice, "the order has ended")


def _withdraw(decision: NoticeDecision, notice: Notice, cause: str) -> None:
    for delivery in notice.deliveries:
        if delivery.state in OPEN and delivery.state is not DeliveryState.UNKNOWN:
            decision.change(notice, delivery, DeliveryState.WITHDRAWN, cause)
        elif delivery.due_ms:
            # It may have been sent, so it stays unknown; without a deadline it is not tried again.
            decision.change(notice, delivery, delivery.state, delivery.cause)


def _resend(decision: NoticeDecision, command: ResendNotice) -> None:
    # A repeat of the command.
    if any(notice.asked_by == decision.cause for notice in decision.row.notices):
        return
    found = [notice for notice in decision.row.notices if notice.notice.milestone is command.milestone]
    version = command.version or max((notice.notice.version for notice in found), default=0)
    copies = [notice for notice in found if notice.notice.version == version]
    reason = _refusal(decision, copies)
    if reason is not None:
        refused = ResendRefused(
            at_ms=decision.now_ms, milestone=command.milestone, reason=reason, message=decision.message_id
        )
        decision.emit(refused)
        return
    newest = copies[-1]
    channels = (command.channel,) if command.channel else tuple(it.channel for it in newest.deliveries)
    notice = _open(decision, newest.notice, max(it.copy for it in copies) + 1, channels)
    for delivery in notice.deliveries:
        decision.request(notice, delivery)


def _refusal(decision: NoticeDecision, copies: list[Notice]) -> ResendRefusal | None:
    if not copies:
        return ResendRefusal.UNKNOWN_NOTICE
    newest = copies[-1]
    if newest.notice.milestone not in END_MILESTONES and have_lines_ended(decision.row, newest.notice):
        return ResendRefusal.ENDED
    if why_superseded(decision.row, newest):
        return ResendRefusal.REPLACED
    return ResendRefusal.TOO_LATE if is_too_late(newest, decision.now_ms) else None


def _record_answer(decision: NoticeDecision, answer: DeliveryAnswered) -> None:
    found = _find(decision.row, answer)
    if found is None:
        return
    notice, delivery = found
    if answer.outcome is SendOutcome.SENT:
        # Whatever the delivery's state has become meanwhile: it was sent, so it is not sent again.
        if delivery.state is not DeliveryState.SENT:
            _record_sent(decision, answer, delivery)
        return
    # An answer to an earlier attempt, or to a delivery that is settled.
    if answer.attempt != delivery.attempt or delivery.state not in (DeliveryState.DUE, DeliveryState.UNKNOWN):
        return
    superseded = why_superseded(decision.row, notice)
    if superseded and answer.outcome in NOT_SENT:
        perhaps_sent = delivery.channel in REPEATABLE and delivery.attempt > 1  # by an earlier attempt
        state = DeliveryState.UNKNOWN if perhaps_sent else DeliveryState.WITHDRAWN
        decision.change(notice, delivery, state, superseded)
        return
    match answer.outcome:
        case SendOutcome.FAILED:
            failed = FailedAttempt(DeliveryState.WAITING, DeliveryState.FAILED, answer.cause)
            _back_off(decision, notice, delivery, failed)
        case SendOutcome.UNKNOWN:
            if delivery.state is DeliveryState.DUE:  # else it is unknown already, and a repeat would count twice
                _record_unknown(decision, notice, delivery, answer.cause)
        case SendOutcome.STALE:
            if decision.now_ms - delivery.asked_ms <= HEAL_MS:
                decision.request(notice, delivery)
        case SendOutcome.POSTPONED:
            until_ms = min(answer.not_before_ms or decision.now_ms, decision.now_ms + POSTPONED_MS_MAX)
            # Strictly later, or the same tick would fire it again at once.
            due_ms = max(until_ms, decision.now_ms + 1)
            decision.change(notice, delivery, DeliveryState.WAITING, answer.cause, due_ms)
        case SendOutcome.REFUSED:
            decision.change(notice, delivery, DeliveryState.FAILED, answer.cause)
        case SendOutcome.ERASED | SendOutcome.NO_ADDRESS:
            decision.change(notice, delivery, UNDELIVERABLE[answer.outcome], answer.cause)
        case _:
            assert_never(answer.outcome)


def _find(row: OrderNotices, answer: DeliveryAnswered) -> tuple[Notice, Delivery] | None:
    for notice in row.notices:
        if notice.ref(answer.delivery.channel) == answer.delivery:
            return next(((notice, it) for it in notice.deliveries if it.channel is answer.delivery.channel), None)
    return None


def _record_sent(decision: NoticeDecision, answer: DeliveryAnswered, delivery: Delivery) -> None:
    sent = DeliveryChanged(
        at_ms=decision.now_ms,
        delivery=answer.delivery,
        attempt=delivery.attempt,
        state=DeliveryState.SENT,
        failures=delivery.failures,
        provider_id=answer.provider_id,
    )
    decision.emit(sent)


def _record_unknown(decision: NoticeDecision, notice: Notice, delivery: Delivery, cause: str) -> None:
    """Mark a delivery that may have been sent as unknown, for staff; try again only where duplicates are safe."""
    if delivery.channel in REPEATABLE:
        _back_off(decision, notice, delivery, FailedAttempt(DeliveryState.UNKNOWN, DeliveryState.UNKNOWN, cause))
    elif delivery.state is not DeliveryState.UNKNOWN or delivery.due_ms:
        decision.change(notice, delivery, DeliveryState.UNKNOWN, cause)


def _back_off(decision: NoticeDecision, notice: Notice, delivery: Delivery, retry: FailedAttempt) -> None:
    """Wait for the next attempt, longer each time, or give up after FAILURES_MAX failures."""
    failures = delivery.failures + 1
    is_last = failures > FAILURES_MAX
    changed = DeliveryChanged(
        at_ms=decision.now_ms,
        delivery=notice.ref(delivery.channel),
        attempt=delivery.attempt,
        state=retry.given_up if is_last else retry.waiting,
        failures=failures,
        due_ms=0 if is_last else decision.now_ms + BACKOFF_MS[failures - 1],
        cause=retry.cause,
    )
    decision.emit(changed)


def _fire(decision: NoticeDecision) -> None:
    """Act on every due delivery: request its next attempt, or mark it as unknown when the notifier did not answer."""
    due = [
        (notice, delivery)
        for notice in decision.row.notices
        for delivery in notice.deliveries
        if 0 < delivery.due_ms <= decision.now_ms
    ]
    for notice, delivery in due:
        if delivery.state is DeliveryState.DUE:
            _record_unknown(decision, notice, delivery, "no answer from the notifier")
        else:
            decision.request(notice, delivery)
