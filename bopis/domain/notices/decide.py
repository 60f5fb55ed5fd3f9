"""From the notices of an order and a message to what is concluded: pure and total."""

from collections.abc import Iterable
from typing import assert_never

from bopis.domain.notices.events import DeliveryChanged, DeliveryDue, Event, LinesClosed, NoticeOpened, ResendRefused
from bopis.domain.notices.evolve import ENDS, evolve
from bopis.domain.notices.limits import (
    ANSWER_MS,
    BACKOFF_MS,
    FAILURES_MAX,
    HEAL_MS,
    POSTPONED_MS_MAX,
    VALID_MS,
)
from bopis.domain.notices.messages import DeliveryAnswered, LinesGone, NoticeDue, NoticeMessage, ResendNotice, Tick
from bopis.domain.notices.state import OPEN, PERHAPS_SENT, Delivery, Notice, OrderNotices
from bopis.domain.notices.terms import Channel, DeliveryState, Milestone, Outcome, Refusal
from bopis.domain.notices.truth import REPLACES, is_gone, is_over, overtaken

CORRECTED = frozenset({Milestone.READY, Milestone.REMINDER})
# The receiver of a webhook tells repeats by their id, so what is unknown there may be tried again.
BEARS_REPEATS = frozenset({Channel.WEBHOOK})
# What became of an attempt of which nothing has left, and which may be made again.
NOT_LEFT = frozenset({Outcome.FAILED, Outcome.STALE, Outcome.POSTPONED})
UNDELIVERABLE = {Outcome.ERASED: DeliveryState.ERASED, Outcome.NO_ADDRESS: DeliveryState.NO_ADDRESS}


class Telling:
    """One message being decided; each conclusion is folded in at once."""

    def __init__(self, row: OrderNotices, now_ms: int, cause: str, message: str) -> None:
        self.row = row
        self.now_ms = now_ms
        self.cause = cause
        self.message = message
        self.concluded: list[Event] = []

    def say(self, event: Event) -> None:
        self.concluded.append(event)
        self.row = evolve(self.row, event)

    def change(
        self, notice: Notice, delivery: Delivery, state: DeliveryState, cause: str = "", due_ms: int = 0
    ) -> None:
        """Say where a delivery stands now."""
        changed = DeliveryChanged(
            at_ms=self.now_ms,
            delivery=notice.ref(delivery.channel),
            attempt=delivery.attempt,
            state=state,
            failures=delivery.failures,
            due_ms=due_ms,
            cause=cause,
        )
        self.say(changed)

    def ask(self, notice: Notice, delivery: Delivery) -> None:
        """Ask the notifier for one more attempt, unless what would be said is over."""
        if is_over(notice, self.now_ms):
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
        self.say(due)


def decide(telling: Telling, data: NoticeMessage) -> None:
    """Conclude what follows from a message. A repeat says nothing new."""
    match data:
        case NoticeDue():
            _notice_due(telling, data)
        case LinesGone():
            _close(telling, data.lines)
        case ResendNotice():
            _resend(telling, data)
        case DeliveryAnswered():
            _answered(telling, data)
        case Tick():
            _fire(telling)
        case _:
            assert_never(data)


def next_due_ms(row: OrderNotices) -> int:
    """The next deadline of an order's notices, 0 if there is none."""
    return min((d.due_ms for it in row.notices for d in it.deliveries if d.due_ms), default=0)


def _notice_due(telling: Telling, due: NoticeDue) -> None:
    row = telling.row
    named = (due.milestone, due.version)
    if any((it.notice.milestone, it.notice.version) == named for it in row.notices):
        return
    if due.milestone in ENDS:
        _close(telling, tuple(it.line for it in due.lines))
    idle = _idle_channels(telling.row, due)
    _withdraw_replaced(telling, due)
    notice = _open(telling, due, 1, due.customer.channels)
    for delivery in notice.deliveries:
        if due.milestone not in ENDS and is_gone(telling.row, due):
            telling.change(notice, delivery, DeliveryState.WITHDRAWN, "the order has ended")
        elif delivery.channel in idle:
            telling.change(notice, delivery, DeliveryState.WITHDRAWN, "nothing was sent that needs a correction")
        else:
            telling.ask(notice, delivery)


def _open(telling: Telling, due: NoticeDue, copy: int, channels: Iterable[Channel]) -> Notice:
    wanted = tuple(dict.fromkeys(channels)) or (Channel.EMAIL,)
    opened = NoticeOpened(at_ms=telling.now_ms, notice=due, copy=copy, channels=wanted, asked_by=telling.cause)
    telling.say(opened)
    return telling.row.notices[-1]


def _idle_channels(row: OrderNotices, due: NoticeDue) -> frozenset[Channel]:
    """Channels on which a correction would correct nothing, because nobody was told what it takes back."""
    if due.milestone is not Milestone.NOT_READY:
        return frozenset()
    told = {
        delivery.channel
        for it in row.notices
        if it.notice.milestone in CORRECTED and it.notice.store == due.store
        for delivery in it.deliveries
        if delivery.state in PERHAPS_SENT
    }
    return frozenset(Channel) - told


def _withdraw_replaced(telling: Telling, due: NoticeDue) -> None:
    replaced = REPLACES.get(due.milestone, frozenset())
    for notice in telling.row.notices:
        if notice.notice.milestone in replaced and notice.notice.store == due.store:
            _withdraw(telling, notice, "something newer is said")


def _close(telling: Telling, lines: tuple[int, ...]) -> None:
    """Lines have ended: what was not sent about them is not sent any more."""
    if set(lines) <= set(telling.row.gone):
        return
    telling.say(LinesClosed(at_ms=telling.now_ms, lines=lines))
    for notice in telling.row.notices:
        if notice.notice.milestone not in ENDS and is_gone(telling.row, notice.notice):
            _withdraw(telling, notice, "the order has ended")


def _withdraw(telling: Telling, notice: Notice, why: str) -> None:
    for delivery in notice.deliveries:
        if delivery.state in OPEN and delivery.state is not DeliveryState.UNKNOWN:
            telling.change(notice, delivery, DeliveryState.WITHDRAWN, why)
        elif delivery.due_ms:
            telling.change(notice, delivery, delivery.state, delivery.cause)  # stays unknown, and is not tried again


def _resend(telling: Telling, command: ResendNotice) -> None:
    if any(it.asked_by == telling.cause for it in telling.row.notices):
        return
    found = [it for it in telling.row.notices if it.notice.milestone is command.milestone]
    version = command.version or max((it.notice.version for it in found), default=0)
    copies = [it for it in found if it.notice.version == version]
    reason = _why_not(telling, copies)
    if reason is not None:
        refused = ResendRefused(
            at_ms=telling.now_ms, milestone=command.milestone, reason=reason, message=telling.message
        )
        telling.say(refused)
        return
    newest = copies[-1]
    channels = (command.channel,) if command.channel else tuple(it.channel for it in newest.deliveries)
    notice = _open(telling, newest.notice, max(it.copy for it in copies) + 1, channels)
    for delivery in notice.deliveries:
        telling.ask(notice, delivery)


def _why_not(telling: Telling, copies: list[Notice]) -> Refusal | None:
    if not copies:
        return Refusal.UNKNOWN_NOTICE
    if copies[-1].notice.milestone not in ENDS and is_gone(telling.row, copies[-1].notice):
        return Refusal.ENDED
    if overtaken(telling.row, copies[-1]):
        return Refusal.REPLACED
    return Refusal.TOO_LATE if is_over(copies[-1], telling.now_ms) else None


def _answered(telling: Telling, answer: DeliveryAnswered) -> None:
    found = _find(telling.row, answer)
    if found is None:
        return
    notice, delivery = found
    if answer.outcome is Outcome.SENT:
        if delivery.state is not DeliveryState.SENT:
            # Whatever was thought meanwhile: it has left, so it is not sent again.
            _sent(telling, answer, delivery)
        return
    if answer.attempt != delivery.attempt or delivery.state not in (DeliveryState.DUE, DeliveryState.UNKNOWN):
        return
    overtaken_by = overtaken(telling.row, notice)
    if overtaken_by and answer.outcome in NOT_LEFT:
        perhaps = delivery.channel in BEARS_REPEATS and delivery.attempt > 1  # an earlier attempt may have left
        state = DeliveryState.UNKNOWN if perhaps else DeliveryState.WITHDRAWN
        telling.change(notice, delivery, state, overtaken_by)
        return
    match answer.outcome:
        case Outcome.FAILED:
            _try_again(telling, notice, delivery, (DeliveryState.WAITING, DeliveryState.FAILED, answer.cause))
        case Outcome.UNKNOWN:
            if delivery.state is DeliveryState.DUE:  # else it is known already, and a repeat would count twice
                _unknown(telling, notice, delivery, answer.cause)
        case Outcome.STALE:
            if telling.now_ms - delivery.asked_ms <= HEAL_MS:
                telling.ask(notice, delivery)
        case Outcome.POSTPONED:
            until_ms = min(answer.not_before_ms or telling.now_ms, telling.now_ms + POSTPONED_MS_MAX)
            telling.change(notice, delivery, DeliveryState.WAITING, answer.cause, max(until_ms, telling.now_ms + 1))
        case Outcome.REFUSED:
            telling.change(notice, delivery, DeliveryState.FAILED, answer.cause)
        case Outcome.ERASED | Outcome.NO_ADDRESS:
            telling.change(notice, delivery, UNDELIVERABLE[answer.outcome], answer.cause)
        case _:
            assert_never(answer.outcome)


def _find(row: OrderNotices, answer: DeliveryAnswered) -> tuple[Notice, Delivery] | None:
    for notice in row.notices:
        if notice.ref(answer.delivery.channel) == answer.delivery:
            return next(((notice, it) for it in notice.deliveries if it.channel is answer.delivery.channel), None)
    return None


def _sent(telling: Telling, answer: DeliveryAnswered, delivery: Delivery) -> None:
    sent = DeliveryChanged(
        at_ms=telling.now_ms,
        delivery=answer.delivery,
        attempt=delivery.attempt,
        state=DeliveryState.SENT,
        failures=delivery.failures,
        provider_id=answer.provider_id,
    )
    telling.say(sent)


def _unknown(telling: Telling, notice: Notice, delivery: Delivery, cause: str) -> None:
    """Nobody knows whether it left: it stands so for staff to see, and only who tells repeats hears it again."""
    if delivery.channel in BEARS_REPEATS:
        _try_again(telling, notice, delivery, (DeliveryState.UNKNOWN, DeliveryState.UNKNOWN, cause))
    elif delivery.state is not DeliveryState.UNKNOWN or delivery.due_ms:
        telling.change(notice, delivery, DeliveryState.UNKNOWN, cause)


def _try_again(
    telling: Telling, notice: Notice, delivery: Delivery, outcome: tuple[DeliveryState, DeliveryState, str]
) -> None:
    """Back off, or give up: the states for both, and the cause."""
    waiting, given_up, cause = outcome
    failures = delivery.failures + 1
    last = failures > FAILURES_MAX
    changed = DeliveryChanged(
        at_ms=telling.now_ms,
        delivery=notice.ref(delivery.channel),
        attempt=delivery.attempt,
        state=given_up if last else waiting,
        failures=failures,
        due_ms=0 if last else telling.now_ms + BACKOFF_MS[failures - 1],
        cause=cause,
    )
    telling.say(changed)


def _fire(telling: Telling) -> None:
    """Do what is due: another attempt, or a delivery without an answer is told as unknown."""
    due = [
        (notice, it) for notice in telling.row.notices for it in notice.deliveries if 0 < it.due_ms <= telling.now_ms
    ]
    for notice, delivery in due:
        if delivery.state is DeliveryState.DUE:
            _unknown(telling, notice, delivery, "no answer from the notifier")
        else:
            telling.ask(notice, delivery)
