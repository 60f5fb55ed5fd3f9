"""Order of arrival, duplicates and the hot path make no difference to the books."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.inventory.messages import (
    CountLine,
    OrderLine,
    PosSale,
    ReserveStock,
    SaleLine,
    SetStockRule,
    StockCounted,
    StockLine,
    StockReceived,
)
from bopis.domain.inventory.rows import Level
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.domain.values import MINUTE_MS
from bopis.wire.stock import STOCK
from tests.domain.books import NOON_MS, MemoryRows, at

SKUS = ("A", "B")

lines = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(-3, 5)), min_size=1, max_size=5)
sales = lines.map(lambda found: PosSale(basket="b", lines=tuple(SaleLine(sku, q) for sku, q in found)))
receipts = st.tuples(st.sampled_from(SKUS), st.integers(1, 9)).map(
    lambda found: StockReceived(document="d", lines=(StockLine(sku=found[0], quantity=found[1]),))
)
counts = st.tuples(st.sampled_from(SKUS), st.integers(0, 9)).map(
    lambda found: StockCounted(lines=(CountLine(sku=found[0], counted=found[1]),))
)
rules = st.tuples(st.sampled_from((*SKUS, None)), st.integers(0, 4)).map(
    lambda found: SetStockRule(sku=found[0], safety_stock=found[1])
)
orders = st.tuples(st.sampled_from(SKUS), st.integers(1, 4)).map(
    lambda found: ReserveStock(
        hold="h",
        order="o",
        lines=(OrderLine(line=1, sku=found[0], quantity=found[1]),),
        hold_until=at(NOON_MS + MINUTE_MS),
    )
)
happenings = st.lists(st.tuples(sales | receipts | counts, st.integers(0, 30)), min_size=1, max_size=25)


def messages(found: list[tuple[Any, int]]) -> list[tuple[Message, int]]:
    said = []
    for number, (data, minutes) in enumerate(found, 1):
        if isinstance(data, ReserveStock):
            data = msgspec.structs.replace(data, hold=f"h{number}")
        message = Message(
            id=f"m{number}",
            source="till",
            seq=number,
            subject="S1",
            time=at(NOON_MS - minutes * MINUTE_MS),
            data=data,
        )
        said.append((message, STOCK.encode(message)))
    return said


def books(said: list[tuple[Message, int]], trace: Any = None) -> MemoryRows:
    rows = MemoryRows()
    for message, value in said:
        step(rows, message, NOON_MS, value, trace)
    return rows


def on_hand(rows: MemoryRows) -> dict[str, int]:
    return {key: row.on_hand for key, row in rows.rows.items() if isinstance(row, Level) and row.on_hand}


@given(happenings, st.randoms(use_true_random=False))
def test_any_order_of_arrival_with_any_duplicates_gives_the_same_books(found: Any, random: Any) -> None:
    said = messages(found)
    shuffled = said + [random.choice(said) for _ in range(random.randrange(5))]
    random.shuffle(shuffled)

    assert on_hand(books(shuffled)) == on_hand(books(said))


@given(st.lists(st.tuples(sales | receipts | counts | rules | orders, st.integers(0, 30)), min_size=1, max_size=25))
def test_the_hot_path_books_and_concludes_what_the_traced_path_does(found: Any) -> None:
    said = messages(found)
    plain, traced = MemoryRows(), MemoryRows()

    concluded = [
        [step(rows, message, NOON_MS, value, trace) for message, value in said]
        for rows, trace in ((plain, None), (traced, lambda *_: None))
    ]

    assert concluded[0] == concluded[1]
    assert msgspec.json.encode(plain.rows, order="deterministic") == msgspec.json.encode(
        traced.rows, order="deterministic"
    )


@given(happenings)
def test_the_trace_adds_up_to_the_books(found: Any) -> None:
    applied: dict[str, int] = {}

    def trace(sku: str, kind: Any, change: int, moved: int, after: int) -> None:
        applied[sku] = applied.get(sku, 0) + moved
        assert applied[sku] == after

    rows = books(messages(found), trace)

    assert {f"S1|{sku}": units for sku, units in applied.items() if units} == on_hand(rows)
