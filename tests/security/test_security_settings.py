"""The settings about security: what goes together, what is kept secret, and files that cannot be used."""

from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.errors import SecurityFileInvalid
from bopis.adapters.security import security_of
from bopis.settings import Settings, load
from tests.cli.program import run

LOG = {"broker": "kafka://log:9092"}
LOGIN = {"broker_username": "till", "broker_password": "open-sesame"}
SECURE = {**LOG, "broker_security": "sasl_ssl", **LOGIN}


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"broker_security": "sasl_ssl", **LOGIN}, "broker_security: the embedded log"),
        ({**LOG, **LOGIN}, "broker_username, broker_password: not used with broker_security plaintext"),
        ({**LOG, "broker_security": "ssl", **LOGIN}, "broker_username, broker_password: not used"),
        ({**LOG, "broker_ca_file": "ca.pem"}, "broker_ca_file: not used with broker_security plaintext"),
        ({**SECURE, "broker_security": "sasl_plaintext", "broker_cert_file": "x"}, "broker_cert_file: not used"),
        ({**SECURE, "broker_username": ""}, "broker_username: broker_security sasl_ssl needs a name"),
        ({**SECURE, "broker_password": ""}, "broker_password: broker_security sasl_ssl needs a password"),
        ({**SECURE, "broker_password_file": "x"}, "broker_password: set either it or broker_password_file"),
        ({**SECURE, "broker_key_file": "x"}, "broker_key_file: a key goes with its certificate"),
        ({**SECURE, "broker_username": "a,b"}, "broker_username"),
        ({**SECURE, "broker_security": "tls"}, "broker_security"),
        ({**SECURE, "broker_sasl_mechanism": "GSSAPI"}, "broker_sasl_mechanism"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(settings: dict[str, str], setting: str) -> None:
    environment = {f"BOPIS_{name.upper()}": value for name, value in settings.items()}

    answer = run("config", "show", **environment)

    assert answer.code == 78
    assert setting in answer.err
    assert "open-sesame" not in answer.err + answer.out


def test_the_password_is_shown_as_set_and_not_as_it_is() -> None:
    environment = {f"BOPIS_{name.upper()}": value for name, value in SECURE.items()}

    shown = run("config", "show", "--json", **environment)
    told = {it["name"]: it["value"] for it in shown.document["settings"]}

    assert told["broker_password"] == "**********"
    assert told["broker_username"] == "till"
    assert "open-sesame" not in run("config", "show", **environment).out


def test_a_password_in_the_address_is_not_repeated() -> None:
    answer = run("topics", "list", BOPIS_BROKER="kafka://till:open-sesame@log:9092")

    assert answer.code == 2
    assert "broker_username" in answer.err
    assert "open-sesame" not in answer.err


def test_values_that_hold_a_password_do_not_show_it() -> None:
    security = security_of(load(**SECURE))

    assert security.password == "open-sesame"
    assert "open-sesame" not in repr(security) + str(security) + repr(load(**SECURE))


@pytest.mark.parametrize("written", ["open-sesame", "open-sesame\n", "open-sesame\r\n"])
def test_a_password_file_may_end_with_a_line_end(written: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(written.encode())

    assert security_of(from_file(file)).password == "open-sesame"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 5000])
def test_a_password_file_that_holds_none_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SecurityFileInvalid, match="broker_password_file") as caught:
        security_of(from_file(file))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("setting", ["broker_ca_file", "broker_cert_file"])
@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_that_cannot_be_used_is_named(setting: str, content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    if content is not None:
        file.write_bytes(content)
    security = security_of(load(**SECURE, **{setting: file}))

    with pytest.raises(SecurityFileInvalid, match=setting):
        security.client_options()


def test_a_host_name_is_checked_unless_it_is_said_otherwise() -> None:
    usual = security_of(load(**SECURE)).tls_context()
    loose = security_of(load(**SECURE, broker_check_hostname=False)).tls_context()

    assert usual.check_hostname
    assert not loose.check_hostname
    assert loose.verify_mode == usual.verify_mode


def from_file(file: Path) -> Settings:
    others: dict[str, Any] = {**SECURE, "broker_password": ""}
    return load(**others, broker_password_file=file)
