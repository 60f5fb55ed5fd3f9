"""Changes of the catalogue between sales: the books are what a plain sum in the order of the log says."""

from typing import Any
from zlib import crc32

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bopis.domain.inventory.articles import CatalogueChanged, CataloguedArticle, KitComponent
from bopis.domain.inventory.messages import (
    PosSale,
    SaleLine,
    StockLine,
    StockReceived,
)
from bopis.domain.inventory.rows import Level
from bopis.domain.inventory.step import step
from bopis.domain.message import Message
from bopis.wire.stock import STOCK
from tests.domain.books import NOON_MS, MemoryRows, at

STORES = ("S1", "S2")
SKUS = ("Ale", "ALE", "Bock", "4006381333931")
GTINS = ("05012345678900", "00049000006346")
# Each code with the form of it that the plain sum looks for.
CODES = {
    "Ale": "ale", "ALE": "ale", " ale": "ale", "Bock": "bock", "BOCK ": "bock",
    "5012345678900": GTINS[0], "05012345678900": GTINS[0], "04963406": GTINS[1], "049000006346": GTINS[1],
    "4006381333931": "04006381333931", "04006381333931": "04006381333931", "nobody": "nobody",
}  # fmt: skip

components = st.lists(
    st.builds(KitComponent, sku=st.sampled_from(SKUS), quantity=st.integers(1, 6)),
    max_size=2,
    unique_by=lambda it: it.sku,
)
articles = st.builds(
    CataloguedArticle,
    sku=st.sampled_from(SKUS),
    gtins=st.lists(st.sampled_from(GTINS), max_size=2, unique=True).map(tuple),
    components=components.map(tuple),
).map(lambda it: msgspec.structs.replace(it, components=tuple(c for c in it.components if c.sku != it.sku)))
changes = st.lists(
    articles | st.sampled_from(SKUS), min_size=1, max_size=3, unique_by=lambda it: getattr(it, "sku", it)
)
lines = st.lists(st.tuples(st.sampled_from(list(CODES)), st.integers(-3, 5)), min_size=1, max_size=4)
sales = st.tuples(st.sampled_from(STORES), lines).map(
    lambda it: (it[0], PosSale(basket="b", lines=tuple(SaleLine(*line) for line in it[1])))
)
receipts = st.tuples(st.sampled_from(STORES), st.sampled_from(list(CODES)), st.integers(1, 30)).map(
    lambda it: (it[0], StockReceived(document="d", lines=(StockLine(sku=it[1], quantity=it[2]),)))
)
logs = st.lists(changes | sales | receipts, min_size=1, max_size=25)


def messages(found: list[Any]) -> list[Message]:
    """The log: each change of the catalogue comes twice now and then, as after a crash."""
    log = []
    for number, item in enumerate(found, 1):
        header: dict[str, Any] = {"id": f"m{number}", "time": at(NOON_MS)}
        if isinstance(item, list):
            body = CatalogueChanged(
                partition=0,
                following=number,
                articles=tuple(it for it in item if isinstance(it, CataloguedArticle)),
                removed=tuple(it for it in item if isinstance(it, str)),
            )
            log += [Message(source="inventory", subject="-", data=body, **header)] * (1 + number % 2)
        else:
            log.append(Message(source="desk", subject=item[0], data=item[1], **header))
    return log


def plain_sum(log: list[Message]) -> dict[str, int]:
    """Units by store and SKU, by definition: at each message the whole catalogue so far is searched."""
    known: dict[str, CataloguedArticle] = {}  # in the order of the newest change
    units: dict[str, int] = {}
    seen: set[str] = set()
    for message in log:
        if message.id in seen:
            continue
        seen.add(message.id)
        data = message.data
        if isinstance(data, CatalogueChanged):
            for sku in (*(it.sku for it in data.articles), *data.removed):
                known.pop(sku, None)
            known.update({it.sku: it for it in data.articles})
            continue
        sign = -1 if isinstance(data, PosSale) else 1
        for line in data.lines:
            article = search(known, line.sku)
            parts = article.components if article is not None else ()
            for sku, each in [(it.sku, it.quantity) for it in parts] or [(article.sku if article else line.sku, 1)]:
                cell = f"{message.subject}|{sku}"
                units[cell] = units.get(cell, 0) + sign * each * line.quantity
    return {cell: sum_ for cell, sum_ in units.items() if sum_}


def search(known: dict[str, CataloguedArticle], code: str) -> CataloguedArticle | None:
    if code in known or code.strip() in known:
        return known.get(code) or known[code.strip()]
    form = CODES[code]
    by_gtin = [it for it in known.values() if form in it.gtins or f"0{it.sku}" == form]
    by_case = [it for it in known.values() if it.sku.casefold() == form]
    if form.isdigit():
        return by_gtin[-1] if by_gtin else None
    return by_case[0] if len(by_case) == 1 else None


def fold(log: list[Message], trace: Any = None) -> MemoryRows:
    rows = MemoryRows()
    for message in log:
        step(rows, message, NOON_MS, crc32(STOCK.encode(message)), trace)
    return rows


def books(rows: MemoryRows) -> dict[str, int]:
    return {key: row.on_hand for key, row in rows.rows.items() if isinstance(row, Level) and row.on_hand}


@given(logs)
def test_the_books_are_the_plain_sum_in_the_order_of_the_log(found: Any) -> None:
    log = messages(found)

    assert books(fold(log)) == plain_sum(log)


@given(logs)
def test_the_hot_path_and_the_traced_path_give_the_same_rows(found: Any) -> None:
    log = messages(found)

    plain, traced = fold(log), fold(log, lambda *_: None)

    assert msgspec.json.encode(plain.rows, order="deterministic") == msgspec.json.encode(
        traced.rows, order="deterministic"
    )
