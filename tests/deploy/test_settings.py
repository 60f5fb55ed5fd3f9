"""What deploy/ sets is what the product knows: settings, commands, processors, versions."""

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest

from bopis.names import PROCESSORS
from bopis.settings import OTHER_VARIABLES, PREFIX, Settings, load
from bopis.web.serve import check_exposure
from tests.deploy.files import CHART, DEPLOY, ROOT, UNITS, VARIABLE, compose, own_services, read_yaml, unit
from tests.house.test_commands import parse

PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?")


def shipped() -> list[Path]:
    others = {"kafka", "__pycache__"}
    return [it for it in DEPLOY.rglob("*") if it.is_file() and not others & {*it.relative_to(DEPLOY).parts}]


def version() -> str:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["metadata"]["version"]


def test_every_variable_is_a_setting() -> None:
    used = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in shipped()
        for name in VARIABLE.findall(path.read_text(encoding="utf-8"))
    }
    unknown = {it for it in used if it[1].removeprefix(PREFIX).lower() not in Settings.model_fields}

    assert len(used) > 30
    assert not {it for it in unknown if not OTHER_VARIABLES.match(it[1].removeprefix(PREFIX))}


@pytest.mark.parametrize("name", sorted(own_services()))
def test_the_settings_of_each_service_are_complete(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = own_services()[name]
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{(\w+):\?[^}]*\}", "secret", value))

    settings = load()

    assert not settings.embedded
    assert settings.database.startswith("postgresql+psycopg://")
    assert settings.keys_database.startswith("postgresql+psycopg://")
    assert settings.master_key_file == Path("/run/secrets/master.key")
    assert service["secrets"] == ["master.key"]
    if name == "web":
        assert settings.web_host == "0.0.0.0"
        check_exposure(settings)
        (network,) = compose()["networks"]["bopis"]["ipam"]["config"]
        assert settings.web_proxy == network["gateway"]
    if name in PROCESSORS:
        assert settings.instance == f"{name}-1"


@pytest.mark.parametrize("name", sorted(own_services()))
def test_the_command_of_each_service_is_one(name: str) -> None:
    parse(own_services()[name]["command"])


def test_every_processor_runs_everywhere() -> None:
    services, values = own_services(), read_yaml(CHART / "values.yaml")

    assert [name for name in PROCESSORS if services[name]["command"] != ["worker", name, "--json"]] == []
    assert list(values["processors"]) == list(PROCESSORS)


def test_all_files_and_volumes_of_the_services_are_there() -> None:
    document, folder = compose(), DEPLOY / "compose"
    mounted = [it.split(":")[0] for service in document["services"].values() for it in service.get("volumes", ())]
    names = {it for it in mounted if not it.startswith(".")}

    assert names == document["volumes"].keys()
    assert [it for it in mounted if it.startswith(".") and not (folder / it).exists()] == []
    secrets = {it for service in document["services"].values() for it in service.get("secrets", ())}
    assert secrets == document["secrets"].keys()
    for name, service in document["services"].items():
        assert [it for it in service.get("depends_on", ()) if it not in document["services"]] == [], name


def test_images_have_exact_versions() -> None:
    images = [service["image"] for service in compose()["services"].values()]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)

    assert [it for it in images if not PINNED.fullmatch(it)] == []
    assert len(set(images)) == 6


def test_the_versions_are_those_of_the_product_and_of_its_tests() -> None:
    chart, services = read_yaml(CHART / "Chart.yaml"), compose()["services"]
    pom = (DEPLOY / "kafka" / "pom.xml").read_text(encoding="utf-8")
    (tested,) = re.findall(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([\d.]+)</version>", pom)

    assert chart["appVersion"] == version()
    assert {it["image"] for it in own_services().values()} == {f"bopis:{version()}"}
    assert services["kafka"]["image"] == f"docker.io/apache/kafka:{tested}"


def test_the_image_runs_as_nobody_else_and_has_what_it_needs() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = {
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert "USER 10001:10001" in lines
    assert [it for it in copied if not (ROOT / it).exists()] == []
    assert copied == {it[1:] for it in ignored if it.startswith("!")}


@pytest.mark.parametrize(
    "name", ["bopis.service", "bopis-worker@.service", "bopis-web.service", "bopis-backup.service"]
)
def test_units_of_systemd_start_commands_of_bopis(name: str) -> None:
    found = unit(UNITS / name)
    (command,) = found["ExecStart"]
    words = shlex.split(command.replace("%i", "inventory"))
    if words[0] == "/bin/sh":
        words = shlex.split(words[2].removeprefix("exec "))

    assert words[0] == "/opt/bopis/bin/bopis"
    parse(words[1:])
    assert found["User"] == ["bopis"]
    assert "BOPIS_DATA_DIR=/var/lib/bopis" in found["Environment"]
    assert found["ProtectSystem"] == ["strict"]
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["StateDirectory"] == ["bopis"]
    if name != "bopis-backup.service":
        assert found["RestartPreventExitStatus"] == ["78"]
        assert found["KillMode"] == ["mixed"]
