"""Several projections on one database: partitions are shared, a death is taken over, and nobody counts twice."""

import random
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import Engine

from bopis.readside import queries
from bopis.readside.engine import connect
from bopis.readside.errors import DatabaseAway, RecordsMissing
from bopis.readside.writer import Projection
from tests.readside.databases import Databases
from tests.readside.shop import Shop, assert_exact, wait_for
from tests.readside.tables import contents
from tests.readside.world import Record, World, changelog

WRITERS = 3
TRIES_MAX = 10_000
COMINGS = 25

Feeds = dict[tuple[str, int], Sequence[Record]]


def _feeds() -> Feeds:
    world, chance = World(), random.Random(3)
    for _ in range(300):
        store, sku = f"S{chance.randrange(4)}", f"K{chance.randrange(8)}"
        if chance.randrange(6) == 0:
            world.receive(store, sku, 20)
        else:
            world.sell(store, sku, chance.randrange(1, 4))
    feeds: Feeds = {("stock", number): records for number, records in world.stock.items()}
    return feeds | {("inventory-levels", number): changelog(records) for number, records in world.stock.items()}


def _write_everything(engine: Engine, feeds: Feeds, seed: int, failures: list[BaseException]) -> None:
    """As an owner that believes every partition to be its own, and goes back to what the database says."""
    chance, projection = random.Random(seed), Projection(engine)
    following = dict.fromkeys(feeds, 0)
    try:
        for _ in range(TRIES_MAX):
            left = [at for at in feeds if following[at] < len(feeds[at])]
            if not left:
                return
            at = chance.choice(left)
            first, size = following[at], chance.randrange(1, 90)
            try:
                projection.write(*at, feeds[at][first : first + size])
                following[at] = first + size
            except RecordsMissing as missing:
                following[at] = missing.position + 1
            except DatabaseAway:
                pass  # Two that wait for each other's positions: one is sent back by the database.
        raise AssertionError("not done")
    except BaseException as error:
        failures.append(error)


def test_owners_that_all_believe_in_themselves_write_each_record_once(fresh: Callable[[], Engine]) -> None:
    feeds, alone, engine = _feeds(), fresh(), fresh()
    for at, records in feeds.items():
        Projection(alone).write(*at, records)
    failures: list[BaseException] = []

    engines = [connect(engine.url.render_as_string(hide_password=False)) for _ in range(WRITERS)]
    threads = [
        threading.Thread(target=_write_everything, args=(it, feeds, seed, failures)) for seed, it in enumerate(engines)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert contents(engine) == contents(alone)
    assert queries.verify(engine).differences == ()
    for it in engines:
        it.dispose()


def test_two_workers_share_the_partitions_and_one_takes_over_when_the_other_is_killed(
    databases: Databases, open_shop: Callable[..., Shop]
) -> None:
    url = databases.fresh_url()
    shop, engine = open_shop(url, BOPIS_SESSION_TIMEOUT_SECONDS="3", BOPIS_HEARTBEAT_SECONDS="0.5"), connect(url)
    second = shop.start_projection()

    shop.sell(200)
    shared = second.wait_for_partitions()
    shop.sell(200)
    wait_for(engine, shop)
    second.kill()
    shop.sell(300)
    wait_for(engine, shop)
    third = shop.start_projection()
    third.wait_for_partitions()
    shop.sell(100)
    code = third.stop()
    shop.sell(100)
    wait_for(engine, shop)

    assert {it.split("/")[0] for it in shared} >= {"stock", "inventory-levels"}
    assert {it for it in shared if it.startswith("stock")} < {"stock/0", "stock/1"}
    assert {it.split("/")[1] for it in shared if it.startswith("stock")} == {
        it.split("/")[1] for it in shared if it.startswith("inventory-levels")
    }
    assert code == 0
    assert_exact(engine, shop)
    engine.dispose()


@pytest.mark.soak
def test_workers_that_come_and_go_under_load_lose_and_double_nothing(
    databases: Databases, open_shop: Callable[..., Shop]
) -> None:
    url = databases.fresh_url()
    shop, engine = open_shop(url, BOPIS_SESSION_TIMEOUT_SECONDS="3", BOPIS_HEARTBEAT_SECONDS="0.5"), connect(url)

    for turn in range(COMINGS):
        other = shop.start_projection()
        shop.sell(150)
        other.wait_for_partitions()
        shop.sell(150)
        time.sleep(0.3)
        other.kill() if turn % 2 else other.stop()
    wait_for(engine, shop)

    assert_exact(engine, shop)
    engine.dispose()
