"""Decision on one message: the order so far, the events emitted, and the stock requests that follow from them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bopis.domain.notices.messages import NoticeLine
from bopis.domain.orders.events import (
    CommandRefused,
    Event,
    LineSplit,
    LinesRejected,
    NoticeDue,
    OrderPlaced,
    ReadyWithdrawn,
    TaskRaised,
)
from bopis.domain.orders.evolve import evolve
from bopis.domain.orders.folds.lifecycle import placed
from bopis.domain.orders.hold_coverage import covered_numbers, highest_number
from bopis.domain.orders.limits import CHECKOUT_HOLD_MS, HOLD_PARTS_MAX, LAST_REMINDER_MS
from bopis.domain.orders.lines import LinePart, Stamp
from bopis.domain.orders.react import DOUBTING, StockRequest, react
from bopis.domain.orders.state import PROGRESS, READY_STATES, Line, LineState, Order
from bopis.domain.orders.vocabulary import (
    EndReason,
    Initiator,
    LineSum,
    Milestone,
    PayBy,
    PaymentState,
    Refusal,
    RejectReason,
    TaskKind,
)

# Reasons of a cancellation behind which stock is missing everywhere.
UNSERVED_REASONS = frozenset({EndReason.NO_STORE, EndReason.WAITED_TOO_LONG})


class DerivedRequest(NamedTuple):
    """A stock request and the index of the event that it follows from; both give the request its id."""

    event_index: int
    request: StockRequest


class DoubtedUnits(NamedTuple):
    """Units of each component of a line that nobody can vouch for."""

    line: Line
    units: tuple[int, ...]


class DoubtedSku(NamedTuple):
    """A SKU to count: its store, and the hold that covered the units in doubt."""

    store: str
    hold: str
    sku: str


class OrderDecision:
    """One message being decided. Each event is folded at once, so that the next rule sees the order after it."""

    __slots__ = ("command", "events", "message_id", "number", "requests", "stamp", "state")

    def __init__(self, order: Order | None, number: str, stamp: Stamp, command: str, message_id: str) -> None:
        """``command`` is the message's type name and ``message_id`` its id: a refusal names both."""
        self.state = order
        self.number = number
        self.stamp = stamp
        self.command = command
        self.message_id = message_id
        self.events: list[Event] = []
        self.requests: list[DerivedRequest] = []

    @property
    def order(self) -> Order:
        """The order; only read once it exists."""
        assert self.state is not None
        return self.state

    @property
    def now_ms(self) -> int:
        """Append time of the message in the log: the only clock that deadlines are compared with."""
        return self.stamp.recorded_at_ms

    def emit(self, event: Event) -> None:
        """Add an event, derive its stock requests from the order before it, and fold it into the order."""
        index = len(self.events)
        self.events.append(event)
        if self.state is None:
            if isinstance(event, OrderPlaced):
                self.state = placed(self.number, event)
            return
        # A reaction needs the order before the event: a release names the hold that the fold takes off the line.
        self.requests += [DerivedRequest(index, request) for request in react(self.state, event)]
        self.state = evolve(self.state, event)

    def refuse(self, reason: Refusal, line: int | None = None) -> None:
        """Refuse the command, with the first line that it failed on."""
        refused = CommandRefused(
            stamp=self.stamp, command=self.command, reason=reason, message=self.message_id, line=line
        )
        self.emit(refused)

    def select(self, store: str, numbers: Iterable[int], states: frozenset[LineState]) -> tuple[Line, ...]:
        """Lines in a store that a command applies to: the named ones if all fit, or all that fit when none is named.

        Empty when the command was refused.
        """
        order, named = self.order, tuple(dict.fromkeys(numbers))
        here = order.in_store(store)
        if not named:
            fit = tuple(line for line in here if line.state in states)
            if not fit:
                self.refuse(self._refusal_without_lines(store, here, states))
            return fit
        chosen = []
        for number in named:
            line = order.line(number)
            if line is None:
                self.refuse(Refusal.UNKNOWN_LINE, number)
                return ()
            if line.store != store and line.live:
                self.refuse(self._refusal_elsewhere(store, (line,)), number)
                return ()
            if line.state not in states:
                self.refuse(refusal_for(line.state, states), number)
                return ()
            chosen.append(line)
        return tuple(chosen)

    def _refusal_without_lines(self, store: str, here: tuple[Line, ...], states: frozenset[LineState]) -> Refusal:
        if not here and not self.order.live:
            return refusal_for(self.order.state, states)
        if not here:
            return self._refusal_elsewhere(store, self.order.live)
        # The open line with the least progress explains best why the command does not apply.
        order = sorted(here, key=lambda line: (not line.live, PROGRESS[line.state], line.line))
        return refusal_for(order[0].state, states)

    def _refusal_elsewhere(self, store: str, lines: Iterable[Line]) -> Refusal:
        """Why a store has none of some open lines: another one has them, or none has."""
        if not any(line.store for line in lines):
            return Refusal.UNASSIGNED
        return Refusal.MOVED if self.order.at(store) else Refusal.UNKNOWN_STORE

    def fits(self, parts: Sequence[LinePart]) -> bool:
        """Whether parts can be split off their lines; False when the command was refused because they do not fit."""
        seen: set[int] = set()
        for part in parts:
            line = self.order.line(part.line)
            refusal = None
            if line is None:
                refusal = Refusal.UNKNOWN_LINE
            elif part.line in seen:
                refusal = Refusal.REPEATED_LINE
            elif part.quantity > line.quantity:
                refusal = Refusal.TOO_MANY_UNITS
            elif highest_number(self.order, line.hold) + len(line.parts) * len(parts) > HOLD_PARTS_MAX:
                refusal = Refusal.TOO_MANY_PARTS
            if refusal is not None:
                self.refuse(refusal, part.line)
                return False
            seen.add(part.line)
        return True

    def split_off(self, lines: Iterable[Line], parts: Iterable[LinePart]) -> tuple[Line, ...]:
        """The lines that a command is about, each without the units that it leaves alone.

        Units that go another way than the rest of their line become a line of their own.
        """
        units = {part.line: part.quantity for part in parts}
        found = []
        for line in lines:
            wanted = units.get(line.line, line.quantity)
            if wanted == line.quantity:
                found.append(line)
                continue
            into = self.next_line_number()
            self.emit(LineSplit(stamp=self.stamp, line=line.line, into=into, quantity=wanted))
            found += [it for it in self.order.lines if it.line == into]
        return tuple(found)

    def notify(
        self,
        milestone: Milestone,
        lines: Iterable[Line],
        store: str = "",
        answer_by_ms: int | None = None,
        reason: str = "",
    ) -> None:
        """Request a notice to the customer; its version counts the notices of this milestone."""
        due = self._notice(milestone, lines, store)
        unserved = self.order.unserved if reason in UNSERVED_REASONS else None
        self.emit(replace(due, answer_by_ms=answer_by_ms, reason=reason, unserved=unserved))

    def _notice(self, milestone: Milestone, lines: Iterable[Line], store: str) -> NoticeDue:
        order, about = self.order, tuple(lines)
        work = order.at(store)
        ends_ms = work.window_end_ms if work is not None and work.window_end_ms else None
        return NoticeDue(
            stamp=self.stamp,
            order=order.order,
            milestone=milestone,
            version=order.notice_versions.get(milestone.value, 0) + 1,
            customer=order.customer,
            store=store or order.store,
            lines=tuple(
                NoticeLine(line=it.line, sku=it.sku, quantity=it.quantity, unit_cents=it.unit_cents) for it in about
            ),
            ready_by_ms=work.ready_by_ms if work is not None and work.ready_by_ms else None,
            window_end_ms=ends_ms,
            code_version=order.code.version,
            wanted_store=order.store,
            currency=order.currency,
            pay_in_store=order.payment is PaymentState.PAY_IN_STORE,
            offered_cents=about[0].substitute_cents if milestone is Milestone.SUBSTITUTE_OFFERED else 0,
            is_last=(
                milestone is Milestone.REMINDER and ends_ms is not None and self.now_ms >= ends_ms - LAST_REMINDER_MS
            ),
        )

    def ask_to_pay(self, cents: int, until_ms: int = 0, link: str = "", *, at_counter: bool = False) -> None:
        """Ask the customer to pay: by a link that confirms a payment, by another method, or in the store."""
        reason = PayBy.COUNTER if at_counter else PayBy.LINK if link else PayBy.OTHER_METHOD
        lines = self.order.live
        due = self._notice(Milestone.PAYMENT_NEEDED, lines, lines[0].store if lines else "")
        self.emit(replace(due, answer_by_ms=until_ms or None, reason=reason.value, due_cents=cents, link=link))

    def put_back(self, lines: Iterable[Line]) -> None:
        """Raise a put-back task for each line with units set aside."""
        for line in lines:
            sums = tuple(
                LineSum(line=line.line, sku=part.sku, quantity=picked)
                # A line without picked units has an empty tuple.
                for part, picked in zip(line.parts, line.picked, strict=False)
                if picked
            )
            if sums:
                self.raise_task(TaskKind.PUT_BACK, line.store, line.hold, sums)

    def raise_task(self, kind: TaskKind, store: str, hold: str, lines: tuple[LineSum, ...]) -> None:
        """Raise a task for a store; its name is the order's number and a count within the order."""
        # Derived from the order, so that a repeat after a crash raises the same task.
        name = f"{self.number}-{self.order.task_count + 1}"
        self.emit(TaskRaised(stamp=self.stamp, task=name, kind=kind, store=store, hold=hold, lines=lines))

    def count_doubted(self, doubted: Iterable[DoubtedUnits]) -> None:
        """Raise a count task for each SKU of units that are in doubt, as far as a hold covers them."""
        sums: dict[DoubtedSku, list[LineSum]] = {}
        for line, units in doubted:
            hold = self.order.hold(line.hold)
            if hold is None or not covered_numbers(hold, line.line):
                continue
            for part, count in zip(line.parts, units, strict=True):
                if count:
                    where = DoubtedSku(line.store, line.hold, part.sku)
                    sums.setdefault(where, []).append(LineSum(line=line.line, sku=part.sku, quantity=count))
        for where, found in sums.items():
            self.raise_task(TaskKind.COUNT, where.store, where.hold, tuple(found))

    def reject(self, lines: Iterable[Line], reason: RejectReason, by: Initiator) -> None:
        """Take lines out of their store. They are routed again once the hold there is released."""
        gone = tuple(lines)
        if not gone:
            return
        store = gone[0].store
        ready = {line.line for line in self.ready_lines(store)}
        numbers = tuple(line.line for line in gone)
        # Before the lines leave: the correction names the lines that the customer expects to be ready.
        if ready & set(numbers):
            self.withdraw_ready(store)
        self.put_back(gone)
        if reason in DOUBTING:
            self.count_doubted([DoubtedUnits(line, line.unpicked) for line in gone])
        self.emit(LinesRejected(stamp=self.stamp, store=store, lines=numbers, reason=reason, by=by))

    def withdraw_ready(self, store: str) -> None:
        """Withdraw that goods are ready for pickup, and notify the customer of it."""
        lines = self.ready_lines(store)
        self.emit(ReadyWithdrawn(stamp=self.stamp, store=store, lines=tuple(line.line for line in lines)))
        self.notify(Milestone.NOT_READY, lines, store)

    def ready_lines(self, store: str) -> list[Line]:
        """Lines that are ready for pickup in a store, whether or not the customer has arrived."""
        return [line for line in self.order.in_store(store) if line.state in READY_STATES]

    def next_line_number(self) -> int:
        """Number for a line that is about to be split off."""
        return max(line.line for line in self.order.lines) + 1

    def next_hold(self) -> str:
        """Id of the next hold that is requested: the order's number and a count, so that a repeat names the same."""
        return f"{self.number}/{self.order.hold_count + 1}"

    def unpromised_until_ms(self) -> int:
        """Until when goods are held that are not promised."""
        # Short: an abandoned checkout must not block stock. A payment that is not decided may need them for longer.
        return max(self.now_ms + CHECKOUT_HOLD_MS, self.order.held_until_ms)


def refusal_for(state: LineState, states: frozenset[LineState]) -> Refusal:
    """Why a command that needs one of ``states`` does not apply to a line in ``state``."""
    # Ends come first: PROGRESS ranks them highest, which would read as "too late".
    if state is LineState.CANCELLED:
        return Refusal.CANCELLED
    if state is LineState.EXPIRED:
        return Refusal.EXPIRED
    if state in (LineState.HANDED_OVER, LineState.RETURNED):
        return Refusal.HANDED_OVER
    return Refusal.TOO_EARLY if PROGRESS[state] < min(PROGRESS[it] for it in states) else Refusal.TOO_LATE
