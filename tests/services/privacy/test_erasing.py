"""Many customers, half of them erased: nothing of those is readable, and nothing else has changed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bopis.adapters.log import LogReader
from bopis.adapters.notices.folders import FOLDER
from bopis.adapters.publisher import LogPublisher
from bopis.adapters.secrets.vault import Vault, open_vault
from bopis.cli.customer.privacy import OutboxCopies, SqlRecords
from bopis.ports import OrderFilter
from bopis.readside import queries
from bopis.readside.engine import connect, reading
from bopis.readside.orders.tables import order_notices, orders
from bopis.readside.queries.kpi import KpiGroup, KpiGrouping, KpiSpan, kpis
from bopis.readside.queries.orders import SqlOrders
from bopis.services import privacy
from bopis.settings import Settings
from streams.engine.exact_step import step
from streams.engine.table import PartitionTable
from streams.processors.orders import OrdersProcessor
from tests.cli.program import Installation
from tests.readside.tables import contents
from tests.services.privacy import canaries

WAIT_S_MAX = 240.0
RECORD_BYTES_MAX = 8 << 20
FEEDS = ("orders", "order-state", "order-events", "stock", "inventory-levels", "notice-state")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Installation]:
    shop = Installation(tmp_path / "home")
    yield shop
    shop.stop()


@pytest.fixture
def vault(shop: Installation) -> Iterator[Vault]:
    vault = open_vault(Settings(data_dir=shop.home))
    yield vault
    vault.close()


def _reader(shop: Installation) -> LogReader:
    return LogReader(shop.ready["bootstrap"], "bopis.")


def _wait_for_answers(engine: Engine, shop: Installation, customers: int) -> None:
    """Wait until every order is promised or refused, every customer is notified, and the read side has everything."""
    settled = select(func.count()).select_from(orders).where(orders.c.state.in_(("promised", "cancelled")))
    sent = select(func.count()).select_from(order_notices).where(order_notices.c.state == "sent")
    end = time.monotonic() + WAIT_S_MAX
    while True:
        with engine.connect() as connection:
            count = connection.execute(settled).scalar_one()
            told = connection.execute(sent).scalar_one()
        if count == customers and told >= customers and _is_whole(engine, shop):
            return
        assert time.monotonic() < end, f"{count} settled, {told} letters: {shop.err.read_text()[-2000:]}"
        time.sleep(0.5)


def _is_whole(engine: Engine, shop: Installation) -> bool:
    read = {(it.topic, it.partition): it.position + 1 for it in queries.positions(engine)}
    with _reader(shop) as reader:
        ends = reader.end_offsets(FEEDS)
    return all(read.get(where, 0) >= end for where, end in ends.items())


def _refolded(shop: Installation) -> dict[str, Any]:
    """The orders as they follow from their messages, decided again by the processor's own rules."""
    rows: dict[str, Any] = {}
    with _reader(shop) as reader:
        first, ends = reader.start_offsets(["orders"]), reader.end_offsets(["orders"])
        records: dict[int, list[Any]] = {}
        for record in reader.read(first, ends):
            records.setdefault(record.partition, []).append(record)
    for mine in records.values():
        processor = OrdersProcessor()
        table = PartitionTable(processor)
        step(processor, table.rows, table.position, mine, RECORD_BYTES_MAX)
        for key, value in table.commit(len(mine) - 1):
            if key[:1] != b"\x00":
                rows[key.decode()] = processor.decode(key.decode(), value or b"")
    return rows


def _kept_rows(shop: Installation) -> dict[str, Any]:
    """The orders as their processor keeps them."""
    processor, rows = OrdersProcessor(), {}
    with _reader(shop) as reader:
        first, ends = reader.start_offsets(["order-state"]), reader.end_offsets(["order-state"])
        for record in reader.read(first, ends):
            if record.key and record.key[:1] != b"\x00":
                rows[record.key.decode()] = processor.decode(record.key.decode(), record.value or b"")
    return rows


def _figures(engine: Engine, until: datetime) -> list[KpiGroup]:
    span = KpiSpan(since=until - timedelta(days=1), until=until)
    return kpis(engine, span, KpiGrouping.STORE, lambda _store, begin, end: end - begin)


def _open_a_store(shop: Installation, tmp_path: Path) -> None:
    file = tmp_path / "stores.csv"
    file.write_text("store_id,name,latitude,longitude,time_zone\nS1,One,38.7,-88.1,America/Chicago\n")
    shop.ask("stores", "import", str(file))
    shop.ask("stock", "receive", "S1", "A", "5000")


@pytest.mark.parametrize("customers", [40, pytest.param(1_000, marks=pytest.mark.soak)])
def test_of_many_customers_half_are_erased_and_nothing_else_changes(
    shop: Installation, vault: Vault, tmp_path: Path, customers: int
) -> None:
    everybody, gone, kept = range(customers), range(0, customers, 2), range(1, customers, 2)
    _open_a_store(shop, tmp_path)
    publisher = LogPublisher(shop.ready["bootstrap"], "bopis.", linger_ms=5)
    canaries.place(vault, publisher, "S1", everybody)
    publisher.close()
    engine = connect(f"sqlite:///{shop.home / 'readside.sqlite3'}")
    _wait_for_answers(engine, shop, customers)
    shop.ask("privacy", "backup")
    until = datetime.now(UTC)
    before, figures, rows = contents(engine), _figures(engine, until), _kept_rows(shop)
    keys_gone, keys_kept = canaries.wrapped_keys(vault, gone[::10]), canaries.wrapped_keys(vault, kept[::10])
    with reading(engine) as snapshot:
        known = SqlOrders(snapshot)
        sealed = {it.order: it.customer.sealed for it in known.find(OrderFilter(ended=True), None)}

    told = shop.ask("privacy", "erase", canaries.customer(0), "--yes")
    records, copies = SqlRecords(engine), OutboxCopies(shop.home)
    for n in gone[1:]:
        assert privacy.erase(vault, records, copies, canaries.customer(n)).had_key

    again = f"sqlite:///{tmp_path / 'again.sqlite3'}"
    shop.ask("readside", "rebuild", "--yes", "--database", again)
    rebuilt = connect(again)
    assert (told["customer"], told["had_key"], told["orders"]) == (canaries.customer(0), True, 1)
    assert told["copies"] >= 1
    assert _refolded(shop) == rows == _kept_rows(shop)
    assert contents(engine) == before
    assert contents(rebuilt) == before
    assert _figures(rebuilt, until) == _figures(engine, until) == figures
    assert figures[0].visits > 0
    for n in everybody:
        opened = vault.open(canaries.customer(n), sealed[canaries.order(n)])
        assert opened == (None if n in gone else canaries.contact(n))
    for it in (engine, rebuilt):
        it.dispose()
    shop.stop()
    places = (shop.home, shop.err, tmp_path / "again.sqlite3")
    assert canaries.found(canaries.strings(gone), *places) == {}
    readable = canaries.found(canaries.strings(kept), *places)
    assert {path.parent.parent for path in readable.values()} == {shop.home / FOLDER}
    assert canaries.found(keys_gone, *places) == {}
    # The search itself works: it finds texts where they must be.
    assert len(canaries.found(keys_kept, *places)) == len(keys_kept)
    assert len(canaries.found([it.encode() for it in sealed.values()], shop.home)) == customers
