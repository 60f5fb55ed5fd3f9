"""The whole job over real processes: nothing lost, nothing twice, and the books are what the file says."""

import gzip
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bopis.adapters.address import bootstrap_address
from bopis.adapters.log import LogReader
from bopis.names import STOCK_TOPIC
from bopis.settings import Settings
from tests.services.replay.exports import csv_of, write
from tests.services.replay.programs import ROOT, run, start, up

TILL_LINES = ROOT / "../shared/data/complete_journey_pos.csv.gz"
STORES = ROOT / "../shared/data/stores.csv"
MINUTE = 60


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data_dir = tmp_path_factory.mktemp("running")
    with up(data_dir):
        yield data_dir


def export(path: Path, baskets: int, seed: int) -> Path:
    """A morning of several stores, with returns, zero lines and lines that are equal."""
    chance = random.Random(seed)
    rows = []
    for number in range(baskets):
        second = number * 3600 // baskets
        at = f"2024-05-01T10:{second // MINUTE:02}:{second % MINUTE:02}Z"
        line = f"{chance.randint(1, 9)},{number},sku{chance.randint(1, 40)},{chance.randint(-1, 6)},100,{at}"
        rows += [line] * chance.choice([1, 1, 1, 2])
    return write(path, csv_of(*rows))


class TillLines(NamedTuple):
    """Sums of the real till lines sold before a day, by a plain sum over the file."""

    before: str
    lines: int
    baskets: int
    units: int
    stores: int
    cells: int


@pytest.mark.parametrize(
    "part",
    [
        TillLines("2017-01-15", 2_854, 1_762, 207_312, 130, 2_823),
        pytest.param(TillLines("9999", 55_853, 35_274, 5_928_963, 262, 48_383), marks=pytest.mark.soak),
    ],
    ids=["two weeks", "whole file"],
)
def test_real_till_lines_become_exact_books_on_a_directory_where_nothing_runs(tmp_path: Path, part: TillLines) -> None:
    if not TILL_LINES.exists():
        pytest.skip("the real till lines (../shared/data) are not here")
    with gzip.open(TILL_LINES, "rt") as file:
        header, *lines = file
    export = tmp_path / "part.csv"
    export.write_text(header + "".join(it for it in lines if it.rsplit(",", 1)[1] < part.before))

    told = run(tmp_path, "replay", export, "--stores", STORES)
    stores = run(tmp_path, "stores", "list")

    sums = TillLines(part.before, *(told[name] for name in TillLines._fields[1:]))
    assert sums == part
    assert told["mismatches"] == told["gaps"] == told["dead_letters"] == told["duplicates"] == told["rejected"] == 0
    assert len(stores["stores"]) == 293
    assert not (tmp_path / "engine.json").exists()


def test_killed_again_and_again_it_takes_nothing_twice_and_loses_nothing(running: Path, tmp_path: Path) -> None:
    file = export(tmp_path / "morning.csv", baskets=1_200, seed=1)
    chance = random.Random(7)
    for _ in range(3):
        before = messages_in(running)
        process = start(running, "replay", file, "--speed", "400")
        wait_until(lambda before=before: messages_in(running) > before, "the replay publishes")
        time.sleep(chance.uniform(0.1, 1.5))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    told = run(running, "replay", file)
    again = run(running, "replay", file)

    assert told["baskets"] == told["messages"] == 1_200
    assert told["mismatches"] == told["gaps"] == told["dead_letters"] == 0
    assert 0 < told["messages_known"] < 1_200  # it was killed in the middle indeed
    assert again["messages_known"] == 1_200
    assert again["mismatches"] == 0


def test_killed_with_the_log_it_started_it_goes_on_as_well(tmp_path: Path) -> None:
    file = export(tmp_path / "morning.csv", baskets=900, seed=2)
    process = start(tmp_path / "kept", "replay", file, "--speed", "300")
    wait_for(tmp_path / "kept" / "replays")
    time.sleep(2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    told = run(tmp_path / "kept", "replay", file)

    assert told["baskets"] == 900
    assert told["mismatches"] == told["gaps"] == told["dead_letters"] == 0
    assert told["messages_known"] > 0


def test_cells_that_others_move_as_well_are_still_judged(running: Path, tmp_path: Path) -> None:
    rows = ["77,a,milk,5,100,2024-05-01T10:00:00Z", "77,b,milk,2,100,2024-05-01T10:00:00Z"]
    run(running, "stock", "receive", "77", "milk=20", "--new-store")

    told = run(running, "replay", write(tmp_path / "e.csv", csv_of(*rows)))

    assert told["mismatches"] == 0
    assert run(running, "stock", "show", "77", "milk")["levels"][0]["terms"]["on_hand"] == 13


def test_bad_rows_and_repeated_baskets_are_told_and_the_rest_is_booked(running: Path, tmp_path: Path) -> None:
    rows = ["78,a,milk,5,100", "78,a,milk,5,100", "78,b,milk,one,100", "78,c,milk,-2,100", "78,c,tea,0,0"]
    text = csv_of(*rows, "78,a,milk,5,100", "78,a,milk,5,100")

    told = run(running, "replay", "-", "--rejects", tmp_path / "rejects.csv", stdin=text.encode())

    assert "Rejected: line 4: quantity 'one' is not a number" in told["said"]
    assert (told["lines"], told["units"], told["rejected"], told["duplicates"]) == (4, 8, 1, 1)
    assert told["mismatches"] == 0
    assert (tmp_path / "rejects.csv").read_text().splitlines()[1].startswith("4,")


def test_the_same_file_read_in_another_way_is_refused(running: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", csv_of("79,a,milk,5,100,2024-05-01T10:00:00"))
    run(running, "replay", file, "--time-zone", "Europe/Berlin")

    told = run(running, "replay", file, code=4)

    assert "--time-zone was Europe/Berlin, is not given" in told["error"]["message"]


def test_books_that_differ_from_the_file_are_told(running: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "e.csv", csv_of("80,a,milk,5,100", "80,b,milk,2,100"))
    run(running, "replay", file)
    from sqlalchemy import text

    from bopis.readside.engine import connect, writing

    engine = connect(f"sqlite:///{running / 'readside.sqlite3'}")
    with writing(engine) as connection:
        connection.execute(text("update levels set on_hand = on_hand + 1 where store = '80'"))
    engine.dispose()

    told = run(running, "replay", file, code=1)

    assert told["mismatches"] == 1
    assert told["differing"] == [
        {"store": "80", "sku": "milk", "expected": -7, "moved": -7, "on_hand": -6, "applied": -7, "others": 0}
    ]


def wait_for(path: Path) -> None:
    wait_until(path.exists, f"{path} appears")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def messages_in(data_dir: Path) -> int:
    """How many messages the stock topic of a running log has."""
    settings = Settings(data_dir=data_dir)
    with LogReader(bootstrap_address(settings), settings.topic_prefix) as reader:
        return sum(reader.end_offsets([STOCK_TOPIC]).values())


def test_the_columns_that_were_taken_are_printed_and_recorded__o2_40(running: Path, tmp_path: Path) -> None:
    header = "Date,Receipt number,SKU,Item,Quantity,Store,Status\n"
    rows = "2026-08-01T09:00Z,1-1,MUG,Mug,1.000,Main,Closed\n2026-08-01T09:10Z,1-2,MUG,Mug,2.000,Main,Canceled\n"

    told = run(running, "replay", write(tmp_path / "e.csv", header + rows), "--where", "Status=Closed")

    assert (told["units"], told["left_out"], told["mismatches"]) == (1, 1, 0)
    assert told["columns"]["basket"] == "Receipt number"
    assert told["other_columns"] == {"sku": ["Item"]}
    assert "Columns: store=Store, basket=Receipt number, sku=SKU" in told["said"]
    assert "Warning: the sku could also be Item" in told["said"]


def test_a_stores_file_of_few_columns_leaves_the_zone_that_the_log_has__o2_03(running: Path, tmp_path: Path) -> None:
    full = write(tmp_path / "full.csv", "store_id,name,time_zone\nZ1,Zone,America/Chicago\n")
    few = write(tmp_path / "few.csv", "store_id,city\nZ1,Chicago\n")
    export = write(tmp_path / "e.csv", csv_of("Z1,a,milk,1,100,2024-05-01 07:00"))
    run(running, "stores", "import", full)

    run(running, "replay", export, "--stores", few)

    (movement,) = run(running, "stock", "history", "Z1", "milk")["movements"]
    store = run(running, "stores", "show", "Z1")["store"]
    assert movement["occurred_at"].startswith("2024-05-01T12:00:00")
    assert (store["name"], store["city"], store["time_zone"]) == ("Zone", "Chicago", "America/Chicago")
