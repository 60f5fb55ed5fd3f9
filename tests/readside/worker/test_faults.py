"""The database's server killed under load, and the read side dropped under load: what is built again is the same."""

import random
import time
from collections.abc import Callable

import pytest

from bopis.readside import migrate
from bopis.readside.engine import connect
from tests.cli.program import run
from tests.readside.databases import Databases, PostgresqlDatabases
from tests.readside.shop import Shop, assert_exact, wait_for
from tests.readside.tables import contents

KILLS = [2, pytest.param(50, marks=pytest.mark.soak)]
DROPS = [1, pytest.param(50, marks=pytest.mark.soak)]
BASKETS = 60
SHORT = {"BOPIS_STATUS_SECONDS": "1"}


def _rebuilt(databases: Databases, shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """The tables as a rebuild from the log makes them, in a database of their own."""
    url = databases.empty_url()
    done = run("readside", "rebuild", "--yes", "--json", **{**shop.environment, "BOPIS_DATABASE": url})
    assert done.code == 0, done.err
    engine = connect(url)
    found = contents(engine)
    engine.dispose()
    return found


@pytest.mark.postgresql
@pytest.mark.parametrize("kills", KILLS)
def test_a_server_killed_under_load_is_waited_for_by_name_and_nothing_is_lost_or_doubled(
    postgresql: PostgresqlDatabases, open_shop: Callable[..., Shop], kills: int
) -> None:
    url = postgresql.fresh_url()
    shop, chance = open_shop(url, **SHORT), random.Random(kills)

    for number in range(1, kills + 1):
        shop.sell(BASKETS)
        time.sleep(chance.random() / 3)
        postgresql.kill()
        shop.sell(BASKETS)
        shop.wait_for_word('"database.away"', number)
        postgresql.restart()
        shop.wait_for_word('"database.back"', number)
    engine = connect(url)
    wait_for(engine, shop)

    assert_exact(engine, shop)
    assert contents(engine) == _rebuilt(postgresql, shop)
    engine.dispose()


@pytest.mark.parametrize("drops", DROPS)
def test_a_read_side_dropped_under_load_and_built_again_is_the_same_row_by_row(
    databases: Databases, open_shop: Callable[..., Shop], drops: int
) -> None:
    url = databases.fresh_url()
    shop, engine = open_shop(url), connect(url)

    for number in range(1, drops + 1):
        shop.sell(BASKETS)
        migrate.drop(engine)
        shop.sell(BASKETS)
        # The worker waits: started again before there are tables, it would be given up.
        shop.wait_for_word('"database.dropped"', number)
        done = run("readside", "rebuild", "--yes", "--json", **shop.environment)
        assert done.code == 0, done.err
    shop.sell(BASKETS)
    wait_for(engine, shop)

    assert_exact(engine, shop)
    assert contents(engine) == _rebuilt(databases, shop)
    engine.dispose()
