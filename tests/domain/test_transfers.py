"""Goods between stores: in transit between two books, differences are said and not smoothed."""

import itertools

from bopis.domain.inventory.events import Discrepancy, TransferDiscrepancyFound, TransferDispatched
from bopis.domain.inventory.messages import StockLine, TransferAnnounced, TransferReceived, TransferShipped
from tests.domain.books import SKU, Shop


def lines(**units: int) -> tuple[StockLine, ...]:
    return tuple(StockLine(sku=sku, quantity=quantity) for sku, quantity in units.items())


def test_shipping_books_out_and_tells_the_other_store() -> None:
    shop = Shop()

    events = shop.say(TransferShipped(transfer="t1", to_store="S2", lines=lines(A=4)))

    assert events == [TransferDispatched(transfer="t1", to_store="S2", lines=lines(A=4))]
    assert shop.on_hand() == -4


def test_what_arrives_is_booked_as_it_arrives_and_a_difference_is_an_event_in_either_order() -> None:
    said = [
        TransferAnnounced(transfer="t1", from_store="S1", lines=lines(A=4, B=1)),
        TransferReceived(transfer="t1", from_store="S1", lines=lines(A=3), complete=True),
    ]

    for order in itertools.permutations(said):
        shop = Shop("S2")
        events = [event for data in order for event in shop.say(data)]

        assert events == [
            TransferDiscrepancyFound(
                transfer="t1",
                from_store="S1",
                lines=(
                    Discrepancy(sku="A", shipped=4, received=3),
                    Discrepancy(sku="B", shipped=1, received=0),
                ),
            )
        ]
        assert shop.on_hand(SKU) == 3


def test_a_transfer_in_parts_is_compared_when_it_is_complete() -> None:
    shop = Shop("S2")
    shop.say(TransferAnnounced(transfer="t1", from_store="S1", lines=lines(A=4)))

    first = shop.say(TransferReceived(transfer="t1", from_store="S1", lines=lines(A=3), complete=False))
    last = shop.say(TransferReceived(transfer="t1", from_store="S1", lines=lines(A=1)))

    assert first == []
    assert last == []
    assert shop.on_hand() == 4
