"""Each part works with exactly the rights of the table; without any one of them it says which one it lacks."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.errors import AccessDenied
from bopis.adapters.log import LogReader
from bopis.adapters.publisher import LogPublisher
from bopis.names import DEAD_LETTERS_TOPIC, PROCESSORS, WEBHOOKS_PROCESSOR, WORKERS_TOPIC
from bopis.topics.acls import Operation, Resource
from tests.cli.program import Answer
from tests.security.cases import BLIND, CASES, SETTINGS, Blind, Case, all_rights
from tests.security.fortress import PREFIX, REVOKED, REVOKED_USER, WAIT_SECONDS_MAX, Fortress, Running, stimuli

pytestmark = pytest.mark.kafka

WORKERS = ("inventory", "projection")
# The first timer of an order or a notice is due after minutes: that its tick needs the right is checked with the
# table.
NOT_YET_NEEDED = {(it, it, Operation.WRITE) for it in ("orders", "notices", "payments")}
# Without a subscription no event is decoded, so none can be unreadable.
NOT_YET_NEEDED |= {(WEBHOOKS_PROCESSOR, DEAD_LETTERS_TOPIC, Operation.WRITE)}
TRIED = [it for it in CASES if it.part in PROCESSORS and (it.part, it.right.name, it.operation) not in NOT_YET_NEEDED]
# Outside of a soak one of each part, kind of resource and operation: a worker is started for each.
SAMPLE = frozenset({(it.part, it.right.resource, it.operation): it.number for it in reversed(TRIED)}.values())
AT_ONCE = 4
CONFIGURATION = 78
UNSEEN = "DESCRIBE (READ and WRITE include it)"
STORES = "store_id,name,latitude,longitude,time_zone\nS1,One,38.7,-88.1,America/Chicago\n"


class Opened:
    """Everything running, each part under its own name, with the rights of the table and no others."""

    def __init__(self, fortress: Fortress) -> None:
        self.fortress = fortress
        self.workers = [fortress.start_worker(name, name) for name in WORKERS]

    def __enter__(self) -> "Opened":
        for worker in self.workers:
            worker.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.stop()

    def command_line(self, worker: Running) -> str:
        return Path(f"/proc/{worker.process.pid}/cmdline").read_bytes().decode()


@pytest.fixture(scope="module")
def opened(fortress: Fortress) -> Iterator[Opened]:
    with Opened(fortress) as found:
        yield found


def succeed(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err + answer.out
    return answer


def test_every_part_does_its_work_with_the_rights_of_the_table(opened: Opened, tmp_path: Path) -> None:
    fortress = opened.fortress
    stores = tmp_path / "stores.csv"
    stores.write_text(STORES)
    options: dict[str, Any] = {
        "bootstrap": fortress.cluster.bootstrap,
        "prefix": PREFIX,
        **fortress.cluster.client("till"),
    }

    succeed(fortress.ask("desk", "stores", "import", str(stores)))
    with LogPublisher(**options) as publisher:
        for value in stimuli("till"):
            publisher.publish("stock", "S1", value).wait()
    said = succeed(fortress.ask("desk", "stock", "receive", "S1", "852159=4", "--json")).document
    shown = succeed(fortress.ask("desk", "stock", "show", "S1", "4011", "--json")).document

    assert said["levels"][0]["terms"]["on_hand"] == 4
    assert shown["levels"][0]["terms"]["on_hand"] == 0
    verdict = succeed(fortress.ask("auditor", "verify", "--json")).document
    assert verdict["clean"]
    assert verdict["messages"] >= 3
    assert verdict["readside"]["differences"] == []
    status = succeed(fortress.ask("auditor", "status", "--json")).document
    members = {it["name"]: it["members"] for it in status["processors"]}
    assert members["inventory"] == members["projection"] == 1
    assert succeed(fortress.ask("auditor", "doctor", "--json")).document["healthy"]
    letters = succeed(fortress.ask("operator", "dead-letters", "list", "--json")).document["dead_letters"]
    assert len(letters) == 1


def test_no_password_is_said_or_shown_anywhere(opened: Opened) -> None:
    config = succeed(opened.fortress.ask("desk", "config", "show", "--json")).out
    talk = [worker.talk for worker in opened.workers]
    titles = [opened.command_line(worker) for worker in opened.workers]

    assert '"name":"broker_password"' in config
    assert all("open-sesame" not in it for it in (config, *talk, *titles))


def test_a_till_reads_nothing_and_writes_nowhere_else(fortress: Fortress) -> None:
    options: dict[str, Any] = {
        "bootstrap": fortress.cluster.bootstrap,
        "prefix": PREFIX,
        **fortress.cluster.client("till"),
    }

    with (
        LogPublisher(**options) as publisher,
        pytest.raises(AccessDenied, match=r"WRITE on topic bopis\.inventory-levels"),
    ):
        publisher.publish("inventory-levels", "S1|4011", b"{}").wait()
    with LogReader(**options) as reader, pytest.raises(AccessDenied, match=r"READ on topic bopis\.stock"):
        list(reader.read({("stock", 0): 0}, {("stock", 0): 1}))
    with LogReader(**options) as reader, pytest.raises(AccessDenied, match=r"on topic bopis\.inventory-levels"):
        reader.end_offsets(["inventory-levels"])


def tried(*, reports: bool) -> list[Any]:
    """The cases about the topic of reports, or the others; those that are not in the sample only in a soak."""
    cases = [it for it in TRIED if (it.right.name == WORKERS_TOPIC) is reports]
    return [pytest.param(it, marks=() if it.number in SAMPLE else pytest.mark.soak) for it in cases]


@pytest.fixture(scope="module")
def verdicts(fortress: Fortress, request: pytest.FixtureRequest) -> dict[int, tuple[int | None, str]]:
    """How each worker that lacks one right ended, and what it said; some run at once, to be done sooner."""
    chosen = (it.callspec.params.get("case") for it in request.session.items if hasattr(it, "callspec"))
    wanted = {it.number for it in chosen if isinstance(it, Case)}

    def judged(case: Case) -> tuple[int, tuple[int | None, str]]:
        if any(it.name == f"{case.prefix}stock" for it in case.rights()):
            fortress.publish(case.prefix, stimuli(case.user))
        worker = fortress.fork_worker(case)
        if case.right.name == WORKERS_TOPIC:
            return case.number, (_until_it_says(worker, f"on topic {case.name}"), worker.talk)
        return case.number, (worker.wait_end(), worker.talk)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(judged, [it for it in TRIED if it.number in wanted]))


def _until_it_says(worker: Running, words: str) -> int | None:
    end = time.monotonic() + WAIT_SECONDS_MAX
    while words not in worker.talk and time.monotonic() < end:
        time.sleep(0.1)
    is_running = worker.process.poll() is None
    worker.stop()
    return None if is_running else worker.process.poll()


@pytest.mark.parametrize("case", tried(reports=False), ids=str)
def test_a_worker_without_one_right_ends_and_names_it(case: Case, verdicts: dict[int, tuple[int | None, str]]) -> None:
    code, talk = verdicts[case.number]

    assert code == CONFIGURATION, talk[-3000:]
    assert any(it in talk for it in expected(case)), talk[-3000:]


@pytest.mark.parametrize("case", tried(reports=True), ids=str)
def test_a_worker_that_cannot_tell_how_it_is_says_so_and_goes_on(
    case: Case, verdicts: dict[int, tuple[int | None, str]]
) -> None:
    code, talk = verdicts[case.number]

    assert code is None, talk[-3000:]
    assert any(it in talk for it in expected(case)), talk[-3000:]


@pytest.mark.parametrize("case", BLIND, ids=[it.part for it in BLIND])
def test_a_worker_that_may_not_read_settings_names_every_topic_at_once(case: Blind, fortress: Fortress) -> None:
    worker = fortress.fork_worker(case)

    assert worker.wait_end() == CONFIGURATION, worker.talk[-3000:]
    named = [line for line in worker.talk.splitlines() if f"{SETTINGS.name} on topics" in line]
    assert named, worker.talk[-3000:]
    assert all(re.search(rf"{re.escape(topic)}\b", named[-1]) for topic in case.topics())


def expected(case: Case) -> tuple[str, ...]:
    """The words that name the missing right. READ and WRITE include DESCRIBE: a part that had no other right on a
    topic does not even see it."""
    kind = case.right.resource.replace("-", " ")
    exact = f"{case.operation.name} on {kind} {case.name}"
    unseen = f"{UNSEEN}, or CREATE while it is absent, on topic {case.name}"
    return (exact, unseen) if case.operation in (Operation.READ, Operation.WRITE) else (exact,)


def _tail(fortress: Fortress, case: Case) -> Answer:
    fortress.publish(case.prefix, stimuli(case.user))
    return fortress.ask(case.user, "topics", "tail", "stock", prefix=case.prefix)


def _publish(fortress: Fortress, case: Case) -> Answer:
    return fortress.ask(case.user, "stock", "receive", "S1", "1=1", "--no-wait", "--new-store", prefix=case.prefix)


def _receive(fortress: Fortress, case: Case) -> Answer:
    """A request that waits: it reads the replies before it publishes."""
    return fortress.ask(case.user, "stock", "receive", "S1", "1=1", "--new-store", prefix=case.prefix)


def _import(fortress: Fortress, case: Case) -> Answer:
    file = fortress.home / "stores.csv"
    file.write_text(STORES)
    return fortress.ask(case.user, "stores", "import", str(file), prefix=case.prefix)


def _import_again(fortress: Fortress, case: Case) -> Answer:
    """An import reads the stores that are known; an empty topic is not read."""
    known = b'{"store_id":"S0","name":"Zero"}'
    fortress.producer.send(f"{case.prefix}stores", key=b"S0", value=known).get(timeout=120)
    return _import(fortress, case)


def _describe(fortress: Fortress, case: Case) -> Answer:
    return fortress.ask(case.user, "topics", "describe", "stock", prefix=case.prefix)


def _status(fortress: Fortress, case: Case) -> Answer:
    return fortress.ask(case.user, "status", prefix=case.prefix)


def _create(fortress: Fortress, case: Case) -> Answer:
    fortress.admin.delete_topics([f"{case.prefix}dead-letter-marks"])
    return fortress.ask(case.user, "topics", "create", prefix=case.prefix)


def _set(fortress: Fortress, case: Case) -> Answer:
    return fortress.ask(case.user, "topics", "set", "stock", "retention.ms=-1", prefix=case.prefix)


Deed = Callable[[Fortress, Case], Answer]
DEEDS: dict[tuple[str, str, Operation], Deed] = {
    ("till", "stock", Operation.WRITE): _publish,
    ("desk", "stock", Operation.WRITE): _publish,
    ("desk", "stores", Operation.READ): _import_again,
    ("desk", "stores", Operation.WRITE): _import,
    ("desk", "catalogue", Operation.READ): _receive,
    ("desk", "inventory-events", Operation.READ): _receive,
    ("desk", "inventory-levels", Operation.READ): _receive,
    ("desk", "dead-letters", Operation.READ): _receive,
    ("operator", "", Operation.READ): _tail,
    ("operator", "", Operation.WRITE): _publish,
    ("operator", "", Operation.CREATE): _create,
    ("operator", "", Operation.ALTER_CONFIGS): _set,
    ("operator", "", Operation.DESCRIBE): _status,
    ("auditor", "", Operation.READ): _tail,
    ("auditor", "", Operation.DESCRIBE_CONFIGS): _describe,
    ("auditor", "", Operation.DESCRIBE): _status,
}


@pytest.mark.parametrize("case", [it for it in CASES if it.part not in PROCESSORS], ids=str)
def test_a_command_without_one_right_is_refused_and_names_it(case: Case, fortress: Fortress) -> None:
    deed = DEEDS[case.part, case.right.name, case.operation]

    answer = deed(fortress, case)

    assert answer.code == CONFIGURATION, answer.err + answer.out
    assert case.operation.name in answer.err
    assert f"on {case.right.resource} {case.prefix}" in answer.err


@pytest.mark.parametrize(("resource", "name"), [(Resource.TOPIC, "stock"), (Resource.GROUP, "inventory")])
def test_a_right_that_is_taken_away_ends_a_running_worker(resource: Resource, name: str, fortress: Fortress) -> None:
    worker = fortress.start_worker("inventory", REVOKED_USER, REVOKED)
    worker.wait_ready()
    rules = all_rights("inventory", REVOKED_USER, REVOKED)
    [rule] = [it for it in rules if (it.resource, it.name) == (resource, REVOKED + name)]

    fortress.revoke(rule, Operation.READ)

    try:
        assert worker.wait_end() == CONFIGURATION, worker.talk[-3000:]
        assert f"READ on {resource} {REVOKED}{name}" in worker.talk
    finally:
        fortress.grant_again(rule)
