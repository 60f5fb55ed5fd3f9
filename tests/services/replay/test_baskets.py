"""Lines become baskets: together, in parts, and each only once."""

import random
from pathlib import Path

import pytest

from bopis.domain.values import LINES_MAX
from bopis.services.replay.baskets import as_message
from bopis.wire.envelope import MESSAGE_BYTES_MAX
from bopis.wire.stock import STOCK
from tests.services.replay.exports import Seen, csv_of, write


def test_lines_of_a_basket_come_together_wherever_they_stand(tmp_path: Path) -> None:
    text = csv_of("1,a,milk,1,100", "1,b,bread,2,300", "1,a,eggs,3,250", "1,b,milk,1,100", "1,a,salt,1,90")

    seen = Seen(write(tmp_path / "e.csv", text))

    assert [(it.number, it.lines) for it in seen.baskets] == [
        ("a", (("milk", 1, 100), ("eggs", 3, 250), ("salt", 1, 90))),
        ("b", (("bread", 2, 300), ("milk", 1, 100))),
    ]
    assert seen.taken.totals.duplicates == 0


def test_equal_lines_next_to_each_other_are_two_lines(tmp_path: Path) -> None:
    seen = Seen(write(tmp_path / "e.csv", csv_of("1,a,milk,1,100", "1,a,milk,1,100", "2,b,milk,1,100")))

    assert seen.baskets[0].lines == (("milk", 1, 100), ("milk", 1, 100))
    assert seen.cells == seen.plain == {("1", "milk"): 2, ("2", "milk"): 1}


def test_a_repeated_basket_is_one(tmp_path: Path) -> None:
    basket = ["1,a,milk,1,100", "1,a,milk,1,100", "1,a,eggs,6,200"]
    text = csv_of(*basket, "1,b,bread,1,300", *reversed(basket), "1,c,salt,1,90", *basket)

    seen = Seen(write(tmp_path / "e.csv", text))

    assert seen.taken.totals.duplicates == 2
    assert seen.cells == seen.plain == {("1", "milk"): 2, ("1", "eggs"): 6, ("1", "bread"): 1, ("1", "salt"): 1}


def test_a_whole_export_that_was_appended_to_itself_counts_once(tmp_path: Path) -> None:
    rows = [f"{i % 3},{i // 4},sku{i % 5},{i % 7 - 2},{i}" for i in range(200)]
    once = Seen(write(tmp_path / "once.csv", csv_of(*rows)))

    twice = Seen(write(tmp_path / "twice.csv", csv_of(*rows, *rows)))

    assert twice.cells == twice.plain == once.cells
    assert twice.taken.totals.duplicates == once.taken.totals.baskets


def test_other_lines_under_a_known_number_are_more_of_that_basket(tmp_path: Path) -> None:
    text = csv_of(
        "1,a,milk,1,100", "1,a,eggs,1,200", "1,b,salt,1,90", "1,a,milk,1,100", "1,b,salt,2,180", "1,a,tea,1,5"
    )

    seen = Seen(write(tmp_path / "e.csv", text))

    assert [len(it.lines) for it in seen.baskets] == [4, 2]
    assert seen.taken.totals.duplicates == 0
    assert seen.cells == seen.plain


def test_the_same_number_at_another_store_is_another_basket(tmp_path: Path) -> None:
    seen = Seen(write(tmp_path / "e.csv", csv_of("1,a,milk,1,100", "2,a,milk,1,100", "1,a,milk,1,100")))

    assert [(it.store, it.lines) for it in seen.baskets] == [
        ("1", (("milk", 1, 100), ("milk", 1, 100))),
        ("2", (("milk", 1, 100),)),
    ]
    assert seen.cells == seen.plain


def test_the_same_number_on_another_day_is_another_basket(tmp_path: Path) -> None:
    first, second = "1,17,milk,1,100,2024-05-01T10:00:00Z", "1,17,milk,1,100,2024-05-02T10:00:00Z"

    seen = Seen(write(tmp_path / "e.csv", csv_of(first, "1,18,salt,1,90,2024-05-01T11:00:00Z", second, first)))

    assert [(it.number, it.part) for it in seen.baskets] == [("17", 1), ("18", 1), ("17", 2)]
    assert seen.taken.totals.duplicates == 1
    assert seen.cells == seen.plain == {("1", "milk"): 2, ("1", "salt"): 1}


def test_returns_are_negative_and_zero_lines_stay(tmp_path: Path) -> None:
    seen = Seen(write(tmp_path / "e.csv", csv_of("1,a,milk,-2,-200", "1,a,salt,0,0", "1,a,eggs,1,100")))

    assert seen.baskets[0].lines == (("milk", -2, -200), ("salt", 0, 0), ("eggs", 1, 100))
    assert seen.plain == {("1", "milk"): -2, ("1", "salt"): 0, ("1", "eggs"): 1}
    assert seen.taken.totals.units == -1


def test_baskets_come_in_the_order_of_time(tmp_path: Path) -> None:
    text = csv_of("1,late,milk,1,1,2024-05-01T12:00:00Z", "2,early,milk,1,1,2024-05-01T09:00:00Z")

    seen = Seen(write(tmp_path / "e.csv", text))

    assert [it.number for it in seen.baskets] == ["early", "late"]


def test_a_basket_is_sold_at_the_time_of_its_last_line(tmp_path: Path) -> None:
    first, last = "1,a,milk,1,1,2024-05-01T09:00:00Z", "1,a,tea,1,1,2024-05-01T09:02:00Z"

    seen = Seen(write(tmp_path / "e.csv", csv_of(first, "1,b,milk,1,1,2024-05-01T09:01:00Z", last)))

    assert [(it.number, it.at_ms % 3_600_000) for it in seen.baskets] == [("b", 60_000), ("a", 120_000)]


def test_a_basket_beyond_the_limits_of_a_message_comes_in_parts(tmp_path: Path) -> None:
    long_names = [f"1,b,{chr(0x1F600) * 60}{i:04},1,100" for i in range(LINES_MAX)]
    text = csv_of(*[f"1,a,sku{i},1,100" for i in range(2 * LINES_MAX + 1)], *long_names)

    seen = Seen(write(tmp_path / "e.csv", text))
    sent = [as_message(basket, seen.digest, n) for n, basket in enumerate(seen.baskets, start=1)]

    messages = [STOCK.decode(value) for value in sent]
    assert [it.id for it in messages][:4] == ["a", "a~2", "a~3", "b"]
    assert {it.data.basket for it in messages} == {"a", "b"}
    assert [len(it.data.lines) for it in messages][:3] == [LINES_MAX, LINES_MAX, 1]
    assert max(map(len, sent)) <= MESSAGE_BYTES_MAX
    assert seen.cells == seen.plain
    assert seen.taken.totals.baskets == 2


@pytest.mark.parametrize("seed", range(30))
def test_any_mixture_of_baskets_sums_up_as_the_plain_sum_does(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rows = []
    for number in range(chance.randint(1, 12)):
        basket = [
            f"{number % 3},b{number % 7},s{chance.randint(0, 3)},{chance.randint(-2, 5)},{chance.choice('12')}"
            for _ in range(chance.randint(1, 5))
        ]
        rows += basket * chance.choice([1, 1, 1, 2])
    if seed % 2:
        chance.shuffle(rows)
    days = [f"{row},2024-05-0{chance.choice('112')}T10:00:00Z" for row in rows]

    seen = Seen(write(tmp_path / "e.csv", csv_of(*days)))

    assert seen.cells == seen.plain, f"seed {seed}"
    assert seen.taken.totals.units == sum(seen.plain.values())
