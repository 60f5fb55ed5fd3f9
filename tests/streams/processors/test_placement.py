"""No processor keeps rows of a subject in a partition where it does not belong."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bopis.domain.inventory.messages import PosSale, SaleLine, StockTick
from bopis.domain.message import Message
from bopis.domain.notices.messages import ResendNotice
from bopis.domain.notices.vocabulary import Milestone
from bopis.domain.orders.messages import CancelOrder, OrderTick
from bopis.domain.orders.vocabulary import Initiator
from bopis.wire.notices import NOTICES
from bopis.wire.orders import ORDERS
from bopis.wire.placement import Placement, partition_of
from bopis.wire.stock import STOCK
from streams.engine.exact_step import NO_POSITION, step
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor
from streams.processors.notices import NoticesProcessor
from streams.processors.orders import OrdersProcessor

PARTITIONS = 4
AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Told(msgspec.Struct, frozen=True):
    value: bytes
    key: bytes = b"77777"
    offset: int = 0
    timestamp: int = int(AT.timestamp() * 1000)
    headers: tuple[tuple[str, bytes], ...] = ()


def message(subject: str, data: Any) -> Message:
    return Message(id="m1", source="desk", time=AT, subject=subject, data=data)


SALE = STOCK.encode(message("319", PosSale(basket="b", lines=(SaleLine("A", 1),))))
CANCEL = ORDERS.encode(message("319", CancelOrder(by=Initiator.STAFF)))
RESEND = NOTICES.encode(message("319", ResendNotice(milestone=Milestone.READY)))


def run(processor: Any, value: bytes, partition: int) -> tuple[list[str], int]:
    rows = PartitionRows(processor.decode, processor.encode)
    rows.placement = Placement(partition, PARTITIONS)
    done = step(processor, rows, NO_POSITION, [Told(value)], 1 << 20)
    return [parked.cause for parked in done.parked], rows.touched


@pytest.mark.parametrize(
    ("processor", "value"),
    [(InventoryProcessor(), SALE), (OrdersProcessor(), CANCEL), (NoticesProcessor(), RESEND)],
    ids=["inventory", "orders", "notices"],
)
def test_a_record_whose_subject_belongs_elsewhere_is_parked_and_changes_nothing(processor: Any, value: bytes) -> None:
    home = partition_of(b"319", PARTITIONS)

    for partition in range(PARTITIONS):
        causes, touched = run(processor, value, partition)

        if partition == home:
            assert causes == []
        else:
            assert [it.split(",")[0] for it in causes] == [f"Misplaced: '319' belongs in partition {home} of 4"]
            assert touched == 0


@pytest.mark.parametrize(
    ("processor", "value"),
    [
        (InventoryProcessor(), STOCK.encode(message("-", StockTick(at=AT)))),
        (OrdersProcessor(), ORDERS.encode(message("319", OrderTick(at=AT)))),
    ],
    ids=["inventory", "orders"],
)
def test_a_tick_is_taken_wherever_its_writer_put_it(processor: Any, value: bytes) -> None:
    assert all(run(processor, value, partition)[0] == [] for partition in range(PARTITIONS))
