"""The tables of the benchmark of HTTP: each of its questions finds something; and, with the long tests, the whole."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from sqlalchemy import Engine, func, select

from benchmarks.http.tables import Assortment, filled
from bopis.readside.engine import SQLITE, connect
from bopis.readside.queries.stock_table import stock_table
from bopis.readside.schema import levels
from bopis.services.catalogue import Catalogue
from bopis.web.pages.inventory import TableFilter, question
from tests.readside.world import at

ROOT = Path(__file__).parents[2]
PATIENCE_S = 900
ASSORTMENT = Assortment(2_000)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A read side with the levels of the benchmark."""
    with filled(SQLITE, ASSORTMENT) as url:
        engine = connect(url)
        yield engine
        engine.dispose()


def test_the_read_side_has_as_many_levels_as_asked_for(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(levels)) == ASSORTMENT.rows == 2_000


@pytest.mark.parametrize("name", ASSORTMENT.paths(random.Random(0)))
def test_a_question_of_the_benchmark_finds_levels(name: str, engine: Engine) -> None:
    path = ASSORTMENT.paths(random.Random(7))[name]
    asked = msgspec.convert(dict(parse_qsl(urlsplit(path).query)), TableFilter)

    found = stock_table(engine, question(asked, Catalogue(ASSORTMENT.articles)), now=at(0))

    assert found.levels, path


@pytest.mark.soak
def test_each_question_and_each_page_is_measured_on_both_databases() -> None:
    sizes = ["--parts", "tables", "--rows", "2000", "--requests", "5", "--loads", "2"]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.http", "--json", *sizes],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    tables = json.loads(ended.stdout or "{}")["tables"]
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert set(tables) == {"sqlite_2000", "postgresql_2000"}
    for figures in tables.values():
        kinds = {name for name in figures if name not in ("rows", "paint")}
        assert kinds == set(ASSORTMENT.paths(random.Random(0)))
        assert all(0 < figures[it]["p50_ms"] <= figures[it]["p99_ms"] for it in kinds)
        assert set(figures["paint"]) == {"dashboard", "table"}
