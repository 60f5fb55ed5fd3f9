"""What an order concluded, in words for people."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any

from bopis.domain.orders import events as e
from bopis.domain.orders import outcomes as o
from bopis.domain.orders.terms import LineSum

Name = Callable[[str], str]


class Words:
    """Says events in a zone, with names for SKUs."""

    def __init__(self, zone: tzinfo = UTC, name: Name = str) -> None:
        self._zone = zone
        self._name = name

    def at(self, at_ms: int | None) -> str:
        """An instant as somebody in the store reads it."""
        if not at_ms:
            return "-"
        return datetime.fromtimestamp(at_ms / 1000, self._zone).strftime("%a %d %b %H:%M")

    def of(self, event: Any) -> str:
        """One event as a sentence."""
        return self._routed(event) or self._worked(event) or self._counter(event) or type(event).__name__

    def _routed(self, event: Any) -> str:
        match event:
            case e.OrderPlaced():
                return f"placed for store {event.store}: {self._lines(event.lines)}; {_spaced(event.payment)}"
            case e.CommandRefused():
                return f"{event.command} refused: {_spaced(event.reason)}"
            case e.RoutingRequested():
                return f"a store is looked for (attempt {event.attempt})"
            case e.RouteTaken():
                stores = ", ".join(it.store for it in event.assignments or event.offers) or "no store"
                return f"attempt {event.attempt}: {_spaced(event.outcome)}, {stores}"
            case e.AlternativeOffered():
                stores = ", ".join(f"{it.store} by {self.at(it.ready_by_ms)}" for it in event.offers)
                return f"offered elsewhere: {stores}; answer by {self.at(event.answer_by_ms)}"
            case e.AlternativeAnswered():
                return f"the {event.by.value} took {'store ' + event.store if event.store else 'no other store'}"
            case e.HoldRequested():
                return f"store {event.store} is asked to hold it ({event.hold})"
            case e.LinesHeld():
                return f"held in store {event.store}: {self._sums(event.lines)}"
            case e.HoldRefused():
                return f"store {event.store} cannot hold {', '.join(event.skus) or 'anything: no pickups there'}"
            case e.OrderPromised():
                before = event.promised_before_ms
                changed = f", before {self.at(before)}" if before and before != event.ready_by_ms else ""
                return f"promised in store {event.store} by {self.at(event.ready_by_ms)}{changed}"
            case e.LinesWaiting():
                return f"waits for {', '.join(event.skus)} until {self.at(event.wait_until_ms)}"
            case e.LinesRejected():
                return f"leaves store {event.store}: {_spaced(event.reason)}, said by {event.by.value}"
            case e.LinesFreed():
                return f"hold {event.hold} ended for {_numbers(event.lines)}"
        return ""

    def _worked(self, event: Any) -> str:
        match event:
            case e.PickAccepted():
                return f"accepted by store {event.store}"
            case e.AcceptOverdue():
                return f"nobody in store {event.store} accepted in time (said {event.escalation} times)"
            case e.PickerAssigned():
                return f"given to {event.picker}" if event.picker else "given to nobody"
            case e.PickingStarted():
                return f"being picked in store {event.store}"
            case e.PickRecorded():
                return "; ".join(
                    f"line {it.line}: {it.picked} found" + (f", {it.missing} missing" if it.missing else "")
                    for it in event.units
                )
            case e.LinePicked():
                return f"line {event.line} is picked"
            case e.LineShort():
                return f"line {event.line} is short of {event.missing} x {self._name(event.sku)} ({event.cause.value})"
            case e.SubstituteOffered():
                return f"line {event.line}: {self._name(event.sku)} ({event.sku}) offered instead"
            case e.SubstituteAnswered():
                return f"line {event.line}: substitute {'taken' if event.accepted else 'not taken'}, {event.by.value}"
            case e.OrderStaged():
                return f"staged at {event.location}: {_numbers(event.lines)}"
            case e.TaskRaised():
                return f"task {event.task}: {_spaced(event.kind)} {self._sums(event.lines)}"
            case e.TaskClosed():
                return f"task {event.task} is closed"
            case e.ShortPickConfirmed():
                return "what was missing is out of the hold"
            case e.PickRestated(units=()):
                return "the pick no longer fits the hold; it covers what it did before"
            case e.CoverLost() | e.PickRestated():
                return "the books are behind the goods in hand; the goods count"
        return ""

    def _counter(self, event: Any) -> str:
        match event:
            case o.OrderReady():
                return f"ready in store {event.store}, kept until {self.at(event.window_end_ms)}"
            case o.ReadyWithdrawn():
                return f"not ready after all in store {event.store}"
            case o.ArrivalRecorded():
                return f"the customer is at the {event.where.value}{' ' + event.spot if event.spot else ''}"
            case o.CodeFailed():
                return f"a wrong code was shown; {event.tries_left} tries left"
            case o.CodeReissued():
                return f"pickup code renewed (version {event.version})"
            case o.OrderHandedOver():
                proxy = ", to a named proxy" if event.to else ""
                return f"handed over: {self._sums(event.lines)}; checked by {event.proof.value}{proxy}"
            case o.WindowExtended():
                return f"kept until {self.at(event.window_end_ms)}"
            case o.OrderCancelled():
                return f"cancelled by {event.by.value} ({_spaced(event.reason)}): {_numbers(event.lines)}"
            case o.OrderExpired():
                return f"not collected in time: {_numbers(event.lines)}"
            case o.OrderReturned():
                units = ", ".join(f"{it.quantity} of line {it.line} ({it.condition.value})" for it in event.units)
                return f"brought back to store {event.store}: {units}"
            case o.NoticeDue():
                return f"the customer is told: {_spaced(event.milestone)}"
            case o.BooksCorrected() | o.CollectionAnswered():
                return "the books follow the goods"
            case o.PaymentAnswered():
                return f"payment {_spaced(event.state)}"
            case o.CaptureRequested() | o.RefundRequested() | o.PaymentRequested():
                kind = _spaced(type(event).__name__.removesuffix("Requested").lower())
                return f"{kind} of {event.amount.cents / 100:.2f} {event.amount.currency}".rstrip()
            case o.VoidRequested():
                return "what is authorised beyond what left the store is given back"
        return ""

    def _sums(self, sums: Iterable[LineSum]) -> str:
        return ", ".join(f"{it.quantity} x {self._name(it.sku)}" for it in sums)

    def _lines(self, lines: Iterable[Any]) -> str:
        return ", ".join(f"{it.quantity} x {self._name(it.sku)}" for it in lines)


def _spaced(name: str) -> str:
    return str(getattr(name, "value", name)).replace("_", " ")


def _numbers(lines: Iterable[int]) -> str:
    told = [str(it) for it in lines]
    return ("line " if len(told) == 1 else "lines ") + ", ".join(told)
