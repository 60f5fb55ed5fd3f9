"""One message being decided: the order as it stands so far, and what was concluded and asked for on the way."""

from collections.abc import Iterable

from bopis.domain.orders.cover import covered
from bopis.domain.orders.events import CommandRefused, LinesRejected, OrderPlaced, TaskRaised
from bopis.domain.orders.evolve import evolve, placed
from bopis.domain.orders.outcomes import Event, NoticeDue, ReadyWithdrawn
from bopis.domain.orders.react import ToStock, react
from bopis.domain.orders.state import PROGRESS, Line, LineState, Order
from bopis.domain.orders.terms import By, LineSum, Milestone, Refusal, RejectReason, TaskKind
from bopis.domain.orders.units import Stamp


class Saga:
    """Each conclusion is folded in at once, so that the next one is drawn from what is true by then."""

    __slots__ = ("asked", "command", "concluded", "message", "number", "stamp", "state")

    def __init__(self, order: Order | None, number: str, stamp: Stamp, told: tuple[str, str]) -> None:
        self.state = order
        self.number = number
        self.stamp = stamp
        self.command, self.message = told
        self.concluded: list[Event] = []
        self.asked: list[tuple[int, ToStock]] = []

    @property
    def order(self) -> Order:
        """The order; only asked for when there is one."""
        assert self.state is not None
        return self.state

    @property
    def now_ms(self) -> int:
        """The log's clock: the only one that decides."""
        return self.stamp.recorded_at_ms

    def say(self, event: Event) -> None:
        """Conclude something: what it asks of others leaves with it."""
        index = len(self.concluded)
        self.concluded.append(event)
        if self.state is None:
            if isinstance(event, OrderPlaced):
                self.state = placed(self.number, event)
            return
        self.asked += [(index, it) for it in react(self.state, event)]
        self.state = evolve(self.state, event)

    def refuse(self, reason: Refusal, line: int | None = None) -> None:
        """Answer the command that it is not carried out, and why."""
        refused = CommandRefused(stamp=self.stamp, command=self.command, reason=reason, message=self.message, line=line)
        self.say(refused)

    def select(self, store: str, numbers: Iterable[int], states: frozenset[LineState]) -> tuple[Line, ...]:
        """The lines in a store that a command is about: the named ones, all of them fit, or all that fit.

        Nothing is answered when the command was refused; it then was, by name.
        """
        order, named = self.order, tuple(dict.fromkeys(numbers))
        here = order.in_store(store)
        if not named:
            fit = tuple(line for line in here if line.state in states)
            if not fit:
                self.refuse(self._why_none(store, here, states))
            return fit
        chosen = []
        for number in named:
            line = order.line(number)
            if line is None:
                self.refuse(Refusal.UNKNOWN_LINE, number)
                return ()
            if line.store != store:
                self.refuse(Refusal.MOVED if order.at(store) else Refusal.UNKNOWN_STORE, number)
                return ()
            if line.state not in states:
                self.refuse(why_not(line.state, states), number)
                return ()
            chosen.append(line)
        return tuple(chosen)

    def _why_none(self, store: str, here: tuple[Line, ...], states: frozenset[LineState]) -> Refusal:
        if not here:
            return Refusal.MOVED if self.order.at(store) else Refusal.UNKNOWN_STORE
        order = sorted(here, key=lambda line: (not line.live, PROGRESS[line.state], line.line))
        return why_not(order[0].state, states)

    def notice(self, milestone: Milestone, lines: Iterable[Line], store: str = "", **facts: int | str | None) -> None:
        """The customer is to be told; the version counts how often of this milestone."""
        order = self.order
        work = order.at(store)
        due = NoticeDue(
            stamp=self.stamp,
            order=order.order,
            milestone=milestone,
            version=order.told.get(milestone.value, 0) + 1,
            customer=order.customer,
            store=store or order.store,
            lines=tuple(LineSum(line=it.line, sku=it.sku, quantity=it.quantity) for it in lines),
            ready_by_ms=work.ready_by_ms if work is not None and work.ready_by_ms else None,
            window_end_ms=work.window_end_ms if work is not None and work.window_end_ms else None,
            answer_by_ms=_number(facts.get("answer_by_ms")),
            reason=str(facts.get("reason") or ""),
            code_version=order.code.version,
        )
        self.say(due)

    def put_back(self, lines: Iterable[Line]) -> None:
        """Goods that were set aside for lines go back to the shelf: somebody has to carry them."""
        for line in lines:
            sums = tuple(
                LineSum(line=line.line, sku=part.sku, quantity=picked)
                for part, picked in zip(line.parts, line.picked, strict=False)
                if picked
            )
            if sums:
                self.raise_task(TaskKind.PUT_BACK, line.store, line.hold, sums)

    def raise_task(self, kind: TaskKind, store: str, hold: str, lines: tuple[LineSum, ...]) -> None:
        """Leave work for a store; its name counts within the order."""
        name = f"{self.number}-{self.order.task_count + 1}"
        self.say(TaskRaised(stamp=self.stamp, task=name, kind=kind, store=store, hold=hold, lines=lines))

    def reject(self, lines: Iterable[Line], reason: RejectReason, by: By) -> None:
        """Lines leave their store: the hold is given back first, then another store is asked."""
        gone = tuple(lines)
        if not gone:
            return
        store = gone[0].store
        was_ready = [it.line for it in self.order.in_store(store) if it.state in (LineState.READY, LineState.ARRIVED)]
        numbers = tuple(it.line for it in gone)
        if set(was_ready) & set(numbers):
            self.withdraw_ready(store)
        self.put_back(gone)
        self.say(LinesRejected(stamp=self.stamp, store=store, lines=numbers, reason=reason, by=by))

    def withdraw_ready(self, store: str) -> None:
        """Take back that goods are ready, and tell whoever was told."""
        lines = [it for it in self.order.in_store(store) if it.state in (LineState.READY, LineState.ARRIVED)]
        self.say(ReadyWithdrawn(stamp=self.stamp, store=store, lines=tuple(it.line for it in lines)))
        self.notice(Milestone.NOT_READY, lines, store)

    def next_line(self) -> int:
        """The number of a line that is about to part from another one."""
        return max(it.line for it in self.order.lines) + 1

    def covers(self, line: Line) -> bool:
        """Whether the line's hold still covers units of it."""
        hold = self.order.hold(line.hold)
        return hold is not None and bool(covered(hold, line.line))


def why_not(state: LineState, states: frozenset[LineState]) -> Refusal:
    """Why a line in a state is not what a command asks for."""
    if state is LineState.CANCELLED:
        return Refusal.CANCELLED
    if state is LineState.EXPIRED:
        return Refusal.EXPIRED
    if state in (LineState.HANDED_OVER, LineState.RETURNED):
        return Refusal.HANDED_OVER
    return Refusal.TOO_EARLY if PROGRESS[state] < min(PROGRESS[it] for it in states) else Refusal.TOO_LATE


def _number(fact: int | str | None) -> int | None:
    return fact if isinstance(fact, int) else None
