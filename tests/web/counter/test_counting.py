"""Counting at the counter: blind, by scan, in the article's unit, and the result shows how the books differed."""

import asyncio
from typing import Any

import msgspec
import pytest

from bopis.domain.inventory.messages import StockCounted
from bopis.domain.inventory.rows import Level, level_key
from bopis.names import LEVELS_TOPIC
from bopis.ports import Record
from bopis.wire.placement import partition_of
from bopis.wire.stock import STOCK
from tests.web.counter.world import World, associate, form_values, note_of

SCANNED = "4006381333931"


def with_books(world: World, **fields: Any) -> World:
    """The memory of the page has the books of bananas."""
    value = msgspec.json.encode(Level(**fields))
    world.site.stock.take([Record(LEVELS_TOPIC, partition_of(b"S1", 4), 99, 1, level_key("S1", "A").encode(), value)])
    return world


def counts(world: World) -> list[StockCounted]:
    """Every count in the log."""
    records = [it for (topic, _), held in world.log.records.items() if topic == "stock" for it in held]
    found = [STOCK.decode(it.value).data for it in records if it.value]
    return [it for it in found if isinstance(it, StockCounted)]


async def test_the_books_are_shown_after_the_count_and_not_before(world: World) -> None:
    with_books(world, on_hand=77)
    async with world.browser(associate()) as client:
        form = await client.get("/counter/count", params={"store": "S1", "code": SCANNED})
        sent = form_values(form.text, "count") | {"counted": "70"}
        after = await client.post("/counter/count", data=sent)

    assert "Count Bananas" in form.text
    assert "77" not in form.text
    assert note_of(after.text) == "Bananas: counted. The books differed by -7."
    assert all(f"<dd>{it}</dd>" in after.text for it in ("70", "77", "-7"))


@pytest.mark.parametrize(
    ("fields", "staged_counted", "note"),
    [
        ({"counted": "17"}, False, "Bananas: as in the books."),
        ({"counted": "20", "scope": "all"}, True, "Bananas: as in the books."),
        ({"counted": "0"}, False, "Bananas: counted. The books differed by -17."),
        ({"counted": "18"}, False, "Bananas: counted. The books differed by +1."),
    ],
)
async def test_goods_set_aside_count_as_it_is_said(
    fields: dict[str, str], staged_counted: bool, note: str, world: World
) -> None:
    with_books(world, on_hand=20, staged=3)
    async with world.browser(associate()) as client:
        form = await client.get("/counter/count", params={"store": "S1", "code": "A"})
        after = await client.post("/counter/count", data=form_values(form.text, "count") | {"scope": "shelf"} | fields)

    assert note_of(after.text) == note
    assert [it.staged_counted for it in counts(world)] == [staged_counted]


async def test_a_form_that_is_sent_twice_counts_once(world: World) -> None:
    async with world.browser(associate()) as client:
        form = await client.get("/counter/count", params={"store": "S1", "code": "A"})
        sent = form_values(form.text, "count") | {"scope": "shelf", "counted": "5"}
        answers = [(await client.post("/counter/count", data=sent)).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert [it for it in world.log.records if it[0] == "dead-letters" and world.log.records[it]] == []


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"counted": ""}, 422, "Write how much is there"),
        ({"counted": "many"}, 422, "many"),
        ({"counted": "-1"}, 422, "below zero"),
        ({"counted": "1", "scope": "all of it"}, 422, "Write how much is there"),
        ({"counted": "1", "sku": "SET"}, 422, "is a set: count what it is made of (Mug, Bananas)"),
        ({"counted": "1", "sku": "NONE"}, 404, "NONE"),
        ({"counted": "1", "store": "S2"}, 403, "not yours"),
        ({"counted": "1", "csrf": "0"}, 403, ""),
    ],
)
async def test_a_count_that_cannot_be_used_is_refused_in_words(
    fields: dict[str, str], status: int, words: str, world: World
) -> None:
    async with world.browser(associate()) as client:
        form = await client.get("/counter/count", params={"store": "S1", "code": "A"})
        answer = await client.post("/counter/count", data=form_values(form.text, "count") | {"scope": "shelf"} | fields)

    assert answer.status_code == status
    assert words in answer.text.replace("&#39;", "'")
    assert counts(world) == []


async def test_a_code_that_no_article_has_is_named_and_the_choice_stays(world: World) -> None:
    async with world.browser(associate()) as client:
        answers = await asyncio.gather(
            *(client.get("/counter/count", params={"store": "S1", "code": it}) for it in ("nothing", "SET", ""))
        )

    assert [it.status_code for it in answers] == [404, 422, 200]
    assert all('id="count-code"' in it.text for it in answers)
