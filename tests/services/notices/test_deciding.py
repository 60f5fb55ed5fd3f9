"""Notices that are sent once, withdrawn and replaced."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bopis.domain.notices.events import DeliveryDue, ResendRefused
from bopis.domain.notices.limits import ANSWER_MS, BACKOFF_MS, FAILURES_MAX, HEAL_MS, NOTICES_KEPT
from bopis.domain.notices.vocabulary import Channel, CustomerRef, DeliveryState, Milestone, ResendRefusal, SendOutcome
from bopis.domain.values import DAY_MS, HOUR_MS, MINUTE_MS
from tests.services.notices.book import CUSTOMER, START_MS, Book, asked, changes, notice, one

M, S = Milestone, DeliveryState


def test_a_notice_is_asked_for_once_however_often_it_is_said() -> None:
    book = Book()

    first, again = book.due(M.READY), book.due(M.READY)

    assert one(first).delivery.key("O") == "O/ready/1/email"
    assert again == []


def test_each_wanted_channel_has_a_delivery_and_a_wish_said_twice_has_one() -> None:
    book = Book()
    customer = CustomerRef(id="c", channels=(Channel.SMS, Channel.WEBHOOK, Channel.SMS))

    events = book.due(M.PLACED, customer=customer)

    assert [it.delivery.channel for it in asked(events)] == [Channel.SMS, Channel.WEBHOOK]


def test_who_said_no_channel_gets_mail() -> None:
    book = Book()

    events = book.due(M.PLACED, customer=CustomerRef(id="c"))

    assert one(events).delivery.channel is Channel.EMAIL


def test_what_is_sent_is_never_asked_for_again() -> None:
    book = Book()
    due = one(book.due(M.READY))

    book.answer(due, SendOutcome.SENT, provider_id="p1")
    book.now_ms += 3 * DAY_MS
    later = [*book.tick(), *book.answer(due, SendOutcome.STALE), *book.answer(due, SendOutcome.FAILED)]

    assert later == []
    assert book.states() == {"O/ready/1/email": S.SENT}


def test_success_shown_though_no_mail_could_be_sent() -> None:
    book = Book()
    due = one(book.due(M.PLACED, window_end_ms=None))

    for _ in range(FAILURES_MAX):
        book.answer(due, SendOutcome.FAILED, cause="450 mailbox busy")
        assert book.states() == {"O/placed/1/email": S.WAITING}
        book.now_ms = book.row.due_ms
        due = one(book.tick())
    book.answer(due, SendOutcome.FAILED, cause="450 mailbox busy")

    assert book.states() == {"O/placed/1/email": S.FAILED}
    assert book.row.notices[0].deliveries[0].cause == "450 mailbox busy"
    assert book.row.due_ms == 0


def test_tries_are_further_and_further_apart() -> None:
    book = Book()
    due, waits = one(book.due(M.PLACED, window_end_ms=None)), []

    for _ in range(FAILURES_MAX):
        book.answer(due, SendOutcome.FAILED)
        waits.append(book.row.due_ms - book.now_ms)
        book.now_ms = book.row.due_ms
        due = one(book.tick())

    assert tuple(waits) == BACKOFF_MS


def test_reminder_job_skipped_a_day_or_ran_twice_and_so_did_the_mails() -> None:
    book = Book()
    due = one(book.due(M.REMINDER))

    again = [book.due(M.REMINDER) for _ in range(3)]
    book.answer(due, SendOutcome.FAILED)
    book.now_ms += DAY_MS
    late = [book.tick(), book.tick()]

    assert again == [[], [], []]
    assert [len(asked(it)) for it in late] == [1, 0]


def test_a_delivery_without_an_answer_is_unknown_and_a_mail_is_not_tried_again_by_itself() -> None:
    book = Book()
    due = one(book.due(M.READY))

    book.now_ms += ANSWER_MS
    events = book.tick()

    assert changes(events) == [("ready", S.UNKNOWN)]
    assert book.row.due_ms == 0
    assert changes(book.answer(due, SendOutcome.SENT)) == [("ready", S.SENT)]


def test_an_unknown_delivery_that_was_never_tried_is_asked_for_anew() -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.now_ms += ANSWER_MS
    book.tick()

    events = book.answer(due, SendOutcome.STALE)

    assert one(events).attempt == 2


def test_an_unknown_delivery_does_not_heal_after_a_day() -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.now_ms += ANSWER_MS
    book.tick()

    book.now_ms += HEAL_MS
    events = book.answer(due, SendOutcome.STALE)

    assert events == []


def test_an_unknown_webhook_is_said_again_because_its_receiver_tells_repeats() -> None:
    book = Book()
    due = one(book.due(M.READY, customer=CustomerRef(id="c", channels=(Channel.WEBHOOK,))))

    book.answer(due, SendOutcome.UNKNOWN, cause="timed out")
    book.now_ms = book.row.due_ms
    again = one(book.tick())

    assert (again.delivery, again.attempt) == (due.delivery, 2)


@pytest.mark.parametrize("end", [M.CANCELLED, M.EXPIRED])
def test_ready_is_never_said_after_an_end(end: Milestone) -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.answer(due, SendOutcome.FAILED)

    events = book.due(end)
    book.now_ms += HOUR_MS
    later = [*book.tick(), *book.answer(due, SendOutcome.STALE), *book.due(M.READY, 2), *book.resend(M.READY)]

    assert ("ready", S.WITHDRAWN) in changes(events)
    assert [it.delivery.milestone for it in asked(events)] == [end]
    assert asked(later) == []


def test_a_delivery_that_was_postponed_over_the_end_is_not_sent() -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.answer(due, SendOutcome.POSTPONED, not_before_ms=book.now_ms + 8 * HOUR_MS)

    book.gone(1)
    book.now_ms += 9 * HOUR_MS

    assert book.tick() == []
    assert book.states() == {"O/ready/1/email": S.WITHDRAWN}


def test_what_is_postponed_is_asked_for_when_the_quiet_hours_are_over() -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.answer(due, SendOutcome.POSTPONED, not_before_ms=book.now_ms + 8 * HOUR_MS)

    book.now_ms += 8 * HOUR_MS - 1
    early = book.tick()
    book.now_ms += 1

    assert early == []
    assert one(book.tick()).attempt == 2


def test_a_part_that_is_handed_over_leaves_what_concerns_the_rest() -> None:
    book = Book()
    both = (notice(M.READY).lines[0], notice(M.READY).lines[0].__class__(line=2, sku="B", quantity=1))
    due = one(book.due(M.READY, lines=both))
    book.answer(due, SendOutcome.FAILED)

    book.gone(1)
    part = book.states()
    book.gone(2)

    assert part == {"O/ready/1/email": S.WAITING}
    assert book.states() == {"O/ready/1/email": S.WITHDRAWN}


def test_not_ready_after_all_corrects_only_what_was_said() -> None:
    told, untold = Book(), Book()
    told.answer(one(told.due(M.READY)), SendOutcome.SENT)
    untold.answer(one(untold.due(M.READY)), SendOutcome.FAILED)

    corrected, silent = told.due(M.NOT_READY), untold.due(M.NOT_READY)

    assert one(corrected).delivery.milestone is M.NOT_READY
    assert asked(silent) == []
    assert untold.states() == {"O/ready/1/email": S.WITHDRAWN, "O/not_ready/1/email": S.WITHDRAWN}


def test_a_correction_that_is_still_waiting_is_replaced_by_ready_again() -> None:
    book = Book()
    book.answer(one(book.due(M.READY)), SendOutcome.SENT)
    book.answer(one(book.due(M.NOT_READY)), SendOutcome.FAILED)

    events = book.due(M.READY, 2)

    assert changes(events) == [("not_ready", S.WITHDRAWN)]
    assert one(events).delivery.version == 2


def test_sent_after_all_stands_whatever_was_thought_meanwhile() -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.due(M.CANCELLED)

    events = book.answer(due, SendOutcome.SENT)

    assert changes(events) == [("ready", S.SENT)]


def test_resending_makes_one_copy_with_a_key_of_its_own() -> None:
    book = Book()
    book.answer(one(book.due(M.READY)), SendOutcome.SENT)

    first, twice = book.resend(M.READY, "desk/1"), book.resend(M.READY, "desk/1")

    assert one(first).delivery.key("O") == "O/ready/1.2/email"
    assert twice == []


def test_resending_over_another_channel_says_the_same_there() -> None:
    book = Book()
    book.answer(one(book.due(M.READY)), SendOutcome.NO_ADDRESS)

    events = book.resend(M.READY, channel=Channel.SMS)

    assert one(events).delivery.channel is Channel.SMS


@pytest.mark.parametrize(
    ("milestone", "reason"), [(M.EXPIRED, ResendRefusal.UNKNOWN_NOTICE), (M.READY, ResendRefusal.TOO_LATE)], ids=str
)
def test_resending_what_cannot_be_said_is_refused_by_name(milestone: Milestone, reason: ResendRefusal) -> None:
    book = Book()
    book.due(M.READY)
    book.now_ms += 80 * HOUR_MS

    [refused] = book.resend(milestone)

    assert isinstance(refused, ResendRefused)
    assert refused.reason is reason


def test_an_unknown_answer_that_comes_twice_counts_once() -> None:
    book = Book()
    due = one(book.due(M.READY, customer=replace(CUSTOMER, channels=(Channel.WEBHOOK,))))
    book.answer(due, SendOutcome.UNKNOWN)

    book.now_ms += 1
    again = book.answer(due, SendOutcome.UNKNOWN)

    assert again == []


def test_resending_a_ready_that_was_taken_back_is_refused() -> None:
    book = Book()
    book.answer(one(book.due(M.READY)), SendOutcome.SENT)
    book.due(M.NOT_READY)

    [refused] = book.resend(M.READY)
    book.due(M.READY, 2)
    again = book.resend(M.READY)

    assert isinstance(refused, ResendRefused)
    assert refused.reason is ResendRefusal.REPLACED
    assert one(again).delivery.key("O") == "O/ready/2.2/email"


@pytest.mark.parametrize(
    "outcome", [SendOutcome.STALE, SendOutcome.FAILED, SendOutcome.POSTPONED, SendOutcome.UNKNOWN], ids=str
)
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.WEBHOOK], ids=str)
@pytest.mark.parametrize("end", ["cancelled", "taken back"])
def test_a_delivery_without_an_answer_is_never_tried_again_once_it_is_untrue(
    outcome: SendOutcome, channel: Channel, end: str
) -> None:
    book = Book()
    due = one(book.due(M.READY, customer=replace(CUSTOMER, channels=(channel,))))
    book.now_ms += 11 * MINUTE_MS
    book.tick()
    book.gone(1) if end == "cancelled" else book.due(M.NOT_READY)

    book.answer(due, outcome)
    book.now_ms += DAY_MS
    later = [it for it in asked(book.tick()) if it.delivery.milestone is M.READY]

    assert later == []
    assert book.states()[due.delivery.key("O")] is (S.UNKNOWN if outcome is SendOutcome.UNKNOWN else S.WITHDRAWN)


def test_resending_for_an_order_that_nobody_was_told_of_is_refused() -> None:
    [refused] = Book().resend(M.READY)

    assert isinstance(refused, ResendRefused)
    assert refused.reason is ResendRefusal.UNKNOWN_ORDER


def test_an_erased_customer_ends_as_erased() -> None:
    book = Book()

    book.answer(one(book.due(M.READY)), SendOutcome.ERASED)

    assert book.states() == {"O/ready/1/email": S.ERASED}
    assert book.row.due_ms == 0


def test_seen_at_the_counter_is_not_said_a_quarter_of_an_hour_later() -> None:
    book = Book()
    due = one(book.due(M.ARRIVAL))
    book.answer(due, SendOutcome.FAILED)

    book.now_ms += 16 * MINUTE_MS
    events = book.tick()

    assert changes(events) == [("arrival", S.FAILED)]


def test_a_delivery_tells_the_newest_code() -> None:
    book = Book()
    due = one(book.due(M.READY))
    book.answer(due, SendOutcome.FAILED)
    book.due(M.CODE_REISSUED, code_version=2)

    book.now_ms = book.row.due_ms if book.row.due_ms > book.now_ms else book.now_ms + MINUTE_MS
    again = [it for it in asked(book.tick()) if it.delivery.milestone is M.READY]

    assert [it.code_version for it in again] == [2]


def test_an_order_keeps_a_bounded_number_of_notices() -> None:
    book = Book()

    for version in range(1, NOTICES_KEPT + 20):
        book.answer(one(book.due(M.WAITING, version)), SendOutcome.SENT)

    assert len(book.row.notices) == NOTICES_KEPT
    assert book.row.notices[-1].notice.version == NOTICES_KEPT + 19


ACTS = st.lists(
    st.tuples(st.sampled_from(["due", "answer", "time", "gone", "resend", "repeat"]), st.integers(0, 10_000)),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(acts=ACTS)
def test_whatever_happens_nothing_sent_is_sent_again_and_nothing_ready_follows_an_end(
    acts: list[tuple[str, int]],
) -> None:
    book, seen, sent, ended = Book(), [], set(), False
    versions = dict.fromkeys(Milestone, 0)
    channels = (Channel.EMAIL, Channel.SMS)

    for act, number in acts:
        book.now_ms += number % 7 * MINUTE_MS
        events = []
        if act == "due":
            milestone = list(Milestone)[number % len(Milestone)]
            versions[milestone] += 1
            customer = CustomerRef(id="c", channels=channels[: 1 + number % 2])
            events = book.due(milestone, versions[milestone], customer=customer)
            ended = ended or milestone in (M.CANCELLED, M.EXPIRED)
        elif act == "answer" and seen:
            due, outcome = seen[number % len(seen)], list(SendOutcome)[number % len(SendOutcome)]
            events = book.answer(due, outcome)
            sent |= {(due.delivery)} if outcome is SendOutcome.SENT else set()
        elif act == "time":
            book.now_ms += number % 50 * HOUR_MS // 5
            events = book.tick()
        elif act == "gone":
            events = book.gone(1)
            ended = True
        elif act == "resend":
            events = book.resend(list(Milestone)[number % len(Milestone)])
        elif act == "repeat" and book.said:
            heard = book.said[number % len(book.said)]
            if not asked_again(heard.data):
                events = book.say(heard.data, heard.cause)
        seen += asked(events)

        assert not {it.delivery for it in asked(events)} & sent
        assert len({(it.delivery, it.attempt) for it in seen}) == len(seen)
        assert not (ended and any(it.delivery.milestone is M.READY for it in asked(events)))
        deadline = (
            min((d.due_ms for it in book.row.notices for d in it.deliveries if d.due_ms), default=0)
            if (book.table.rows)
            else 0
        )
        assert not book.table.rows or book.row.due_ms == deadline


def asked_again(data: object) -> bool:
    """A tick and its repeat differ by the deadline alone."""
    return type(data).__name__ == "Tick"


def test_a_delivery_carries_what_the_notifier_needs() -> None:
    due = one(Book().due(M.READY))

    assert isinstance(due, DeliveryDue)
    assert (due.customer, due.code_version, due.valid_until_ms > START_MS) == (CUSTOMER, 1, True)
