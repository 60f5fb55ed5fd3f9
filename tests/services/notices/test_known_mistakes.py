"""Mistakes of other systems in telling customers, each made impossible here."""

from bopis.domain.notices.limits import FAILURES_MAX
from bopis.domain.notices.vocabulary import DeliveryState, Milestone, SendOutcome
from bopis.domain.values import DAY_MS, HOUR_MS
from tests.services.notices.book import Book, asked, one


def test_success_is_never_shown_when_no_mail_could_be_sent() -> None:
    book = Book()
    due = one(book.due(Milestone.CANCELLED))

    states = []
    for _ in range(FAILURES_MAX):
        book.answer(due, SendOutcome.FAILED, cause="the mail server answered 450")
        states.append(book.states()[due.delivery.key("O")])
        book.now_ms += DAY_MS
        due = one(book.tick())
    book.answer(due, SendOutcome.FAILED, cause="the mail server answered 450")

    [delivery] = book.row.notices[0].deliveries
    assert set(states) == {DeliveryState.WAITING}
    assert (delivery.state, delivery.cause) == (DeliveryState.FAILED, "the mail server answered 450")


def test_a_reminder_job_that_runs_twice_never_sends_twice() -> None:
    book = Book()
    due = one(book.due(Milestone.REMINDER))
    book.answer(due, SendOutcome.SENT)

    again = book.due(Milestone.REMINDER)
    book.now_ms += HOUR_MS
    later = book.tick()

    assert asked(again) == asked(later) == []


def test_a_receipt_is_sent_and_what_asked_the_customer_to_come_is_not() -> None:
    book = Book()
    ready = one(book.due(Milestone.READY))
    book.answer(ready, SendOutcome.FAILED, cause="the mail server answered 450")

    receipt = one(book.due(Milestone.COLLECTED))
    book.now_ms += 30 * DAY_MS
    retried = book.tick()

    assert asked(retried) == []
    assert book.states()[ready.delivery.key("O")] is DeliveryState.WITHDRAWN
    assert book.answer(receipt, SendOutcome.SENT)
