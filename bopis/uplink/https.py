"""The uplink to the centre's ingest over HTTPS, with the key of the store."""

import http
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from bopis.adapters.agent_process import HttpsOptions
from bopis.errors import BopisError
from bopis.journal.entries import Entry, Reject
from bopis.uplink.connection import CentreAnswer, CentreConnection, raise_unless_served, refusal
from bopis.uplink.errors import StoreRefused
from bopis.uplink.ledger import CentreLedger
from bopis.uplink.protocol import Sent, refused
from bopis.wire import ledger
from bopis.wire.ingest import PATH, ItemStatus, RefusalCode
from bopis.wire.ledger import LedgerAnswer, LedgerQuestion

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


class HttpsUplink:
    """Implements `bopis.uplink.protocol.Uplink` over one connection that is kept open."""

    def __init__(self, options: HttpsOptions, store: str, timeout_seconds: float) -> None:
        self._options, self._store = options, store
        self._centre = CentreConnection(options, timeout_seconds)

    def send(self, entries: Sequence[Entry]) -> Sent:
        started_ms = time.time_ns() // 1_000_000
        before = entries[0].position - 1
        try:
            answer = self._post(b"\n".join(entry.value for entry in entries))
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
        ahead = _clock_ahead_ms(answer.header("date"), started_ms, ended_ms)
        return Sent(position=position, refused=tuple(rejects), clock_ahead_ms=ahead)

    def centre(self) -> CentreLedger:
        return CentreLedger(self._store, self._options.url, self._ask)

    def _ask(self, question: LedgerQuestion) -> LedgerAnswer:
        address, body = self._options.url, msgspec.json.encode(question)
        answer = self._centre.request("POST", ledger.PATH, body, {"Content-Type": "application/json"})
        raise_unless_served(address, answer)
        try:
            if answer.status == http.HTTPStatus.OK:
                return msgspec.json.decode(answer.body, type=LedgerAnswer)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        raise refusal(address, answer)

    def close(self) -> None:
        self._centre.close()

    def _post(self, body: bytes) -> CentreAnswer:
        return self._centre.request("POST", PATH, body, {"Content-Type": "application/x-ndjson"})

    def _items(self, answer: CentreAnswer, count: int) -> tuple[_Item, ...]:
        address = self._options.url
        raise_unless_served(address, answer)
        if answer.status in (http.HTTPStatus.ACCEPTED, http.HTTPStatus.UNPROCESSABLE_ENTITY):
            try:
                items = msgspec.json.decode(answer.body, type=_Items).items
            except (msgspec.MsgspecError, UnicodeDecodeError):
                items = ()
            if [it.item for it in items] == list(range(1, count + 1)):
                return items
        raise refusal(address, answer)


def _clock_ahead_ms(date: str, started_ms: int, ended_ms: int) -> int | None:
    """How far this clock is ahead of the other side's, from the time in its answer; 0 within a second's rounding."""
    try:
        theirs_ms = int(parsedate_to_datetime(date).timestamp()) * 1000
    except (ValueError, TypeError):
        return None
    if started_ms > theirs_ms + DATE_STEP_MS:
        return started_ms - theirs_ms - DATE_STEP_MS
    return min(0, ended_ms - theirs_ms)
