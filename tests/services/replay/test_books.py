"""The questions of a replay to the read side, over real tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from bopis.cli.replay import books as replay_books
from bopis.cli.replay.books import ReadSideBooks, wait_until_taken
from bopis.readside.engine import connect, writing
from bopis.readside.migrate import upgrade
from bopis.readside.schema import consumed, devices, levels, movements
from bopis.services.replay.comparison import BookedCell
from bopis.services.replay.errors import NotCaughtUp

OURS, OTHERS = "replay/abc/1", "replay/ab_/1"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path / 'books.sqlite3'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def read_up_to(engine: Engine, topic: str, position: int, source_position: int) -> None:
    row = {"topic": topic, "partition": 0, "position": position, "source_position": source_position}
    with writing(engine) as connection:
        connection.execute(
            insert(consumed).values(row | {"recorded_ms": 1, "updated_ms": 1, "claim": -1, "stale": False})
        )


@pytest.mark.parametrize(
    ("history", "present", "left"), [(9, 9, 0), (4, 9, 5), (9, 3, 6), (-1, 9, 10), (9, -1, 10), (12, 12, 0)]
)
def test_a_record_is_taken_when_present_and_history_have_it(
    engine: Engine, history: int, present: int, left: int
) -> None:
    read_up_to(engine, "stock", history, -1)
    read_up_to(engine, "inventory-levels", 77, present)

    assert ReadSideBooks(engine).left({0: 10}) == left


def test_nothing_is_taken_before_anything_was_read(engine: Engine) -> None:
    assert ReadSideBooks(engine).left({0: 10, 1: 0, 2: 5}) == 15


def test_when_nothing_moves_the_wait_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_books, "STALL_SECONDS_MAX", 0.2)

    with pytest.raises(NotCaughtUp, match="10 records left"):
        wait_until_taken(ReadSideBooks(engine), {0: 10}, lambda _: None)


def test_movements_of_the_file_are_told_from_those_of_others(engine: Engine) -> None:
    def moved(offset: int, source: str, change: int, applied: int) -> dict[str, object]:
        place = {"partition": 0, "offset": offset, "line": 0, "store": "1", "sku": "milk", "kind": "sale"}
        clocks = {"occurred_ms": 1, "recorded_ms": 1, "on_hand_after": 0, "message_id": str(offset)}
        return {**place, **clocks, "source": source, "change": change, "applied": applied}

    level = {column.name: 0 for column in levels.columns} | {"counted_by": "", "category": "", "staged_counted": False}
    with writing(engine) as connection:
        rows = [moved(0, OURS, -5, 0), moved(1, OTHERS, -3, -3), moved(2, OURS, -1, -1), moved(3, "desk", 20, 20)]
        connection.execute(insert(movements), rows)
        connection.execute(insert(levels), [level | {"store": "1", "sku": "milk", "on_hand": 16}])
        connection.execute(insert(levels), [level | {"store": "1", "sku": "tea", "on_hand": 4}])

    booked = ReadSideBooks(engine).booked("replay/abc/")

    assert booked == {
        ("1", "milk"): BookedCell(on_hand=16, applied=16, by_file=-6, others=2),
        ("1", "tea"): BookedCell(on_hand=4, applied=0, by_file=0, others=0),
    }


def test_marks_and_gaps_are_those_of_the_file(engine: Engine) -> None:
    def heard(source: str, mark: int, holes: str) -> dict[str, object]:
        fixed = {"store": "1", "partition": 0, "top": 9, "heard_ms": 1, "closed_holes": "[]"}
        return {**fixed, "source": source, "mark": mark, "open_holes": holes}

    with writing(engine) as connection:
        connection.execute(insert(devices), [heard(OURS, 3, "[[4,6],[8,8]]"), heard(OTHERS, 9, "[[1,2]]")])

    books = ReadSideBooks(engine)

    assert books.marks("replay/abc/") == {"1": 3}
    assert books.gaps("replay/abc/") == 4
