"""The table of stock over all stores: filters, orders and pages, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from bopis.domain.inventory.rows import KIT_PREFIX, StockRule, Store
from bopis.readside.engine import writing
from bopis.readside.queries.stock_table import (
    StockCell,
    StockFilter,
    StockOrder,
    StockQuestion,
    effective_order,
    policy_effects,
    stock_table,
)
from bopis.readside.schema import FREE_UNITS_LOW_MAX, devices, fold_rows, levels, store_policy
from tests.readside.world import T0_MS, at

EMPTY = {column.name: 0 for column in levels.columns} | {"counted_by": "", "category": "", "staged_counted": False}
MINUTE_MS = 60_000
# Store, SKU, on hand, held, category.
CELLS = (
    ("S1", "A", 10, 0, "DRINKS"),
    ("S1", "B", 7, 3, ""),
    ("S1", "a", 2, 0, ""),
    ("S2", "A", -1, 0, "DRINKS"),
    ("S2", "B%1", 50, 0, "MEAT"),
    ("S3", "B", 6, 0, ""),
)


def put(engine: Engine) -> None:
    rows: list[dict[str, Any]] = [
        EMPTY | {"store": store, "sku": sku, "on_hand": on_hand, "held": held, "category": category}
        for store, sku, on_hand, held, category in CELLS
    ]
    heard = {"source": "till/1", "partition": 0, "mark": 1, "top": 1, "open_holes": "[]", "closed_holes": "[]"}
    with writing(engine) as connection:
        connection.execute(insert(levels), rows)
        connection.execute(
            insert(devices),
            [
                heard | {"store": "S1", "heard_ms": T0_MS - MINUTE_MS},
                heard | {"store": "S2", "heard_ms": T0_MS - 6 * MINUTE_MS},
                heard | {"store": "S3", "heard_ms": T0_MS - 6 * MINUTE_MS},
            ],
        )
        policy = {"partition": 0, "pickup": True, "rules": "{}"}
        connection.execute(insert(store_policy), [policy | {"store": "S3", "staleness_grace_minutes": 30}])


def pages(engine: Engine, asked: StockQuestion) -> Iterator[tuple[str, str]]:
    """Every cell of a question, a page of its limit at a time."""
    after: StockCell | None = None
    while True:
        question = StockQuestion(
            store=asked.store, skus=asked.skus, prefix=asked.prefix, category=asked.category, only=asked.only,
            order=asked.order, limit=asked.limit, after=after,
        )  # fmt: skip
        found = stock_table(engine, question, now=at(0))
        assert len(found.levels) <= asked.limit
        yield from ((it.store, it.sku) for it in found.levels)
        if found.next is None:
            return
        assert found.next != after, "a page begins where the page before began"
        after = found.next


BY_STORE = {(store, sku) for store, sku, *_ in CELLS}
TABLE: tuple[tuple[str, StockQuestion, set[tuple[str, str]]], ...] = (
    ("everything", StockQuestion(), BY_STORE),
    ("everything by store", StockQuestion(order=StockOrder.STORE), BY_STORE),
    ("one store", StockQuestion(store="S1"), {("S1", "A"), ("S1", "B"), ("S1", "a")}),
    ("exact codes", StockQuestion(skus=("B", "nope")), {("S1", "B"), ("S3", "B")}),
    ("a beginning", StockQuestion(prefix="B"), {("S1", "B"), ("S2", "B%1"), ("S3", "B")}),
    ("a beginning is no pattern", StockQuestion(prefix="B%"), {("S2", "B%1")}),
    ("capitals are not small letters", StockQuestion(prefix="a"), {("S1", "a")}),
    ("a category", StockQuestion(category="DRINKS"), {("S1", "A"), ("S2", "A")}),
    ("few free units", StockQuestion(only=StockFilter.LOW), {("S1", "B"), ("S1", "a"), ("S2", "A")}),
    ("negative", StockQuestion(only=StockFilter.NEGATIVE), {("S2", "A")}),
    ("stale beyond the grace time", StockQuestion(only=StockFilter.STALE), {("S2", "A"), ("S2", "B%1")}),
    ("nothing", StockQuestion(store="S9"), set()),
)


@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest.mark.parametrize(("_name", "asked", "expected"), TABLE, ids=[name for name, *_ in TABLE])
def test_pages_together_have_each_cell_of_the_filter_once(
    engine: Engine, _name: str, asked: StockQuestion, expected: set[tuple[str, str]], limit: int
) -> None:
    put(engine)
    sized = StockQuestion(
        store=asked.store, skus=asked.skus, prefix=asked.prefix, category=asked.category, only=asked.only,
        order=asked.order, limit=limit,
    )  # fmt: skip

    found = list(pages(engine, sized))

    assert len(found) == len(set(found))
    assert set(found) == expected


def test_the_table_is_in_its_order(engine: Engine) -> None:
    put(engine)

    def cells(asked: StockQuestion) -> list[tuple[str, str]]:
        return list(pages(engine, asked))

    by_units = cells(StockQuestion(store="S1", order=StockOrder.UNITS, limit=1))
    by_store = [store for store, _ in cells(StockQuestion(order=StockOrder.STORE, limit=2))]

    assert by_units == [("S1", "a"), ("S1", "B"), ("S1", "A")]
    assert by_store == sorted(by_store)


def test_a_kit_has_no_row(engine: Engine) -> None:
    put(engine)
    with writing(engine) as connection:
        connection.execute(insert(fold_rows), [{"partition": 0, "key": f"{KIT_PREFIX}A", "row": b"", "due_ms": None}])

    assert ("S1", "A") not in set(pages(engine, StockQuestion()))


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        (StockQuestion(), StockOrder.SKU),
        (StockQuestion(order=StockOrder.STORE), StockOrder.STORE),
        (StockQuestion(order=StockOrder.UNITS), StockOrder.SKU),
        (StockQuestion(store="S1", order=StockOrder.UNITS), StockOrder.UNITS),
        (StockQuestion(store="S1", order=StockOrder.STORE), StockOrder.SKU),
        (StockQuestion(only=StockFilter.LOW, order=StockOrder.SKU), StockOrder.STORE),
        (StockQuestion(category="X", order=StockOrder.STORE), StockOrder.SKU),
    ],
)
def test_the_order_is_one_that_an_index_has(asked: StockQuestion, order: StockOrder) -> None:
    assert effective_order(asked) is order


def test_sqlite_walks_an_index_for_each_filter(sqlite: Any) -> None:
    from bopis.readside.engine import connect

    url = sqlite.fresh_url()
    engine = connect(url)
    put(engine)
    plans = {}
    with engine.connect() as connection:
        for name, condition in (
            ("ix_levels_low", f"on_hand - held - in_doubt <= {FREE_UNITS_LOW_MAX}"),
            ("ix_levels_category_sku", "category = 'DRINKS'"),
        ):
            query = f"EXPLAIN QUERY PLAN SELECT * FROM levels WHERE {condition}"
            plans[name] = " ".join(str(row) for row in connection.exec_driver_sql(query))
    engine.dispose()
    sqlite.give_back(url)

    assert all(name in plan for name, plan in plans.items()), plans


def test_the_effect_of_a_policy_is_every_sku_that_changes(engine: Engine) -> None:
    put(engine)
    policy = Store(rules={"store": StockRule(safety_stock=2), "category:DRINKS": StockRule(safety_stock=0)})

    found = list(policy_effects(engine, "S1", policy, now=at(0)))

    assert [(it.now.sku, it.now.atp, it.then.atp) for it in sorted(found, key=lambda it: it.now.sku)] == [
        ("B", 4, 2),
        ("a", 2, 0),
    ]
