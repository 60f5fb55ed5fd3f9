"""A thousand nasty inputs from a generator: records, rows of files, messages and commands.

Each is taken, refused by a sentence or parked with a cause; none crashes, none is lost, and no character that printers,
terminals or PostgreSQL stumble over gets through. The generator is seeded, so that a failure can be repeated.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from bopis.adapters.barcodes import gtin14
from bopis.adapters.opening_hours import OsmHours
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    SetStockRule,
    StockAdjusted,
    StockLine,
    StockReceived,
)
from bopis.domain.values import DAY_MS, ChangeLine
from bopis.errors import FAILED, INTERNAL_FAULT, BopisError
from bopis.services.catalogue import read_article
from bopis.services.channels import STOCK_REQUESTS
from bopis.services.checkout import Customer, check_customer
from bopis.services.exchange import Author, Exchange
from bopis.services.store_directory import StoreRecord, decode_store, read_store
from bopis.wire import catalogue
from bopis.wire.characters import unclean
from bopis.wire.errors import WireError
from bopis.wire.notices import NOTICES
from bopis.wire.orders import ORDERS
from bopis.wire.stock import STOCK
from streams.engine.processor import Poison
from streams.engine.rows import PartitionRows
from streams.processors.inventory import InventoryProcessor
from streams.processors.orders import OrdersProcessor
from tests.cli.fakes import START_MS, FakeLog
from tests.cli.program import run

SEED = 20261129
RECORDS, ROWS, MESSAGES, COMMANDS = 560, 240, 120, 80
GOLDEN = Path(__file__).parent.parent / "wire" / "golden"
KEPT = ("type", "time", "specversion")
RECORDED_MS = START_MS + 10 * DAY_MS  # after the times in the golden files
NOW = datetime.fromtimestamp(START_MS / 1000, UTC)
NASTY = (
    *("\x00", "4011\x00", "\x1bp0", "a\x07b", "a\r\nb", "a\tb", "\x7f", "\x9b31m", "\u202eabc", "\u2066x", "\u2028"),
    *(
        "\ud800",
        "\udcff4011",
        "",
        " ",
        "x" * 65,
        "x" * 5_000,
        "💥",
        "e\u0301",
        "\ufeff4011",
        "\xa0",
        "'; DROP TABLE x;--",
    ),
    *("../../etc/passwd", "%s%n", "{0}", "[bold]x[/]", "-1", "1e309", "NaN", "0x10", "٤", "=cmd|'/C calc'!A0", "<b>&"),
    *("@home", "S|1", "null", "true", '"', "\\", "\\u0000", "a" * 128 + "\x00"),
)
VALUES = (*NASTY, None, True, -1, 0, 2**63, 10**40, 1.5, [], {}, [[[]]], {"a": "\x00"})


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a document."""
    yield path
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


def at(document: Any, path: Iterable[Any]) -> Any:
    """The value at a place of a document."""
    for step in path:
        document = document[step]
    return document


def damaged(chance: random.Random, document: dict[str, Any]) -> bytes:
    """A message with a nasty text in one place, nasty values in up to three, or damaged bytes."""
    gentle = chance.random() < 0.7  # else most would be parked for their types
    for _ in range(1 if gentle else chance.randint(1, 3)):
        where = [it for it in places(document) if it and (not gentle or isinstance(at(document, it), str))]
        *path, last = chance.choice([it for it in where if not gentle or it[-1] not in KEPT])
        at(document, path)[last] = chance.choice(NASTY if gentle else VALUES)
    try:
        value = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode()
    except UnicodeEncodeError:
        value = json.dumps(document).encode()
    if chance.random() < 0.1:
        byte = chance.randrange(len(value))
        value = value[:byte] + bytes([chance.randrange(256)]) + value[byte + 1 :]
    return value


def texts(node: Any) -> Iterator[str]:
    """Every text in a document, also the names."""
    if isinstance(node, str):
        yield node
    for part in (*node.keys(), *node.values()) if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from texts(part)


@pytest.mark.parametrize(
    ("family", "processor"),
    [(STOCK, InventoryProcessor), (ORDERS, OrdersProcessor), (NOTICES, None)],
    ids=["stock", "orders", "notices"],
)
def test_a_nasty_record_is_taken_or_parked(family: Any, processor: Callable[[], Any] | None) -> None:
    chance = random.Random(SEED)
    golden = [json.loads(file.read_text()) for file in sorted(GOLDEN.glob("*.json"))]
    mine = [it for it in golden if it["type"] in family.envelopes and "tick" not in it["type"]]
    step = processor() if processor is not None else None
    rows = PartitionRows(step.decode, step.encode) if step is not None else None
    records = RECORDS // 2 if family is STOCK else RECORDS // 4
    causes, keys, written = [], [], []
    for number in range(records):
        document = json.loads(json.dumps(chance.choice(mine))) | {"id": f"m{number}", "seq": number + 1}
        value = damaged(chance, document)
        try:
            if step is None:
                family.decode(value)
            else:
                outputs = step.handle(rows, Record(number, RECORDED_MS + number, b"319", value))
                changes = rows.changes()
                keys += [key.decode() for key, _ in changes]
                written += [it.value for it in outputs] + [row for _, row in changes if row]
        except (WireError, Poison) as error:
            causes.append(str(error))

    assert all(causes)
    assert 20 < len(causes) < records - 20, len(causes)
    documents = [*keys, *(json.loads(it) for it in written)]
    assert not [text for document in documents for text in texts(document) if unclean(text)]


def test_a_nasty_row_of_a_file_is_taken_or_named() -> None:
    chance, hours = random.Random(SEED), OsmHours(lambda: NOW)
    store = {"store_id": "319", "name": "Main", "time_zone": "America/Chicago", "opening_hours": "Mo-Sa 08:00-20:00"}
    store |= dict.fromkeys(
        ("holidays", "closures", "openings", "cutoff", "latitude", "longitude", "closed", "cost"), ""
    )
    article = {
        "sku": "A",
        "name": "Milk",
        "unit": "each",
        "gtins": "4006381333931",
        "components": "",
        "substitutes": "",
    }
    for number in range(ROWS):
        cells = dict(store if number % 2 else article)
        for _ in range(chance.randint(1, 3)):
            cells[chance.choice(list(cells))] = chance.choice(NASTY)

        read = read_store(cells, hours) if number % 2 else read_article(cells, gtin14)

        if isinstance(read, list):
            assert read, cells
            assert all(read), cells
        else:
            value = msgspec.json.encode(read)
            assert decode_store("319", value) if isinstance(read, StoreRecord) else catalogue.decode(value)
            assert not [it for it in texts(json.loads(value)) if unclean(it)]


def test_a_nasty_message_from_the_desk_is_sent_or_refused_by_a_sentence() -> None:
    chance, ids = random.Random(SEED), count(1)
    log = FakeLog("stock", "inventory-levels", "inventory-events", "dead-letters")
    refused: list[BopisError] = []
    exchange = Exchange(STOCK_REQUESTS, log, log, "bopis.")
    for number in range(MESSAGES):
        text = NASTY[number % len(NASTY)]
        author = Author(
            chance.choice(("cli/kim", text)), chance.choice(("kim", text)), lambda: NOW, lambda: f"id{next(ids)}"
        )
        bodies = (
            StockReceived(document=chance.choice(("PO-1", text)), lines=(StockLine(sku=text, quantity=1),)),
            StockAdjusted(reason=AdjustmentReason.FOUND, lines=(ChangeLine(sku="A", change=1),), note=text),
            SetStockRule(category=text, safety_stock=1),
        )
        try:
            message = exchange.compose(author, chance.choice(("319", text)), chance.choice(bodies))
            exchange.send(message)
        except BopisError as error:
            refused.append(error)
        try:
            check_customer(Customer(name=text, email=f"{text}@example.org", phone=text), note=text, country="US")
        except BopisError as error:
            refused.append(error)
    assert len(refused) > MESSAGES // 2
    assert not [it for it in refused if it.exit_code in (FAILED, INTERNAL_FAULT) or not str(it).endswith(".")]
    sent = [STOCK.decode(it.value or b"") for (topic, _), records in log.records.items() for it in records]
    assert len(sent) > 5
    assert not [it for message in sent for it in texts(json.loads(STOCK.encode(message))) if unclean(it)]


def test_a_nasty_command_leaves_with_a_sentence(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    commands = (
        ("order", "place", "{}", "4011=1"),
        ("order", "place", "319", "{}=1", "--name", "Anna"),
        ("order", "place", "319", "4011={}", "--note", "{}"),
        ("order", "show", "{}"),
        ("stock", "show", "{}", "{}"),
        ("stock", "receive", "319", "4011=1", "--document", "{}"),
        ("stock", "adjust", "319", "4011={}", "--reason", "{}"),
        ("pickup", "stage", "{}", "{}"),
        ("pickup", "hand-over", "4K7P92QX", "--code", "{}"),
        ("stores", "import", "{}"),
        ("stores", "show", "{}"),
        ("replay", "{}"),
        ("catalogue", "show", "{}"),
        ("privacy", "find", "{}"),
    )
    for number in range(COMMANDS):
        text = NASTY[number % len(NASTY)]
        words = [it.format(text) for it in chance.choice(commands)]

        answer = run(*words, "--no-input", "--data-dir", str(tmp_path / "home"))

        assert answer.code not in (FAILED, INTERNAL_FAULT), (words, answer.err)
        assert "fault in bopis" not in answer.err
        assert "Traceback" not in answer.err
        if unclean(text.replace("\x1d", "")):
            assert (answer.code, not unclean(answer.err.replace("\n", ""))) == (5, True), (words, answer.err)


def test_they_are_a_thousand() -> None:
    assert RECORDS + ROWS + MESSAGES + COMMANDS == 1_000
