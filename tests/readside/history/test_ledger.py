"""A journal compared with the books that took its messages: what is lost, altered or only on one side is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from bopis.domain.inventory.ledger import DriftKind, LedgerComparison, LedgerSpan
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    AgentHeartbeat,
    CountLine,
    Report,
    StockAdjusted,
    StockCounted,
    StockLine,
    TransferReceived,
    TransferShipped,
)
from bopis.domain.message import Message
from bopis.domain.values import ChangeLine
from bopis.journal.database import JOURNAL_FILE
from bopis.journal.entries import Basket, fingerprint_of
from bopis.journal.journal import Journal
from bopis.journal.ledger import compare
from bopis.names import LEVELS_TOPIC, STOCK_TOPIC
from bopis.readside.engine import reading
from bopis.readside.queries.current import on_hand
from bopis.readside.queries.ledger import BooksLedger, store_agents
from bopis.readside.writer import Projection
from bopis.wire.stock import STOCK
from tests.readside.world import T0_MS, World, at, changelog
from tests.store_agent.baskets import sold

STORE = "S1"
MISSING, EXTRA, DIFFERENT = (
    DriftKind.MISSING_AT_CENTRE,
    DriftKind.MISSING_IN_SHOP,
    DriftKind.DIFFERENT,
)


class Pair:
    """A shop with its journal, and a centre; `send` is the way between them."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.directory, self.engine = directory, engine
        self.world = World(partitions=1)
        self.journal = Journal(directory, STORE, now_ms=lambda: T0_MS)
        self._projection = Projection(engine)
        self._levels = 0
        self._beats = 0

    def sell(self, *keys: str, **units: int) -> None:
        """Baskets into the journal, each of these units."""
        self.take(*(sold(it, **(units or {"a": 2})) for it in keys))

    def take(self, *found: Basket) -> None:
        self.journal.take("till", [msgspec.structs.replace(it, time=at(0)) for it in found])

    def report(self, key: str, body: Report) -> Basket:
        return Basket(key=key, fingerprint=fingerprint_of(body, at(0)), bodies=(body,), time=at(0))

    def send(self, lost: tuple[str, ...] = (), beats: bool = True, **ledger: Any) -> None:
        """Send everything and a heartbeat after it; messages that are lost on the way are acknowledged, too."""
        if beats:
            self._beats += 1
            beat = AgentHeartbeat(version="1", rejects=1, **ledger)
            self.journal.take("agent", [self.report(f"beat-{self._beats}", beat)])
        for entry in self.journal.waiting(100, 1 << 20):
            if STOCK.decode(entry.value).id not in lost:
                self.world.now_ms += 1
                self.world.put(0, entry.value, self.world.now_ms)
            self.journal.acknowledge(entry.position)
        self.project()

    def project(self) -> None:
        """The read side takes everything that is in the log."""
        stock = self.world.stock[0]
        rows = changelog(stock, every=1)
        self._projection.write(STOCK_TOPIC, 0, stock)
        self._projection.write(LEVELS_TOPIC, 0, rows)

    def compared(self) -> LedgerComparison | None:
        with reading(self.engine) as connection:
            return compare(self.journal, BooksLedger(connection, STORE))

    def differences(self) -> dict[str, DriftKind]:
        """By id of the message, how the two sides differ."""
        found = self.compared()
        assert found is not None
        assert found.found == len(found.differences)
        return {it.id or it.centre_id: it.kind for it in found.differences}

    def close(self, **lines: int) -> Message:
        """Close the only difference: an adjustment about its message."""
        found = self.compared()
        assert found is not None
        [difference] = found.differences
        assert {it.sku: it.change for it in difference.lines} == lines
        changes = tuple(ChangeLine(sku=it.sku, change=it.change) for it in difference.lines)
        body = StockAdjusted(reason=AdjustmentReason.DRIFT, lines=changes, note="disk replaced")
        message = self.world.say(STORE, body, source="drift", causation=difference.name, actor="kim", id="close")
        self.project()
        return message

    def units(self) -> dict[str, int]:
        return {sku: count for (_, sku), count in on_hand(self.engine).items()}

    def change(self, statement: str, *values: object) -> None:
        """Change the journal as a fault of its disk would."""
        with self.journal.writing() as writer:
            writer.execute(statement, values)


@pytest.fixture
def pair(tmp_path: Path, engine: Engine) -> Iterator[Pair]:
    pair = Pair(tmp_path / "shop", engine)
    yield pair
    pair.journal.close()


def test_a_journal_that_was_sent_agrees_with_the_books(pair: Pair) -> None:
    pair.sell("1", "2", "3")
    pair.send()

    found = pair.compared()

    assert found == LedgerComparison(at_ms=T0_MS, messages=3)


def test_a_lost_message_is_named_and_gone_once_it_is_sent_again(pair: Pair) -> None:
    pair.sell("1", "2", "3")
    pair.send(lost=("2",))

    found = pair.compared()

    assert found is not None
    [lost] = found.differences
    assert (lost.kind, lost.id, lost.position, lost.sequence) == (MISSING, "2", 2, 2)
    assert [(it.sku, it.change) for it in lost.lines] == [("a", -2)]

    pair.journal.send_again(lost.position)
    assert pair.compared() is None, "what was sent again may still be on its way"
    pair.send(beats=False)
    assert pair.compared() is None
    pair.send()

    assert pair.differences() == {}
    assert pair.units() == {"a": -6}


def test_messages_that_the_centre_has_not_applied_yet_are_not_compared(pair: Pair) -> None:
    pair.sell("1")
    assert pair.compared() is None
    pair.send()
    pair.sell("2")
    pair.journal.acknowledge(pair.journal.last_position())

    found = pair.compared()

    assert found is not None
    assert (found.messages, found.is_clean) == (1, True)


def test_a_message_that_was_altered_in_the_journal_is_named_and_closed_by_the_difference(pair: Pair) -> None:
    pair.sell("1", "2", a=2, b=1)
    pair.send()
    [(value,)] = pair.journal.ask("SELECT value FROM entry WHERE position = 2")
    altered = value.replace(b'["a",2,', b'["a",5,').replace(b'"quantity":2', b'"quantity":5')
    assert altered != value
    pair.change("UPDATE entry SET value = ? WHERE position = 2", altered)
    assert pair.differences() == {"2": DIFFERENT}

    closing = pair.close(a=-3, b=0)

    assert pair.differences() == {}
    assert pair.units() == {"a": -7, "b": -2}
    with reading(pair.engine) as connection:
        [(entry, *_)] = BooksLedger(connection, STORE).entries(
            [LedgerSpan(source=f"till/{pair.journal.identity}", first=2, last=2)]
        )
    assert entry.closed
    assert closing.causation == f"till/{pair.journal.identity}#2"


def test_a_message_that_the_journal_lost_is_named_and_stays_in_the_books(pair: Pair) -> None:
    pair.sell("1", "2", "3")
    pair.send()
    pair.change("DELETE FROM entry WHERE position = 2")
    assert pair.differences() == {"2": EXTRA}

    pair.close(a=0)

    assert pair.differences() == {}
    assert pair.units() == {"a": -6}


def test_an_older_copy_of_the_journal_is_found_by_both_messages_under_one_sequence(pair: Pair) -> None:
    pair.sell("1")
    pair.send()
    pair.journal.close()
    copy = (pair.directory / JOURNAL_FILE).read_bytes()
    pair.journal = Journal(pair.directory, STORE, now_ms=lambda: T0_MS)
    pair.sell("2", "3")
    pair.send()
    pair.journal.close()
    (pair.directory / JOURNAL_FILE).write_bytes(copy)
    pair.journal = Journal(pair.directory, STORE, now_ms=lambda: T0_MS)
    pair.sell("4", b=1)
    pair.send()
    pair.send()

    assert pair.differences() == {"4": DIFFERENT, "3": EXTRA}
    found = pair.compared()
    assert found is not None
    [both] = [it for it in found.differences if it.kind is DIFFERENT]
    assert (both.id, both.centre_id) == ("4", "2")
    assert [(it.sku, it.change) for it in both.lines] == [("b", -1)], "both happened, and the books lack all of it"


def test_a_message_that_the_inventory_parks_is_missing_and_can_be_closed_by_its_units(pair: Pair) -> None:
    pair.sell("1")
    pair.send()
    # The same id with another content under a new sequence: the inventory parks it.
    pair.change("DELETE FROM basket")
    pair.sell("1", a=7)
    pair.send()
    assert pair.differences() == {"1": MISSING}

    pair.close(a=-7)

    assert pair.differences() == {}
    assert pair.units() == {"a": -9}


def test_counts_and_transfers_are_compared_and_heartbeats_are_not(pair: Pair) -> None:
    lines = (StockLine(sku="a", quantity=3),)
    pair.take(
        pair.report("c", StockCounted(lines=(CountLine(sku="a", counted=9),))),
        pair.report("out", TransferShipped(transfer="t1", to_store="S2", lines=lines)),
        pair.report("in", TransferReceived(transfer="t2", from_store="S2", lines=lines)),
    )
    pair.send(lost=("c", "out", "in"))

    found = pair.compared()

    assert found is None, "the centre has nothing of this source yet, and no message after it"
    pair.sell("after")
    pair.send(lost=("beat-2",))
    found = pair.compared()
    assert found is not None
    assert found.messages == 4
    assert {it.id: [line.change for line in it.lines] for it in found.differences} == {
        "c": [0], "out": [-3], "in": [3],
    }  # fmt: skip


def test_messages_that_cannot_be_read_in_the_journal_any_more_are_named(pair: Pair) -> None:
    pair.sell("1", "2", "3")
    pair.send(lost=("3",))
    pair.change("UPDATE entry SET value = x'7b00ff' WHERE position IN (2, 3)")

    found = pair.compared()

    assert found is not None
    altered, lost = found.differences
    assert (altered.kind, altered.id, altered.centre_id, altered.position) == (DIFFERENT, "", "2", 2)
    assert [(it.sku, it.change) for it in altered.lines] == [("a", 0)], "the books have it"
    assert (lost.kind, lost.id, lost.position, lost.lines) == (MISSING, "", 3, ())


def test_messages_from_before_the_ledger_was_kept_are_not_missing(pair: Pair) -> None:
    pair.sell("1", "2", "3")
    pair.send()
    with pair.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger WHERE sequence <= 2")

    found = pair.compared()

    assert found is not None
    assert (found.messages, found.is_clean) == (1, True)

    with pair.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger")
    pair.sell("4")
    pair.send()
    assert pair.differences() == {}


def test_a_heartbeat_reports_its_agent_and_its_last_comparison(pair: Pair) -> None:
    pair.sell("1", "2")
    pair.send(lost=("1",))
    found = pair.compared()
    pair.send(ledger=found)
    pair.send()

    [agent] = store_agents(pair.engine)

    assert (agent.store, agent.version, agent.rejects, agent.drift) == (STORE, "1", 1, 1)
    assert agent.comparison == found
    assert [it.id for it in agent.open_differences] == ["1"]
    assert agent.needs_attention
    assert store_agents(pair.engine, "S9") == []

    # A heartbeat that is sent again is older than what is known.
    pair.world.repeat(0, 1)
    pair.project()
    assert store_agents(pair.engine) == [agent]

    pair.close(a=-2)

    [agent] = store_agents(pair.engine, STORE)
    assert (agent.drift, agent.open_differences) == (0, ())


def test_an_adjustment_by_hand_for_drift_closes_nothing(pair: Pair) -> None:
    pair.sell("1", "2")
    pair.send(lost=("2",))
    body = StockAdjusted(reason=AdjustmentReason.DRIFT, lines=(ChangeLine(sku="a", change=-2),))
    pair.world.say(STORE, body, source="desk")
    pair.world.say(STORE, body, source="desk", causation="no name of a message")
    pair.project()

    assert pair.differences() == {"2": MISSING}
