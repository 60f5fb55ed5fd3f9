"""The whole flow of pickup orders over real processes that are killed at random: each order ends right, units are
conserved, every request has one answer, and no customer gets a mail twice."""

import os
import random
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.protocol.admin import IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine

from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.demo.clock import OffsetClock
from bopis.demo.process import program
from bopis.domain.orders.state import LineState
from bopis.names import PROCESSORS
from bopis.readside.migrate import upgrade
from bopis.settings import Settings
from tests.engines.wire import Wire
from tests.faults.crew import PARTITIONS, Crew
from tests.faults.order_judge import (
    CONCURRENCY,
    FLOW_SECONDS_MAX,
    all_told,
    assert_every_word_has_one_answer,
    assert_no_mail_left_twice,
    assert_the_read_side_tells_the_same,
    assert_units_are_conserved,
    at_rest,
    told_of,
)
from tests.faults.order_people import ENDS_AS, Fate, People, heard
from tests.faults.verdict import Result
from tests.services.notices.post import Mailbox, mail_server

TOPIC_RESOURCE = 2
SET = 0


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def vault(crew: Crew, box: Mailbox) -> Iterator[Vault]:
    """The keys of customers; the crew's workers open the same."""
    key, keys = b64encode(os.urandom(32)).decode(), f"sqlite:///{crew.home / 'keys.sqlite3'}"
    crew.change(
        master_key=key,
        keys_database=keys,
        smtp_host="127.0.0.1",
        smtp_port=box.port,
        smtp_security="none",
        notice_quiet_hours="",
        notice_concurrency=CONCURRENCY,
    )
    vault = open_vault(Settings(data_dir=crew.home, master_key=SecretStr(key), keys_database=keys))
    yield vault
    vault.close()


@pytest.fixture
def log_clock(crew: Crew) -> OffsetClock:
    """The clock that the crew's workers go by."""
    file = crew.home / "clock"
    crew.program = program(file)
    return OffsetClock.create(file)


@pytest.fixture
def readside(crew: Crew) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{crew.home / 'readside.sqlite3'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("count", "kills"), [(60, 7), pytest.param(500, 60, marks=pytest.mark.soak)], ids=["some", "five hundred"]
)
def test_every_order_ends_right_whatever_is_killed(
    crew: Crew, log_clock: OffsetClock, vault: Vault, readside: Engine, box: Mailbox, count: int, kills: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    result = Result("kill -9 of all in the flow of orders", crew.engine.name)
    for name in PROCESSORS:
        crew.start(name, name, wait=False)
    crew.wait(lambda: all(it.is_ready for it in crew.hands.values()), "all are ready", FLOW_SECONDS_MAX)
    people = People(crew, vault, count)
    people.open_stores()
    crew.wait_decided()
    victims = killed_through(crew, people, kills, random.Random(seed))
    all_told(crew, victims["notifier"])
    nobody_came = {order for order, fate in people.fates.items() if fate is Fate.NOT_COLLECTED}
    with conclusions(crew) as listen:
        crew.wait(lambda: listen(people) or people.windows.keys() >= nobody_came, "goods wait for them")
        days_pass(crew, log_clock, max(people.windows[order] for order in nobody_came) + 1_000)
        crew.wait(lambda: listen(people) or len(people.ended) == count, "all windows pass", FLOW_SECONDS_MAX)

    rows = at_rest(crew)
    notices = all_told(crew, victims["notifier"])
    result.count = count
    result.notes = {"killed": dict(victims), "mails": len(box.mails)}
    result.note(len(people.said))
    ends = {order: ENDS_AS.get(fate, LineState.HANDED_OVER) for order, fate in people.fates.items()}
    wrong = {order for order, row in rows.items() if row.state is not ends[order]}
    assert wrong == set(), [(people.fates[order], told_of(crew, order)) for order in wrong]
    assert rows.keys() == ends.keys()
    assert people.refused == []
    assert_units_are_conserved(crew, rows)
    assert_every_word_has_one_answer(crew, people)
    assert_no_mail_left_twice(notices, box, victims["notifier"])
    assert_the_read_side_tells_the_same(crew, readside, ends, notices)


def killed_through(crew: Crew, people: People, kills: int, chance: random.Random) -> Counter[str]:
    """Place everything and answer what is heard, while somebody kills a process again and again; all but those that
    nobody comes for have ended then. How often which process was killed."""
    count = len(people.fates)
    to_place, victims = list(people.fates), Counter[str]()
    waiting = sum(fate is Fate.NOT_COLLECTED for fate in people.fates.values())
    # Each is killed once before any is killed again.
    deck: list[str] = []
    end = time.monotonic() + FLOW_SECONDS_MAX
    with conclusions(crew) as listen:
        while to_place or len(people.ended) < count - waiting or victims.total() < kills:
            open_ones = {order: fate for order, fate in people.fates.items() if order not in people.ended}
            assert time.monotonic() < end, f"{open_ones}\n{people.refused}\n{crew.talk()}"
            for order in to_place[: max(1, count // 40)]:
                people.place(order)
            del to_place[: max(1, count // 40)]
            listen(people)
            progress = (count - len(to_place) + len(people.ended)) / (2 * count - waiting)
            if victims.total() < kills and progress >= (victims.total() + 1) / (kills + 1):
                deck = deck or chance.sample(PROCESSORS, len(PROCESSORS))
                victim = deck.pop()
                crew.hands[victim].kill()
                victims[victim] += 1
                crew.start(victim, victim, wait=False)
    return victims


@contextmanager
def conclusions(crew: Crew) -> Iterator[Any]:
    """A way to let people hear what is concluded, from the first conclusion on; it answers False."""
    consumer = KafkaConsumer(
        bootstrap_servers=crew.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", group_id=None
    )
    consumer.assign([TopicPartition(f"{crew.prefix}order-events", number) for number in range(PARTITIONS)])

    def listen(people: People) -> bool:
        for records in consumer.poll(50).values():
            for record in records:
                people.hear(heard(record.value))
        return False

    try:
        yield listen
    finally:
        consumer.close()


def days_pass(crew: Crew, log_clock: OffsetClock, until_ms: int) -> None:
    """The log's clock goes on to this instant. Its topics take the time of who writes from now on, and these all go by
    one clock: that works on every log."""
    settings = {"message.timestamp.type": "CreateTime"}
    if crew.engine.name != "embedded":
        settings["message.timestamp.after.max.ms"] = str(1 << 60)
    change = IncrementalAlterConfigsRequest.AlterConfigsResource
    configs = [change.AlterableConfig(name=name, config_operation=SET, value=value) for name, value in settings.items()]
    asked = [
        change(resource_type=TOPIC_RESOURCE, resource_name=crew.prefix + name, configs=configs)
        for name in ("orders", "stock", "notices")
    ]
    request = IncrementalAlterConfigsRequest(version=0, resources=asked, validate_only=False)
    with Wire(crew.engine.address) as wire:
        answer = wire.call(request, IncrementalAlterConfigsResponse)
    assert [it.error_code for it in answer.responses] == [0] * len(asked), answer
    log_clock.set_to(until_ms)
