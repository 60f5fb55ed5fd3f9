"""Clients that show a certificate instead of a password (mutual TLS): both client families, workers and commands."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from bopis.adapters import errors
from bopis.adapters.handshake import find_rejection
from bopis.adapters.log import LogReader
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.security import Security
from deploy.kafka.acls import grant
from deploy.kafka.cluster import Cluster
from deploy.kafka.errors import LayoutUnfit
from deploy.kafka.properties import Layout
from deploy.kafka.security import ADMIN, certificate_of
from deploy.kafka.security import Security as Doors
from tests.cli.program import Answer, run
from tests.security.cases import all_rights
from tests.security.fortress import PREFIX, Running, stimuli

pytestmark = pytest.mark.kafka

CONFIGURATION = 78
PARTS = ("inventory", "projection", "till", "desk", "operator", "auditor")
ROOT = Path(__file__).parents[2]


class Gate:
    """A cluster that asks everybody for a certificate, with the rights of the table for each part: started by the
    command, as at a desk."""

    def __init__(self, home: Path) -> None:
        self.home = home
        told = ["--port", "0", "--data", str(home / "kafka"), "--json", "--certificates", *PARTS, "nobody"]
        command = [sys.executable, "-m", "deploy.kafka.cluster", *told]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.wait()
        self.told = json.loads(line)
        self.bootstrap: str = self.told["bootstrap"]
        self.ca_file = Path(self.told["security"]["ca_file"])

    def __enter__(self) -> "Gate":
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self) -> None:
        made = self.ask(ADMIN, "topics", "create")
        assert made.code == 0, made.err
        options = self.security(ADMIN).client_options()
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=120_000, **options)
        grant(admin, [it for part in PARTS for it in all_rights(part, part, PREFIX)])
        admin.close()

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def pair(self, user: str) -> tuple[Path, Path]:
        return certificate_of(self.ca_file.parent, user)

    def security(self, user: str, **other: Any) -> Security:
        certificate, key = self.pair(user)
        usual: dict[str, Any] = {"protocol": "SSL", "ca_file": self.ca_file}
        return Security(**(usual | {"cert_file": certificate, "key_file": key} | other))

    def environment(self, user: str) -> dict[str, str]:
        """The settings of a client with this user's certificate."""
        certificate, key = self.pair(user)
        told: dict[str, object] = {
            "broker": f"kafka://{self.bootstrap}",
            "broker_security": "ssl",
            "broker_ca_file": self.ca_file,
            "broker_cert_file": certificate,
            "broker_key_file": key,
            "topic_prefix": PREFIX,
            "partitions": 1,
            "data_dir": self.home / "data",
        }
        return {f"BOPIS_{name.upper()}": str(value) for name, value in told.items()} | {"NO_COLOR": "1"}

    def ask(self, user: str, *words: str, **more: str) -> Answer:
        return run(*words, **(self.environment(user) | more))

    def worker(self, name: str, user: str) -> Running:
        return Running(("worker", name), self.environment(user), self.home / f"{name}-{user}.talk")

    @contextmanager
    def working(self, *names: str) -> Iterator[list[Running]]:
        """These processors, each under its own name."""
        workers = [self.worker(name, name) for name in names]
        try:
            for worker in workers:
                worker.wait_ready()
            yield workers
        finally:
            for worker in workers:
                worker.stop()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, can_run_kafka: None) -> Iterator[Gate]:
    with Gate(tmp_path_factory.mktemp("gate")) as gate:
        yield gate


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The till's name, certified by an unknown authority."""
    certificate = tmp_path_factory.mktemp("stranger") / "till.crt"
    key = certificate.with_suffix(".key")
    words = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 9 -subj /CN=till"
    subprocess.run(words.split(), check=True, capture_output=True)
    return certificate, key


def test_workers_tills_and_commands_do_their_work_by_their_certificates(gate: Gate) -> None:
    assert gate.ask(ADMIN, "db", "upgrade").code == 0
    with gate.working("inventory", "projection") as workers:
        _work(gate)
        codes = [worker.stop() for worker in workers]

    assert codes == [0, 0]


def _work(gate: Gate) -> None:
    till = {**gate.security("till").client_options(), "bootstrap": gate.bootstrap, "prefix": PREFIX}
    with LogPublisher(**till) as publisher:
        for value in stimuli("till"):
            publisher.publish("stock", "S1", value).wait()
    said = gate.ask("desk", "stock", "receive", "S1", "852159=4", "--json")
    verdict = gate.ask("auditor", "verify", "--json")

    assert said.code == 0, said.err
    assert said.document["levels"][0]["terms"]["on_hand"] == 4
    assert verdict.code == 0, verdict.err
    assert verdict.document["clean"]
    assert verdict.document["messages"] >= 3


def test_a_certificate_gives_the_rights_of_its_name_and_no_others(gate: Gate) -> None:
    till = {**gate.security("till").client_options(), "bootstrap": gate.bootstrap, "prefix": PREFIX}
    with LogReader(**till) as reader, pytest.raises(errors.AccessDenied, match=r"READ on topic bopis\.stock"):
        list(reader.read({("stock", 0): 0}, {("stock", 0): 1}))

    worker = gate.worker("inventory", "nobody")

    assert worker.wait_end() == CONFIGURATION, worker.talk
    assert "on topic bopis." in worker.talk


def test_who_shows_no_certificate_is_refused_and_hears_which_settings_to_set(gate: Gate) -> None:
    bare = gate.security("till", cert_file=None, key_file=None)

    refusal = find_rejection(gate.bootstrap, bare.client_options())
    answer = gate.ask("desk", "topics", "list", BOPIS_BROKER_CERT_FILE="", BOPIS_BROKER_KEY_FILE="")

    assert isinstance(refusal, errors.CertificateRefused)
    assert "broker_cert_file" in str(refusal)
    assert answer.code == CONFIGURATION
    assert "broker_cert_file" in answer.err


def test_a_certificate_of_an_unknown_authority_is_refused_and_told_as_such(
    gate: Gate, stranger: tuple[Path, Path]
) -> None:
    certificate, key = stranger
    pretender = gate.security("till", cert_file=certificate, key_file=key)

    refusal = find_rejection(gate.bootstrap, pretender.client_options())

    assert isinstance(refusal, errors.CertificateRefused)


def test_a_worker_without_a_certificate_leaves_with_the_cause(gate: Gate) -> None:
    environment = gate.environment("inventory")
    del environment["BOPIS_BROKER_CERT_FILE"], environment["BOPIS_BROKER_KEY_FILE"]

    worker = Running(("worker", "inventory"), environment, gate.home / "bare.talk")

    assert worker.wait_end() == CONFIGURATION, worker.talk
    assert "broker_cert_file" in worker.talk


def test_a_key_of_another_certificate_is_named_before_anything_is_tried(gate: Gate) -> None:
    mixed = gate.security("till", key_file=gate.pair("desk")[1])

    with pytest.raises(errors.SecurityFileInvalid, match="broker_cert_file"):
        mixed.client_options()


def test_disks_made_for_passwords_are_not_used_with_certificates(gate: Gate) -> None:
    with pytest.raises(LayoutUnfit, match="with security by certificates"):
        Cluster(gate.home / "kafka", Layout(security=Doors())).start()


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_no_certificate_can_hold_is_refused(name: str) -> None:
    with pytest.raises(LayoutUnfit, match="certificate"):
        Doors({ADMIN: "", name: ""}, certificates=True)


def test_the_command_says_how_the_administrator_comes_in(gate: Gate) -> None:
    told = gate.told["security"]

    assert (told["protocol"], told["username"]) == ("SSL", ADMIN)
    assert (Path(told["cert_file"]), Path(told["key_file"])) == gate.pair(ADMIN)
    assert Path(told["key_file"]).stat().st_mode & 0o077 == 0
