"""The log away and back, a port that is taken, other origins, a rate: an installation of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import cli
from bopis.access.roles import Role
from bopis.adapters.address import embedded_log
from tests.cli.program import Installation, clean_environment, run
from tests.web.shop import Shop

ORIGIN = "https://shop.example"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An installation whose log the tests kill; it lets one origin in, and is not ready after 2 s without the log."""
    settings = {"BOPIS_WEB_ORIGINS": ORIGIN, "BOPIS_WEB_AGE_SECONDS_MAX": "2", "BOPIS_WEB_RATE": "40"}
    shop = Shop(tmp_path_factory.mktemp("own") / "home", **settings)
    yield shop
    shop.close()


def test_a_process_is_not_ready_without_its_log_and_ready_again_with_it(own: Shop) -> None:
    before = own.ask("GET", "/readyz", None)
    log = embedded_log(own.home)
    assert log is not None
    os.kill(log.pid, signal.SIGSTOP)
    try:
        away = own.eventually(lambda: (it := own.ask("GET", "/readyz", None)).status_code == 503 and it)
        live = own.ask("GET", "/livez", None)
        read = own.ask("GET", "/v1/availability", Role.SHOP_FRONT, params={"sku": "4011"})
    finally:
        os.kill(log.pid, signal.SIGKILL)

    back = own.eventually(lambda: (it := own.ask("GET", "/readyz", None)).status_code == 200 and it, 90)

    assert (before.json()["ready"], back.json()["ready"]) == (True, True)
    assert away.headers["Retry-After"]
    assert live.status_code == 200
    # What is remembered is answered, with its age.
    assert (read.status_code, float(read.headers["Bopis-Age"]) > 1) == (200, True)
    placed = own.eventually(lambda: (it := own.place()).status_code == 202 and it, 90)
    assert placed.json()["order"]


def test_browsers_of_an_allowed_origin_may_call(own: Shop) -> None:
    preflight = httpx.options(
        f"{own.url}/v1/orders", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    )
    answer = own.ask("GET", "/v1/stores", headers={"Origin": ORIGIN})

    assert preflight.status_code == 204
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_caller_who_sends_too_much_is_asked_to_wait(own: Shop) -> None:
    statuses = []
    for _ in range(2_000):
        answer = own.ask("GET", "/v1/stores", Role.TILL)
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            break

    if 429 in statuses:  # a slow machine does not send so fast
        assert int(answer.headers["Retry-After"]) >= 1


def test_a_port_that_is_taken_stops_nothing_else(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        up = Installation(tmp_path / "home", BOPIS_WEB_ENABLED="true", BOPIS_WEB_PORT=port)
        code = up.stop()

    assert code == 0
    assert (up.ready["web"], up.ready["sign_in"]) == (None, None)
    assert f"127.0.0.1:{port} cannot be used" in up.ready["not_running"]["web"]
    assert "projection" in up.ready["processors"]


def test_without_a_log_web_ends_at_once_with_what_to_do(tmp_path: Path) -> None:
    answer = run("web", "--port", "0", "--data-dir", str(tmp_path / "none"))
    link = run("web", "sign-in", "--data-dir", str(tmp_path / "none"))

    assert (answer.code, "bopis up" in answer.err) == (69, True)
    assert (link.code, "bopis up" in link.err) == (69, True)


def test_other_machines_are_not_served_without_tls(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bopis.web", "--json"],
        env=clean_environment(BOPIS_WEB_HOST="0.0.0.0", BOPIS_DATA_DIR=str(tmp_path)),
        cwd=Path(cli.__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    assert "web_cert_file" in json.loads(done.stdout)["error"]
