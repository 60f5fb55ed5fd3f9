"""Whether a notice is still true, and in time to be of use to the customer."""

from bopis.domain.notices.limits import ARRIVAL_FRESH_MS
from bopis.domain.notices.messages import NoticeRequest
from bopis.domain.notices.state import Notice, OrderNotices
from bopis.domain.notices.vocabulary import END_MILESTONES
from bopis.domain.notices.vocabulary import Milestone as M

# Milestones that a newer notice about the same store makes untrue or pointless.
REPLACES = {
    M.READY: frozenset({M.READY, M.NOT_READY, M.REMINDER, M.PROMISE_CHANGED, M.WAITING}),
    M.NOT_READY: frozenset({M.READY, M.REMINDER, M.ARRIVAL}),
    M.PROMISE_CHANGED: frozenset({M.PROMISE_CHANGED, M.WAITING}),
    M.REMINDER: frozenset({M.REMINDER}),
    M.CODE_REISSUED: frozenset({M.CODE_REISSUED}),
    M.PAYMENT_NEEDED: frozenset({M.PAYMENT_NEEDED}),
}


def is_too_late(notice: Notice, now_ms: int) -> bool:
    """Whether a notice would reach the customer too late to be of use. Notices of an end never do."""
    request = notice.notice
    if request.milestone in END_MILESTONES:
        return False
    if request.milestone is M.ARRIVAL:
        return now_ms > notice.opened_ms + ARRIVAL_FRESH_MS
    limits = [limit for limit in (request.answer_by_ms, request.window_end_ms) if limit is not None]
    return any(now_ms >= limit for limit in limits)


def have_lines_ended(row: OrderNotices, request: NoticeRequest) -> bool:
    """Whether every line that a notice is about has ended."""
    return {line.line for line in request.lines} <= set(row.gone)


def why_superseded(row: OrderNotices, notice: Notice) -> str:
    """Why a notice is not to be sent any more: its lines have ended, or a newer notice replaces it; else empty."""
    request = notice.notice
    if request.milestone in END_MILESTONES:
        return ""
    if have_lines_ended(row, request):
        return "the order has ended"
    originals = [it.notice for it in row.notices if it.copy == 1]  # a copy repeats an older notice
    newer = originals[originals.index(request) + 1 :] if request in originals else []
    replaced = any(it.store == request.store and request.milestone in REPLACES.get(it.milestone, ()) for it in newer)
    return "replaced by a newer notice" if replaced else ""
