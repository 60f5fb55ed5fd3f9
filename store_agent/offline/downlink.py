"""Keeps the shop's copy current, and sends what was done without the centre, in a thread of its own."""

import http
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from bopis.journal.actions import Action, Actions
from bopis.journal.errors import JournalError
from bopis.journal.journal import Journal
from bopis.journal.shop_copy import ArticleRow, LevelRow, ShopCopyFile
from bopis.journal.status import DOWNLINK, DownlinkState, put_state
from bopis.uplink.connection import CentreAnswer, CentreConnection, raise_unless_served, refusal
from bopis.uplink.errors import CentreBusy, CentreRefused, CredentialRefused, KeyWithoutCopy
from bopis.uplink.loop import CentreLoop, OnEvent
from bopis.wire.offline import (
    ACTIONS_PATH,
    COPY_PATH,
    ActionAnswer,
    ActionOutcome,
    ShopCopy,
    StoreActionRequest,
)

ACTIONS_MAX = 100
PAGE = 500
COMPACT_SECONDS = 3_600.0
JSON = {"Content-Type": "application/json"}
# Answers that are about the action, and will not change when it is sent again.
FINAL = frozenset({http.HTTPStatus.BAD_REQUEST, http.HTTPStatus.CONFLICT, http.HTTPStatus.UNPROCESSABLE_ENTITY})
ORDER_UNKNOWN = "order-unknown"


class DownlinkOptions(Struct, frozen=True, kw_only=True):
    """Address and store, seconds between two looks at orders, levels and catalogue, and the longest pause."""

    url: str
    store: str
    copy_seconds: float = 10.0
    levels_seconds: float = 300.0
    catalogue_seconds: float = 3_600.0
    pause_seconds_max: float = 60.0


class _Term(Struct, frozen=True):
    on_hand: int = 0


class _Level(Struct):
    sku: str
    atp: int
    terms: _Term = _Term()


class _Levels(Struct):
    levels: tuple[_Level, ...]
    next: str | None = None


class _Articles(Struct):
    articles: tuple[ArticleRow, ...]
    cursor: str = ""


class _Answer(Struct, frozen=True):
    """The answer to an action, as far as it is used: a centre of a later version may know more words and fields."""

    id: str
    order: str
    outcome: str
    rule: str = ""
    text: str = ""
    version: str = ""
    changed: bool = False


class _Problem(Struct):
    code: str = ""
    detail: str = ""


class Parts(NamedTuple):
    """What a downlink works with; a connection of the journal that only its thread uses."""

    journal: Journal
    copy: ShopCopyFile
    centre: CentreConnection
    on_event: OnEvent


Page = TypeVar("Page")


class Downlink(CentreLoop[DownlinkState]):
    """Runs until it is stopped. Actions go first, in their order; then the copy is fetched, if it is due."""

    def __init__(self, options: DownlinkOptions, parts: Parts) -> None:
        super().__init__("downlink", parts.journal, parts.on_event, options.pause_seconds_max)
        self._options, self._parts = options, parts
        self._actions = Actions(parts.journal)
        self._state = DownlinkState(since_ms=parts.journal.now_ms())
        self._due = dict.fromkeys(("copy", "levels", "catalogue", "compact"), 0.0)

    def _close(self) -> None:
        self._parts.centre.close()

    def _turn(self) -> None:
        self._wake.clear()
        if waiting := self._actions.waiting(ACTIONS_MAX):
            for action in waiting:
                self._send(action)
            # The copy after it: without this the shop would see its own work only at the next look.
            self._due["copy"] = 0.0
            return
        if self._is_due("copy", self._options.copy_seconds):
            self._fetch_copy()
        if self._is_due("levels", self._options.levels_seconds):
            self._fetch_beside(self._fetch_levels)
        if self._is_due("catalogue", self._options.catalogue_seconds):
            self._fetch_beside(self._fetch_catalogue)
        if self._is_due("compact", COMPACT_SECONDS):
            self._actions.compact()
        self._worked()
        self._wake.wait(max(0.0, min(self._due.values()) - time.monotonic()))

    def _is_due(self, name: str, seconds: float) -> bool:
        """Whether it is time for something, which then waits for its next turn. A problem ends the turn: the copy is
        fetched at once when it is over."""
        now = time.monotonic()
        if now < self._due[name] or self._stopped.is_set():
            return False
        self._due[name] = now + seconds
        return True

    def _fetch_beside(self, fetch: Callable[[], None]) -> None:
        """Fetch something that the work on orders does not wait for."""
        try:
            fetch()
        except (CentreBusy, CentreRefused) as error:
            self._parts.on_event("downlink.incomplete", "warning", problem=str(error))

    def _send(self, action: Action) -> None:
        body = msgspec.json.encode(StoreActionRequest(message=msgspec.Raw(action.value), expected=action.expected))
        answer = self._ask("POST", ACTIONS_PATH.format(store=quote(self._options.store, safe="")), body, JSON)
        if answer.status == http.HTTPStatus.OK:
            found = answer_in(self._decoded(answer, _Answer))
        elif (problem := _problem(answer)).code == ORDER_UNKNOWN or answer.status in FINAL:
            found = ActionAnswer(
                id=action.id, order=action.order, outcome=ActionOutcome.REFUSED, rule=problem.code, text=problem.detail
            )
        else:
            raise refusal(self._options.url, answer)
        self._actions.answered(action, found)
        level = "info" if found.outcome in (ActionOutcome.DONE, ActionOutcome.REPEATED) else "warning"
        self._parts.on_event("action.sent", level, order=action.order, outcome=found.outcome.value, rule=found.rule)

    def _fetch_copy(self) -> None:
        known, path = self._parts.copy.state(), COPY_PATH.format(store=quote(self._options.store, safe=""))
        asked_ms = self._parts.journal.now_ms()
        answer = self._ask("GET", path, None, {"If-None-Match": known.etag} if known.etag else {})
        current_ms = asked_ms - _age_ms(answer)
        if answer.status == http.HTTPStatus.NOT_MODIFIED:
            self._parts.copy.still_current(current_ms)
            return
        self._parts.copy.put(self._decoded(answer, ShopCopy), answer.header("etag"), current_ms)

    def _fetch_levels(self) -> None:
        self._parts.copy.put_levels(self._level_pages(), self._parts.journal.now_ms())

    def _fetch_catalogue(self) -> None:
        self._parts.copy.put_articles(self._article_pages(), self._parts.journal.now_ms())

    def _level_pages(self) -> Iterator[list[LevelRow]]:
        path, cursor = f"/v1/stores/{quote(self._options.store, safe='')}/stock", ""
        while True:
            answer = self._ask("GET", _paged(path, cursor))
            # A store that has never had stock is not known to the read side.
            if answer.status == http.HTTPStatus.NOT_FOUND:
                return
            page = self._decoded(answer, _Levels)
            yield [LevelRow(sku=it.sku, on_hand=it.terms.on_hand, atp=it.atp) for it in page.levels]
            if not page.next:
                return
            cursor = page.next

    def _article_pages(self) -> Iterator[list[ArticleRow]]:
        cursor = ""
        while True:
            page = self._decoded(self._ask("GET", _paged("/v1/catalogue", cursor)), _Articles)
            yield list(page.articles)
            if not page.cursor:
                return
            cursor = page.cursor

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> CentreAnswer:
        answer = self._parts.centre.request(method, path, body, headers or {})
        try:
            raise_unless_served(self._options.url, answer)
        except CredentialRefused as error:
            raise KeyWithoutCopy(address=self._options.url, status=answer.status) from error
        return answer

    def _decoded(self, answer: CentreAnswer, kind: type[Page]) -> Page:
        if answer.status != http.HTTPStatus.OK:
            raise refusal(self._options.url, answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise refusal(self._options.url, answer) from error

    def _worked(self) -> None:
        if self._failures or not self._state.connected:
            self._parts.on_event("downlink.connected")
            self._note(DownlinkState(connected=True, since_ms=self._parts.journal.now_ms()))
        self._failures = 0

    def _note_problem(self, since_ms: int, problem: str) -> None:
        self._due["copy"] = 0.0
        self._note(DownlinkState(connected=False, since_ms=since_ms, problem=problem))

    def _note(self, state: DownlinkState) -> None:
        if state == self._state:
            return
        try:
            put_state(self._parts.journal, DOWNLINK, state)
            self._state = state
        except JournalError:
            pass  # the state is shown to people; the log lines have it, too


def answer_in(found: _Answer) -> ActionAnswer:
    """The answer to an action. An outcome that this version does not know is one for a person to look at."""
    known = found.outcome in set(ActionOutcome)
    return ActionAnswer(
        id=found.id,
        order=found.order,
        outcome=ActionOutcome(found.outcome) if known else ActionOutcome.CONFLICT,
        rule=found.rule or ("" if known else found.outcome),
        text=found.text,
        version=found.version,
        changed=found.changed,
    )


def _paged(path: str, cursor: str) -> str:
    return f"{path}?{urlencode({'limit': PAGE} | ({'cursor': cursor} if cursor else {}))}"


def _problem(answer: CentreAnswer) -> _Problem:
    try:
        return msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Problem(code=f"status-{answer.status}", detail="The centre refused it without a text.")


def _age_ms(answer: CentreAnswer) -> int:
    """How old the centre's own memory is, in milliseconds."""
    try:
        return max(0, round(float(answer.header("bopis-age") or 0) * 1000))
    except ValueError:
        return 0
