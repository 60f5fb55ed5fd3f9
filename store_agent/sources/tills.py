"""Tills over HTTP on the loopback: the request of the centre's ingest, answered once everything is on the disk."""

import re
import threading
from collections.abc import Callable, Mapping, Set
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from bopis.domain.inventory.outcomes import Outcome
from bopis.domain.orders.numbers import shown
from bopis.errors import CONFLICT, INVALID_INPUT, NOT_FOUND, TRY_AGAIN, UNAVAILABLE
from bopis.journal.entries import Found, Taken
from bopis.journal.errors import ActionChanged, JournalError
from bopis.journal.journal import Journal
from bopis.wire.ingest import (
    BODY_BYTES_MAX,
    MESSAGES_MAX,
    NDJSON_TYPES,
    PATH,
    IngestAnswer,
    ItemAnswer,
    ItemStatus,
    RefusalCode,
    values_in,
)
from store_agent.errors import ActionInvalid, AgentError, CopyMissing, PortTaken
from store_agent.offline import page
from store_agent.offline.actions import ActionRequest
from store_agent.offline.counter import Counter
from store_agent.sources.own_messages import SentMessage, read_message

HOST = "127.0.0.1"
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
JSON = "application/json"
HTML = "text/html; charset=utf-8"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# Work on orders without the centre.
QUEUE_PATH = "/v1/pickup/queue"
PAGE_PATH = re.compile(rf"{page.PATH}/([A-Za-z0-9-]{{1,20}})")
FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 4_096
# A page of another site neither frames the counter nor is loaded by it.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ORDER_PATH = re.compile(r"/v1/pickup/orders/([A-Za-z0-9-]{1,20})/actions")
STATUSES_OF_ERRORS = {
    NOT_FOUND: HTTPStatus.NOT_FOUND,
    CONFLICT: HTTPStatus.CONFLICT,
    INVALID_INPUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
TYPES = NDJSON_TYPES | {JSON, "application/cloudevents+json", "application/cloudevents-batch+json"}
CONNECTIONS_MAX = 64
IDLE_SECONDS_MAX = 60.0
WAIT_SECONDS = 30
# The source of messages that name none.
UNNAMED = "http"
STATUSES = {
    Outcome.NEW: ItemStatus.ACCEPTED,
    Outcome.DUPLICATE: ItemStatus.DUPLICATE,
    Outcome.CHANGED: ItemStatus.CHANGED,
    Outcome.WAITING: ItemStatus.CHANGED,
    Outcome.EMPTY: ItemStatus.DUPLICATE,  # it changes nothing, and need not be sent again
    Outcome.REJECTED: ItemStatus.REFUSED,
}


class Page(NamedTuple):
    """An answer for people."""

    text: str
    content_type: str


class TillServer(ThreadingHTTPServer):
    """Serves tills until it is shut down. Raises `PortTaken`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, port: int, journal: Journal, on_taken: Callable[[], None], counter: Counter | None = None
    ) -> None:
        """``counter`` serves work on orders, where the agent has a copy of them."""
        self.journal, self.on_taken, self.counter = journal, on_taken, counter
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        try:
            super().__init__((HOST, port), _TillConnection)
        except OSError as error:
            raise PortTaken(port=port, cause=error.strerror or error) from error

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own; one too many is closed."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A till that went away in the middle of an answer is no event; it sends again."""


class RequestProblem(Exception):
    """A request that is not served, with its status."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class _TillConnection(BaseHTTPRequestHandler):
    server: TillServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "bopis-agent", ""
    timeout = IDLE_SECONDS_MAX
    # Otherwise each answer would be two packets, the second of which waits for an acknowledgement.
    wbufsize = 65_536
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take messages of tills, and work on orders."""
        self._serve(self._take)

    def do_GET(self) -> None:
        """Answer that the agent lives, how full the journal is, or what the shop has to do."""
        self._serve(self._look)

    def log_message(self, format: str, *args: object) -> None:
        """No line per request: the journal has it all."""

    def _serve(self, handle: Callable[[], tuple[HTTPStatus, Any]]) -> None:
        try:
            self._refuse_browsers()
            status, answer = handle()
            self._answer(status, answer, JSON)
        except RequestProblem as problem:
            # What was not read of the body would be taken for the next request.
            self.close_connection = True
            document = {"status": problem.status, "code": problem.code, "detail": problem.detail}
            self._answer(problem.status, document, "application/problem+json")
        except AgentError as error:
            status = STATUSES_OF_ERRORS.get(error.exit_code, HTTPStatus.INTERNAL_SERVER_ERROR)
            document = {"status": status, "code": type(error).__name__, "detail": str(error)}
            self._answer(status, document, "application/problem+json")
        except ActionChanged as error:
            document = {"status": HTTPStatus.CONFLICT, "code": type(error).__name__, "detail": str(error)}
            self._answer(HTTPStatus.CONFLICT, document, "application/problem+json")
        except JournalError as error:
            again = error.exit_code == TRY_AGAIN
            status = HTTPStatus.SERVICE_UNAVAILABLE if again else HTTPStatus.INTERNAL_SERVER_ERROR
            document = {"status": status, "code": "journal", "detail": str(error)}
            self._answer(status, document, "application/problem+json")

    def _refuse_browsers(self) -> None:
        """Refuse pages: a page of another site may not send sales to this machine through a browser on it."""
        host = self.headers.get("Host", "")
        name = host.rpartition(":")[0] or host
        is_form = PAGE_PATH.fullmatch(self.path) is not None
        # The agent's own page names itself as the origin of its forms; nothing else has one.
        origin = f"http://{host}" if is_form else None
        if name not in LOCAL_NAMES or self.headers.get("Origin") != origin:
            raise RequestProblem(HTTPStatus.FORBIDDEN, "not-local", "Only programs on this machine may use the agent.")

    def _look(self) -> tuple[HTTPStatus, Any]:
        if self.path == "/livez":
            return HTTPStatus.OK, {"status": "ok"}
        if self.path == "/status":
            return HTTPStatus.OK, self.server.journal.usage()
        if self.path == QUEUE_PATH:
            return HTTPStatus.OK, self._counter().queue()
        if self.path == page.PATH:
            return HTTPStatus.OK, Page(page.page(self._counter().queue()), HTML)
        if self.path == page.STYLE_PATH:
            return HTTPStatus.OK, Page(page.STYLE, "text/css; charset=utf-8")
        raise RequestProblem(HTTPStatus.NOT_FOUND, "not-found", f"Send messages to {PATH}.")

    def _counter(self) -> Counter:
        if self.server.counter is None:
            raise CopyMissing()
        return self.server.counter

    def _act_by_form(self, number: str) -> tuple[HTTPStatus, Any]:
        """Do the action of a form, and show the page after it."""
        counter, actor = self._counter(), ""
        try:
            request = page.request_in(self._body({FORM}, FORM_BYTES_MAX))
            actor = request.actor
            result = counter.act(number, request)
            message = f"{shown(result.order)}: {result.state.replace('_', ' ') or 'done'}"
        except (AgentError, ActionChanged) as error:
            message = str(error)
        return HTTPStatus.OK, Page(page.page(counter.queue(), actor, message), HTML)

    def _act(self, number: str) -> tuple[HTTPStatus, Any]:
        body = self._body()
        try:
            request = msgspec.json.decode(body, type=ActionRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ActionInvalid(cause=error) from error
        return HTTPStatus.OK, self._counter().act(number, request)

    def _take(self) -> tuple[HTTPStatus, Any]:
        if (found := ORDER_PATH.fullmatch(self.path)) is not None:
            return self._act(found[1])
        if (found := PAGE_PATH.fullmatch(self.path)) is not None:
            return self._act_by_form(found[1])
        if self.path != PATH:
            raise RequestProblem(HTTPStatus.NOT_FOUND, "not-found", f"Send messages to {PATH}.")
        try:
            values = values_in(self._body(), self.headers.get("Content-Type", ""))
        except ValueError as error:
            raise RequestProblem(HTTPStatus.BAD_REQUEST, "body-malformed", str(error)) from error
        if not values or len(values) > MESSAGES_MAX:
            raise RequestProblem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "body-empty", f"Send 1 to {MESSAGES_MAX} messages at once."
            )
        answer = take(self.server.journal, values)
        self.server.on_taken()
        status = HTTPStatus.ACCEPTED if answer.accepted or not answer.refused else HTTPStatus.UNPROCESSABLE_ENTITY
        return status, answer

    def _body(self, types: Set[str] = TYPES, bytes_max: int = BODY_BYTES_MAX) -> bytes:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in types:
            # Also keeps pages of other sites out: a browser asks before it sends one of these types.
            raise RequestProblem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media-type", f"Send {JSON} or application/x-ndjson."
            )
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RequestProblem(HTTPStatus.LENGTH_REQUIRED, "length", "Send the body with a Content-Length.")
        if int(length) > bytes_max:
            raise RequestProblem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-large", f"Send at most {bytes_max} bytes at once."
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise RequestProblem(HTTPStatus.BAD_REQUEST, "body-cut", "The body is shorter than its Content-Length.")
        return body

    def _answer(self, status: HTTPStatus, document: Any, content_type: str) -> None:
        headers: Mapping[str, str] = NO_HEADERS
        if isinstance(document, Page):
            body, content_type, headers = document.text.encode(), document.content_type, PAGE_HEADERS
        else:
            body = msgspec.json.encode(document)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", str(WAIT_SECONDS))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def take(journal: Journal, values: list[bytes]) -> IngestAnswer:
    """Take messages of tills into the journal: of each till all at once. The answers are in their order."""
    sent = [read_message(value, journal.store, f"HTTP message {number}") for number, value in enumerate(values, 1)]
    by_source: dict[str, list[int]] = {}
    for number, it in enumerate(sent):
        by_source.setdefault(it.source or UNNAMED, []).append(number)
    answers: dict[int, ItemAnswer] = {}
    for source, numbers in by_source.items():
        found: list[Found] = [sent[number].found for number in numbers]
        for number, taken in zip(numbers, journal.take(source, found), strict=True):
            answers[number] = _answer_to(number + 1, sent[number], taken)
    items = tuple(answers[number] for number in range(len(sent)))
    refused = sum(it.status is ItemStatus.REFUSED for it in items)
    return IngestAnswer(accepted=len(items) - refused, refused=refused, items=items)


def _answer_to(item: int, sent: SentMessage, taken: Taken) -> ItemAnswer:
    return ItemAnswer(
        item=item,
        status=STATUSES[taken.outcome],
        id=sent.id,
        source=sent.source,
        position=f"journal/{taken.position}" if taken.position else "",
        code=RefusalCode.MALFORMED if taken.outcome is Outcome.REJECTED else None,
        problem=taken.cause,
    )
