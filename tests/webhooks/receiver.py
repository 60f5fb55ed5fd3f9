"""A receiver of webhooks as a program of its own: it verifies signatures, writes down what it gets, and misbehaves by
path.

``/ok`` takes everything; ``/status/N`` answers N; ``/first/N`` answers N to the first attempt of each id; ``/slow``
answers nothing for long; ``/drip`` sends a body without an end; ``/retry-after/S`` answers 429 with that header;
``/redirect`` leads to ``/ok``.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

SLOW_S = 30.0


class Book:
    """A file with one JSON line per request."""

    def __init__(self, file: Path) -> None:
        self._sink: IO[str] = file.open("a")
        self._lock = threading.Lock()
        self._ids: set[str] = set()

    def note(self, **facts: object) -> bool:
        """Write a request down; whether its id is new."""
        with self._lock:
            self._sink.write(json.dumps(facts) + "\n")
            self._sink.flush()
            is_new = facts["id"] not in self._ids
            self._ids.add(str(facts["id"]))
            return is_new


class Handler(BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    book: Book

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # The sender was killed while it wrote: this is no request.
            self.close_connection = True
            return
        is_new = self.book.note(
            path=self.path, id=self.headers["webhook-id"], at=time.time(), body=body.decode(),
            timestamp=self.headers["webhook-timestamp"], signature=self.headers["webhook-signature"],
            host=self.headers["host"],
        )  # fmt: skip
        kind, _, rest = self.path.lstrip("/").partition("/")
        number = int(rest.partition("/")[0]) if rest.partition("/")[0].isdigit() else 0
        if kind == "slow":
            time.sleep(SLOW_S)
        elif kind == "drip":
            self.drip()
            return
        status = {"status": number, "first": number if is_new else 200, "retry-after": 429, "redirect": 302}
        self.answer(status.get(kind, 200), number)

    def answer(self, status: int, number: int) -> None:
        words = b"" if status == 204 else b"answer " + b"x" * 3_000
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/ok")
        if status == 429:
            self.send_header("Retry-After", str(number))
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(600):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the book has it."""


class Server(ThreadingHTTPServer):
    """One thread per connection, which does not keep the program alive."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""


if __name__ == "__main__":
    Handler.book = Book(Path(sys.argv[1]))
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
