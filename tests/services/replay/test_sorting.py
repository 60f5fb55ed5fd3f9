"""Sorting beyond memory gives back every row once, in order."""

import random

import pytest

from bopis.services.sorter import Sorter


@pytest.mark.parametrize(("rows", "in_memory"), [(0, 10), (5, 10), (3_000, 10), (3_000, 700), (20_000, 100_000)])
def test_every_row_comes_back_once_and_in_order(rows: int, in_memory: int) -> None:
    chance = random.Random(rows)
    given = [(chance.randint(0, 50), number, f"sku{number}", b"x" * (number % 9)) for number in range(rows)]
    chance.shuffle(given)
    sorter = Sorter(rows_in_memory_max=in_memory)

    for row in given:
        sorter.add(row)

    assert list(sorter) == sorted(given)
    assert list(sorter) == sorted(given)  # and again
    sorter.close()
