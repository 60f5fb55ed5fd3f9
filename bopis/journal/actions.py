"""Work on orders that was done in the store without the centre: stored before it is acknowledged, sent in its order."""

from typing import Any

import msgspec
from msgspec import Struct

from bopis.domain.values import DAY_MS
from bopis.journal.errors import ActionChanged
from bopis.journal.journal import Journal
from bopis.wire.offline import ActionAnswer, ActionOutcome

KEPT_DAYS = 30
UNFIT = frozenset({ActionOutcome.CONFLICT, ActionOutcome.REFUSED})
_COLUMNS = "number, id, order_number, expected, content, value, taken_ms, answered_ms, answer FROM action"


class NewAction(Struct, frozen=True, kw_only=True):
    """An action before it is stored: `value` is its message, `content` that of it which makes it the same action;
    `expected` is the version of the order that the store had."""

    id: str
    order: str
    expected: str
    content: bytes
    value: bytes


class Action(NewAction, frozen=True, kw_only=True):
    """A stored action; times are epoch milliseconds, 0 for none."""

    number: int
    taken_ms: int
    answered_ms: int = 0
    answer: ActionAnswer | None = None


class Actions:
    """The actions in a journal, and the wrong codes that were shown in the store."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def put(self, new: NewAction) -> Action:
        """Store an action; it is on the disk when this returns. A repeat is the one that is stored already.

        Raises `ActionChanged` for its id with other content, and `JournalFull`.
        """
        with self._journal.writing() as writer:
            row = writer.execute(f"SELECT {_COLUMNS} WHERE id = ?", (new.id,)).fetchone()
            known = None if row is None else _same(_action(row), new.order, new.content)
            if known is not None:
                return known
            self._journal.refuse_if_full()
            now = self._journal.now_ms()
            row = (new.id, new.order, new.expected, new.content, new.value, now)
            columns = "(id, order_number, expected, content, value, taken_ms) VALUES (?, ?, ?, ?, ?, ?)"
            number = writer.execute(f"INSERT INTO action {columns}", row).lastrowid or 0
        return Action(**{it: getattr(new, it) for it in new.__struct_fields__}, number=number, taken_ms=now)

    def repeated(self, action: str, order: str, content: bytes) -> Action | None:
        """The stored action of an id. Raises `ActionChanged` for one with another order or content."""
        found = self._ask("WHERE id = ?", action)
        return _same(found[0], order, content) if found else None

    def waiting(self, limit: int) -> list[Action]:
        """The oldest actions without an answer, in their order."""
        return self._ask("WHERE answered_ms = 0 ORDER BY number LIMIT ?", limit)

    def of_order(self, order: str) -> list[Action]:
        """Actions of one order, in their order."""
        return self._ask("WHERE order_number = ? ORDER BY number", order)

    def open_count(self) -> int:
        """How many actions have no answer."""
        return int(self._journal.ask("SELECT count(*) FROM action WHERE answered_ms = 0")[0][0])

    def unfit(self, limit: int) -> list[Action]:
        """The newest actions that did not fit what had become of their order, the newest first."""
        found = self._ask("WHERE answered_ms > 0 ORDER BY number DESC")
        return [it for it in found if it.answer is not None and it.answer.outcome in UNFIT][:limit]

    def answered(self, action: Action, answer: ActionAnswer) -> None:
        """Store the answer of the centre. Later actions of the order were done on the version after it."""
        with self._journal.writing() as writer:
            row = (self._journal.now_ms(), msgspec.json.encode(answer), action.number)
            writer.execute("UPDATE action SET answered_ms = ?, answer = ? WHERE number = ?", row)
            writer.execute(
                "UPDATE action SET expected = ? WHERE order_number = ? AND number > ? AND answered_ms = 0",
                (answer.version, action.order, action.number),
            )

    def tries(self, order: str, version: int) -> int:
        """Wrong codes that were shown in the store for a version of an order's code."""
        found = self._journal.ask("SELECT tries FROM code_try WHERE order_number = ? AND version = ?", order, version)
        return int(found[0][0]) if found else 0

    def add_try(self, order: str, version: int) -> None:
        """Count one wrong code."""
        with self._journal.writing() as writer:
            writer.execute(
                "INSERT INTO code_try VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET tries = tries + 1, tried_ms = ?",
                (order, version, self._journal.now_ms(), self._journal.now_ms()),
            )

    def compact(self) -> None:
        """Remove what was answered long ago."""
        before = self._journal.now_ms() - KEPT_DAYS * DAY_MS
        with self._journal.writing() as writer:
            writer.execute("DELETE FROM action WHERE answered_ms > 0 AND answered_ms < ?", (before,))
            writer.execute("DELETE FROM code_try WHERE tried_ms < ?", (before,))

    def _ask(self, condition: str, *values: object) -> list[Action]:
        return [_action(row) for row in self._journal.ask(f"SELECT {_COLUMNS} {condition}", *values)]


def _same(found: Action, order: str, content: bytes) -> Action:
    if (found.order, found.content) != (order, content):
        raise ActionChanged(id=found.id)
    return found


def _action(row: Any) -> Action:
    return Action(
        number=row[0],
        id=row[1],
        order=row[2],
        expected=row[3],
        content=row[4],
        value=row[5],
        taken_ms=row[6],
        answered_ms=row[7],
        answer=msgspec.json.decode(row[8], type=ActionAnswer) if row[8] else None,
    )
