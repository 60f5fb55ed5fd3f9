"""Operations: dead letters with retry and discard, unknown codes, workers, and the check of the books."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from msgspec import Struct
from sqlalchemy import Engine
from starlette.responses import RedirectResponse, Response

from bopis.access.roles import Right
from bopis.adapters.address import bootstrap_address
from bopis.adapters.admin import LogAdmin
from bopis.adapters.security import security_of
from bopis.adapters.topics import TopicKeeper
from bopis.domain.values import TEXT_LENGTH_MAX
from bopis.errors import BopisError
from bopis.names import DEAD_LETTER_MARKS_TOPIC, LEVELS_TOPIC
from bopis.readside import queries
from bopis.readside.engine import reading
from bopis.readside.queries.articles import UnknownAnswer
from bopis.services import dead_letters
from bopis.services.dead_letters import DeadLetter
from bopis.topics.definitions import plans
from bopis.verification.verify import differing_cells, judge, read_rows, spans_of
from bopis.web.pages.inventory import ask
from bopis.web.pages.now_view import age_text
from bopis.web.pages.operations_workers import heard_text, workers_and_processors
from bopis.web.pages.page import Page, PageCall
from bopis.web.problems import Problem, problem_of
from bopis.web.site import Site
from bopis.web.store_agents import agents_of

LETTERS_SHOWN = 100
UNKNOWN_SHOWN = 100
AGENTS_SHOWN = 200
FINDINGS_SHOWN = 50
VALUE_SHOWN = 4_000
log = structlog.get_logger("bopis.web.pages.operations")


class OperationsQuery(Struct, frozen=True, kw_only=True):
    """`all` also lists dead letters that were retried or discarded."""

    all: bool = False


class ShownLetter(Struct, frozen=True, kw_only=True):
    """One dead letter; `handled` says by whom it was retried or discarded."""

    name: str
    cause: str
    processor: str
    state: str
    parked: str
    age: str
    value: str
    handled: str


class Verification(Struct, frozen=True, kw_only=True):
    """The result of one check of the books against every message in the log, as `bopis verify` makes it."""

    at_ms: int
    seconds: float
    text: str
    findings: tuple[str, ...]


class Verifier:
    """Checks the books of one site, one check at a time, and keeps the last result."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._task: asyncio.Task[None] | None = None
        self.last: Verification | None = None
        self.failure = ""

    @property
    def is_running(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Begin a check, unless one runs."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            self.last, self.failure = await self._site.in_thread(_verified, self._site), ""
        except (BopisError, Problem) as error:
            self.failure = str(error)
            log.warning("verify_failed", cause=str(error))
        finally:
            self._task = None


def _verified(site: Site) -> Verification:
    began = time.monotonic()
    with reading(site.engine()) as snapshot:
        read = {it.partition: it.position + 1 for it in queries.positions(snapshot) if it.topic == LEVELS_TOPIC}
        on_hand, verified = list(queries.on_hand(snapshot).items()), queries.verify(snapshot)
    with site.desk() as desk:
        spans = spans_of(desk.reader, read)
        rows = read_rows(desk.reader, spans, _uncounted)
        verdict = judge(desk.reader, spans, rows, _uncounted)
    violations = [*verdict.violations, *differing_cells(rows, on_hand)]
    findings = [f"invariant {it.invariant}: {it.where}: {it.finding}" for it in violations]
    findings += [f"the books of store {store} are split: {count} rows" for store, count in verdict.split.items()]
    findings += [
        f"read side: {it.where}: {it.figure} is {it.found}, should be {it.expected}" for it in verified.differences
    ]
    return Verification(
        at_ms=site.now_ms(),
        seconds=round(time.monotonic() - began, 1),
        text=f"{verdict.messages:,} messages, {verdict.events:,} conclusions, {verdict.cells:,} cells",
        findings=tuple(findings),
    )


def _uncounted(_records: int) -> None:
    """The page shows that a check runs, not how far it is."""


async def show(call: PageCall) -> Response:
    """The whole page."""
    return await _page(call)


async def show_live(call: PageCall) -> Response:
    """The parts that change: processors, workers and the check of the books."""
    return call.page("operations-live.html", **await _live(call))


async def _page(call: PageCall, status: int = 200, note: str = "", refusal: str = "") -> Response:
    is_all = getattr(call.params, "all", False)
    found = await call.site.in_thread(_letters, call.site)
    chosen = [it for it in found if is_all or it.mark is None]
    unknown, unknown_stores, missing = await _unknown(call)
    agents = await agents_of(call)
    now_ms = call.site.now_ms()
    return call.page(
        "operations.html", status, note=note, refusal=refusal, is_all=is_all,
        letters=[shown_letter(it, now_ms) for it in chosen[-LETTERS_SHOWN:][::-1]], letters_count=len(chosen),
        handled_count=sum(it.mark is not None for it in found),
        misplaced=dead_letters.misplaced_by_source(found), unknown=unknown[:UNKNOWN_SHOWN],
        unknown_count=len(unknown), unknown_stores=unknown_stores, missing=missing,
        agents=agents[:AGENTS_SHOWN], agents_count=len(agents), **await _live(call),
    )  # fmt: skip


async def _live(call: PageCall) -> dict[str, Any]:
    site = call.site

    def read() -> Any:
        with site.desk() as desk:
            return workers_and_processors(site, desk.reader)

    workers, processors = await site.in_thread(read)
    verifier = site.keep(Verifier)
    last = verifier.last
    return {
        "workers": workers,
        "processors": processors,
        "heard_text": heard_text,
        "verification": last,
        "verify_age": age_text(site.now_ms() - last.at_ms) if last is not None else "",
        "findings": last.findings[:FINDINGS_SHOWN] if last is not None else (),
        "is_verifying": verifier.is_running,
        "verify_failure": verifier.failure,
    }


async def _unknown(call: PageCall) -> tuple[list[UnknownAnswer], list[UnknownAnswer], str]:
    def read(engine: Engine) -> tuple[list[UnknownAnswer], list[UnknownAnswer]]:
        with reading(engine) as connection:
            return queries.unknown_codes(connection), queries.unknown_stores(connection)

    try:
        return *(await ask(call, read)), ""
    except Problem as problem:
        return [], [], problem.detail


def _letters(site: Site) -> list[DeadLetter]:
    with site.desk() as desk:
        return dead_letters.letters(desk.reader, site.settings.topic_prefix)


def shown_letter(it: DeadLetter, now_ms: int) -> ShownLetter:
    """A dead letter for the page. Its bytes are shown as text, as far as they are."""
    mark = it.mark
    return ShownLetter(
        name=it.name,
        cause=it.cause,
        processor=it.processor,
        state=it.state,
        parked=f"{datetime.fromtimestamp(it.parked_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC",
        age=age_text(now_ms - it.parked_ms),
        value=it.value[:VALUE_SHOWN].decode(errors="backslashreplace"),
        handled="" if mark is None else f"{mark.state} by {mark.actor}, {mark.at:%Y-%m-%d %H:%M} UTC: {mark.reason}",
    )


async def retry(call: PageCall) -> Response:
    """Send a dead letter to its topic again, byte for byte."""
    name = call.field("name")

    def send() -> str:
        letter = _open(call.site, name)
        placed = dead_letters.retry(call.site.publisher, letter, call.caller.name, call.site.now())
        return f"{name} was sent again as {placed.topic}/{placed.partition}/{placed.offset}."

    return await _changed(call, send)


async def discard(call: PageCall) -> Response:
    """Discard a dead letter, with a reason that is kept."""
    name, reason = call.field("name"), call.field("reason")[:TEXT_LENGTH_MAX]
    if not reason:
        return await _page(call, 422, refusal="Give the reason why it is discarded; it is kept with the dead letter.")

    def send() -> str:
        letter = _open(call.site, name)
        dead_letters.discard(call.site.publisher, letter, call.caller.name, call.site.now(), reason)
        return f"{name} is discarded: {reason}."

    return await _changed(call, send)


async def _changed(call: PageCall, send: Any) -> Response:
    try:
        note = await call.site.in_thread(send)
    except Problem as problem:
        return await _page(call, problem.status, refusal=problem.detail)
    except BopisError as error:
        found = problem_of(error)
        return await _page(call, found.status, refusal=found.detail)
    return await _page(call, note=note)


def ensure_marks(site: Site) -> None:
    """Create the topic of marks if it is absent: it is made when the first dead letter is handled. Blocks."""
    with site.desk() as desk:
        if desk.reader.end_offsets([DEAD_LETTER_MARKS_TOPIC]):
            return
    settings, options = site.settings, security_of(site.settings).client_options()
    address, timeout_s = bootstrap_address(settings), settings.publish_timeout_seconds
    with LogAdmin(address, settings.topic_prefix, timeout_seconds=timeout_s, **options) as admin:
        TopicKeeper(admin).create(plans(settings, [DEAD_LETTER_MARKS_TOPIC]))


def _open(site: Site, name: str) -> DeadLetter:
    """The open dead letter of a name, ready to be marked. Raises `Problem`."""
    letter = next((it for it in _letters(site) if it.name == name), None)
    if letter is None:
        raise Problem(404, "dead-letter-unknown", f"There is no dead letter {name[:100]}.")
    if letter.mark is not None:
        raise Problem(409, "dead-letter-handled", f"{name} was {letter.mark.state} by {letter.mark.actor} already.")
    # Before anything is sent: a record that is sent again without a mark would be sent twice.
    ensure_marks(site)
    return letter


async def verify(call: PageCall) -> Response:
    """Begin a check of the books; the page shows its result when it is there."""
    call.site.keep(Verifier).start()
    return RedirectResponse("/operations#verify", 303)


PAGES = (
    Page(path="/operations", show=show, right=Right.OPERATIONS_READ, params=OperationsQuery),
    Page(path="/parts/operations", show=show_live, right=Right.OPERATIONS_READ),
    Page(path="/operations/dead-letters/retry", show=retry, right=Right.OPERATIONS_CHANGE, method="POST"),
    Page(path="/operations/dead-letters/discard", show=discard, right=Right.OPERATIONS_CHANGE, method="POST"),
    Page(path="/operations/verify", show=verify, right=Right.OPERATIONS_CHANGE, method="POST"),
)
