"""The uplink to the centre's ingest over HTTPS, with the key of the store."""

import http.client
import ssl
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from bopis.adapters.agent_process import HttpsOptions
from bopis.errors import BopisError
from bopis.journal.entries import Entry, Reject
from bopis.uplink.errors import (
    CentreBusy,
    CentreRefused,
    CentreUnreachable,
    CredentialRefused,
    KeyUnreadable,
    StoreRefused,
)
from bopis.uplink.ledger import CentreLedger
from bopis.uplink.protocol import Sent, refused
from bopis.wire import ledger
from bopis.wire.ingest import PATH, ItemStatus, RefusalCode
from bopis.wire.ledger import LedgerAnswer, LedgerQuestion

ANSWER_BYTES_MAX = 16 << 20
KEY_BYTES_MAX = 4_096
WAIT_SECONDS_MAX = 600.0
CAUSE_LENGTH_MAX = 300
# Refusals of who sends, not of what is sent: the message is kept until that is corrected.
NOT_OF_THE_MESSAGE = frozenset({RefusalCode.OTHER_STORE.value, RefusalCode.UNKNOWN_STORE.value})
# The time in an answer's header is in whole seconds.
DATE_STEP_MS = 1_000


class _Item(Struct):
    """The answer to one message, as far as it is used: a centre of a later version may know more words and fields."""

    item: int
    status: str
    code: str = ""
    problem: str = ""


class _Items(Struct):
    items: tuple[_Item, ...]


class _Request(NamedTuple):
    path: str
    content_type: str
    body: bytes


class _Answer(NamedTuple):
    status: int
    body: bytes
    date: str
    retry_after: str


class HttpsUplink:
    """Implements `bopis.uplink.protocol.Uplink` over one connection that is kept open."""

    def __init__(self, options: HttpsOptions, store: str, timeout_seconds: float) -> None:
        self._options, self._store, self._timeout_seconds = options, store, timeout_seconds
        self._connection: http.client.HTTPConnection | None = None
        self._key = ""

    def send(self, entries: Sequence[Entry]) -> Sent:
        started_ms = time.time_ns() // 1_000_000
        before = entries[0].position - 1
        try:
            lines = b"\n".join(entry.value for entry in entries)
            answer = self._post(_Request(PATH, "application/x-ndjson", lines))
            items = self._items(answer, len(entries))
        except BopisError as error:
            self.close()
            return Sent(position=before, problem=error)
        position = before
        rejects: list[Reject] = []
        for entry, item in zip(entries, items, strict=True):
            if item.code in NOT_OF_THE_MESSAGE:
                problem = StoreRefused(address=self._options.url, store=self._store, cause=item.problem)
                return Sent(position=position, refused=tuple(rejects), problem=problem)
            if item.status == ItemStatus.REFUSED:
                rejects.append(refused(entry, item.problem))
            position = entry.position
        ended_ms = time.time_ns() // 1_000_000
        ahead = _clock_ahead_ms(answer.date, started_ms, ended_ms)
        return Sent(position=position, refused=tuple(rejects), clock_ahead_ms=ahead)

    def centre(self) -> CentreLedger:
        return CentreLedger(self._store, self._options.url, self._ask)

    def _ask(self, question: LedgerQuestion) -> LedgerAnswer:
        answer = self._post(_Request(ledger.PATH, "application/json", msgspec.json.encode(question)))
        self._check_welcome(answer)
        try:
            if answer.status == http.HTTPStatus.OK:
                return msgspec.json.decode(answer.body, type=LedgerAnswer)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        raise CentreRefused(address=self._options.url, status=answer.status, cause=_text(answer.body))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, request: _Request) -> _Answer:
        is_kept = self._connection is not None
        try:
            return self._request(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not is_kept:
                raise self._unreachable(error) from error
        # A connection that was kept may have been closed by the other side meanwhile.
        try:
            return self._request(request)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _request(self, request: _Request) -> _Answer:
        connection = self._connected()
        headers = {"Content-Type": request.content_type, "Authorization": f"Bearer {self._key}"}
        path = urlsplit(self._options.url).path.rstrip("/") + request.path
        connection.request("POST", path, request.body, headers)
        response = connection.getresponse()
        content = response.read(ANSWER_BYTES_MAX)
        if response.will_close:
            self.close()
        return _Answer(response.status, content, response.getheader("Date", ""), response.getheader("Retry-After", ""))

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            # Read at each connection, so that a key may be replaced while the agent runs.
            self._key = self._read_key()
            where = urlsplit(self._options.url)
            host, timeout = where.hostname or "", self._timeout_seconds
            if where.scheme == "https":
                context = ssl.create_default_context(cafile=self._options.ca_file)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                self._connection = http.client.HTTPSConnection(host, where.port, timeout=timeout, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, where.port, timeout=timeout)
        return self._connection

    def _read_key(self) -> str:
        file = self._options.key_file
        try:
            with file.open("rb") as opened:
                return opened.read(KEY_BYTES_MAX).decode("ascii").strip()
        except OSError as error:
            raise KeyUnreadable(file=file, cause=error.strerror or error) from error
        except UnicodeDecodeError:
            raise KeyUnreadable(file=file, cause="it is no text in ASCII") from None

    def _items(self, answer: _Answer, count: int) -> tuple[_Item, ...]:
        self._check_welcome(answer)
        address, status = self._options.url, answer.status
        if status in (http.HTTPStatus.ACCEPTED, http.HTTPStatus.UNPROCESSABLE_ENTITY):
            try:
                items = msgspec.json.decode(answer.body, type=_Items).items
            except (msgspec.MsgspecError, UnicodeDecodeError):
                items = ()
            if [it.item for it in items] == list(range(1, count + 1)):
                return items
        raise CentreRefused(address=address, status=status, cause=_text(answer.body))

    def _check_welcome(self, answer: _Answer) -> None:
        """Raise `CredentialRefused` or `CentreBusy` where the answer is about who asks, or when."""
        address, status = self._options.url, answer.status
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise CredentialRefused(address=address, status=status)
        if status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE):
            seconds = answer.retry_after
            wait = min(float(seconds), WAIT_SECONDS_MAX) if seconds.isascii() and seconds.isdigit() else 0.0
            raise CentreBusy(address=address, status=status, wait_seconds=wait)

    def _unreachable(self, error: Exception) -> CentreUnreachable:
        return CentreUnreachable(address=self._options.url, cause=str(error) or type(error).__name__)


def _text(body: bytes) -> str:
    return " ".join(body[:CAUSE_LENGTH_MAX].decode(errors="replace").split()) or "without a text"


def _clock_ahead_ms(date: str, started_ms: int, ended_ms: int) -> int | None:
    """How far this clock is ahead of the other side's, from the time in its answer; 0 within a second's rounding."""
    try:
        theirs_ms = int(parsedate_to_datetime(date).timestamp()) * 1000
    except (ValueError, TypeError):
        return None
    if started_ms > theirs_ms + DATE_STEP_MS:
        return started_ms - theirs_ms - DATE_STEP_MS
    return min(0, ended_ms - theirs_ms)
