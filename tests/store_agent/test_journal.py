"""The journal: sequences without holes, each basket once, changes by difference, limits, and what survives."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bopis.broker.storage import disk_reserve
from bopis.domain.inventory.messages import (
    AdjustmentReason,
    Condition,
    CountLine,
    PosReturn,
    PosSale,
    ReturnLine,
    StockAdjusted,
    StockCounted,
    StockLine,
    StockReceived,
    TransferShipped,
)
from bopis.domain.inventory.outcomes import NetUnits, Outcome, net_of
from bopis.domain.values import DAY_MS, QUANTITY_MAX, ChangeLine
from bopis.journal import review
from bopis.journal.database import JOURNAL_FILE
from bopis.journal.entries import Basket, Cursor, Reject
from bopis.journal.errors import (
    ChangeNotBookable,
    ChangeUnknown,
    JournalDamaged,
    JournalFormatUnknown,
    JournalFull,
    JournalMissing,
    JournalOfAnotherStore,
    NotKept,
)
from bopis.journal.journal import Journal
from bopis.journal.limits import MEBIBYTE, JournalLimits
from bopis.journal.taking import wire_source
from bopis.wire.stock import STOCK
from tests.broker.test_disk_full import fill_up
from tests.faults.page_loss import PageLoss
from tests.store_agent.agents import STORE
from tests.store_agent.baskets import NOON, basket_of, sold

NEW, DUPLICATE, CHANGED, WAITING, EMPTY, REJECTED = Outcome


def outcomes(journal: Journal, *found: object, source: str = "till") -> list[Outcome]:
    return [it.outcome for it in journal.take(source, found)]  # type: ignore[arg-type]  # records of tests


def sequences(journal: Journal) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for it in journal.waiting(100_000, 1 << 30):
        found.setdefault(it.source, []).append(it.sequence)
    return found


def booked(journal: Journal) -> Counter[str]:
    """On hand by SKU that the waiting messages make."""
    sums: Counter[str] = Counter()
    for entry in journal.waiting(100_000, 1 << 30):
        for it in net_of([STOCK.decode(entry.value).data]) or ():
            sums[it.sku] -= it.units if it.condition is Condition.SELLABLE else 0
    return sums


def apart(journal: Journal) -> tuple[NetUnits, ...]:
    """Units that came back and are not sellable."""
    bodies = [STOCK.decode(it.value).data for it in journal.waiting(100_000, 1 << 30)]
    return tuple(it for it in net_of(bodies) or () if it.condition is not Condition.SELLABLE)


def fill(journal: Journal, at_once: int) -> tuple[int, str]:
    """Take baskets until the journal takes no more: how many it has, and why."""
    for count in range(0, 100_000, at_once):
        try:
            outcomes(journal, *(sold(str(it), x=1) for it in range(count, count + at_once)))
        except JournalFull as error:
            return count, str(error)
    raise AssertionError("the journal never became full")


def test_a_basket_is_new_once_then_a_duplicate_and_changed_with_other_content(journal: Journal) -> None:
    found = outcomes(journal, sold("a", x=1), sold("a", x=1), sold("a", x=2), sold("a", x=2), sold("b", x=1))

    assert found == [NEW, DUPLICATE, CHANGED, WAITING, NEW]
    assert len(review.changed_baskets(journal, 10)) == 1
    assert outcomes(journal, sold("a", x=9), source="other") == [NEW]


def test_a_basket_without_goods_is_not_remembered(journal: Journal) -> None:
    empty = Basket(key="a", fingerprint=b"", bodies=(), time=NOON)

    assert outcomes(journal, empty, sold("a", x=1), empty) == [EMPTY, NEW, CHANGED]


def test_sequences_have_no_holes_whatever_is_rejected(journal: Journal) -> None:
    bad = Reject(place="f:2", cause="the word is not known", content=b"x")

    found = outcomes(
        journal, sold("a", x=1), bad, sold("line\nbreak", x=1), sold("b", x=QUANTITY_MAX + 1), sold("c", x=1)
    )

    assert found == [NEW, REJECTED, REJECTED, REJECTED, NEW]
    assert sequences(journal) == {"till": [1, 2]}
    assert [it.cause for it in review.rejects(journal, 10)][-1] == "the word is not known"


def test_a_reject_is_kept_once_however_often_its_file_is_read(journal: Journal) -> None:
    bad = Reject(place="f:2", cause="the word is not known", content=b"x")

    outcomes(journal, bad, bad)
    outcomes(journal, bad)

    assert journal.usage().rejects == 1
    assert review.discard_rejects(journal, 1) == 1


def test_messages_are_sent_as_the_inventory_reads_them(journal: Journal) -> None:
    outcomes(journal, sold("a" * 300, x=1), source="t" * 300)

    [entry] = journal.waiting(10, 1 << 20)
    message = STOCK.decode(entry.value)
    assert (message.subject, message.seq, message.time) == (STORE, 1, NOON)
    assert message.source == wire_source("t" * 300, journal.identity)
    assert len(message.source) <= 128
    assert wire_source("t" * 300, "1") != wire_source("t" * 301, "1")


def test_two_journals_never_count_under_one_name(tmp_path: Path) -> None:
    with Journal(tmp_path / "1", STORE) as one, Journal(tmp_path / "2", STORE) as other:
        assert wire_source("till", one.identity) != wire_source("till", other.identity)


DIFFERENCES = {
    "more sold": (sold("k", x=1, y=2), sold("k", x=3, z=1), {"x": -3, "z": -1}),
    "less sold": (sold("k", x=5), sold("k", x=1), {"x": -1}),
    "a sale that is a return": (
        sold("k", x=1),
        basket_of("k", PosReturn(basket="k", lines=(ReturnLine(sku="x", quantity=1),))),
        {"x": 1},
    ),
    "less received": (
        basket_of("k", StockReceived(document="d", lines=(StockLine(sku="x", quantity=9),))),
        basket_of("k", StockReceived(document="d", lines=(StockLine(sku="x", quantity=4),))),
        {"x": 4},
    ),
    "goods that came back damaged": (
        sold("k", x=1),
        basket_of("k", PosReturn(basket="k", lines=(ReturnLine(sku="x", quantity=1, condition=Condition.DAMAGED),))),
        {},
    ),
    "only another time": (sold("k", x=1), basket_of("k", sold("k", x=1).bodies[0], NOON.replace(hour=3)), {"x": -1}),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_an_accepted_change_books_the_difference(journal: Journal, name: str) -> None:
    before, after, total = DIFFERENCES[name]
    assert outcomes(journal, before, after) == [NEW, CHANGED]

    review.accept(journal, 1)

    assert {sku: units for sku, units in booked(journal).items() if units} == total
    assert sum(it.units for it in apart(journal)) == -name.endswith("damaged")
    assert outcomes(journal, after, before) == [DUPLICATE, CHANGED]
    assert sequences(journal)["till"] == list(range(1, len(sequences(journal)["till"]) + 1))


DAMAGED = PosReturn(basket="k", lines=(ReturnLine(sku="x", quantity=1, condition=Condition.DAMAGED),))
SHIPPED = TransferShipped(transfer="t", to_store="367", lines=(StockLine(sku="x", quantity=1),))
RELEASED = StockAdjusted(reason=AdjustmentReason.QUARANTINE_RELEASED, lines=(ChangeLine(sku="x", change=1),))
RECEIVED = StockReceived(document="d", lines=(StockLine(sku="x", quantity=9),))
UNBOOKABLE = {
    "damaged goods that did not come back": (basket_of("k", DAMAGED), sold("k", x=1)),
    "a transfer": (sold("k", x=1), basket_of("k", SHIPPED)),
    "goods that left quarantine": (sold("k", x=1), basket_of("k", RELEASED)),
    "damaged goods of a delivery": (basket_of("k", RECEIVED), basket_of("k", DAMAGED)),
}


@pytest.mark.parametrize("name", UNBOOKABLE)
def test_a_difference_that_is_not_known_is_not_booked(journal: Journal, name: str) -> None:
    assert outcomes(journal, *UNBOOKABLE[name]) == [NEW, CHANGED]

    with pytest.raises(ChangeNotBookable, match="accept 1 --discard"):
        review.accept(journal, 1)
    assert review.discard(journal, 1).key == "k"
    with pytest.raises(ChangeUnknown):
        review.accept(journal, 1)


def test_a_journal_of_an_earlier_version_is_read_on(journal: Journal) -> None:
    after = sold("k", x=3)
    outcomes(journal, sold("k", x=1), after)
    with journal.writing() as writer:
        [(units, value)] = writer.execute("SELECT b.units, c.value FROM basket b JOIN changed c USING (key)").fetchall()
        assert (units, STOCK.decode(value).data) == (b'{"x":-1}', after.bodies[0])
        writer.execute("UPDATE basket SET kind = 'PosReturn', units = 'null'")  # as of goods that came back damaged

    with pytest.raises(ChangeNotBookable):
        review.accept(journal, 1)


def test_a_changed_count_is_booked_as_it_is(journal: Journal) -> None:
    counts = [basket_of("k", StockCounted(lines=(CountLine(sku="x", counted=it),))) for it in (4, 5)]
    outcomes(journal, *counts)

    review.accept(journal, 1)

    bodies = [STOCK.decode(it.value).data for it in journal.waiting(10, 1 << 20)]
    assert [it.lines[0].counted for it in bodies] == [4, 5]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 3), st.booleans()), max_size=25))
def test_whatever_comes_and_is_accepted_the_books_are_the_last_accepted_versions(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    versions: dict[str, int] = {}
    with Journal(tmp_path_factory.mktemp("journal"), STORE) as journal:
        for key, units, is_accepted in steps:
            [result] = outcomes(journal, sold(key, x=units))
            if result is NEW:
                versions[key] = units
            elif result is CHANGED and is_accepted:
                review.accept(journal, review.changed_baskets(journal, 100)[-1].number)
                versions[key] = units
            for it in review.changed_baskets(journal, 100):
                review.discard(journal, it.number)

        assert booked(journal)["x"] == -sum(versions.values())
        assert sequences(journal).get("till", []) == list(range(1, len(journal.waiting(1000, 1 << 20)) + 1))


def test_what_is_acknowledged_waits_no_more_and_can_be_sent_again(journal: Journal) -> None:
    outcomes(journal, *(sold(str(it), x=1) for it in range(5)))

    journal.acknowledge(3, [Reject(place="journal 2", cause="refused: too old")])
    journal.acknowledge(1)

    assert [it.position for it in journal.waiting(10, 1 << 20)] == [4, 5]
    assert len(journal.waiting(10, 1)) == 1
    assert journal.send_again(2) == 4
    assert [it.position for it in journal.waiting(10, 1 << 20)] == [2, 3, 4, 5]
    assert [it.source for it in review.rejects(journal, 5)] == ["sent"]


def test_acknowledged_messages_are_removed_after_their_days_and_waiting_ones_never(tmp_path: Path) -> None:
    now = [1_800_000_000_000]
    limits = JournalLimits(kept_days=7, remembered_days=30, disk_free_bytes_min=0)
    with Journal(tmp_path, STORE, limits, now_ms=lambda: now[0]) as journal:
        outcomes(journal, *(sold(str(it), x=1) for it in range(4)))
        journal.acknowledge(2)
        assert journal.compact() == 0
        now[0] += 8 * DAY_MS
        assert journal.compact() == 2

        assert [it.position for it in journal.waiting(10, 1 << 20)] == [3, 4]
        assert outcomes(journal, sold("0", x=1)) == [DUPLICATE]
        with pytest.raises(NotKept, match="from position 3 on"):
            journal.send_again(1)
        now[0] += 31 * DAY_MS
        journal.compact()
        assert outcomes(journal, sold("0", x=1)) == [NEW]
        assert sequences(journal)["till"] == [3, 4, 5]


def test_a_journal_at_its_limit_warns_first_then_takes_nothing_and_resumes_by_itself(tmp_path: Path) -> None:
    limits = JournalLimits(bytes_max=MEBIBYTE // 2, disk_free_bytes_min=0)
    with Journal(tmp_path, STORE, limits) as journal:
        count, cause = fill(journal, 40)
        assert "limit" in cause
        assert journal.usage().warnings
        assert len(sequences(journal)["till"]) == count

        journal.acknowledge(journal.last_position())
        while journal.compact():
            pass

        assert outcomes(journal, sold("again", x=1)) == [NEW]


def test_threads_and_processes_write_into_one_journal(journal: Journal, tmp_path: Path) -> None:
    def write(name: str) -> None:
        with Journal(tmp_path / "journal", STORE) as mine:
            for it in range(15):
                mine.take("till", [sold(f"{name}-{it}", x=1)])

    threads = [threading.Thread(target=write, args=(str(it),)) for it in range(3)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()

    assert sequences(journal)["till"] == list(range(1, 46))


def test_the_place_in_a_growing_file_is_stored_with_its_messages(journal: Journal) -> None:
    cursor = Cursor(file="f", identity="1:2", offset=77)

    journal.take("till", [sold("a", x=1)], cursor)

    assert journal.cursor("f") == cursor
    assert journal.cursor("g") is None


def test_a_journal_of_another_store_or_version_or_with_damage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing, match="bopis agent run"):
        Journal(tmp_path, create=False)
    Journal(tmp_path, STORE).close()
    with pytest.raises(JournalOfAnotherStore, match="367"):
        Journal(tmp_path, "367")
    with sqlite3.connect(tmp_path / JOURNAL_FILE) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(JournalFormatUnknown, match="format 9"):
        Journal(tmp_path, STORE)
    (tmp_path / JOURNAL_FILE).write_bytes(b"no database" * 1_000)
    with pytest.raises(JournalDamaged, match="Move it away"):
        Journal(tmp_path, STORE)


def test_a_full_disk_refuses_messages_and_still_lets_go_of_those_that_were_sent(small_disk: Path) -> None:
    limits = JournalLimits(disk_free_bytes_min=MEBIBYTE)
    with Journal(small_disk / "journal", STORE, limits) as journal:
        (small_disk / "ballast").write_bytes(b"\0" * (9 << 20))
        count, cause = fill(journal, 200)
        fill_up(small_disk / "rest")
        assert "the disk is full" in cause
        assert len(sequences(journal)["till"]) == count

        journal.acknowledge(journal.last_position())
        journal.compact()
        (small_disk / "rest").unlink()

        assert outcomes(journal, sold("again", x=1)) == [NEW]
        assert sequences(journal)["till"] == [count + 1]
        journal.compact()
        assert disk_reserve.release(small_disk / "journal")
    with Journal(small_disk / "journal", STORE, limits) as journal:
        journal.check()


def cut_power(home: Path, cuts: int) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    directory = home / "journal"
    Journal(directory, STORE).close()
    shim = PageLoss(directory, home)
    said: list[str] = []
    lost = 0
    for cut in range(cuts):
        command = [sys.executable, "-m", "tests.store_agent.journal_writer", str(directory), str(cut)]
        root = str(Path(__file__).parents[2])
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root} | shim.environment
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=root, text=True)
        assert writer.stdout is not None
        said.append(writer.stdout.readline().strip())
        time.sleep(chance.uniform(0.02, 0.3))
        writer.kill()
        # A line that was cut off names a basket that is on the disk all the same, or one that is not whole.
        said += [it.strip() for it in writer.stdout.readlines() if it.endswith("\n")]
        writer.stdout.close()
        writer.wait()
        lost += shim.cut(chance)

    with Journal(directory, STORE) as journal:
        journal.check()
        entries = journal.ask("SELECT sequence, value FROM entry ORDER BY position")
    found = [STOCK.decode(value).id for _, value in entries]
    assert lost > 0 or cuts < 20, "the shim dropped nothing: it does not work here"
    assert set(said) <= set(found)
    assert len(found) == len(set(found))
    assert [number for number, _ in entries] == list(range(1, len(entries) + 1))


def test_what_the_journal_took_outlives_power_cuts(tmp_path: Path) -> None:
    cut_power(tmp_path, 2)


@pytest.mark.soak
def test_what_the_journal_took_outlives_a_hundred_power_cuts(tmp_path: Path) -> None:
    cut_power(tmp_path, 100)


def test_a_message_of_the_journal_is_one_of_the_wire(journal: Journal) -> None:
    outcomes(journal, sold("a", x=2))

    [entry] = journal.waiting(1, 1 << 20)
    assert msgspec.json.decode(entry.value)["type"] == "bopis.pos.sale.v1"
    assert isinstance(STOCK.decode(entry.value).data, PosSale)
