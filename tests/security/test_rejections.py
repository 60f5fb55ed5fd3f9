"""A rejected connection is reported at once with its reason, by every client."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bopis.adapters import errors
from bopis.adapters.handshake import find_rejection
from bopis.adapters.log import LogReader
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.security import Security
from deploy.kafka.security import ADMIN
from tests.engines import EmbeddedEngine
from tests.security.fortress import EVERYTHING, PREFIX, Fortress, Running, word_of

pytestmark = pytest.mark.kafka

CONFIGURATION = 78


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that has signed no certificate in use."""
    file = tmp_path_factory.mktemp("stranger") / "ca.pem"
    words = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {file}.key -out {file} -days 9 -subj /CN=stranger"
    subprocess.run(words.split(), check=True, capture_output=True)
    return file


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    """A log without TLS and without logins."""
    engine = EmbeddedEngine(tmp_path / "plain")
    engine.start()
    yield engine
    engine.stop()


def security(fortress: Fortress, **other: Any) -> Security:
    """How the till comes in, with something changed."""
    usual: dict[str, Any] = {
        "protocol": "SASL_SSL",
        "mechanism": "SCRAM-SHA-512",
        "username": "till",
        "password": word_of("till"),
        "ca_file": fortress.cluster.ca_file,
    }
    return Security(**(usual | other))


def test_who_comes_as_he_should_is_let_in(fortress: Fortress) -> None:
    assert find_rejection(fortress.cluster.bootstrap, security(fortress).client_options()) is None


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"password": "guessed"}, errors.LoginRefused, "broker_password"),
        ({"username": "nobody"}, errors.LoginRefused, "'nobody'"),
        ({"mechanism": "SCRAM-SHA-256"}, errors.MechanismRefused, "supports SCRAM-SHA-512"),
        ({"protocol": "SSL", "mechanism": ""}, errors.LoginRequired, "sasl_ssl"),
        ({"protocol": "PLAINTEXT", "mechanism": ""}, errors.TlsRequired, "plain text was tried"),
        ({"protocol": "SASL_PLAINTEXT"}, errors.TlsRequired, "plain text was tried"),
        ({"ca_file": None}, errors.CertificateUntrusted, "broker_ca_file"),
    ],
    ids=lambda it: it.__name__ if isinstance(it, type) else None,
)
def test_who_does_not_hears_what_to_change(
    wrong: dict[str, Any], error: type[Exception], words: str, fortress: Fortress
) -> None:
    refusal = find_rejection(fortress.cluster.bootstrap, security(fortress, **wrong).client_options())

    assert isinstance(refusal, error)
    assert words in str(refusal)


def test_an_authority_that_did_not_sign_is_not_believed(fortress: Fortress, stranger: Path) -> None:
    refusal = find_rejection(fortress.cluster.bootstrap, security(fortress, ca_file=stranger).client_options())

    assert isinstance(refusal, errors.CertificateUntrusted)


def test_a_certificate_for_another_name_is_told_as_such(fortress: Fortress) -> None:
    # Another way to write the same address, which no certificate names.
    elsewhere = fortress.cluster.bootstrap.replace("127.0.0.1", "127.1")

    refusal = find_rejection(elsewhere, security(fortress).client_options())
    unchecked = find_rejection(elsewhere, security(fortress, check_hostname=False).client_options())

    assert isinstance(refusal, errors.HostNameDiffers)
    assert unchecked is None


def test_tls_at_a_plain_port_is_told_as_such(fortress: Fortress, plain: EmbeddedEngine) -> None:
    refusal = find_rejection(plain.bootstrap, security(fortress).client_options())

    assert isinstance(refusal, errors.TlsNotSupported)


def test_a_login_where_there_is_none_is_told_as_such(fortress: Fortress, plain: EmbeddedEngine) -> None:
    refusal = find_rejection(plain.bootstrap, security(fortress, protocol="SASL_PLAINTEXT").client_options())

    assert isinstance(refusal, errors.LoginNotSupported)


def test_a_log_that_is_away_is_not_called_shut(fortress: Fortress) -> None:
    assert find_rejection("127.0.0.1:1", security(fortress).client_options()) is None


@pytest.mark.parametrize("client", [LogPublisher, LogReader])
def test_a_client_of_ours_tells_the_cause_and_not_only_that_nobody_answers(client: Any, fortress: Fortress) -> None:
    options = security(fortress, password="guessed").client_options()

    with pytest.raises(errors.LoginRefused):
        client(fortress.cluster.bootstrap, PREFIX, timeout_seconds=5, **options)


def test_a_command_says_at_once_that_the_password_is_wrong(fortress: Fortress) -> None:
    answer = fortress.ask("desk", "topics", "list", broker_password="guessed")

    assert answer.code == CONFIGURATION
    assert "wrong name or password" in answer.err
    assert "guessed" not in answer.err + answer.out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"broker_password": "guessed"}, "wrong name or password"),
        ({"broker_ca_file": "{stranger}"}, "is not trusted"),
        ({"broker_security": "ssl", "broker_username": "", "broker_password": ""}, "requires a login"),
    ],
)
def test_the_doctor_names_the_cause(settings: dict[str, str], words: str, fortress: Fortress, stranger: Path) -> None:
    settings = {name: value.format(stranger=stranger) for name, value in settings.items()}

    answer = fortress.ask("auditor", "doctor", "--json", **settings)

    [finding] = [it for it in answer.document["checks"] if it["check"] == "log"]
    assert finding["result"] == "failed"
    assert words in finding["seen"]
    assert answer.code == 1


def test_a_worker_that_is_not_let_in_leaves_with_the_cause(fortress: Fortress) -> None:
    worker = fortress.start_worker("inventory", ADMIN, broker_password="guessed")

    assert worker.wait_end() == CONFIGURATION, worker.talk
    assert "wrong name or password" in worker.talk
    assert "guessed" not in worker.talk


def test_everything_starts_with_a_password_from_a_file(fortress: Fortress, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(word_of(EVERYTHING) + "\n")
    environment = fortress.environment(EVERYTHING, broker_password_file=str(secret), data_dir=str(tmp_path / "all"))
    del environment["BOPIS_BROKER_PASSWORD"]
    environment["BOPIS_WEB_ENABLED"] = "false"

    up = Running(("up",), environment, tmp_path / "talk")

    try:
        assert {"inventory", "projection"} <= set(up.wait_ready('"processors"')["processors"])
    finally:
        assert up.stop() == 0
    assert word_of(EVERYTHING) not in up.talk
