"""The projection worker over the embedded log: killed again and again, with its database restarted, beside another."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bopis.readside.engine import connect
from tests.readside.databases import Databases, PostgresqlDatabases
from tests.readside.shop import PATIENCE_S, Shop, assert_exact, wait_for


def test_a_worker_killed_again_and_again_is_exact(sqlite: Databases, open_shop: Callable[[str], Shop]) -> None:
    url = sqlite.fresh_url()
    shop, engine = open_shop(url), connect(url)

    for _ in range(3):
        shop.sell(300)
        time.sleep(0.4)
        shop.kill_projection()
        shop.sell(100)
        time.sleep(0.8)
    wait_for(engine, shop)

    assert_exact(engine, shop)
    engine.dispose()


def until_it_reads(log: Path) -> None:
    """Wait until a worker has its partitions: before that it may not even listen to signals yet."""
    give_up = time.monotonic() + PATIENCE_S
    while "projection.assigned" not in log.read_text():
        assert time.monotonic() < give_up, log.read_text()[-2000:]
        time.sleep(0.1)


def test_two_workers_by_mistake_on_one_database_double_nothing(
    sqlite: Databases, open_shop: Callable[[str], Shop], tmp_path: Path
) -> None:
    url = sqlite.fresh_url()
    shop, engine = open_shop(url), connect(url)
    # Another group name makes the second one believe that every partition is its own.
    program = (
        "import sys; from streams.process import compose; from streams.workers import projection;"
        "from bopis.settings import load;"
        "projection.NAME = 'again';"
        "sys.exit(compose.run_processor('projection', load(), lambda ready: None))"
    )
    with (tmp_path / "second.txt").open("ab") as sink:
        second = subprocess.Popen([sys.executable, "-c", program], env=shop.environment, stderr=sink, stdout=sink)

    for _ in range(6):
        shop.sell(200)
        time.sleep(0.3)
    wait_for(engine, shop)
    until_it_reads(tmp_path / "second.txt")
    second.terminate()
    code = second.wait(PATIENCE_S)

    assert code == 0, (tmp_path / "second.txt").read_text()[-2000:]
    assert_exact(engine, shop)
    engine.dispose()


@pytest.mark.postgresql
def test_a_database_that_restarts_is_waited_for_by_a_worker_that_is_killed_too(
    postgresql: PostgresqlDatabases, open_shop: Callable[[str], Shop]
) -> None:
    url = postgresql.fresh_url()
    shop = open_shop(url)

    shop.sell(300)
    postgresql.restart()
    shop.sell(300)
    shop.kill_projection()
    shop.sell(300)
    engine = connect(url)
    wait_for(engine, shop)

    assert_exact(engine, shop)
    engine.dispose()
