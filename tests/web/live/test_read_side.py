"""A read side that is made, made again and removed while the web process runs: pages and API follow it."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from sqlalchemy import create_engine

from bopis.access.roles import Role
from bopis.readside import migrate
from bopis.readside.engine import connect
from bopis.readside.opening import ReadSide
from bopis.web.access.sessions import new_session
from tests.web.counter.world import World

PAGES = ("/inventory", "/operations", "/stores/S1")


class Seen(NamedTuple):
    """The statuses of the pages and of one endpoint of the API, and the text of the first page."""

    pages: tuple[int, ...]
    api: int
    code: str
    text: str


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def see(world: World) -> Seen:
    """What somebody of headquarters sees now."""

    async def asked() -> Seen:
        async with world.browser(new_session("Anna", Role.HQ_OPERATOR)) as browser:
            pages: list[httpx.Response] = [await browser.get(it) for it in PAGES]
            api = await browser.get("/v1/stores/S1/queue")
            code = "" if api.is_success else api.json()["code"]
            return Seen(tuple(it.status_code for it in pages), api.status_code, code, pages[0].text)

    return asyncio.run(asked())


def make(world: World) -> None:
    """Make the tables, as the projection does at its start."""
    engine = connect(world.settings.database_url)
    migrate.upgrade(engine)
    engine.dispose()


def drop(world: World) -> None:
    """Drop the tables, as `bopis readside rebuild` does first."""
    engine = connect(world.settings.database_url)
    migrate.drop(engine)
    engine.dispose()


def file_of(world: World) -> Path:
    return Path(world.settings.database_url.removeprefix("sqlite:///"))


def test_pages_follow_a_read_side_that_comes_changes_and_goes(world: World) -> None:
    number = world.place()
    before = see(world)
    make(world)
    there = see(world)
    drop(world)
    rebuilding = see(world)
    make(world)
    rebuilt = see(world)
    file_of(world).unlink()
    removed = see(world)
    make(world)
    again = see(world)
    world.site._read_side.close()  # type: ignore[union-attr]  # this site has one

    for missing in (before, removed):
        assert (missing.pages[0], missing.api, missing.code) == (503, 503, "read-side-missing")
        assert "The read side is not there." in missing.text
    assert (rebuilding.pages[0], rebuilding.api, rebuilding.code) == (503, 503, "read-side-away")
    assert "is being made again" in rebuilding.text
    for well in (there, rebuilt, again):
        assert (set(well.pages), well.api) == ({200}, 200)
    # No page fails for a reason of its own meanwhile.
    assert {500}.isdisjoint({*before.pages, *rebuilding.pages, *removed.pages})
    assert number


def test_orders_are_read_from_the_log_while_there_is_no_read_side(world: World) -> None:
    number = world.place()

    async def found() -> list[int]:
        async with world.browser(new_session("Anna", Role.HQ_OPERATOR)) as browser:
            return [(await browser.get(it)).status_code for it in (f"/v1/orders/{number}", f"/orders/{number}")]

    statuses = [asyncio.run(found())]
    file_of(world).touch()  # a file without tables
    statuses.append(asyncio.run(found()))

    assert statuses == [[200, 200], [200, 200]]


def test_a_file_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "readside.sqlite3"
    read_side = ReadSide(f"sqlite:///{file}")
    assert read_side.engine() is None
    engines = []
    for number in range(2):
        new = file.with_suffix(f".{number}")
        other = create_engine(f"sqlite:///{new}")
        with other.begin() as connection:
            connection.exec_driver_sql(f"create table number_{number} (value integer)")
        other.dispose()
        new.replace(file)
        engine = read_side.engine()
        assert engine is not None
        with engine.connect() as connection:
            assert connection.exec_driver_sql("select name from sqlite_master").scalar() == f"number_{number}"
        engines.append(engine)

    assert engines[0] is not engines[1]
    assert read_side.engine() is engines[1]
    read_side.close()
