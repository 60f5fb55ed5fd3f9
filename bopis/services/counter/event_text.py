"""Events of an order as sentences for store staff."""

from collections.abc import Iterable
from enum import Enum
from typing import assert_never

from bopis.domain.orders import events as e
from bopis.domain.orders.lines import PickedUnits, PlacedLine
from bopis.domain.orders.state import Line
from bopis.domain.orders.store_queue import numbers_text
from bopis.domain.orders.vocabulary import Amount, LineSum
from bopis.domain.payments.money import plain_amount
from bopis.services.catalogue import NO_CATALOGUE, Catalogue
from bopis.services.counter.refusal_text import CONFLICT_TEXTS, move_end_text, tries_text, unserved_text
from bopis.services.counter.store_times import StoreTimes


class EventText:
    """Renders events with each store's own times, and with names and units of SKUs.

    Each group of events has a flat match that ends in `assert_never`: an event without a sentence fails the type check
    and the tests.
    """

    def __init__(
        self, times: StoreTimes | None = None, catalogue: Catalogue = NO_CATALOGUE, lines: Iterable[Line] = ()
    ) -> None:
        """`lines` are those of the order: some events name a line and not what it is."""
        self.times = times or StoreTimes()
        self._catalogue = catalogue
        self._name = catalogue.name
        self._lines = {it.line: it for it in lines}

    def instant(self, at_ms: int | None, store: str = "") -> str:
        """An instant on a store's clock, by default of the store of the order; a dash for none."""
        return self.times.instant(at_ms, store)

    def sentence(self, event: e.Event) -> str:
        """One event as a sentence, without a full stop."""
        if isinstance(event, e.LifecycleEvent):
            return self._lifecycle(event)
        if isinstance(event, e.RoutingEvent):
            return self._routing(event)
        if isinstance(event, e.HoldingEvent):
            return self._holding(event)
        if isinstance(event, e.MovingEvent):
            return self._moving(event)
        if isinstance(event, e.PreparingEvent):
            return self._preparing(event)
        if isinstance(event, e.HandoverEvent):
            return self._handover(event)
        if isinstance(event, e.PaymentEvent):
            return _payment(event)
        assert_never(event)

    def _lifecycle(self, event: e.LifecycleEvent) -> str:
        match event:
            case e.OrderPlaced():
                return f"placed for store {event.store}: {self._units(event.lines)}; {_spaced(event.payment)}"
            case e.CommandRefused():
                return f"{event.command} refused: {_spaced(event.reason)}"
            case e.LineSplit():
                return f"{self._of_line(event.quantity, event.line)} of line {event.line} become line {event.into}"
            case e.OrderCancelled():
                why = f"; {unserved_text(event.unserved, self._catalogue)}" if event.unserved is not None else ""
                return f"cancelled by {event.by.value} ({_spaced(event.reason)}): {numbers_text(event.lines)}{why}"
            case e.OrderExpired():
                return f"not collected in time: {numbers_text(event.lines)}"
            case e.NoticeDue():
                return f"the customer is notified: {_spaced(event.milestone)}"
            case _:
                assert_never(event)

    def _routing(self, event: e.RoutingEvent) -> str:
        match event:
            case e.RoutingRequested():
                return f"routing requested (attempt {event.attempt})"
            case e.RouteTaken():
                stores = ", ".join(it.store for it in event.assignments or event.offers) or "no store"
                return f"attempt {event.attempt}: {_spaced(event.outcome)}, {stores}"
            case e.AlternativeOffered():
                stores = ", ".join(f"{it.store} by {self.instant(it.ready_by_ms, it.store)}" for it in event.offers)
                answer_by = self.instant(event.answer_by_ms, event.offers[0].store if event.offers else "")
                return f"offered elsewhere: {stores}; answer by {answer_by}"
            case e.AlternativeAnswered():
                return f"the {event.by.value} took {'store ' + event.store if event.store else 'no other store'}"
            case e.LinesWaiting():
                return f"waits for {', '.join(event.skus)} until {self.instant(event.wait_until_ms)}"
            case _:
                assert_never(event)

    def _holding(self, event: e.HoldingEvent) -> str:
        match event:
            case e.HoldRequested():
                return f"hold {event.hold} requested from store {event.store}"
            case e.LinesHeld():
                return f"held in store {event.store}: {self._units(event.lines)}"
            case e.HoldRefused():
                return f"store {event.store} cannot hold {', '.join(event.skus) or 'anything: no pickups there'}"
            case e.OrderPromised():
                before = event.promised_before_ms
                is_changed = before and before != event.ready_by_ms
                changed = f", before {self.instant(before, event.store)}" if is_changed else ""
                return f"promised in store {event.store} by {self.instant(event.ready_by_ms, event.store)}{changed}"
            case e.LinesFreed():
                return f"hold {event.hold} ended for {numbers_text(event.lines)}"
            case e.ShortPickConfirmed():
                return "missing units are out of the hold"
            case e.PickRestated(units=()):
                return "the pick no longer fits the hold, which covers what it did before"
            case e.CoverLost() | e.PickRestated():
                return "the books are behind the goods in hand; the goods count"
            case e.BooksCorrected() | e.CollectionAnswered():
                return "stock updated"
            case _:
                assert_never(event)

    def _moving(self, event: e.MovingEvent) -> str:
        match event:
            case e.MoveRequested():
                why = f" ({event.reason})" if event.reason else ""
                return f"change to store {event.store} requested by {event.by.value}{why}"
            case e.MoveHoldRequested():
                return f"hold {event.hold} requested from store {event.store} for the change of store"
            case e.OrderMoved():
                left = f" instead of {', '.join(event.left)}" if event.left else ""
                return f"store {event.store} has it{left}: {self._units(event.lines)}"
            case e.MoveEnded():
                return f"not changed to store {event.store}: {move_end_text(event, self._catalogue)}"
            case _:
                assert_never(event)

    def _preparing(self, event: e.PreparingEvent) -> str:
        match event:
            case e.PickAccepted():
                return f"accepted by store {event.store}"
            case e.AcceptOverdue():
                return f"store {event.store} has not accepted in time (reminder {event.escalation})"
            case e.LinesRejected():
                verb = "leaves" if len(event.lines) == 1 else "leave"
                leaves = f"{numbers_text(event.lines)} {verb} store {event.store}"
                return f"{leaves}: {_spaced(event.reason)}, by {event.by.value}"
            case e.PickerAssigned():
                return f"assigned to {event.picker}" if event.picker else "assigned to no picker"
            case e.PickingStarted():
                return f"being picked in store {event.store}"
            case e.PickRecorded():
                return "; ".join(self._pick(it) for it in event.units)
            case e.LinePicked():
                return f"line {event.line} is picked"
            case e.LineShort():
                goods = self._catalogue.goods(event.missing, event.sku)
                return f"line {event.line} is short of {goods} ({event.cause.value})"
            case e.SubstituteOffered():
                return f"line {event.line}: {self._name(event.sku)} ({event.sku}) offered instead"
            case e.SubstituteAnswered():
                return f"line {event.line}: substitute {'taken' if event.accepted else 'not taken'}, {event.by.value}"
            case e.OrderStaged():
                return f"staged at {event.location}: {numbers_text(event.lines)}"
            case e.TaskRaised():
                return f"task {event.task}: {_spaced(event.kind)} {self._units(event.lines)}"
            case e.TaskClosed():
                return f"task {event.task} is closed"
            case _:
                assert_never(event)

    def _handover(self, event: e.HandoverEvent) -> str:
        match event:
            case e.OrderReady():
                return f"ready in store {event.store}, kept until {self.times.until(event.window_end_ms, event.store)}"
            case e.ReadyWithdrawn():
                return f"not ready after all in store {event.store}"
            case e.ArrivalRecorded():
                return f"the customer is at the {event.where.value}{' ' + event.spot if event.spot else ''}"
            case e.CodeFailed():
                return f"a wrong code was shown; {tries_text(event.tries_left)}"
            case e.CodeReissued():
                return f"pickup code renewed (version {event.version})"
            case e.OrderHandedOver():
                proxy = ", to a named proxy" if event.to else ""
                return f"handed over: {self._units(event.lines)}; checked by {event.proof.value}{proxy}"
            case e.HandoverConflictFound():
                units = f": {self._units(event.uncovered)} more than the order has here" if event.uncovered else ""
                return f"store {event.store} handed it over without the centre, {CONFLICT_TEXTS[event.conflict]}{units}"
            case e.WindowExtended():
                return f"kept until {self.times.until(event.window_end_ms, event.store)}"
            case e.OrderReturned():
                units = ", ".join(
                    f"{self._of_line(it.quantity, it.line)} of line {it.line} ({it.condition.value})"
                    for it in event.units
                )
                return f"returned to store {event.store}: {units}"
            case _:
                assert_never(event)

    def _pick(self, it: PickedUnits) -> str:
        found, missing = (self._of_line(units, it.line, it.component) for units in (it.picked, it.missing))
        return f"line {it.line}: {found} found" + (f", {missing} missing" if it.missing else "")

    def _of_line(self, quantity: int, number: int, component: int | None = None) -> str:
        line = self._lines.get(number)
        if line is None:
            return str(quantity)
        return self._catalogue.quantity(quantity, line.sku if component is None else line.parts[component].sku)

    def _units(self, lines: Iterable[LineSum | PlacedLine]) -> str:
        return ", ".join(self._catalogue.goods(it.quantity, it.sku) for it in lines)


def _payment(event: e.PaymentEvent) -> str:
    match event:
        case e.PaymentRequested():
            return f"payment of {_money(event.amount)}"
        case e.PaymentAnswered():
            return f"payment {_spaced(event.state)}"
        case e.PaymentAmountChanged():
            return f"still to be handed over: {_money(event.amount)}"
        case e.HoldsProlonged():
            return "the goods are held on while the payment is decided"
        case e.CaptureRequested():
            return f"capture of {_money(event.amount)}"
        case e.VoidRequested():
            return "the authorisation beyond what left the store is voided"
        case e.RefundRequested():
            return f"refund of {_money(event.amount)}"
        case _:
            assert_never(event)


def _money(amount: Amount) -> str:
    return plain_amount(amount.cents, amount.currency)


def _spaced(word: Enum) -> str:
    return str(word.value).replace("_", " ")
