"""What the inventory concluded, in words for people."""

from typing import Any


def in_words(data: Any) -> str:
    """One conclusion as a sentence."""
    from bopis.domain.inventory import events

    match data:
        case events.ShortfallFound():
            hits = ", ".join(f"order {it.order} line {it.line} lost {it.lost}" for it in data.hits)
            return f"shortfall of {data.missing} {data.sku}: {data.held} held, {data.on_hand} on hand; {hits}"
        case events.CountRefused():
            return f"the count of {data.sku} lies too far back among later movements; count it again"
        case events.TransferDispatched():
            return f"transfer {data.transfer} is on its way to {data.to_store}"
        case events.TransferDiscrepancyFound():
            lines = ", ".join(f"{it.sku} shipped {it.shipped}, received {it.received}" for it in data.lines)
            return f"transfer {data.transfer} differs: {lines}"
        case events.ReceiptDiscrepancyFound():
            lines = ", ".join(f"{it.sku} expected {it.expected}, received {it.received}" for it in data.lines)
            return f"the receipt of {data.document} differs: {lines}; the rest is expected no longer"
        case events.ReceiptOverdue():
            lines = ", ".join(f"{it.sku} x {it.quantity}" for it in data.lines)
            return f"{data.document} is overdue and counts for no promise until a new date is said: {lines}"
        case events.ExpectationRefused():
            return f"nothing is expected under {data.document!r}; see: bopis stock expected"
        case events.ThresholdCrossed():
            if data.in_pickup_stock:
                return f"{data.sku} is back in pickup stock: {data.available} can be promised"
            return f"{data.sku} is out of pickup stock"
        case events.GapClosed():
            return f"messages {data.first} to {data.last} of {data.device} are settled by the count"
        case events.StockRuleSet():
            safety, walk_in = _or_none(data.safety_stock), _or_none(data.walk_in_reserve)
            return f"rule {data.rule}: safety stock {safety}, walk-in reserve {walk_in}"
        case events.StorePolicySet():
            return f"pickup {'on' if data.pickup else 'off'}, silence is forgiven {data.staleness_grace_minutes} min"
        case _:
            return f"{type(data).__name__} {data!r}"


def _or_none(units: int | None) -> str:
    return "not ruled" if units is None else str(units)
