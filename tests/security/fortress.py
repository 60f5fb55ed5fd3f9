"""Apache Kafka with TLS, logins and access rules, and the parts of the product that connect to it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from bopis.domain.inventory.messages import StockLine, StockReceived, TransferShipped
from bopis.domain.message import Message
from bopis.names import PROCESSORS
from bopis.readside.engine import connect
from bopis.readside.migrate import upgrade
from bopis.settings import load
from bopis.topics.acls import PARTS, AccessRule, Operation, Resource
from bopis.topics.definitions import BY_NAME, COMMIT_BYTES_MAX, MigrationRule, Retention, TopicDefinition, plan, plans
from bopis.wire.stock import STOCK
from deploy.kafka.acls import grant, revoke
from deploy.kafka.cluster import Cluster
from deploy.kafka.properties import Layout
from deploy.kafka.security import ADMIN, Security
from tests.cli.program import Answer, clean_environment, run
from tests.security.cases import BLIND, CASES, Blind, Case, all_rights
from tests.security.nursery import Forked

PREFIX, REVOKED = "bopis.", "revoked."
EVERYTHING, REVOKED_USER = "everything", "revoked-inventory"
WAIT_SECONDS_MAX = 240.0
TOPICS_AT_ONCE = 25
PATIENCE_MS = 120_000
READY = '"event":"ready"'
SOURCE = "fortress"
# The rights are those of a machine with one partition as well; and one is quicker to make.
PARTITIONS = 1
ROOT = Path(__file__).parents[2]
LACKING = (*CASES, *BLIND)


# Topics that a processor names itself and the product's list does not.
LATER = tuple(
    TopicDefinition(
        name=name,
        key="order",
        retention=Retention.NEWEST if name.endswith("-state") else Retention.FOR_EVER,
        migration=MigrationRule.NOTHING,
        written_by="",
        read_by="",
        bytes_max=COMMIT_BYTES_MAX,
    )
    for name in sorted({it.name for part in PARTS for it in part.rights if it.resource is Resource.TOPIC} - {""})
    if name not in BY_NAME
)


def word_of(user: str) -> str:
    """A password that occurs nowhere by chance."""
    return f"open-sesame-{user}"


class Fortress:
    """The cluster with its users, their rights, and everybody's topics. Each part has all its rights under `bopis.`,
    and lacks one under the prefix of each case."""

    def __init__(self, home: Path) -> None:
        self.home = home
        everybody = [ADMIN, EVERYTHING, REVOKED_USER, *(it.name for it in PARTS), *(it.user for it in LACKING)]
        users = {name: word_of(name) for name in everybody}
        quick = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}
        self.cluster = Cluster(home / "kafka", Layout(security=Security(users), settings=quick))

    def start(self) -> None:
        self._tables = self.home / "tables.sqlite3"
        engine = connect(f"sqlite:///{self._tables}")
        upgrade(engine)
        engine.dispose()
        self.cluster.start()
        patient: dict[str, Any] = {"request_timeout_ms": PATIENCE_MS, **self.cluster.client()}
        self.admin = KafkaAdminClient(bootstrap_servers=self.cluster.bootstrap, **patient)
        self.producer = KafkaProducer(bootstrap_servers=self.cluster.bootstrap, **self.cluster.client())
        self._create_topics()
        rights = [it for part in PARTS for it in all_rights(part.name, part.name, PREFIX)]
        rights += [it for name in PROCESSORS for it in all_rights(name, EVERYTHING, PREFIX)]
        rights += all_rights("inventory", REVOKED_USER, REVOKED)
        grant(self.admin, [*rights, *(it for case in LACKING for it in case.rights())])

    def stop(self) -> None:
        self.producer.close(timeout=5)
        self.admin.close()
        self.cluster.stop()

    def _create_topics(self) -> None:
        """Those that each needs; who has rights on all has all."""
        wanted = {}
        for prefix, part in ((PREFIX, ""), (REVOKED, "inventory"), *((it.prefix, it.part) for it in LACKING)):
            settings = load(topic_prefix=prefix, partitions=PARTITIONS)
            needed = {it.name for it in all_rights(part, part, prefix) if not it.prefixed}
            for it in (*plans(settings), *(plan(it, settings) for it in LATER)):
                if not needed or it.name in needed:
                    shape = {"num_partitions": it.partitions, "replication_factor": 1, "configs": it.config()}
                    wanted[it.name] = shape
        names = sorted(wanted)
        for first in range(0, len(names), TOPICS_AT_ONCE):
            chosen = names[first : first + TOPICS_AT_ONCE]
            self.admin.create_topics({name: wanted[name] for name in chosen}, timeout_ms=PATIENCE_MS)

    def revoke(self, rule: AccessRule, operation: Operation) -> None:
        """Take one right away."""
        revoke(self.admin, rule, operation)

    def grant_again(self, rule: AccessRule) -> None:
        grant(self.admin, [rule])

    def environment(self, user: str, prefix: str = PREFIX, **more: str) -> dict[str, str]:
        """The settings of a part that comes in as this user."""
        told = {
            "BOPIS_BROKER": f"kafka://{self.cluster.bootstrap}",
            "BOPIS_BROKER_SECURITY": "sasl_ssl",
            "BOPIS_BROKER_USERNAME": user,
            "BOPIS_BROKER_PASSWORD": word_of(user),
            "BOPIS_BROKER_CA_FILE": str(self.cluster.ca_file),
            "BOPIS_TOPIC_PREFIX": prefix,
            "BOPIS_PARTITIONS": str(PARTITIONS),
            "BOPIS_DATA_DIR": str(self.data_dir(prefix)),
            "BOPIS_PUBLISH_TIMEOUT_SECONDS": "20",
            # A notifier opens customers' data; here there is none.
            "BOPIS_MASTER_KEY": b64encode(bytes(32)).decode(),
            "NO_COLOR": "1",
        }
        return told | {f"BOPIS_{name.upper()}": value for name, value in more.items()}

    def data_dir(self, prefix: str) -> Path:
        """Where the read side of a prefix stands, with its tables."""
        folder = self.home / f"data-{prefix}"
        if not folder.exists():
            folder.mkdir()
            shutil.copy(self._tables, folder / "readside.sqlite3")
        return folder

    def ask(self, user: str, *words: str, prefix: str = PREFIX, **more: str) -> Answer:
        """One command at the keyboard of a user."""
        return run(*words, **self.environment(user, prefix, **more))

    def start_worker(self, name: str, user: str, prefix: str = PREFIX, **more: str) -> Running:
        """A worker as a process of its own."""
        return Running(("worker", name), self.environment(user, prefix, **more), self.home / f"{user}.talk")

    def fork_worker(self, case: Case | Blind) -> Running:
        """A worker that lacks a right, started as one of many."""
        environment = self.environment(case.user, case.prefix)
        return Running(("worker", case.part), environment, self.home / f"{case.user}.talk", forked=True)

    def publish(self, prefix: str, values: Iterable[bytes], key: bytes = b"S1") -> None:
        """Put records into the log, as its administrator."""
        for value in values:
            self.producer.send(f"{prefix}stock", key=key, value=value).get(timeout=120)


class Running:
    """A process of the product, with all that it says."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], talk: Path, forked: bool = False) -> None:
        self.talk_file = talk
        talk.touch()
        words, environment = (*words, "--json"), clean_environment(**environment)
        self.process = Forked(words, environment, talk) if forked else _popen(words, environment, talk)

    @property
    def talk(self) -> str:
        return self.talk_file.read_text()

    def wait_ready(self, words: str = READY) -> Any:
        """The line with these words; fails with its last words when it ends before."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not (lines := [line for line in self.talk.splitlines() if words in line]):
            assert self.process.poll() is None, self.talk[-3000:]
            assert time.monotonic() < end, self.talk[-3000:]
            time.sleep(0.05)
        return json.loads(lines[0])

    def wait_end(self) -> int | None:
        """Its exit code, or None if it goes on and on, in which case it is ended."""
        try:
            return self.process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.stop()
            return None

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(WAIT_SECONDS_MAX)


def _popen(words: tuple[str, ...], environment: dict[str, str], talk: Path) -> subprocess.Popen[bytes]:
    with talk.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "streams", *words], env=environment, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT
        )


def stimuli(name: str) -> list[bytes]:
    """Messages that make an inventory write everywhere: rows, a conclusion, an announcement, a dead letter."""
    lines = (StockLine(sku="4011", quantity=5),)
    bodies = (
        StockReceived(document=f"{name}-D", lines=lines),
        TransferShipped(transfer=f"{name}-T", to_store="S2", lines=lines),
    )
    now = datetime.now(UTC)
    said = [
        Message(id=f"{name}/{number}", source=SOURCE, time=now, subject="S1", data=body)
        for number, body in enumerate(bodies)
    ]
    return [*(STOCK.encode(it) for it in said), b"no message at all"]
