"""Events of the inventory as sentences for operators."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, assert_never

from bopis.domain.inventory import events as e
from bopis.domain.inventory.messages import OrderLine
from bopis.domain.quantities import EACH, goods_text, quantity_text

PIECES: Mapping[str, str] = {}


class UnitsText(NamedTuple):
    """Writes quantities of SKUs; `units` are those of weighed ones."""

    units: Mapping[str, str]

    def quantity(self, quantity: int, sku: str) -> str:
        return quantity_text(quantity, self.units.get(sku, EACH))

    def goods(self, quantity: int, sku: str) -> str:
        return goods_text(quantity, self.units.get(sku, EACH), sku)


def event_sentence(event: e.Event, units: Mapping[str, str] = PIECES) -> str:
    """One event as a sentence, without a full stop. `units` are those of weighed SKUs."""
    if isinstance(event, e.HoldEvent):
        return _hold(event, UnitsText(units))
    return _books(event, UnitsText(units))


def _hold(event: e.HoldEvent, text: UnitsText) -> str:
    match event:
        case e.StockReserved():
            return f"hold {event.hold} granted to order {event.order}: {_units(event.lines, text)}"
        case e.ReservationRefused():
            lacking = ", ".join(
                f"{it.sku} wanted {text.quantity(it.wanted, it.sku)}, available {text.quantity(it.terms.atp, it.sku)}"
                for it in event.shortages
            )
            return f"hold {event.hold} refused: {_spaced(event.reason.value)}" + (f"; {lacking}" if lacking else "")
        case e.HoldChanged():
            reason = f" ({_spaced(event.reason)})" if event.reason else ""
            return f"hold {event.hold} of order {event.order} {event.end.value}{reason}: {_units(event.lines, text)}"
        case e.HoldExtended():
            return f"hold {event.hold} of order {event.order} extended"
        case e.HoldSplit():
            parts = ", ".join(f"{it.quantity} of line {it.line} become line {it.into}" for it in event.lines)
            return f"hold {event.hold} of order {event.order} split: {parts}"
        case e.HoldCommandRefused():
            return f"{event.command} for hold {event.hold} refused: {_spaced(event.reason.value)}"
        case e.ShortfallFound():
            lost, held, on_hand = (text.quantity(it, event.sku) for it in (event.missing, event.held, event.on_hand))
            hits = ", ".join(
                f"order {it.order} line {it.line} lost {text.quantity(it.lost, event.sku)}" for it in event.hits
            )
            return f"shortfall of {lost} {event.sku}: {held} held, {on_hand} on hand; {hits}"
        case e.ShortPickFound():
            missing = text.quantity(event.missing, event.sku)
            return f"short pick: {missing} {event.sku} of hold {event.hold} are missing and in doubt until counted"
        case e.DoubtSettled():
            on_hand = text.quantity(event.on_hand, event.sku)
            return f"a count settled the missing {event.sku} of hold {event.hold}: {on_hand} on hand"
        case _:
            assert_never(event)


def _books(event: e.BooksEvent, text: UnitsText) -> str:
    match event:
        case e.CountRefused():
            return f"the count of {event.sku} is too old to be placed among later movements; count it again"
        case e.TransferDispatched():
            return f"transfer {event.transfer} is on its way to {event.to_store}"
        case e.TransferDiscrepancyFound():
            differences = ", ".join(
                f"{it.sku} shipped {text.quantity(it.shipped, it.sku)}, received {text.quantity(it.received, it.sku)}"
                for it in event.lines
            )
            return f"transfer {event.transfer} differs: {differences}"
        case e.ReceiptDiscrepancyFound():
            differences = ", ".join(
                f"{it.sku} expected {text.quantity(it.expected, it.sku)}, received {text.quantity(it.received, it.sku)}"
                for it in event.lines
            )
            return f"the receipt of {event.document} differs: {differences}; the rest is no longer expected"
        case e.ReceiptOverdue():
            goods = ", ".join(text.goods(it.quantity, it.sku) for it in event.lines)
            return f"{event.document} is overdue and counts for no promise until a new date is announced: {goods}"
        case e.ExpectationRefused():
            return f"nothing is expected under {event.document!r}; see: bopis stock expected"
        case e.ThresholdCrossed(in_pickup_stock=True):
            return f"{event.sku} is back in pickup stock: {text.quantity(event.available, event.sku)} can be promised"
        case e.ThresholdCrossed():
            return f"{event.sku} is out of pickup stock"
        case e.GapFound():
            return f"messages {event.first} to {event.last} of {event.device} are missing"
        case e.GapFilled():
            return f"message {event.sequence} of {event.device} has arrived late"
        case e.GapClosed():
            return f"messages {event.first} to {event.last} of {event.device} are settled by the count"
        case e.StockRuleSet():
            safety, walk_in = _or_unset(event.safety_stock), _or_unset(event.walk_in_reserve)
            return f"rule {event.rule}: safety stock {safety}, walk-in reserve {walk_in}"
        case e.StorePolicySet():
            share = f"{event.staleness_percent} % of expected sales"
            stale = f"after {event.staleness_grace_minutes} min, then {share} withheld"
            return f"pickup {'on' if event.pickup else 'off'}, stale {stale}"
        case e.MisplacedRowsDropped():
            return f"{len(event.rows)} rows of store {event.store} in a partition it does not belong in were dropped"
        case _:
            assert_never(event)


def _units(lines: Iterable[OrderLine], text: UnitsText) -> str:
    return ", ".join(text.goods(it.quantity, it.sku) for it in lines)


def _spaced(word: str) -> str:
    return word.replace("_", " ")


def _or_unset(units: int | None) -> str:
    return "not set" if units is None else str(units)
