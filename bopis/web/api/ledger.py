"""Ledger digest: a store's agent compares the messages of its journal with those that the centre's books took."""

from sqlalchemy import Engine

from bopis.access.roles import Right
from bopis.domain.inventory.ledger import SPAN_LENGTH_MAX
from bopis.readside.engine import reading
from bopis.readside.queries.ledger import BooksLedger
from bopis.web.api.pos import TAG
from bopis.web.endpoint import Call, Endpoint
from bopis.web.problems import Problem
from bopis.wire.ledger import PATH, LedgerAnswer, LedgerQuestion, shown_digest


async def answer_question(call: Call) -> LedgerAnswer:
    """Answer a question about the messages of a store's own sources."""
    asked: LedgerQuestion = call.body
    call.require_store(asked.store)
    # PostgreSQL has no such character.
    if any("\0" in it for it in (asked.store, *asked.sources, *(span.source for span in asked.spans))):
        raise Problem(422, "name-invalid", "A name contains a NUL.")
    if any(it.length > SPAN_LENGTH_MAX for it in asked.spans):
        raise Problem(422, "range-too-long", f"A range has at most {SPAN_LENGTH_MAX} sequences; divide it.")
    return await call.site.in_thread(lambda: answer(call.site.engine(), asked))


def answer(engine: Engine, asked: LedgerQuestion) -> LedgerAnswer:
    """The answer to a question, of one moment of the read side."""
    with reading(engine) as connection:
        books = BooksLedger(connection, asked.store)
        marks = tuple(books.marks(asked.sources)) if asked.sources else ()
        if asked.entries:
            return LedgerAnswer(sources=marks, entries=tuple(map(tuple, books.entries(asked.spans))))
        return LedgerAnswer(sources=marks, digests=tuple(map(shown_digest, books.digests(asked.spans))))


ENDPOINTS = (
    Endpoint(
        method="POST", path=PATH, handle=answer_question, right=Right.POS_SEND, tag=TAG,
        summary="Compare a journal with the books", body=LedgerQuestion, answer=LedgerAnswer, statuses=(422, 503),
    ),
)  # fmt: skip
