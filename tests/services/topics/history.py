"""A history in which everything happens that a move could get wrong: ticks over several stores, transfers, parked
messages, stores of one partition that part."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bopis.domain.inventory.messages import (
    CollectStock,
    CountLine,
    OrderLine,
    PosSale,
    ReleaseStock,
    ReserveStock,
    SaleLine,
    SetStockRule,
    StockCounted,
    StockLine,
    StockReceived,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.message import Message
from tests.services.topics.installation import Installation

STORES = [f"S{number}" for number in range(1, 13)]
SKUS = ("A", "B", "C")
BASKETS = 60
STOCKED = 1_000
HOLD_SECONDS = 2.0


def now() -> datetime:
    return datetime.now(UTC)


def said(store: str, number: int | str, data: Any, source: str = "", **header: Any) -> Message:
    source = source or f"desk-{store}"
    return Message(id=f"{source}/{number}", source=source, time=now(), subject=store, data=data, **header)


def received(store: str) -> Message:
    return said(
        store, "r", StockReceived(document="d", lines=tuple(StockLine(sku=it, quantity=STOCKED) for it in SKUS))
    )


def sale(store: str, number: int, till: str = "till") -> Message:
    lines = tuple(SaleLine(sku, 1 + (number + at) % 3) for at, sku in enumerate(SKUS))
    return said(store, number, PosSale(basket=f"b{number}", lines=lines), source=f"{till}-{store}", seq=number)


def hold(store: str, name: str, until: datetime, quantity: int = 2) -> Message:
    lines = (OrderLine(line=1, sku="A", quantity=quantity), OrderLine(line=2, sku="B", quantity=1))
    return said(store, name, ReserveStock(hold=name, order=f"o-{name}", lines=lines, hold_until=until))


def live(place: Installation) -> None:
    """Let all of it happen, and wait until it is decided and the holds have run out."""
    place.tell(*(received(it) for it in STORES))
    until = now() + timedelta(seconds=HOLD_SECONDS)
    holds = []
    for number in range(3):
        # Deadlines alternate between stores, so that one tick ends holds of several stores in turn.
        for at, store in enumerate(STORES):
            holds.append(hold(store, f"h{number}-{store}", until + timedelta(milliseconds=3 * number + at % 3)))
    far = now() + timedelta(hours=5)
    kept = [hold(it, f"k-{it}", far) for it in STORES] + [hold(it, f"c-{it}", far) for it in STORES]
    place.tell(*holds, *kept)
    place.tell(*(sale(store, number) for number in range(1, BASKETS + 1) for store in STORES))
    place.tell(*(said(it, "c", CollectStock(hold=f"c-{it}")) for it in STORES[::2]))
    place.tell(*(said(it, "l", ReleaseStock(hold=f"c-{it}")) for it in STORES[1::2]))
    lines = (StockLine(sku="C", quantity=4),)
    for at, store in enumerate(STORES):
        to = STORES[(at + 1) % len(STORES)]
        place.tell(said(store, "t", TransferShipped(transfer=f"t-{store}", to_store=to, lines=lines)))
        fewer = (StockLine(sku="C", quantity=3),)
        place.tell(said(to, f"t-{store}", TransferReceived(transfer=f"t-{store}", from_store=store, lines=fewer)))
    place.tell(said("S1", "rule", SetStockRule(sku="A", safety_stock=2)))
    place.tell(said("S2", "n", StockCounted(lines=(CountLine(sku="B", counted=900),))))
    spoil(place)
    wait_expired(place, len(holds))


def spoil(place: Installation) -> None:
    """Messages that cannot be handled: bytes that are none, and a sequence that was used for another message."""
    place.send("stock", (b"S3", b"{broken"), (b"S7", b"[]"), (None, b"no key"), (b"S4", None))
    place.tell(sale("S5", 7, "till"))
    other = said("S6", 9, PosSale(basket="other", lines=(SaleLine("A", 77),)), source="till-S6", seq=9)
    place.tell(other)
    store = b'{"store_id":"S1","name":"%s"}'
    place.send("stores", (b"S1", store % b"old"), (b"S1", store % b"new"), (b"gone", store % b"x"), (b"gone", None))


def wait_expired(place: Installation, expected: int) -> None:
    give_up = time.monotonic() + 60
    while True:
        ended = sum(b'"end":"expired"' in (it.value or b"") for it in place.records("inventory-events"))
        if ended >= expected:
            break
        assert time.monotonic() < give_up, f"{ended} of {expected} holds ran out"
        time.sleep(0.2)
    place.wait_decided()
