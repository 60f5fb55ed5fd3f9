"""The notifier over a real log and a real mail server, killed anywhere: no mail twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bopis.domain.notices.messages import ResendNotice
from bopis.domain.notices.vocabulary import Channel, DeliveryState, Milestone
from tests.contract.reading import until
from tests.engines import Engine
from tests.engines.wire import Wire
from tests.services.notices.floor import Floor
from tests.services.notices.post import Mailbox, mail_server

ORDERS = 60
KILLS = 3
CONCURRENCY = 4
LOST_PER_KILL = 2 * CONCURRENCY  # a second hand may be full while the first is still sent
S = DeliveryState


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def floor(engine: Engine, tmp_path: Path, box: Mailbox) -> Iterator[Floor]:
    floor = Floor(engine.bootstrap, tmp_path, box, notice_concurrency=str(CONCURRENCY), notice_timeout_seconds="20")
    yield floor
    floor.close()
    with Wire(engine.address) as wire:
        wire.delete_topics_of(floor.prefix)


def test_a_customer_is_told_once_and_staff_see_that_it_was_sent(floor: Floor, box: Mailbox) -> None:
    floor.start("notices", "notifier")
    floor.describe_store()
    for _ in range(3):
        floor.due("K0000001")

    floor.until(lambda states: states == {"K0000001/ready/1/email": S.SENT})
    floor.say("K0000001", ResendNotice(milestone=Milestone.READY), "again")
    states = floor.until(lambda states: set(states.values()) == {S.SENT} and len(states) == 2)
    codes = [floor.stop("notifier"), floor.stop("notices")]

    assert codes == [0, 0]
    assert set(states) == {"K0000001/ready/1/email", "K0000001/ready/1.2/email"}
    assert sorted(floor.mails().values()) == [1, 1]
    assert box.recipients == ["k0000001@example.org"] * 2
    code = floor.vault.codes.code("K0000001", 1)
    assert code[:3] in box.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    assert code not in floor.talk()
    assert "k0000001@example.org" not in floor.talk()


def test_no_mail_twice_although_notifier_and_notices_are_killed_anywhere(floor: Floor, box: Mailbox) -> None:
    box.delay_s = 0.15
    chance = random.Random(20261122)
    floor.start("notices", "notifier")

    for number in range(KILLS):
        before = len(box.mails)
        for order in range(number * ORDERS // KILLS, (number + 1) * ORDERS // KILLS):
            floor.due(f"K{order:07}")
        floor.producer.flush()
        assert until(box.has(before + 1 + number % 3), seconds=90)
        time.sleep(chance.random() * 0.3)
        floor.kill("notifier")
        if number % 2:
            floor.kill("notices")
            floor.start("notices")
        floor.start("notifier")
    answered = ORDERS - KILLS * LOST_PER_KILL
    floor.until(lambda states: sum(it is not S.DUE for it in states.values()) >= answered)
    time.sleep(3)
    states = floor.states()

    counted = floor.mails()
    assert set(counted.values()) == {1}, counted
    left = Counter(states.values())
    assert left[S.SENT] <= len(counted) <= left[S.SENT] + left[S.DUE] + left[S.UNKNOWN]
    assert left[S.DUE] + left[S.UNKNOWN] <= KILLS * LOST_PER_KILL, left
    assert left[S.SENT] > 0
    assert len(states) == ORDERS


def test_a_conclusion_that_stands_twice_in_the_log_is_one_mail_also_for_the_next_notifier(
    floor: Floor, box: Mailbox
) -> None:
    floor.start("notices", "notifier")
    floor.due("K0000001")
    floor.until(lambda states: set(states.values()) == {S.SENT})

    floor.repeat_events()
    floor.kill("notifier")
    floor.repeat_events()
    floor.start("notifier")
    for number in range(2, 10):  # enough for both partitions: what comes behind the repeats was taken after them
        floor.due(f"K{number:07}")
    floor.until(lambda states: len(states) == 9 and set(states.values()) == {S.SENT})

    assert set(floor.mails().values()) == {1}
    assert len(box.mails) == 9


def test_what_waited_while_the_notifier_was_away_is_sent_unless_the_order_has_ended(floor: Floor, box: Mailbox) -> None:
    floor.start("notices")
    floor.due("K0000001")
    floor.due("K0000002")
    floor.due("K0000002", Milestone.CANCELLED)
    floor.until(lambda states: len(states) == 3)

    floor.start("notifier")
    states = floor.until(lambda states: S.DUE not in states.values())

    assert states["K0000002/ready/1/email"] is S.WITHDRAWN
    subjects = sorted(str(mail["Subject"]) for mail in box.mails)
    assert subjects == ["Your order K000-0001 is ready", "Your order K000-0002 was cancelled"]


def test_a_notice_that_fails_waits_and_its_cause_is_seen(floor: Floor, box: Mailbox) -> None:
    box.greeting = "450 busy"
    floor.start("notices", "notifier")
    floor.due("K0000001")

    states = floor.until(lambda states: S.WAITING in states.values())

    [delivery] = floor.rows()["K0000001"].notices[0].deliveries
    assert states == {"K0000001/ready/1/email": S.WAITING}
    assert (delivery.cause, delivery.failures) == ("the mail server answered 450", 1)
    assert box.mails == []


def test_an_erased_customer_gets_no_mail(floor: Floor, box: Mailbox) -> None:
    floor.start("notices")
    floor.due("K0000001")
    floor.until(lambda states: len(states) == 1)
    floor.vault.erase("K0000001")

    floor.start("notifier")
    states = floor.until(lambda states: S.DUE not in states.values())

    assert states == {"K0000001/ready/1/email": S.ERASED}
    assert box.mails == []


def test_what_nobody_can_reach_goes_to_the_outbox(floor: Floor, box: Mailbox) -> None:
    floor.start("notices", "notifier")

    floor.due("K0000001", channel=Channel.CONSOLE)
    floor.until(lambda states: set(states.values()) == {S.SENT})

    [file] = (floor.home / "outbox").rglob("*.json")
    assert file.name == "K0000001-ready-1-console.json"
