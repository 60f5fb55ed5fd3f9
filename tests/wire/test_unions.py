"""The families of the wire and the unions of the core name the same types: none can be sent that nobody decides."""

from typing import Any, get_args

import pytest

from bopis.domain.inventory.events import Event as InventoryEvent
from bopis.domain.inventory.messages import StockMessage
from bopis.domain.inventory.step import STOCK_TYPES
from bopis.domain.notices.events import Event as NoticeEvent
from bopis.domain.orders.events import Event as OrderEvent
from bopis.domain.orders.messages import OrderMessage
from bopis.wire.envelope import Family
from bopis.wire.notices import NOTICE_EVENTS, NOTICES, NoticesBody
from bopis.wire.orders import ORDER_EVENTS, ORDERS
from bopis.wire.stock import INVENTORY_EVENTS, STOCK


@pytest.mark.parametrize(
    ("family", "union"),
    [
        (STOCK, StockMessage),
        (INVENTORY_EVENTS, InventoryEvent),
        (ORDERS, OrderMessage),
        (ORDER_EVENTS, OrderEvent),
        (NOTICES, NoticesBody),
        (NOTICE_EVENTS, NoticeEvent),
    ],
    ids=["stock", "inventory-events", "orders", "order-events", "notices", "notice-events"],
)
def test_a_family_names_the_types_of_its_union(family: Family, union: Any) -> None:
    assert set(family.bodies.values()) == set(get_args(union))


def test_every_message_on_stock_but_the_inventorys_own_is_admitted() -> None:
    assert {it.__name__ for it in get_args(StockMessage)} - {it.__name__ for it in STOCK_TYPES} == {
        "StockTick",
        "CatalogueChanged",
    }
