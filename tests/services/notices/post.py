"""A real mail server and a real receiver of webhooks, in the test's own process, with moods."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, LoginPassword


class Mailbox:
    """Mails as the server accepted them. `answer` is the reply to the text of a mail, `greeting` to its recipient."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answer = "250 taken"
        self.greeting = "250 welcome"
        self.delay_s = 0.0
        self.drops = False
        self.port = 0

    def has(self, count: int) -> Callable[[], bool]:
        """The condition that this many mails have arrived."""
        return lambda: len(self.mails) >= count

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.greeting.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.greeting

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        import asyncio

        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]  # a newer policy's
            self.recipients += envelope.rcpt_tos
        await asyncio.sleep(self.delay_s)
        if self.drops:
            server.transport.abort()
        return self.answer


class QuietServer(Server):
    """Speaks of nothing on standard error when a client leaves in the middle."""

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)


class Post(Controller):
    def factory(self) -> Server:
        return QuietServer(self.handler, **self.SMTP_kwargs)


@contextmanager
def mail_server(login: tuple[str, str] | None = None) -> Iterator[Mailbox]:
    """A mail server on a free port of this machine; with a login it requires one."""
    box = Mailbox()
    options: dict[str, Any] = {}
    if login is not None:

        def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == login
            return AuthResult(success=good)

        options = {"authenticator": known, "auth_required": True, "auth_require_tls": False}
    controller = Post(box, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Receiver:
    """Webhooks as they came in: headers and body."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.delay_s = 0.0
        self.url = ""


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """A receiver of webhooks on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(receiver.delay_s)
            try:
                self.send_response(receiver.status)
                self.send_header("location", "/elsewhere")
                self.end_headers()
            except OSError:
                pass

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/notices"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
