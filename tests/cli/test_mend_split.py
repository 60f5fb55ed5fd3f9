"""`bopis stock mend-split` on the books of a store that an earlier version split over two partitions."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from bopis.cli.app.context import CommandContext
from bopis.cli.stock import mend_split
from bopis.services.exchange import Author
from tests.cli.program import run
from tests.domain.books import at
from tests.services.test_split_books import STORE, MemoryPublisher, Placed, Shop, split
from tests.services.topics.memory import OLD

# The settings of a machine are none of this log's.
SETTINGS = {"BOPIS_TOPIC_PREFIX": OLD, "BOPIS_READ_WAIT_SECONDS": "1"}


class DecidingPublisher(MemoryPublisher):
    """Appends to the log; the inventory decides at once, as long as it runs."""

    runs = True

    def publish(self, topic: str, key: str | bytes, value: bytes | None, **options: Any) -> Placed:
        placed = super().publish(topic, key, value, **options)
        if self.runs:
            self._inventory.decide()
        return placed


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Split books behind the log connections of the commands."""
    shop = split()

    @contextmanager
    def opened(_: CommandContext, found: Any) -> Iterator[Any]:
        yield found

    monkeypatch.setattr(CommandContext, "reader", lambda ctx: opened(ctx, shop.log))
    monkeypatch.setattr(CommandContext, "publisher", lambda ctx: opened(ctx, DecidingPublisher(shop.inventory)))
    ids = count()
    clerk = Author("cli/kim", "kim", lambda: at(shop.inventory.now_ms), lambda: f"mend-{next(ids)}")
    monkeypatch.setattr(mend_split, "author", lambda ctx: clerk)
    monkeypatch.setattr(CommandContext, "ensure_topic", lambda ctx, name: None)
    return shop


def test_o2_01_what_would_be_mended_is_shown_and_asked_about(shop: Shop) -> None:
    answer = run("--no-input", "stock", "mend-split", STORE, **SETTINGS)

    assert (answer.code, answer.out) == (2, "")
    assert f"Store {STORE} belongs in partition" in answer.err
    assert "TOY -2 on hand" in answer.err
    assert "Not mended. Add --yes to confirm." in answer.err
    assert shop.on_hand() == 1


def test_o2_01_one_command_leaves_one_set_of_books(shop: Shop) -> None:
    answer = run("stock", "mend-split", STORE, "--yes", **SETTINGS)

    assert answer.code == 0, answer.err
    assert f"Mended store {STORE}: 2 messages published in its partition" in answer.out
    assert "bopis readside rebuild" in answer.err
    assert shop.on_hand() == -1


def test_a_second_time_there_is_nothing_to_mend(shop: Shop) -> None:
    run("stock", "mend-split", STORE, "--yes", **SETTINGS)

    again = run("stock", "mend-split", STORE, "--yes", "--json", **SETTINGS)

    assert again.code == 0
    assert {it: again.document[it] for it in ("published", "rows_dropped")} == {"published": 0, "rows_dropped": 0}


def test_an_inventory_that_does_not_run_is_waited_for_and_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DecidingPublisher, "runs", False)

    answer = run("stock", "mend-split", STORE, "--yes", **SETTINGS)

    assert (answer.code, "do not send it again" in answer.err) == (75, True)


def test_a_command_that_was_parked_is_no_success(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Author("cli/kim", "kim", lambda: at(shop.inventory.now_ms + 10**10), lambda: "mend-late")
    monkeypatch.setattr(mend_split, "author", lambda ctx: late)

    answer = run("stock", "mend-split", STORE, "--yes", **SETTINGS)

    assert (answer.code, answer.out) == (4, "")
    assert "3 rows of store 320 are still in a wrong partition" in answer.err
