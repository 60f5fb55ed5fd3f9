"""The table of rights fits the processors, and the page says what the table says."""

import json
import re
from pathlib import Path

import pytest

from bopis.names import PROCESSORS, STOCK_TOPIC
from bopis.topics.acls import PARTS, Operation, Resource, rules
from bopis.topics.definitions import BY_NAME
from streams.engine.processor import Processor
from streams.process import compose
from streams.processors.inventory import InventoryProcessor
from streams.processors.notices import NoticesProcessor
from streams.processors.orders import OrdersProcessor
from streams.processors.payments import PaymentsProcessor
from tests.cli.program import run

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
BESIDE = {"dead-letters", "workers"}


def test_every_processor_that_can_be_started_has_its_rights_in_the_table() -> None:
    assert set(PROCESSORS) <= {it.name for it in PARTS}, "add the processor to bopis/topics/acls.py"


@pytest.mark.parametrize(
    "processor",
    [InventoryProcessor(), OrdersProcessor(), PaymentsProcessor(), NoticesProcessor()],
    ids=lambda it: it.name,
)
def test_a_processor_has_rights_on_its_topics_and_no_others(processor: Processor) -> None:
    mine = next(it.rights for it in PARTS if it.name == processor.name)

    allowed = {right.name: set(right.operations) for right in mine if right.resource is Resource.TOPIC}

    # Ticks are written to the source.
    written = {processor.source, processor.changelog, *processor.outputs, *BESIDE}
    assert {name for name, operations in allowed.items() if Operation.WRITE in operations} == written
    readable = {name for name, operations in allowed.items() if Operation.READ in operations}
    feed = compose.feed(processor.name)
    fed = set(feed.topics) if feed is not None else set()
    assert readable == {processor.source, processor.changelog} | fed


def test_every_topic_of_the_table_that_is_read_is_written_by_somebody() -> None:
    rights = [it for part in PARTS for it in part.rights if it.resource is Resource.TOPIC and not it.prefixed]
    read = {it.name for it in rights if Operation.READ in it.operations}
    written = {it.name for it in rights if Operation.WRITE in it.operations}

    assert read <= written


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_till_or_an_agent_may_only_write_reports(name: str) -> None:
    mine = next(it.rights for it in PARTS if it.name == "till")

    allowed = {operation for it in mine if it.name == name or it.prefixed for operation in it.operations}

    assert allowed == ({Operation.WRITE} if name == STOCK_TOPIC else set())


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_topic_is_somebodys(name: str) -> None:
    rights = [it for part in PARTS for it in part.rights if it.resource is Resource.TOPIC]

    assert any(it.name == name or it.prefixed for it in rights)


def test_names_follow_the_prefixes() -> None:
    told = json.loads(run("topics", "acls", "--json", "--prefix", "shop.", "--principal-prefix", "User:bopis-").out)

    first = told["rules"][0]
    assert (first["principal"], first["name"]) == ("User:bopis-inventory", "shop.stock")
    assert "--allow-principal User:bopis-inventory --operation Read" in first["command"]
    assert {it["pattern"] for it in told["rules"] if it["resource"] == "transactional-id"} == {"prefixed"}


def test_without_a_prefix_everything_is_named_as_the_tool_wants_it() -> None:
    everything = [it for it in rules("", "User:") if it.part == "auditor"]

    assert {(it.name, it.prefixed) for it in everything} == {("*", False)}


def test_the_page_has_the_table() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| ([a-z-]+) \| `([^`]+)`( and what begins so)? \| ([A-Za-z, ]+) \|", PAGE, re.M)

    written = {(part, kind, name, bool(begins), operations) for part, kind, name, begins, operations in rows}

    table = {
        (it.part, it.resource.value, it.name, it.prefixed, ", ".join(it.operations)) for it in rules("bopis.", "User:")
    }
    assert written == table, "docs/security.md differs from bopis/topics/acls.py"
