"""What customers were told, as plain facts: what an order's events demand, what each provider has, and when.

It knows no states of deliveries but the last one, and of time only how long a letter may be on its way.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bopis.domain.notices import events as n
from bopis.domain.notices.messages import DeliveryRef
from bopis.domain.notices.vocabulary import Channel
from bopis.domain.orders import events as e
from tests.simulation.findings import must
from tests.simulation.notifier import Took
from tests.simulation.reading import Reading

ON_ITS_WAY_MS = 60_000  # a letter that was asked for longer ago than this is asked for anew
ENDS = {"cancelled", "expired", "collected", "refunded"}
WHENEVER = {"placed", "arrival", "collected", "code_reissued", "not_ready"}
RINGING = {Channel.EMAIL, Channel.SMS, Channel.CHAT}
SEEN_AS = {"sent", "unknown", "failed", "withdrawn", "erased", "no_address"}
WITH_CAUSE = {"unknown", "failed", "withdrawn", "erased", "no_address"}
# The one notice that an event of an order demands in the same breath.
DEMANDED: dict[type[Any], str] = {
    e.OrderReady: "ready",
    e.ReadyWithdrawn: "not_ready",
    e.OrderCancelled: "cancelled",
    e.OrderExpired: "expired",
    e.OrderHandedOver: "collected",
    e.CodeReissued: "code_reissued",
    e.AlternativeOffered: "alternative_offered",
    e.RefundRequested: "refunded",
}


class Due(NamedTuple):
    """What an order wants told, and when notices learned it."""

    order: str
    notice: Any
    at_ms: int


class NoticeAuditor:
    """Judges notices when everything has come to rest."""

    def __init__(self, reading: Reading, took: list[Took]) -> None:
        self._took = took
        self._due: dict[tuple[str, str, int], Due] = {}
        self._gone: dict[str, list[tuple[int, set[int]]]] = {}
        self._answered: dict[str, int] = {}
        self._opened: dict[tuple[str, str, int, int], n.NoticeOpened] = {}
        self._last: dict[tuple[str, DeliveryRef], tuple[str, str]] = {}
        for it in reading.said["notices"]:
            self._hear(it.message.subject, it.message.data, it.record.timestamp)
        for it in reading.said["notice-events"]:
            self._follow(it.message.subject, it.message.data)
        self._demanded(reading)

    def _hear(self, order: str, data: Any, at_ms: int) -> None:
        if isinstance(data, e.NoticeDue):
            milestone = data.milestone.value
            self._due[order, milestone, data.version] = Due(order, data, at_ms)
            if milestone in ("cancelled", "expired"):
                self._gone.setdefault(order, []).append((at_ms, {it.line for it in data.lines}))
        elif isinstance(data, e.OrderHandedOver):
            self._gone.setdefault(order, []).append((at_ms, {it.line for it in data.lines}))
        elif getattr(data, "outcome", None) == "sent":
            self._answered.setdefault(data.delivery.key(order), at_ms)

    def _follow(self, order: str, event: Any) -> None:
        match event:
            case n.NoticeOpened(notice=told):
                self._opened[order, told.milestone.value, told.version, event.copy] = event
                for channel in event.channels:
                    ref = DeliveryRef(milestone=told.milestone, version=told.version, channel=channel, copy=event.copy)
                    must((order, ref) not in self._last, "a key is opened once", ref.key(order))
                    self._last[order, ref] = ("opened", "")
            case n.DeliveryDue():
                must(self._last[order, event.delivery][0] != "sent", "what was sent is done", event.delivery.key(order))
                self._last[order, event.delivery] = ("due", "")
            case n.DeliveryChanged():
                self._last[order, event.delivery] = (event.state.value, event.cause)
            case _:
                pass

    def _demanded(self, reading: Reading) -> None:
        """Every event that a customer must hear of has its notice, said by the same message."""
        breaths: dict[tuple[str, str], list[Any]] = {}
        for it in reading.said["order-events"]:
            breaths.setdefault((it.message.subject, it.message.id.rpartition("#")[0]), []).append(it.message.data)
        heard: set[str] = set()
        there: set[tuple[str, str]] = set()
        for (order, _), events in breaths.items():
            told = [it for it in events if isinstance(it, e.NoticeDue)]
            heard |= {order} if told else set()
            for event in events:
                wanted = DEMANDED.get(type(event), "")
                if isinstance(event, e.ArrivalRecorded) and (order, event.store) not in there:
                    there.add((order, event.store))
                    wanted = "arrival"
                elif isinstance(event, e.SubstituteOffered):
                    taken = any(isinstance(it, e.SubstituteAnswered) for it in events)
                    wanted = "" if taken else "substitute_offered"
                found = not wanted or any(_speaks_of(it, wanted, event) for it in told)
                must(found, "the customer hears of it", f"{order}: {wanted} for {event}")
        placed = {
            it.message.subject for it in reading.said["order-events"] if isinstance(it.message.data, e.OrderPlaced)
        }
        must(placed <= heard, "the customer hears of every order", f"{placed - heard}")

    def at_rest(self, rows: dict[str, Any]) -> None:
        """Judge what has come of every notice."""
        for order, row in rows.items():
            must(not row.due_ms, "no delivery is left", f"{order} {row.due_ms}")
        for key, due in self._due.items():
            opened = self._opened.get((*key, 1))
            must(opened is not None, "every notice is opened", f"{key}")
            wanted = due.notice.customer.channels or (Channel.EMAIL,)
            must(opened is None or opened.channels == wanted, "a notice goes where it is wanted", f"{key}")
        for (order, ref), (state, cause) in self._last.items():
            name = ref.key(order)
            must(state in SEEN_AS, "every delivery has an end", f"{name} is {state}")
            must(cause or state not in WITH_CAUSE, "what was given up says why", f"{name} {state}")
            must(state != "withdrawn" or ref.milestone.value not in ENDS, "an end is always told", name)
        self._sent()

    def _sent(self) -> None:
        times = Counter(it.delivery.key(it.order) for it in self._took)
        for it in self._took:
            name, told = it.delivery.key(it.order), it.delivery.milestone.value
            state, _ = self._last[it.order, it.delivery]
            once = times[name] == 1 or it.delivery.channel is Channel.WEBHOOK
            must(once, "each key at most once", f"{name} left {times[name]} times")
            must(state == "sent" or name not in self._answered, "what left stands as sent", f"{name} is {state}")
            due = self._due[it.order, told, it.delivery.version]
            self._true_when_it_left(it, due, told)
            self._not_at_night(it, due, told)
        sent = {it.delivery.key(it.order) for it in self._took}
        for (order, ref), (state, _) in self._last.items():
            must(state != "sent" or ref.key(order) in sent, "what stands as sent has left", ref.key(order))

    def _true_when_it_left(self, it: Took, due: Due, told: str) -> None:
        if told in ENDS:
            return
        known_ms = it.at_ms - ON_ITS_WAY_MS
        gone: set[int] = set()
        for at_ms, lines in self._gone.get(it.order, ()):
            gone |= lines if at_ms < known_ms else set()
        lines = {line.line for line in due.notice.lines}
        must(not lines <= gone, "never told ready after an end", f"{it.delivery.key(it.order)} {lines}")
        if told not in ("ready", "reminder"):
            return
        name, channel = it.delivery.key(it.order), it.delivery.channel
        for (order, milestone, version), other in self._due.items():
            if (order, milestone) != (it.order, "not_ready") or other.notice.store != due.notice.store:
                continue
            must(not due.at_ms < other.at_ms < known_ms, "never told ready when it is not", name)
            ref = DeliveryRef(milestone=other.notice.milestone, version=version, channel=channel)
            idle = self._last.get((order, ref), ("", ""))[1].startswith("nothing was sent")
            believes = self._answered.get(name, other.at_ms) < other.at_ms
            must(not (idle and believes), "who was told ready hears of it", ref.key(order))

    def _not_at_night(self, it: Took, due: Due, told: str) -> None:
        clock = datetime.fromtimestamp(it.at_ms / 1000, UTC)
        if 8 <= clock.hour < 21 or told in WHENEVER or it.delivery.channel not in RINGING or it.delivery.copy > 1:
            return
        morning_ms = it.at_ms + ((8 - clock.hour) % 24) * 3_600_000
        limits = [] if told in ENDS else [due.notice.answer_by_ms, due.notice.window_end_ms]
        soon = any(limit is not None and limit <= morning_ms for limit in limits)
        must(soon, "nobody is woken", f"{it.delivery.key(it.order)} at {clock:%H:%M}")


def _speaks_of(notice: Any, wanted: str, event: Any) -> bool:
    if notice.milestone.value != wanted:
        return False
    if wanted in ("ready", "not_ready", "expired", "collected", "arrival") and notice.store != event.store:
        return False
    lines = {it.line for it in notice.lines}
    if wanted == "collected":
        return {it.line for it in event.lines} == lines
    return wanted not in ("ready", "not_ready", "cancelled", "expired") or set(event.lines) <= lines
