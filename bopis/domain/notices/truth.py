"""What is still true, and worth saying, of what a customer was to be told."""

from bopis.domain.notices.evolve import ENDS
from bopis.domain.notices.limits import ARRIVAL_FRESH_MS
from bopis.domain.notices.messages import NoticeDue
from bopis.domain.notices.state import Notice, OrderNotices
from bopis.domain.notices.terms import Milestone as M

# What becomes untrue, or not worth saying, once something newer is to be said about the same store.
REPLACES = {
    M.READY: frozenset({M.READY, M.NOT_READY, M.REMINDER, M.PROMISE_CHANGED, M.WAITING}),
    M.NOT_READY: frozenset({M.READY, M.REMINDER, M.ARRIVAL}),
    M.PROMISE_CHANGED: frozenset({M.PROMISE_CHANGED, M.WAITING}),
    M.REMINDER: frozenset({M.REMINDER}),
    M.CODE_REISSUED: frozenset({M.CODE_REISSUED}),
}


def is_over(notice: Notice, now_ms: int) -> bool:
    """Whether a notice would come too late to be of use."""
    told = notice.notice
    if told.milestone in ENDS:
        return False
    if told.milestone is M.ARRIVAL:
        return now_ms > notice.opened_ms + ARRIVAL_FRESH_MS
    limits = [it for it in (told.answer_by_ms, told.window_end_ms) if it is not None]
    return any(now_ms >= it for it in limits)


def is_gone(row: OrderNotices, due: NoticeDue) -> bool:
    """Whether every line that a notice speaks of has ended."""
    return {it.line for it in due.lines} <= set(row.gone)


def overtaken(row: OrderNotices, notice: Notice) -> str:
    """Why a notice is not to be said any more: its lines have ended, or something newer was said. Empty if it is."""
    told = notice.notice
    if told.milestone in ENDS:
        return ""
    if is_gone(row, told):
        return "the order has ended"
    said = [it.notice for it in row.notices if it.copy == 1]  # a copy says nothing new
    newer = said[said.index(told) + 1 :] if told in said else []
    replaced = any(it.store == told.store and told.milestone in REPLACES.get(it.milestone, ()) for it in newer)
    return "something newer is said" if replaced else ""
