"""One payment explained: every try with its key and answer, why the next method was asked, each sum, and what the
customer was told."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from bopis.domain.message import Message
from bopis.domain.orders.events import NoticeDue
from bopis.domain.payments.events import CustomerAsked
from bopis.domain.payments.state import Attempt, AttemptState, Payment, is_pending
from bopis.names import ORDER_EVENTS_TOPIC, PAYMENT_EVENTS_TOPIC
from bopis.ports import Log, Record
from bopis.services.counter.store_times import StoreTimes
from bopis.services.payments.book import debts, status_of
from bopis.services.payments.event_text import (
    CLASSES,
    NOUNS,
    REASONS,
    STATES,
    STEP_STATES,
    PaymentEventText,
    method_text,
    spaced,
)
from bopis.wire.errors import WireError
from bopis.wire.orders import ORDER_EVENTS
from bopis.wire.payments import PAYMENT_EVENTS
from bopis.wire.placement import partition_of

FAMILIES = {PAYMENT_EVENTS_TOPIC: PAYMENT_EVENTS, ORDER_EVENTS_TOPIC: ORDER_EVENTS}


class PaymentHistory(Struct, frozen=True):
    """Events of a payment in the log's order, and the notices to its customer that were due."""

    events: tuple[Message, ...] = ()
    notices: tuple[Message, ...] = ()


class StepExplanation(Struct, frozen=True, kw_only=True):
    """A capture, release, refund or change of an authorisation."""

    key: str
    operation: str
    amount: int
    state: str
    requests: int
    at_ms: int
    text: str


class AttemptExplanation(Struct, frozen=True, kw_only=True):
    """One try of one method. ``because`` is why it was asked, ``next`` what followed from its answer."""

    number: int
    method: str
    amount: int
    authorised: int
    key: str
    reference: str
    state: str
    decline: str
    code: str
    requests: int
    at_ms: int
    ends_ms: int
    because: str
    answer: str
    next: str
    steps: tuple[StepExplanation, ...]


class HeardNotice(Struct, frozen=True, kw_only=True):
    """What the customer was told, and when."""

    at_ms: int
    text: str


class PaymentSums(Struct, frozen=True, kw_only=True):
    """The sums of a payment in minor units. ``authorised`` is what may still be captured."""

    open: int
    handed_over: int
    authorised: int
    captured: int
    refunded: int
    owed: int
    to_pay_in_store: int
    paid_in_store: int


class Explanation(Struct, frozen=True, kw_only=True):
    """A payment as people ask for it."""

    order: str
    status: str
    currency: str
    methods: tuple[str, ...]
    consent: bool
    sums: PaymentSums
    owed: tuple[str, ...]
    attempts: tuple[AttemptExplanation, ...]
    heard: tuple[HeardNotice, ...]


def read_payment_history(log: Log, payment: Payment) -> PaymentHistory:
    """The events of a payment and of its order's notices. Repeats after a crash count once."""
    events: dict[str, Message] = {}
    notices: dict[str, Message] = {}
    for record in _records(log, payment):
        try:
            message = FAMILIES[record.topic].decode(record.value or b"")
        except WireError:
            continue
        if record.topic == PAYMENT_EVENTS_TOPIC:
            events.setdefault(message.id, message)
        elif isinstance(message.data, NoticeDue):
            notices.setdefault(message.id, message)
    return PaymentHistory(tuple(events.values()), tuple(notices.values()))


def explain(payment: Payment, history: PaymentHistory, times: StoreTimes) -> Explanation:
    """A payment explained, with times on the clock of its store."""
    words = PaymentEventText(times, payment.currency, payment.methods)
    sums = PaymentSums(
        open=payment.open,
        handed_over=payment.handed,
        authorised=sum(it.rest for it in payment.attempts),
        captured=payment.captured,
        refunded=payment.refunded,
        owed=payment.owed,
        to_pay_in_store=max(0, payment.at_counter - payment.paid_at_counter),
        paid_in_store=payment.paid_at_counter,
    )
    return Explanation(
        order=payment.order,
        status=status_of(payment).value,
        currency=payment.currency,
        methods=tuple(method_text(it) for it in payment.methods),
        consent=payment.consent,
        sums=sums,
        owed=tuple(f"{words.money(it.amount)}: {it.because}; {it.who}" for it in debts(payment)),
        attempts=tuple(_attempt(payment, it, words, times) for it in payment.attempts),
        heard=tuple(sorted(_heard(history, words, times), key=lambda it: it.at_ms)),
    )


def answer_text(attempt: Attempt, words: PaymentEventText, times: StoreTimes) -> str:
    """How an attempt stands: its answer with the class of a decline, the provider's code, and the cause."""
    text = STATES[attempt.state]
    if attempt.state is AttemptState.DECLINED and attempt.decline is not None:
        text = CLASSES[attempt.decline]
    if attempt.state is AttemptState.APPROVED:
        text = f"approved for {words.money(attempt.authorised, attempt.currency)}"
        text += f" until {times.instant(attempt.ends_ms)}" if attempt.ends_ms else ""
        text += ", in review" if attempt.review else ""
        text += "; it is given back" if attempt.mismatched else ""
    code = f" ({attempt.code})" if attempt.code else ""
    return f"{text}{code}" + (f": {attempt.cause}" if attempt.cause else "")


def _attempt(payment: Payment, attempt: Attempt, words: PaymentEventText, times: StoreTimes) -> AttemptExplanation:
    return AttemptExplanation(
        number=attempt.number,
        method=words.method(attempt.method),
        amount=attempt.asked,
        authorised=attempt.authorised,
        key=attempt.key,
        reference=attempt.reference,
        state=attempt.state.value,
        decline=attempt.decline.value if attempt.decline is not None else "",
        code=attempt.code,
        requests=attempt.requests,
        at_ms=attempt.since_ms,
        ends_ms=attempt.ends_ms,
        because="a charge that only the gateway knew" if attempt.adopted else REASONS[attempt.reason],
        answer=answer_text(attempt, words, times),
        next=_next(payment, attempt, words),
        steps=tuple(
            StepExplanation(
                key=step.key,
                operation=step.operation.value,
                amount=step.amount,
                state=step.state.value,
                requests=step.requests,
                at_ms=step.since_ms,
                text=f"{NOUNS[step.operation]} of {words.money(step.amount)}: {STEP_STATES[step.state]}"
                + (f" ({step.cause})" if step.cause else "")
                + (", taken up again" if step.retried else ""),
            )
            for step in attempt.steps
        ),
    )


def _next(payment: Payment, attempt: Attempt, words: PaymentEventText) -> str:
    """What followed from the answer of an attempt: the next method with its reason, or what is waited for."""
    following = payment.attempt(attempt.number + 1)
    if following is not None:
        if following.adopted:
            return "a charge that only the gateway knew was taken into the books"
        return f"{words.method(following.method)} was asked, because {REASONS[following.reason]}"
    if is_pending(attempt):
        return "its answer is waited for"
    if payment.method_until_ms:
        return "no method is left; the customer was asked for another one"
    if payment.ending is not None:
        return f"nothing more is asked: {spaced(payment.ending)}"
    return "what is needed is covered" if payment.needed <= sum(it.rest for it in payment.attempts) else "nothing yet"


def _heard(history: PaymentHistory, words: PaymentEventText, times: StoreTimes) -> Iterator[HeardNotice]:
    for message in history.events:
        asked = message.data
        if isinstance(asked, CustomerAsked):
            yield HeardNotice(at_ms=asked.at_ms, text=words.sentence(asked))
    for message in history.notices:
        due: NoticeDue = message.data
        until = f" until {times.instant(due.answer_by_ms)}" if due.answer_by_ms else ""
        what = f"notice: {spaced(due.milestone)}{f' ({due.reason})' if due.reason else ''}{until}"
        yield HeardNotice(at_ms=due.stamp.recorded_at_ms, text=what)


def _records(log: Log, payment: Payment) -> Iterable[Record]:
    """The records of the order since its payment began, from the one partition of each topic that has them."""
    key = payment.order.encode()
    for topic in FAMILIES:
        ends = log.end_offsets((topic,))
        home = (topic, partition_of(key, len(ends))) if ends else None
        first = log.offsets_at((topic,), payment.opened_ms) if home else {}
        if home is not None:
            span = {home: first.get(home, 0)}
            yield from (it for it in log.read(span, {home: ends[home]}) if it.key == key)
