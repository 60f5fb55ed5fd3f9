"""Mistakes of other systems in telling customers, each made impossible here."""

from bopis.domain.notices.limits import FAILURES_MAX
from bopis.domain.notices.terms import DeliveryState, Milestone, Outcome
from bopis.domain.values import DAY_MS, HOUR_MS
from tests.notices.book import Book, asked, one


def test_success_is_never_shown_when_no_mail_could_be_sent() -> None:
    book = Book()
    due = one(book.due(Milestone.CANCELLED))

    states = []
    for _ in range(FAILURES_MAX):
        book.answer(due, Outcome.FAILED, cause="the mail server answered 450")
        states.append(book.states()[due.delivery.key("O")])
        book.now_ms += DAY_MS
        due = one(book.tick())
    book.answer(due, Outcome.FAILED, cause="the mail server answered 450")

    [delivery] = book.row.notices[0].deliveries
    assert set(states) == {DeliveryState.WAITING}
    assert (delivery.state, delivery.cause) == (DeliveryState.FAILED, "the mail server answered 450")


def test_a_reminder_job_that_runs_twice_never_sends_twice() -> None:
    book = Book()
    due = one(book.due(Milestone.REMINDER))
    book.answer(due, Outcome.SENT)

    again = book.due(Milestone.REMINDER)
    book.now_ms += HOUR_MS
    later = book.tick()

    assert asked(again) == asked(later) == []
