"""Asking a web process for its health, whatever answers at its address."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bopis.adapters.web_process import WEB_FILE, WebHealth, WebProcess, note_web, web_health, web_process
from bopis.cli.operate.doctor import _web
from bopis.settings import Settings

READY = {"ready": True, "age_ms": 30, "stores": 2}
PROBLEM = {"type": "urn:bopis:problem:not-ready", "status": 503, "code": "not-ready", "detail": "The log is away."}


class Answers(HTTPServer):
    """A server whose answer a test sets."""

    status = 200
    body = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        self.send_response(server.status if self.path == "/readyz" else 404)
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    server = Answers(("127.0.0.1", 0), Page)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, json.dumps(READY).encode(), WebHealth(ready=True, age_ms=30)),
        (503, json.dumps(PROBLEM).encode(), WebHealth(detail="The log is away.")),
    ],
)
def test_its_answer_is_its_health(server: Answers, status: int, body: bytes, found: WebHealth) -> None:
    server.status, server.body = status, body

    # Browsers reach it elsewhere, for example through a proxy.
    assert web_health(WebProcess(1, "https://pickup.example", server.url)) == found
    assert web_health(WebProcess(1, server.url)) == found


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (502, b"Bad gateway"), (200, b""), (200, b"\xff[]")])
def test_an_answer_of_something_else_is_none(server: Answers, status: int, body: bytes) -> None:
    server.status, server.body = status, body

    health = web_health(WebProcess(1, server.url))

    assert (health.alive, health.ready) == (False, False)
    assert "does not answer" in health.detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "nonsense"])
def test_nothing_there_is_no_health(url: str) -> None:
    assert not web_health(WebProcess(1, url)).alive


def test_the_file_of_an_earlier_version_and_of_a_process_that_is_gone(tmp_path: Path) -> None:
    note_web(Settings(data_dir=tmp_path), "http://a.example", "http://127.0.0.1:7")
    own = web_process(tmp_path)
    (tmp_path / WEB_FILE).write_text(json.dumps({"pid": os.getpid(), "url": "http://a.example"}))
    earlier = web_process(tmp_path)
    (tmp_path / WEB_FILE).write_text(json.dumps({"pid": 1 << 22, "url": "http://a.example"}))

    assert own == WebProcess(os.getpid(), "http://a.example", "http://127.0.0.1:7")
    assert earlier == WebProcess(os.getpid(), "http://a.example", "")
    assert web_process(tmp_path) is None


def test_doctor_tells_whether_it_is_ready(server: Answers, tmp_path: Path) -> None:
    class Context:
        settings = Settings(data_dir=tmp_path)

    context: Any = Context()
    lines = [*_web(context)]
    note_web(context.settings, server.url, server.url)
    for status, content in ((200, READY), (503, PROBLEM)):
        server.status, server.body = status, json.dumps(content).encode()
        lines += _web(context)
    note_web(context.settings, "http://127.0.0.1:1", "http://127.0.0.1:1")
    lines += _web(context)

    assert [it.result for it in lines] == ["ok", "ok", "warning", "failed"]
    assert "`bopis web serve` starts it" in lines[0].seen
    assert "30 ms old" in lines[1].seen
    assert "The log is away." in lines[2].seen
    assert str(os.getpid()) in lines[3].advice
